package server_test

import (
	"encoding/xml"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"moat/iam"
	"moat/server"
	"moat/state"
	"moat/store"
	"moat/vpc"
)

var (
	modelTenants = flag.Int("model-tenants", 4, "how many make calls at once in TestModelAtOnce")
	modelSteps   = flag.Int("model-steps", 60, "how many random calls each of them makes")
	modelSeed    = flag.Uint64("model-seed", 1, "the seed of the random calls")
)

// sharedKey is the one name that all tenants want.
const sharedKey = "shared"

type machine struct{ subnet, state, key string }

// A tenant has a VPC of its own among others in the same account and region.
// What it knows is maps of what its calls should have done, nothing derived.
type tenant struct {
	caller
	r         *rand.Rand
	name      string
	n         int
	vpc       string
	main      string
	subnets   map[string]string            // subnet → range
	gateways  map[string]bool              // gateway → attached
	tables    map[string]map[string]string // table → destination → gateway
	uses      map[string]string            // subnet → table that it was given
	machines  map[string]*machine
	addresses map[string]string // allocation → instance or ""
	keys      map[string]bool
	holders   *atomic.Int32 // how many tenants have the shared key pair
	history   []string
}

// attempt makes a call that has to work, or to fail with a code.
func (m *tenant) attempt(want, action string, params ...string) string {
	m.t.Helper()
	body, code, message := m.try("ec2:"+action, params...)
	m.history = append(m.history, fmt.Sprintf("%s %q: %q", action, params, code))
	if code != want {
		m.t.Fatalf("%s %q: got %q (%s), the model says %q, after\n%s", action, params, code, message, want, strings.Join(m.history, "\n"))
	}
	return body
}

// tagged gives parameters that make a new resource the tenant's.
func (m *tenant) tagged(resource string, params ...string) []string {
	return append(params, "TagSpecification.1.ResourceType", resource, "TagSpecification.1.Tag.1.Key", "owner", "TagSpecification.1.Tag.1.Value", m.name)
}

func anyOf[V any](r *rand.Rand, m map[string]V) string {
	if len(m) == 0 {
		return ""
	}
	return slices.Sorted(maps.Keys(m))[r.IntN(len(m))]
}

func when(refused bool, code string) string {
	if refused {
		return code
	}
	return ""
}

// door gives the gateway that is attached.
func (m *tenant) door() string {
	for g, attached := range m.gateways {
		if attached {
			return g
		}
	}
	return ""
}

// step makes one random call.
func (m *tenant) step() {
	m.n++
	subnet, gateway, table := anyOf(m.r, m.subnets), anyOf(m.r, m.gateways), anyOf(m.r, m.tables)
	instance, address := anyOf(m.r, m.machines), anyOf(m.r, m.addresses)
	destination := fmt.Sprintf("192.168.%d.0/24", m.r.IntN(4))
	switch op := m.r.IntN(20); {
	case op < 2 || subnet == "":
		cidr := fmt.Sprintf("10.0.%d.0/24", m.r.IntN(4))
		taken := slices.Contains(slices.Collect(maps.Values(m.subnets)), cidr)
		body := m.attempt(when(taken, "InvalidSubnet.Conflict"), "CreateSubnet", "VpcId", m.vpc, "CidrBlock", cidr)
		if !taken {
			m.subnets[element(body, "subnetId")] = cidr
		}
	case op == 2:
		held := false
		for _, i := range m.machines {
			held = held || i.subnet == subnet && i.state != "terminated"
		}
		m.attempt(when(held, "DependencyViolation"), "DeleteSubnet", "SubnetId", subnet)
		if !held {
			delete(m.subnets, subnet)
			delete(m.uses, subnet)
		}
	case op == 3 || gateway == "":
		if len(m.gateways) < 3 {
			m.gateways[element(m.attempt("", "CreateInternetGateway", m.tagged("internet-gateway")...), "internetGatewayId")] = false
		}
	case op < 6:
		busy := m.gateways[gateway]
		want := when(m.door() != "", "InvalidParameterValue")
		if busy {
			want = "Resource.AlreadyAssociated"
		}
		m.attempt(want, "AttachInternetGateway", "InternetGatewayId", gateway, "VpcId", m.vpc)
		m.gateways[gateway] = busy || want == ""
	case op == 6:
		mapped := false
		for _, i := range m.addresses {
			mapped = mapped || i != ""
		}
		want := when(mapped, "DependencyViolation")
		if !m.gateways[gateway] {
			want = "Gateway.NotAttached"
		}
		m.attempt(want, "DetachInternetGateway", "InternetGatewayId", gateway, "VpcId", m.vpc)
		m.gateways[gateway] = m.gateways[gateway] && want != ""
	case op == 7:
		held := m.gateways[gateway]
		m.attempt(when(held, "DependencyViolation"), "DeleteInternetGateway", "InternetGatewayId", gateway)
		if !held {
			delete(m.gateways, gateway)
		}
	case op == 8:
		if len(m.tables) < 4 {
			m.tables[element(m.attempt("", "CreateRouteTable", "VpcId", m.vpc), "routeTableId")] = map[string]string{}
			return
		}
		held := table == m.main || slices.Contains(slices.Collect(maps.Values(m.uses)), table)
		m.attempt(when(held, "DependencyViolation"), "DeleteRouteTable", "RouteTableId", table)
		if !held {
			delete(m.tables, table)
		}
	case op == 9:
		want := when(m.tables[table][destination] != "", "RouteAlreadyExists")
		if !m.gateways[gateway] {
			want = "InvalidParameterValue"
		}
		m.attempt(want, "CreateRoute", "RouteTableId", table, "DestinationCidrBlock", destination, "GatewayId", gateway)
		if want == "" {
			m.tables[table][destination] = gateway
		}
	case op == 10:
		missing := m.tables[table][destination] == ""
		m.attempt(when(missing, "InvalidRoute.NotFound"), "DeleteRoute", "RouteTableId", table, "DestinationCidrBlock", destination)
		delete(m.tables[table], destination)
	case op == 11:
		conflict := m.uses[subnet] != "" && m.uses[subnet] != table
		m.attempt(when(conflict, "Resource.AlreadyAssociated"), "AssociateRouteTable", "RouteTableId", table, "SubnetId", subnet)
		if !conflict {
			m.uses[subnet] = table
		}
	case op == 12:
		name := fmt.Sprintf("%s-%d", m.name, m.r.IntN(3))
		if had := m.keys[name]; had && m.r.IntN(2) == 0 {
			m.attempt("", "DeleteKeyPair", "KeyName", name)
			delete(m.keys, name)
		} else {
			m.attempt(when(had, "InvalidKeyPair.Duplicate"), "CreateKeyPair", m.tagged("key-pair", "KeyName", name, "KeyType", "ed25519")...)
			m.keys[name] = true
		}
	case op == 13:
		m.contend()
	case op == 14 || instance == "":
		key := anyOf(m.r, m.keys)
		if m.r.IntN(4) == 0 {
			key = m.name + "-lost"
		}
		params := m.tagged("instance", "ImageId", vpc.Images("us-east-1")[0].ID, "InstanceType", typeFor(vpc.Images("us-east-1")[0]), "MinCount", "1", "MaxCount", "1", "SubnetId", subnet)
		if key != "" {
			params = append(params, "KeyName", key)
		}
		lost := key != "" && !m.keys[key]
		body := m.attempt(when(lost, "InvalidKeyPair.NotFound"), "RunInstances", params...)
		if !lost {
			m.machines[element(body, "instanceId")] = &machine{subnet, "running", key}
		}
	case op == 15:
		i := m.machines[instance]
		action, to := "StartInstances", "running"
		if m.r.IntN(2) == 0 {
			action, to = "StopInstances", "stopped"
		}
		ended := i.state == "terminated"
		m.attempt(when(ended, "IncorrectInstanceState"), action, "InstanceId.1", instance)
		if !ended {
			i.state = to
		}
	case op == 16:
		m.attempt("", "TerminateInstances", "InstanceId.1", instance)
		m.machines[instance].state = "terminated"
		for a, on := range m.addresses {
			if on == instance {
				m.addresses[a] = ""
			}
		}
	case op == 17 || address == "":
		if address == "" || m.r.IntN(2) == 0 {
			m.addresses[element(m.attempt("", "AllocateAddress", m.tagged("elastic-ip")...), "allocationId")] = ""
			return
		}
		held := m.addresses[address] != ""
		m.attempt(when(held, "InvalidIPAddress.InUse"), "ReleaseAddress", "AllocationId", address)
		if !held {
			delete(m.addresses, address)
		}
	case op == 18:
		on, want := m.addresses[address], ""
		switch {
		case m.machines[instance].state == "terminated":
			want = "IncorrectInstanceState"
		case m.door() == "":
			want = "Gateway.NotAttached"
		case on != "" && on != instance:
			want = "Resource.AlreadyAssociated"
		}
		m.attempt(want, "AssociateAddress", "AllocationId", address, "InstanceId", instance)
		if want == "" {
			for other, at := range m.addresses {
				if at == instance {
					m.addresses[other] = ""
				}
			}
			m.addresses[address] = instance
		}
	case op == 19:
		body := m.attempt("", "DescribeAddresses", "AllocationId.1", address)
		if association := element(body, "associationId"); association != "" {
			m.attempt("", "DisassociateAddress", "AssociationId", association)
			m.addresses[address] = ""
		}
	}
}

func typeFor(i *vpc.Image) string {
	if i.Arch == "arm64" {
		return "t4g.micro"
	}
	return "t3.micro"
}

// contend is for the key pair of which there is one: whoever makes it has it
// alone, until it deletes it.
func (m *tenant) contend() {
	m.t.Helper()
	if m.keys[sharedKey] {
		m.holders.Add(-1)
		m.attempt("", "DeleteKeyPair", "KeyName", sharedKey)
		delete(m.keys, sharedKey)
		return
	}
	_, code, message := m.try("ec2:CreateKeyPair", m.tagged("key-pair", "KeyName", sharedKey, "KeyType", "ed25519")...)
	switch {
	case code == "" && m.holders.Add(1) == 1:
		m.keys[sharedKey] = true
	case code == "":
		m.t.Fatal("two have made the same key pair")
	case code != "InvalidKeyPair.Duplicate":
		m.t.Fatalf("the key pair that all want: %s %s", code, message)
	}
}

type described struct {
	Subnets []struct {
		ID    string `xml:"subnetId"`
		Range string `xml:"cidrBlock"`
	} `xml:"subnetSet>item"`
	Gateways []struct {
		ID  string `xml:"internetGatewayId"`
		VPC string `xml:"attachmentSet>item>vpcId"`
	} `xml:"internetGatewaySet>item"`
	Tables []struct {
		ID     string `xml:"routeTableId"`
		Routes []struct {
			To    string `xml:"destinationCidrBlock"`
			By    string `xml:"gatewayId"`
			State string `xml:"state"`
		} `xml:"routeSet>item"`
		Uses []struct {
			Subnet string `xml:"subnetId"`
			Main   bool   `xml:"main"`
		} `xml:"associationSet>item"`
	} `xml:"routeTableSet>item"`
	Instances []struct {
		ID     string `xml:"instanceId"`
		State  string `xml:"instanceState>name"`
		Key    string `xml:"keyName"`
		Subnet string `xml:"subnetId"`
	} `xml:"reservationSet>item>instancesSet>item"`
	Addresses []struct {
		ID       string `xml:"allocationId"`
		Instance string `xml:"instanceId"`
	} `xml:"addressesSet>item"`
	Keys []struct {
		Name string `xml:"keyName"`
	} `xml:"keySet>item"`
}

// compare holds all that is described of the tenant against what it knows.
func (m *tenant) compare() {
	m.t.Helper()
	var want, got []string
	wants := func(words ...any) { want = append(want, fmt.Sprintln(words...)) }
	gets := func(words ...any) { got = append(got, fmt.Sprintln(words...)) }
	for id, cidr := range m.subnets {
		wants("subnet", id, cidr)
	}
	for id, attached := range m.gateways {
		wants("gateway", id, attached)
	}
	wants("main", m.main)
	for id, routes := range m.tables {
		wants("table", id)
		for to, by := range routes {
			alive := "active"
			if !m.gateways[by] {
				alive = "blackhole"
			}
			wants("route", id, to, by, alive)
		}
	}
	for subnet, table := range m.uses {
		wants("use", subnet, table)
	}
	for id, i := range m.machines {
		at := i.subnet
		if i.state == "terminated" {
			at = ""
		}
		wants("instance", id, i.state, i.key, at)
	}
	for id, instance := range m.addresses {
		wants("address", id, instance)
	}
	for name := range m.keys {
		wants("key", name)
	}

	var d described
	for action, filter := range map[string][2]string{
		"DescribeSubnets": {"vpc-id", m.vpc}, "DescribeRouteTables": {"vpc-id", m.vpc},
		"DescribeInternetGateways": {"tag:owner", m.name}, "DescribeInstances": {"tag:owner", m.name},
		"DescribeAddresses": {"tag:owner", m.name}, "DescribeKeyPairs": {"tag:owner", m.name},
	} {
		body := m.must("ec2:"+action, "Filter.1.Name", filter[0], "Filter.1.Value.1", filter[1])
		if err := xml.Unmarshal([]byte(body), &d); err != nil {
			m.t.Fatalf("%s: %v in %s", action, err, body)
		}
	}
	for _, s := range d.Subnets {
		gets("subnet", s.ID, s.Range)
	}
	for _, g := range d.Gateways {
		gets("gateway", g.ID, g.VPC == m.vpc)
	}
	for _, table := range d.Tables {
		gets("table", table.ID)
		for _, r := range table.Routes {
			if r.By != "local" {
				gets("route", table.ID, r.To, r.By, r.State)
			}
		}
		for _, u := range table.Uses {
			if u.Main {
				gets("main", table.ID)
			} else {
				gets("use", u.Subnet, table.ID)
			}
		}
	}
	for _, i := range d.Instances {
		at := i.Subnet
		if i.State == "terminated" {
			at = ""
		}
		gets("instance", i.ID, i.State, i.Key, at)
	}
	for _, a := range d.Addresses {
		gets("address", a.ID, a.Instance)
	}
	for _, k := range d.Keys {
		gets("key", k.Name)
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(want, got) {
		m.t.Fatalf("the model has\n%s\nand Moat\n%s\nafter\n%s", strings.Join(want, ""), strings.Join(got, ""), strings.Join(m.history, "\n"))
	}
}

// TestModelAtOnce has several make random calls at once on one store, an etcd
// in a directory, and holds what each is told against maps of its own: after
// each of its calls, and when the store was opened again.
func TestModelAtOnce(t *testing.T) {
	dir := t.TempDir()
	start := func() (url string, stop func()) {
		log, err := store.OpenEmbedded(t.Context(), dir, slog.New(slog.DiscardHandler), func(reason string) { panic(reason) })
		if err != nil {
			t.Fatal(err)
		}
		st, err := store.Open(t.Context(), log, store.Options{NewEventID: uuid.NewString})
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = st.Write(t.Context(), &store.Write{Call: state.Call{Now: time.Now()}, Plan: func(tx *state.Txn) (any, error) {
			if state.AccessKeys.Get(tx, testKey) == nil {
				state.AccessKeys.Put(tx, &iam.AccessKey{ID: testKey, Secret: testSecret, Account: account})
			}
			return nil, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		ts := httptest.NewServer(server.New(st, server.Config{Region: "us-east-1", Account: account, Quotas: vpc.NoQuotas()}))
		return ts.URL, sync.OnceFunc(func() {
			ts.Close()
			if err := st.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	url, stop := start()
	defer func() { stop() }()

	var holders atomic.Int32
	var tenants []*tenant
	for n := range *modelTenants {
		m := &tenant{
			caller: caller{t, url, signed()}, r: rand.New(rand.NewPCG(*modelSeed, uint64(n))), name: fmt.Sprint("tenant-", n), holders: &holders,
			subnets: map[string]string{}, gateways: map[string]bool{}, tables: map[string]map[string]string{}, uses: map[string]string{},
			machines: map[string]*machine{}, addresses: map[string]string{}, keys: map[string]bool{},
		}
		tenants = append(tenants, m)
	}
	// All at once, each in a test of its own, which it may end.
	each := func(what string, f func(m *tenant)) {
		var all sync.WaitGroup
		for _, m := range tenants {
			all.Go(func() {
				t.Run(what+" "+m.name, func(t *testing.T) {
					m.caller = caller{t, url, signed()}
					m.sign.at = time.Time{} // each call has its own time
					f(m)
				})
			})
		}
		all.Wait()
	}
	each("calls", func(m *tenant) {
		m.vpc = element(m.must("ec2:CreateVpc", "CidrBlock", "10.0.0.0/16"), "vpcId")
		m.main = element(m.must("ec2:DescribeRouteTables", "Filter.1.Name", "vpc-id", "Filter.1.Value.1", m.vpc), "routeTableId")
		m.tables[m.main] = map[string]string{}
		for range *modelSteps {
			m.step()
			m.compare()
		}
	})
	if t.Failed() {
		return
	}
	stop()
	url, stop = start()
	each("after a restart", (*tenant).compare)
}
