package ec2_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"moat/ec2/ec2test"
	"moat/state"
	"moat/vpc"
)

var modelSeeds = flag.Int("model-seeds", 8, "how many random histories TestModelOfNetworks plays")

// A network is what the model knows of one VPC: sets and maps, nothing derived.
type network struct {
	gateway string
	main    string
	tables  map[string]map[string]string // destination → target
	uses    map[string]string            // subnet → table that it was given
	acls    map[string]bool              // beside the default one
	defACL  string
	subnets map[string]string // subnet → ACL
	peers   map[string]string // peering → VPC; active ones
}

type model struct {
	w        *ec2test.World
	r        *rand.Rand
	vpcs     map[string]*network
	gateways map[string]string // gateway → VPC or ""
	n        int
}

func pick[V any](r *rand.Rand, m map[string]V) string {
	if len(m) == 0 {
		return ""
	}
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys[r.IntN(len(keys))]
}

// do makes a call that the model says works, or fails with a code ("" works).
func (m *model) do(t *testing.T, want, name string, params ...string) string {
	t.Helper()
	xml, f := m.w.Do(name, params...)
	got := ""
	if f != nil {
		got = f.Code
	}
	if got != want {
		t.Fatalf("%s %q: got %q, the model says %q (%v)", name, params, got, want, f)
	}
	return xml
}

func no(refused bool, code string) string {
	if refused {
		return code
	}
	return ""
}

// step makes one random call. What should come of it is told by the model
// alone, which then does the same to its maps.
func (m *model) step(t *testing.T) {
	id := pick(m.r, m.vpcs)
	v := m.vpcs[id]
	switch op := m.r.IntN(16); {
	case op == 0 || v == nil:
		if len(m.vpcs) >= 4 {
			return
		}
		m.n++
		id = ec2test.One(m.do(t, "", "CreateVpc", "CidrBlock", fmt.Sprintf("10.%d.0.0/16", m.n)), "vpcId")
		main := state.MainTable(m.w.Space(), vpc.VPCID(id))
		m.vpcs[id] = &network{
			main: string(main.Table), tables: map[string]map[string]string{string(main.Table): {}}, uses: map[string]string{}, acls: map[string]bool{},
			defACL: string(state.DefaultACL(m.w.Space(), main.VPC).ID), subnets: map[string]string{}, peers: map[string]string{},
		}
	case op == 1:
		held := v.gateway != "" || len(v.tables) > 1 || len(v.acls) > 0 || len(v.subnets) > 0 || len(v.peers) > 0
		m.do(t, no(held, "DependencyViolation"), "DeleteVpc", "VpcId", id)
		if !held {
			delete(m.vpcs, id)
		}
	case op == 2:
		full := len(m.gateways) >= 4
		xml := m.do(t, no(full, "InternetGatewayLimitExceeded"), "CreateInternetGateway")
		if !full {
			m.gateways[ec2test.One(xml, "internetGatewayId")] = ""
		}
	case op == 3:
		g := pick(m.r, m.gateways)
		switch {
		case g == "":
		case m.gateways[g] != "":
			m.do(t, "Resource.AlreadyAssociated", "AttachInternetGateway", "InternetGatewayId", g, "VpcId", id)
		case v.gateway != "":
			m.do(t, "InvalidParameterValue", "AttachInternetGateway", "InternetGatewayId", g, "VpcId", id)
		default:
			m.do(t, "", "AttachInternetGateway", "InternetGatewayId", g, "VpcId", id)
			m.gateways[g], v.gateway = id, g
		}
	case op == 4:
		if g := pick(m.r, m.gateways); g != "" {
			wrong := m.gateways[g] != id
			m.do(t, no(wrong, "Gateway.NotAttached"), "DetachInternetGateway", "InternetGatewayId", g, "VpcId", id)
			if !wrong {
				m.gateways[g], v.gateway = "", ""
			}
		}
	case op == 5:
		if g := pick(m.r, m.gateways); g != "" {
			held := m.gateways[g] != ""
			m.do(t, no(held, "DependencyViolation"), "DeleteInternetGateway", "InternetGatewayId", g)
			if !held {
				delete(m.gateways, g)
			}
		}
	case op == 6:
		if len(v.tables) < 4 {
			v.tables[ec2test.One(m.do(t, "", "CreateRouteTable", "VpcId", id), "routeTableId")] = map[string]string{}
		}
	case op == 7:
		table := pick(m.r, v.tables)
		held := table == v.main
		for _, used := range v.uses {
			held = held || used == table
		}
		m.do(t, no(held, "DependencyViolation"), "DeleteRouteTable", "RouteTableId", table)
		if !held {
			delete(v.tables, table)
		}
	case op == 8:
		table, d := pick(m.r, v.tables), fmt.Sprintf("192.168.%d.0/24", m.r.IntN(4))
		target, param := pick(m.r, m.gateways), "GatewayId"
		if p := pick(m.r, v.peers); p != "" && m.r.IntN(2) == 0 {
			target, param = p, "VpcPeeringConnectionId"
		}
		if target == "" {
			return
		}
		want := ""
		switch {
		case param == "GatewayId" && target != v.gateway:
			want = "InvalidParameterValue"
		case v.tables[table][d] != "":
			want = "RouteAlreadyExists"
		}
		m.do(t, want, "CreateRoute", "RouteTableId", table, "DestinationCidrBlock", d, param, target)
		if want == "" {
			v.tables[table][d] = target
		}
	case op == 9:
		table, d := pick(m.r, v.tables), fmt.Sprintf("192.168.%d.0/24", m.r.IntN(4))
		missing := v.tables[table][d] == ""
		m.do(t, no(missing, "InvalidRoute.NotFound"), "DeleteRoute", "RouteTableId", table, "DestinationCidrBlock", d)
		delete(v.tables[table], d)
	case op == 10:
		taken := false
		cidr := fmt.Sprintf("%d.0/24", m.r.IntN(4))
		prefix := strings.TrimSuffix(state.VPCs.Get(m.w.Space(), vpc.VPCID(id)).CIDR().String(), "0.0/16")
		for s := range v.subnets {
			taken = taken || strings.Contains(m.do(t, "", "DescribeSubnets", "SubnetId.1", s), ">"+prefix+cidr+"<")
		}
		xml := m.do(t, no(taken, "InvalidSubnet.Conflict"), "CreateSubnet", "VpcId", id, "CidrBlock", prefix+cidr)
		if !taken {
			v.subnets[ec2test.One(xml, "subnetId")] = v.defACL
		}
	case op == 11:
		if s := pick(m.r, v.subnets); s != "" {
			m.do(t, "", "DeleteSubnet", "SubnetId", s)
			delete(v.subnets, s)
			delete(v.uses, s)
		}
	case op == 12:
		s, table := pick(m.r, v.subnets), pick(m.r, v.tables)
		if s == "" {
			return
		}
		conflict := v.uses[s] != "" && v.uses[s] != table
		m.do(t, no(conflict, "Resource.AlreadyAssociated"), "AssociateRouteTable", "RouteTableId", table, "SubnetId", s)
		if !conflict {
			v.uses[s] = table
		}
	case op == 13:
		if m.r.IntN(2) == 0 && len(v.acls) < 3 {
			v.acls[ec2test.One(m.do(t, "", "CreateNetworkAcl", "VpcId", id), "networkAclId")] = true
		} else if a := pick(m.r, v.acls); a != "" {
			held := false
			for _, used := range v.subnets {
				held = held || used == a
			}
			m.do(t, no(held, "DependencyViolation"), "DeleteNetworkAcl", "NetworkAclId", a)
			if !held {
				delete(v.acls, a)
			}
		}
	case op == 14:
		s, a := pick(m.r, v.subnets), pick(m.r, v.acls)
		if s == "" {
			return
		}
		if a == "" {
			a = v.defACL
		}
		xml := m.do(t, "", "DescribeNetworkAcls", "Filter.1.Name", "association.subnet-id", "Filter.1.Value.1", s)
		for _, item := range ec2test.Text(ec2test.One(xml, "associationSet"), "item") {
			if ec2test.One(item, "subnetId") == s {
				m.do(t, "", "ReplaceNetworkAclAssociation", "AssociationId", ec2test.One(item, "networkAclAssociationId"), "NetworkAclId", a)
				v.subnets[s] = a
			}
		}
	case op == 15:
		other := pick(m.r, m.vpcs)
		if p := pick(m.r, v.peers); p != "" && m.r.IntN(2) == 0 {
			m.do(t, "", "DeleteVpcPeeringConnection", "VpcPeeringConnectionId", p)
			delete(m.vpcs[v.peers[p]].peers, p)
			delete(v.peers, p)
			return
		}
		if other == id {
			return
		}
		for _, o := range v.peers {
			if o == other {
				m.do(t, "VpcPeeringConnectionAlreadyExists", "CreateVpcPeeringConnection", "VpcId", id, "PeerVpcId", other)
				return
			}
		}
		p := ec2test.One(m.do(t, "", "CreateVpcPeeringConnection", "VpcId", id, "PeerVpcId", other), "vpcPeeringConnectionId")
		m.do(t, "", "AcceptVpcPeeringConnection", "VpcPeeringConnectionId", p)
		v.peers[p], m.vpcs[other].peers[p] = other, id
	}
}

// compare holds what is described against the model, everything of it.
func (m *model) compare(t *testing.T) {
	t.Helper()
	var want, got []string
	for g, v := range m.gateways {
		want = append(want, "gateway "+g+" of "+v)
	}
	for id, v := range m.vpcs {
		want = append(want, "vpc "+id, "main "+v.main)
		for table, routes := range v.tables {
			line := "table " + table + " of " + id
			for d, target := range routes {
				alive := "blackhole"
				if target == v.gateway || v.peers[target] != "" {
					alive = "active"
				}
				want = append(want, fmt.Sprintf("route %s %s %s %s", table, d, target, alive))
			}
			want = append(want, line)
		}
		for s, table := range v.uses {
			want = append(want, "use "+s+" "+table)
		}
		for s, a := range v.subnets {
			want = append(want, "acl "+s+" "+a)
		}
		want = append(want, "acls of "+id+fmt.Sprint(len(v.acls)+1))
	}
	for g := range state.InternetGateways.All(m.w.Space()) {
		xml := m.do(t, "", "DescribeInternetGateways", "InternetGatewayId.1", string(g.ID))
		got = append(got, "gateway "+string(g.ID)+" of "+ec2test.One(xml, "vpcId"))
	}
	for v := range state.VPCs.All(m.w.Space()) {
		id := string(v.ID)
		got = append(got, "vpc "+id)
		for tb := range state.RouteTables.By(m.w.Space(), state.RouteTablesByVPC, id) {
			got = append(got, "table "+string(tb.ID)+" of "+id)
			for line := range strings.SplitSeq(routesOf(m.w, string(tb.ID)), "; ") {
				f := strings.Fields(line)
				if f[2] != "local" {
					got = append(got, fmt.Sprintf("route %s %s %s %s", tb.ID, f[0], f[2], f[3]))
				}
			}
		}
		got = append(got, "acls of "+id+fmt.Sprint(state.NetworkACLs.Count(m.w.Space(), state.NetworkACLsByVPC, id, 100)))
	}
	for a := range state.RouteTableAssociations.All(m.w.Space()) {
		if a.Main {
			got = append(got, "main "+string(a.Table))
		} else {
			got = append(got, "use "+string(a.Subnet)+" "+string(a.Table))
		}
	}
	for a := range state.NetworkACLAssociations.All(m.w.Space()) {
		got = append(got, "acl "+string(a.Subnet)+" "+string(a.ACL))
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(want, got) {
		t.Fatalf("the model has\n%s\nand Moat\n%s", strings.Join(want, "\n"), strings.Join(got, "\n"))
	}
}

// TestModelOfNetworks plays random calls against Moat and against maps that do
// the obvious, and compares all that is described after each.
func TestModelOfNetworks(t *testing.T) {
	for seed := range uint64(*modelSeeds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := ec2test.New(t)
			w.Must("DeleteVpc", "VpcId", clearSubnets(w))
			w.Quotas.InternetGatewaysPerRegion = 4
			m := &model{w: w, r: rand.New(rand.NewPCG(seed, 7)), vpcs: map[string]*network{}, gateways: map[string]string{}}
			for g := range state.InternetGateways.All(w.Space()) {
				m.gateways[string(g.ID)] = ""
			}
			for range 250 {
				m.step(t)
				m.compare(t)
			}
		})
	}
}
