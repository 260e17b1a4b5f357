// Package linearizability_test checks that clients of two servers on one etcd
// see one machine that does one call after the other: histories of concurrent
// calls over HTTP are given to porcupine with a small model of groups and
// interfaces.
//
// The tests take about half a minute; MOAT_TEST_LONG=10m makes them try for so
// long. It is a module of its own, so that the product does not depend on the
// checker.
package linearizability_test

import (
	"context"
	"encoding/xml"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/google/uuid"

	"moat/iam"
	"moat/server"
	"moat/state"
	"moat/store"
	"moat/test/ec2client"
	"moat/test/etcdtest"
	"moat/vpc"
)

// long is how long a test tries.
func long(short time.Duration) time.Duration {
	if d, err := time.ParseDuration(os.Getenv("MOAT_TEST_LONG")); err == nil {
		return d
	}
	return short
}

const account = "123456789012"

// A fleet is two servers on one etcd.
type fleet struct {
	t       *testing.T
	proxy   *etcdtest.Proxy // before the second server
	clients []*ec2client.Client
	vpcs    int
}

// newFleet starts two servers; broken changes the second one's log.
func newFleet(t *testing.T, opts store.Options, broken func(store.Log) store.Log) *fleet {
	t.Helper()
	etcd := etcdtest.Start(t)
	f := &fleet{t: t, proxy: etcd.Proxy()}
	for i, endpoint := range []string{etcd.Endpoint(), f.proxy.Endpoint()} {
		var log store.Log
		log, err := store.OpenCluster(t.Context(), store.Cluster{Endpoints: []string{endpoint}}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if broken != nil && i == 1 {
			log = broken(log)
		}
		opts.NewEventID = uuid.NewString
		st, err := store.Open(t.Context(), log, opts)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { st.Close() })
		key := accessKey(t, st)
		if _, err := st.View(t.Context()); err != nil {
			t.Fatal(err)
		}
		hs := server.NewHTTPServer(server.New(st, server.Config{Region: "us-east-1", Account: account, Quotas: vpc.NoQuotas()}))
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go hs.Serve(server.CorkedListener(l))
		t.Cleanup(func() { hs.Close() })
		f.clients = append(f.clients, ec2client.New(map[string]string{
			"AWS_ENDPOINT_URL": "http://" + l.Addr().String(), "AWS_REGION": "us-east-1",
			"AWS_ACCESS_KEY_ID": key.ID, "AWS_SECRET_ACCESS_KEY": key.Secret,
		}))
	}
	return f
}

// accessKey gives the root key of the account, as moat serve makes it.
func accessKey(t *testing.T, st *store.Store) *iam.AccessKey {
	t.Helper()
	key, _, err := st.Write(t.Context(), &store.Write{
		Call: state.Call{Now: time.Now()},
		Plan: func(tx *state.Txn) (any, error) {
			for k := range state.AccessKeys.All(tx) {
				return k, nil
			}
			k := &iam.AccessKey{ID: "AKIATESTTESTTESTTEST", Secret: uuid.NewString(), Account: account, Created: tx.Now}
			state.AccessKeys.Put(tx, k)
			return k, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return key.(*iam.AccessKey)
}

// must makes a call that succeeds.
func (f *fleet) must(action string, params ...string) *ec2client.Reply {
	f.t.Helper()
	r, err := f.clients[0].Do(f.t.Context(), action, params...)
	if err != nil || !r.OK() {
		f.t.Fatalf("%s %v: %v, %v", action, params, r, err)
	}
	return r
}

// A place is a VPC with a subnet in which room addresses are left.
type place struct {
	vpc, subnet, group string // the default group
	taken              map[string]bool
}

const room = 2

func (f *fleet) newPlace() *place {
	f.t.Helper()
	f.vpcs++
	p := &place{taken: map[string]bool{}}
	p.vpc = f.must("CreateVpc", "CidrBlock", "10.0.0.0/24").Get("vpcId")
	p.subnet = f.must("CreateSubnet", "VpcId", p.vpc, "CidrBlock", "10.0.0.0/28").Get("subnetId")
	p.group = f.must("DescribeSecurityGroups", "Filter.1.Name", "vpc-id", "Filter.1.Value.1", p.vpc).Get("groupId")
	// 16 addresses, of which five are not given out.
	for range 16 - 5 - room {
		p.taken[f.must("CreateNetworkInterface", "SubnetId", p.subnet).Get("networkInterfaceId")] = true
	}
	return p
}

// The calls of a history.
const (
	createGroup = iota
	deleteGroup
	groupByID
	groupsOfVPC
	createInterface
	setGroup
	deleteInterface
	interfacesOfSubnet
	kinds
)

var kindNames = [...]string{"create group", "delete group", "describe group", "describe groups", "create interface", "set group", "delete interface", "describe interfaces"}

// An input is a call: of a group by name or id, of an interface.
type input struct {
	kind       int
	name       string
	group, eni string
}

func (in input) String() string {
	return strings.TrimSpace(fmt.Sprint(kindNames[in.kind], " ", in.name, " ", in.group, " ", in.eni))
}

// An output is an answer: a code, "" for success, and what was made or seen.
type output struct {
	code string
	id   string
	seen string // canonical text of a list
}

// A world is the state of the model: groups by name and interfaces with their
// one group, both sorted. It is never changed.
type world struct {
	groups     []pair
	interfaces []pair
}

// A pair is name and id of a group, or id and group of an interface.
type pair struct{ a, b string }

func text(pairs []pair) string { return fmt.Sprint(pairs) }

func with(pairs []pair, p pair) []pair {
	out := append(slices.Clone(pairs), p)
	slices.SortFunc(out, func(x, y pair) int { return strings.Compare(x.a+" "+x.b, y.a+" "+y.b) })
	return out
}

func without(pairs []pair, gone func(pair) bool) []pair {
	return slices.DeleteFunc(slices.Clone(pairs), gone)
}

func (w world) hasGroup(id string) bool {
	return slices.ContainsFunc(w.groups, func(p pair) bool { return p.b == id })
}

func (w world) hasInterface(id string) bool {
	return slices.ContainsFunc(w.interfaces, func(p pair) bool { return p.a == id })
}

// step tells whether a world may give an answer, and what comes after it.
func (w world) step(in input, out output) (bool, world) {
	ok := out.code == ""
	switch in.kind {
	case createGroup:
		if slices.ContainsFunc(w.groups, func(p pair) bool { return p.a == in.name }) {
			return out.code == "InvalidGroup.Duplicate", w
		}
		return ok, world{with(w.groups, pair{in.name, out.id}), w.interfaces}
	case deleteGroup:
		if !w.hasGroup(in.group) {
			return out.code == "InvalidGroup.NotFound", w
		}
		if slices.ContainsFunc(w.interfaces, func(p pair) bool { return p.b == in.group }) {
			return out.code == "DependencyViolation", w
		}
		return ok, world{without(w.groups, func(p pair) bool { return p.b == in.group }), w.interfaces}
	case groupByID:
		if !w.hasGroup(in.group) {
			return out.code == "InvalidGroup.NotFound", w
		}
		return ok, w
	case groupsOfVPC:
		return ok && out.seen == text(w.groups), w
	case createInterface:
		if !w.hasGroup(in.group) {
			return out.code == "InvalidGroup.NotFound", w
		}
		if len(w.interfaces) == room {
			return out.code == "InsufficientFreeAddressesInSubnet", w
		}
		return ok, world{w.groups, with(w.interfaces, pair{out.id, in.group})}
	case setGroup:
		if !w.hasInterface(in.eni) {
			return out.code == "InvalidNetworkInterfaceID.NotFound", w
		}
		if !w.hasGroup(in.group) {
			return out.code == "InvalidGroup.NotFound", w
		}
		return ok, world{w.groups, with(without(w.interfaces, func(p pair) bool { return p.a == in.eni }), pair{in.eni, in.group})}
	case deleteInterface:
		if !w.hasInterface(in.eni) {
			return out.code == "InvalidNetworkInterfaceID.NotFound", w
		}
		return ok, world{w.groups, without(w.interfaces, func(p pair) bool { return p.a == in.eni })}
	case interfacesOfSubnet:
		return ok && out.seen == text(w.interfaces), w
	}
	panic("no such call")
}

var model = porcupine.Model{
	Init: func() any { return world{} },
	Step: func(s, in, out any) (bool, any) { return s.(world).step(in.(input), out.(output)) },
	Equal: func(a, b any) bool {
		x, y := a.(world), b.(world)
		return slices.Equal(x.groups, y.groups) && slices.Equal(x.interfaces, y.interfaces)
	},
	DescribeOperation: func(in, out any) string {
		o := out.(output)
		return fmt.Sprintf("%v → %s", in, strings.TrimSpace(o.code+" "+o.id+" "+o.seen))
	},
	DescribeState: func(s any) string { return text(s.(world).groups) + text(s.(world).interfaces) },
}

// call makes a call of a history.
func (p *place) call(ctx context.Context, c *ec2client.Client, in input) (output, *ec2client.Reply, error) {
	var r *ec2client.Reply
	var err error
	switch in.kind {
	case createGroup:
		r, err = c.Do(ctx, "CreateSecurityGroup", "GroupName", in.name, "GroupDescription", "x", "VpcId", p.vpc)
	case deleteGroup:
		r, err = c.Do(ctx, "DeleteSecurityGroup", "GroupId", in.group)
	case groupByID:
		r, err = c.Do(ctx, "DescribeSecurityGroups", "GroupId.1", in.group)
	case groupsOfVPC:
		r, err = c.Do(ctx, "DescribeSecurityGroups", "Filter.1.Name", "vpc-id", "Filter.1.Value.1", p.vpc)
	case createInterface:
		r, err = c.Do(ctx, "CreateNetworkInterface", "SubnetId", p.subnet, "SecurityGroupId.1", in.group)
	case setGroup:
		r, err = c.Do(ctx, "ModifyNetworkInterfaceAttribute", "NetworkInterfaceId", in.eni, "SecurityGroupId.1", in.group)
	case deleteInterface:
		r, err = c.Do(ctx, "DeleteNetworkInterface", "NetworkInterfaceId", in.eni)
	case interfacesOfSubnet:
		r, err = c.Do(ctx, "DescribeNetworkInterfaces", "Filter.1.Name", "subnet-id", "Filter.1.Value.1", p.subnet)
	}
	if err != nil {
		return output{}, nil, err
	}
	if !r.OK() {
		return output{code: r.Code}, r, nil
	}
	var seen struct {
		XMLName xml.Name
		Groups  []struct {
			ID   string `xml:"groupId"`
			Name string `xml:"groupName"`
		} `xml:"securityGroupInfo>item"`
		Interfaces []struct {
			ID     string   `xml:"networkInterfaceId"`
			Groups []string `xml:"groupSet>item>groupId"`
		} `xml:"networkInterfaceSet>item"`
	}
	if err := r.Parse(&seen); err != nil {
		return output{}, nil, err
	}
	var pairs []pair
	for _, g := range seen.Groups {
		if g.Name != "default" {
			pairs = with(pairs, pair{g.Name, g.ID})
		}
	}
	for _, i := range seen.Interfaces {
		if !p.taken[i.ID] {
			pairs = with(pairs, pair{i.ID, strings.Join(i.Groups, "+")})
		}
	}
	switch in.kind {
	case createGroup:
		return output{id: r.Get("groupId")}, r, nil
	case createInterface:
		return output{id: r.Get("networkInterfaceId")}, r, nil
	case groupsOfVPC, interfacesOfSubnet:
		return output{seen: text(pairs)}, r, nil
	}
	return output{}, r, nil
}

// known are ids that clients heard of, gone or not.
type known struct {
	mu           sync.Mutex
	groups, enis []string
}

func (k *known) add(in input, id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case id == "":
	case in.kind == createGroup:
		k.groups = append(k.groups, id)
	case in.kind == createInterface:
		k.enis = append(k.enis, id)
	}
}

// recent gives one of the last few.
func recent(r *rand.Rand, ids []string) string {
	if len(ids) == 0 {
		return ""
	}
	return ids[len(ids)-1-r.IntN(min(3, len(ids)))]
}

// next gives a call that meets those of others.
func (k *known) next(r *rand.Rand) input {
	k.mu.Lock()
	defer k.mu.Unlock()
	for {
		in := input{kind: r.IntN(kinds)}
		switch in.kind {
		case createGroup:
			in.name = []string{"a", "b"}[r.IntN(2)]
			return in
		case groupsOfVPC, interfacesOfSubnet:
			return in
		}
		if in.kind != deleteInterface {
			in.group = recent(r, k.groups)
		}
		if in.kind == setGroup || in.kind == deleteInterface {
			in.eni = recent(r, k.enis)
		}
		if (in.group != "" || in.kind == deleteInterface) && (in.eni != "" || in.kind != setGroup && in.kind != deleteInterface) {
			return in
		}
	}
}

// history lets clients of both servers call at the same time, in a new place.
func (f *fleet) history(clients, calls int, seed uint64) []porcupine.Operation {
	f.t.Helper()
	p := f.newPlace()
	var k known
	began := time.Now()
	ops := make([][]porcupine.Operation, clients)
	revs := make([][]uint64, clients)
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(c)))
			for range calls {
				in := k.next(r)
				from := time.Since(began)
				out, reply, err := p.call(f.t.Context(), f.clients[c%2], in)
				if err == nil && out.code == "Unavailable" {
					err = fmt.Errorf("%s", reply)
				}
				if err != nil {
					f.t.Errorf("%v: %v", in, err) // no call of these tests may stay without an answer
					return
				}
				ops[c] = append(ops[c], porcupine.Operation{ClientId: c, Input: in, Output: out, Call: int64(from), Return: int64(time.Since(began))})
				revs[c] = append(revs[c], reply.Rev)
				k.add(in, out.id)
			}
		})
	}
	wg.Wait()
	if f.t.Failed() {
		f.t.FailNow()
	}
	checkRevisions(f.t, slices.Concat(ops...), slices.Concat(revs...))
	return slices.Concat(ops...)
}

// strict makes checkRevisions complain; a store that is broken on purpose is
// left to the checker.
var strict = true

// checkRevisions: a call that began after another was answered has no lower
// revision.
func checkRevisions(t *testing.T, ops []porcupine.Operation, revs []uint64) {
	t.Helper()
	if !strict {
		return
	}
	order := make([]int, len(ops))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return int(ops[a].Return - ops[b].Return) })
	byCall := slices.Clone(order)
	slices.SortFunc(byCall, func(a, b int) int { return int(ops[a].Call - ops[b].Call) })
	done, most := 0, uint64(0)
	for _, i := range byCall {
		for done < len(order) && ops[order[done]].Return < ops[i].Call {
			most = max(most, revs[order[done]])
			done++
		}
		if revs[i] < most {
			t.Errorf("%v has revision %d, after %d was answered", ops[i].Input, revs[i], most)
		}
	}
}

// check gives porcupine's verdict, and draws a history that fails.
func check(t *testing.T, ops []porcupine.Operation) bool {
	t.Helper()
	result, info := porcupine.CheckOperationsVerbose(model, ops, time.Minute)
	switch result {
	case porcupine.Ok:
		return true
	case porcupine.Unknown:
		t.Fatal("the checker came to no end in a minute: make the histories shorter")
	}
	if strict {
		name := filepath.Join(os.TempDir(), "moat-linearizability.html")
		if f, err := os.Create(name); err == nil {
			defer f.Close()
			if porcupine.Visualize(model, info, f) == nil {
				t.Logf("the history is drawn in %s", name)
			}
		}
	}
	return false
}

// Clients of two servers see one machine, also while the connections of one of
// the servers to etcd end at any moment.
func TestLinearizable(t *testing.T) {
	for _, c := range []struct {
		name string
		cuts bool
	}{{"in peace", false}, {"with connections that end", true}} {
		t.Run(c.name, func(t *testing.T) {
			f := newFleet(t, store.Options{}, nil)
			stop := make(chan struct{})
			var nemesis sync.WaitGroup
			if c.cuts {
				nemesis.Go(func() {
					r := rand.New(rand.NewPCG(7, 7))
					for {
						select {
						case <-stop:
							return
						case <-time.After(time.Duration(50+r.IntN(200)) * time.Millisecond):
						}
						f.proxy.Set(func() { f.proxy.Deaf, f.proxy.Mute = r.IntN(2) == 0, r.IntN(4) == 0 })
						time.Sleep(time.Duration(r.IntN(10)) * time.Millisecond)
						f.proxy.Cut(func() { f.proxy.Deaf, f.proxy.Mute = false, false })
					}
				})
			}
			defer nemesis.Wait()
			defer close(stop)
			histories, codes := 0, map[string]int{}
			for end := time.Now().Add(long(6 * time.Second)); time.Now().Before(end); histories++ {
				ops := f.history(6, 60, uint64(histories))
				for _, op := range ops {
					codes[kindNames[op.Input.(input).kind]+" "+op.Output.(output).code]++
				}
				if !check(t, ops) {
					t.Fatalf("history %d is not linearizable", histories)
				}
			}
			t.Logf("%d histories of 360 calls: %v", histories, codes)
			// Each call was answered in every way that the model knows.
			for _, want := range []string{
				"create group ", "create group InvalidGroup.Duplicate",
				"delete group ", "delete group DependencyViolation", "delete group InvalidGroup.NotFound",
				"describe group ", "describe group InvalidGroup.NotFound", "describe groups ",
				"create interface ", "create interface InvalidGroup.NotFound", "create interface InsufficientFreeAddressesInSubnet",
				"set group ", "set group InvalidGroup.NotFound", "set group InvalidNetworkInterfaceID.NotFound",
				"delete interface ", "delete interface InvalidNetworkInterfaceID.NotFound", "describe interfaces ",
			} {
				if codes[want] == 0 {
					t.Errorf("no call was answered %q: the histories do not meet it", want)
				}
			}
		})
	}
}

// Two calls of which only one may succeed, at the same moment on both servers.
func TestNoWriteSkew(t *testing.T) {
	f := newFleet(t, store.Options{}, nil)
	p := f.newPlace()
	// both makes two calls at once and gives which succeeded.
	both := func(a, b input) [2]output {
		t.Helper()
		var outs [2]output
		var wg sync.WaitGroup
		start := make(chan struct{})
		for i, in := range []input{a, b} {
			wg.Go(func() {
				<-start
				out, _, err := p.call(t.Context(), f.clients[i], in)
				if err != nil {
					t.Error(err)
				}
				outs[i] = out
			})
		}
		close(start)
		wg.Wait()
		return outs
	}
	one := func(what string, outs [2]output, refusal string) (winner output) {
		t.Helper()
		switch {
		case outs[0].code == "" && outs[1].code == refusal:
			return outs[0]
		case outs[1].code == "" && outs[0].code == refusal:
			return outs[1]
		}
		t.Fatalf("%s: %+v, want one success and one %s", what, outs, refusal)
		return
	}
	do := func(in input) output {
		t.Helper()
		out, _, err := p.call(t.Context(), f.clients[0], in)
		if err != nil || out.code != "" {
			t.Fatalf("%v: %+v, %v", in, out, err)
		}
		return out
	}
	rounds := 0
	for end := time.Now().Add(long(4 * time.Second)); time.Now().Before(end); rounds++ {
		group := one("two creates of one name", both(input{kind: createGroup, name: "A"}, input{kind: createGroup, name: "a"}), "InvalidGroup.Duplicate").id
		do(input{kind: createInterface, group: group})
		one("the last address", both(input{kind: createInterface, group: group}, input{kind: createInterface, group: group}), "InsufficientFreeAddressesInSubnet")
		for _, in := range strings.Split(strings.Trim(do(input{kind: interfacesOfSubnet}).seen, "[]{}"), "} {") {
			do(input{kind: deleteInterface, eni: strings.Fields(in)[0]})
		}
		outs := both(input{kind: deleteGroup, group: group}, input{kind: createInterface, group: group})
		switch {
		case outs[0].code == "" && outs[1].code == "InvalidGroup.NotFound":
		case outs[0].code == "DependencyViolation" && outs[1].code == "":
			do(input{kind: deleteInterface, eni: outs[1].id})
			do(input{kind: deleteGroup, group: group})
		default:
			t.Fatalf("deleting a group while an interface takes it: %+v", outs)
		}
		if seen := do(input{kind: interfacesOfSubnet}).seen + do(input{kind: groupsOfVPC}).seen; seen != "[][]" {
			t.Fatalf("a round left %s", seen)
		}
	}
	t.Logf("%d rounds", rounds)
	if rounds < 10 {
		t.Error("too few rounds for a proof")
	}
}

// A log that is slow to tell what others wrote.
type slowWatch struct{ store.Log }

func (l slowWatch) Watch(ctx context.Context, after store.Head) <-chan store.Update {
	out := make(chan store.Update)
	go func() {
		defer close(out)
		for u := range l.Log.Watch(ctx, after) {
			time.Sleep(20 * time.Millisecond)
			select {
			case out <- u:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

// A log that writes whether it is behind or not.
type unguarded struct{ store.Log }

func (l unguarded) Append(ctx context.Context, _ store.Head, b *store.Batch) (store.Head, error) {
	head, err := l.Head(ctx)
	if err != nil {
		return head, err
	}
	return l.Log.Append(ctx, head, b)
}

// The checker finds a store that is not linearizable: one that reads what it
// has at hand, as --reads=local does, and one that loses the guard of its
// commits.
func TestTheCheckerSeesABrokenStore(t *testing.T) {
	strict = false
	defer func() { strict = true }()
	for _, c := range []struct {
		name   string
		opts   store.Options
		broken func(store.Log) store.Log
	}{
		{"local reads", store.Options{LocalReads: true}, func(l store.Log) store.Log { return slowWatch{l} }},
		{"commits without a guard", store.Options{}, func(l store.Log) store.Log { return unguarded{l} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFleet(t, c.opts, c.broken)
			for n := range 40 {
				if !check(t, f.history(6, 60, uint64(n))) {
					t.Logf("found in history %d", n)
					return
				}
			}
			t.Error("40 histories of a broken store seem linearizable")
		})
	}
}
