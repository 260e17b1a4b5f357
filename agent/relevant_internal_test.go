package agent

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"moat/dataplane/sim"
	"moat/flow"
	"moat/state"
	"moat/vpc"
)

var internalScope = state.Scope{Region: "us-east-1", Account: "123456789012"}

// A steppedHost is an agent that is stepped from view to view, with interfaces of group
// sg-web, which lets members of sg-client in.
type steppedHost struct {
	testing.TB
	agent *Agent
	view  *state.View
	plane *sim.Plane
	n     uint64
}

func newSteppedHost(t testing.TB, interfaces, otherSpaces int) *steppedHost {
	h := &steppedHost{TB: t, view: state.NewView()}
	machine := sim.NewHost(nil)
	h.plane = machine.Open("x")
	h.agent = New(Config{Source: nowhere{h}, Plane: h.plane, Host: "host-1"})
	for i := range otherSpaces {
		h.write(func(tx *state.Txn) {
			there := tx.In(state.Scope{Region: "us-east-1", Account: vpc.AccountID(fmt.Sprintf("%012d", i))})
			state.Groups.Put(there, &vpc.SecurityGroup{ID: "sg-there"})
		})
	}
	h.write(func(tx *state.Txn) {
		state.VPCs.Put(tx, &vpc.VPC{ID: "vpc-1"})
		state.Subnets.Put(tx, &vpc.Subnet{ID: "subnet-1", VPC: "vpc-1"})
		state.Subnets.Put(tx, &vpc.Subnet{ID: "subnet-2", VPC: "vpc-1"})
		state.Groups.Put(tx, &vpc.SecurityGroup{ID: "sg-web", VPC: "vpc-1", Rules: []vpc.Rule{
			{ID: "sgr-1", Protocol: flow.TCP, Ports: flow.PortRange{From: 80, To: 80}, Peer: vpc.Peer{Ref: "sg-client"}}}})
		for i := range interfaces {
			device := fmt.Sprintf("veth%d", i)
			machine.AddDevice("", device)
			state.Interfaces.Put(tx, &vpc.Interface{ID: vpc.InterfaceID(fmt.Sprintf("eni-%04d", i)), VPC: "vpc-1", Subnet: "subnet-1", Groups: []vpc.GroupID{"sg-web"},
				Addresses:  []netip.Addr{netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})},
				Attachment: &vpc.Attachment{Device: &vpc.Device{Host: "host-1", Name: device}}})
		}
		state.Interfaces.Put(tx, &vpc.Interface{ID: "eni-client", VPC: "vpc-1", Groups: []vpc.GroupID{"sg-client"}, Addresses: []netip.Addr{netip.MustParseAddr("10.1.0.1")}})
		state.PrefixLists.Put(tx, &vpc.PrefixList{ID: "pl-1"})
		state.Peerings.Put(tx, &vpc.Peering{ID: "pcx-1"})
	})
	h.step()
	return h
}

// nowhere is the source of an agent that is stepped by hand.
type nowhere struct{ h *steppedHost }

func (n nowhere) Latest() *state.View { return n.h.view }

func (n nowhere) WaitRev(context.Context, uint64) (*state.View, error) { return n.h.view, nil }

func (h *steppedHost) write(plan func(tx *state.Txn)) {
	st := state.NewStage(h.view)
	tx := st.Begin(state.Call{Scope: internalScope, Now: time.Unix(0, 0), Random: func() uint64 { h.n++; return h.n << 36 }})
	plan(tx)
	st.Accept(tx)
	h.view = st.View()
}

func (h *steppedHost) step() {
	h.Helper()
	if err := h.agent.step(h.Context(), h.view, noDevice); err != nil {
		h.Fatal(err)
	}
}

// What is compiled is decided by the rows that were replaced: a change of rows
// that no interface here depends on is not.
func TestRelevantGoesByRows(t *testing.T) {
	h := newSteppedHost(t, 2, 1)
	put := func(i *vpc.Interface) func(tx *state.Txn) {
		return func(tx *state.Txn) { state.Interfaces.Put(tx, i) }
	}
	for _, row := range []struct {
		bindings, rules bool
		what            string
		plan            func(tx *state.Txn)
	}{
		{false, false, "another group", func(tx *state.Txn) { state.Groups.Put(tx, &vpc.SecurityGroup{ID: "sg-other", VPC: "vpc-1"}) }},
		{false, true, "a bound interface's group", func(tx *state.Txn) {
			g := *state.Groups.Get(tx, "sg-web")
			g.Description = "x"
			state.Groups.Put(tx, &g)
		}},
		{false, false, "a member of another group", put(&vpc.Interface{ID: "eni-x", VPC: "vpc-1", Groups: []vpc.GroupID{"sg-other"}})},
		{false, true, "a member of a group that a rule refers to", put(&vpc.Interface{ID: "eni-y", VPC: "vpc-1", Groups: []vpc.GroupID{"sg-client"}})},
		{false, false, "an interface that is bound elsewhere", put(&vpc.Interface{ID: "eni-z", VPC: "vpc-1", Attachment: &vpc.Attachment{Device: &vpc.Device{Host: "host-2"}}})},
		{true, true, "an interface that is bound here", put(&vpc.Interface{ID: "eni-0009", VPC: "vpc-1", Attachment: &vpc.Attachment{Device: &vpc.Device{Host: "host-1", Name: "veth9"}}})},
		{true, true, "an interface that is taken off here", func(tx *state.Txn) { state.Interfaces.Delete(tx, "eni-0009") }},
		{false, false, "another subnet", func(tx *state.Txn) { state.Subnets.Put(tx, &vpc.Subnet{ID: "subnet-2", VPC: "vpc-1"}) }},
		// What is on the link, for neighbour discovery.
		{false, true, "a bound interface's subnet", func(tx *state.Txn) {
			state.Subnets.Put(tx, &vpc.Subnet{ID: "subnet-1", VPC: "vpc-1", CIDR: netip.MustParsePrefix("10.0.0.0/16")})
		}},
		{false, false, "a prefix list that no rule refers to", func(tx *state.Txn) { state.PrefixLists.Put(tx, &vpc.PrefixList{ID: "pl-1", Version: 2}) }},
		{false, false, "a group of another account", func(tx *state.Txn) {
			state.Groups.Put(tx.In(state.Scope{Region: "us-east-1", Account: "000000000000"}), &vpc.SecurityGroup{ID: "sg-web", VPC: "vpc-1"})
		}},
		{false, false, "nothing", func(*state.Txn) {}},
	} {
		h.write(row.plan)
		if bindings, rules := h.agent.relevant(h.view); bindings != row.bindings || rules != row.rules {
			t.Errorf("%s: bindings %v and rules %v are looked at, want %v and %v", row.what, bindings, rules, row.bindings, row.rules)
		}
		h.step()
	}
}

// BenchmarkStep measures what a revision costs a host with 100 interfaces.
//
//	go test ./agent -run XXX -bench Step
func BenchmarkStep(b *testing.B) {
	for _, row := range []struct {
		what   string
		spaces int
		plan   func(tx *state.Txn, i int)
	}{
		{"unrelated group", 0, func(tx *state.Txn, i int) {
			state.Groups.Put(tx, &vpc.SecurityGroup{ID: "sg-other", VPC: "vpc-1", Description: fmt.Sprint(i)})
		}},
		{"unrelated interface", 0, func(tx *state.Txn, i int) {
			state.Interfaces.Put(tx, &vpc.Interface{ID: "eni-other", VPC: "vpc-1", Description: fmt.Sprint(i)})
		}},
		{"unrelated group, 1000 accounts", 1000, func(tx *state.Txn, i int) {
			state.Groups.Put(tx, &vpc.SecurityGroup{ID: "sg-other", VPC: "vpc-1", Description: fmt.Sprint(i)})
		}},
		{"own group", 0, func(tx *state.Txn, i int) {
			g := *state.Groups.Get(tx, "sg-web")
			g.Rules = append(g.Rules[:1:1], vpc.Rule{ID: "sgr-2", Protocol: flow.TCP, Ports: flow.PortRange{From: int32(i%60000) + 1, To: int32(i%60000) + 1}, Peer: vpc.Peer{CIDR: netip.MustParsePrefix("10.0.0.0/8")}})
			state.Groups.Put(tx, &g)
		}},
	} {
		b.Run(row.what, func(b *testing.B) {
			h := newSteppedHost(b, 100, row.spaces)
			i := 0
			for b.Loop() {
				b.StopTimer()
				i++
				h.write(func(tx *state.Txn) { row.plan(tx, i) })
				b.StartTimer()
				h.step()
			}
		})
	}
}
