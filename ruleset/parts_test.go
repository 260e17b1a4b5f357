package ruleset_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"moat/ruleset"
	"moat/state"
	"moat/vpc"
)

// A fleet is a state whose interfaces are bound on several hosts.
type fleet struct {
	*testing.T
	view *state.View
	n    uint64
}

// stage makes a call and returns what it changed.
func (f *fleet) stage(plan func(tx *state.Txn)) []state.Change {
	st := state.NewStage(f.view)
	tx := st.Begin(state.Call{Scope: scope, Now: time.Unix(0, 0), Random: func() uint64 { f.n++; return f.n << 36 }})
	plan(tx)
	changes := tx.Changes()
	st.Accept(tx)
	f.view = st.View()
	return changes
}

// bound returns the interfaces that a host enforces, with their devices.
func (f *fleet) bound(host string) (locals []ruleset.Local, devices []vpc.Device) {
	for space := range f.view.Spaces() {
		for i := range state.Interfaces.By(space, state.InterfacesByHost, host) {
			locals = append(locals, ruleset.Local{Scope: space.Scope, ID: i.ID})
			devices = append(devices, *i.Attachment.Device)
		}
	}
	return locals, devices
}

var otherScope = state.Scope{Region: scope.Region, Account: "210987654321"}

func on(host string) *vpc.Attachment {
	if host == "" {
		return nil
	}
	return &vpc.Attachment{ID: "eni-attach-1", Device: &vpc.Device{Host: host, Name: "veth0"}}
}

func sideOf(s state.Scope, v vpc.VPCID) vpc.PeeringSide {
	return vpc.PeeringSide{Owner: s.Account, Region: s.Region, VPC: v}
}

// TestHostsOfAChange has one row for each way in which a change can concern a
// host, beside a change of the same kind that does not.
func TestHostsOfAChange(t *testing.T) {
	other := otherScope
	f := &fleet{T: t, view: state.NewView()}
	port := func(g *vpc.SecurityGroup, from string) {
		r := parseRule(t, "in tcp 80 from "+from)
		r.ID = vpc.RuleID("sgr-" + string(g.ID) + from)
		g.Rules = append(g.Rules, r)
	}
	group := func(name, from string) *vpc.SecurityGroup {
		g := &vpc.SecurityGroup{ID: groupID(name), VPC: "vpc-1"}
		port(g, from)
		return g
	}
	eni := func(id, address, host string, groups ...string) *vpc.Interface {
		i := &vpc.Interface{ID: vpc.InterfaceID(id), VPC: "vpc-1", Subnet: "subnet-1", Addresses: []netip.Addr{netip.MustParseAddr(address)}, Attachment: on(host)}
		for _, g := range groups {
			i.Groups = append(i.Groups, groupID(g))
		}
		return i
	}
	in := func(v vpc.VPCID, i *vpc.Interface) *vpc.Interface {
		i.VPC, i.Subnet = v, "subnet-2"
		return i
	}
	f.stage(func(tx *state.Txn) {
		for _, v := range []vpc.VPCID{"vpc-1", "vpc-2", "vpc-3"} {
			state.VPCs.Put(tx, &vpc.VPC{ID: v})
			state.VPCs.Put(tx.In(other), &vpc.VPC{ID: "far-" + v})
		}
		state.Subnets.Put(tx, &vpc.Subnet{ID: "subnet-1", VPC: "vpc-1"})
		state.Subnets.Put(tx, &vpc.Subnet{ID: "subnet-2", VPC: "vpc-2"})
		state.PrefixLists.Put(tx, &vpc.PrefixList{ID: "pl-l"})
		state.PrefixLists.Put(tx, &vpc.PrefixList{ID: "pl-unused"})
		// web on A and B lets clients in; lists on C lets a list in; D has a group
		// that refers to nothing, in another VPC; E has a VPC peered with another
		// account's, and lets in a group of there.
		state.Groups.Put(tx, group("web", "client"))
		state.Groups.Put(tx, group("lists", "list:l"))
		state.Groups.Put(tx, group("plain", "10.0.0.0/8"))
		state.Groups.Put(tx, group("peered", "far"))
		state.Groups.Put(tx, group("client", "10.0.0.0/8"))
		state.Groups.Put(tx, group("unused", "client"))
		state.Interfaces.Put(tx, eni("eni-a", "10.0.0.1", "A", "web"))
		state.Interfaces.Put(tx, eni("eni-b", "10.0.0.2", "B", "web", "plain"))
		state.Interfaces.Put(tx, eni("eni-c", "10.0.0.3", "C", "lists"))
		state.Interfaces.Put(tx, in("vpc-2", eni("eni-d", "10.0.0.4", "D", "plain")))
		state.Interfaces.Put(tx, in("vpc-3", eni("eni-e", "10.0.0.5", "E", "peered")))
		state.Interfaces.Put(tx, eni("eni-client", "10.0.0.6", "", "client"))
		state.Interfaces.Put(tx, eni("eni-free", "10.0.0.7", "", "plain"))
		p := &vpc.Peering{ID: "pcx-1", Requester: sideOf(scope, "vpc-3"), Accepter: sideOf(other, "far-vpc-1"), Status: vpc.PeeringActive}
		state.Peerings.Put(tx, p)
		state.Peerings.Put(tx.In(other), p)
		state.Interfaces.Put(tx.In(other), in("far-vpc-1", eni("eni-far", "10.1.0.1", "", "far")))
	})
	change := func(id vpc.InterfaceID, edit func(i *vpc.Interface)) func(tx *state.Txn) {
		return func(tx *state.Txn) {
			i := *state.Interfaces.Get(tx, id)
			edit(&i)
			state.Interfaces.Put(tx, &i)
		}
	}
	base := f.view
	for _, row := range []struct {
		want, what string
		plan       func(tx *state.Txn)
	}{
		{"A B", "a rule of a group", func(tx *state.Txn) { state.Groups.Put(tx, group("web", "10.0.0.0/8")) }},
		{"", "a rule of a group that nobody bound has", func(tx *state.Txn) { state.Groups.Put(tx, group("unused", "10.0.0.0/8")) }},
		{"", "a rule of a group that rules refer to", func(tx *state.Txn) { state.Groups.Put(tx, group("client", "10.1.0.0/16")) }},
		{"A B", "a new member of a group that rules refer to", func(tx *state.Txn) { state.Interfaces.Put(tx, eni("eni-new", "10.0.0.8", "", "client")) }},
		{"A B", "a member that goes", func(tx *state.Txn) { state.Interfaces.Delete(tx, "eni-client") }},
		{"A B", "another address of a member", change("eni-client", func(i *vpc.Interface) { i.Addresses = []netip.Addr{netip.MustParseAddr("10.0.0.9")} })},
		{"", "another name of a member", change("eni-client", func(i *vpc.Interface) { i.Description = "new" })},
		{"", "a member of the same group in a VPC that is not peered", func(tx *state.Txn) {
			state.Interfaces.Put(tx, in("vpc-2", eni("eni-new", "10.0.0.8", "", "client")))
		}},
		{"", "a new member of a group that no rule refers to", func(tx *state.Txn) { state.Interfaces.Put(tx, eni("eni-new", "10.0.0.8", "", "plain")) }},
		{"C", "a prefix list", func(tx *state.Txn) { state.PrefixLists.Put(tx, &vpc.PrefixList{ID: "pl-l", Version: 2}) }},
		{"", "a prefix list that no rule refers to", func(tx *state.Txn) { state.PrefixLists.Put(tx, &vpc.PrefixList{ID: "pl-unused", Version: 2}) }},
		{"E", "a member in a peered VPC of another account", func(tx *state.Txn) {
			state.Interfaces.Put(tx.In(other), in("far-vpc-1", eni("eni-far2", "10.1.0.2", "", "far")))
		}},
		{"", "a member of the same group in another VPC of that account", func(tx *state.Txn) {
			state.Interfaces.Put(tx.In(other), in("far-vpc-2", eni("eni-far2", "10.1.0.2", "", "far")))
		}},
		{"E", "the end of a peering", func(tx *state.Txn) {
			p := *state.Peerings.Get(tx, "pcx-1")
			p.Status = "deleted"
			state.Peerings.Put(tx, &p)
			state.Peerings.Put(tx.In(other), &p)
		}},
		{"A B C", "a subnet", func(tx *state.Txn) {
			state.Subnets.Put(tx, &vpc.Subnet{ID: "subnet-1", VPC: "vpc-1", CIDR: netip.MustParsePrefix("10.0.0.0/24")})
		}},
		{"", "a subnet without interfaces", func(tx *state.Txn) { state.Subnets.Put(tx, &vpc.Subnet{ID: "subnet-9", VPC: "vpc-1"}) }},
		{"E", "a VPC", func(tx *state.Txn) {
			state.VPCs.Put(tx, &vpc.VPC{ID: "vpc-3", Blocks: []vpc.Block{{CIDR: netip.MustParsePrefix("10.0.0.0/16")}}})
		}},
		{"C", "other groups of a bound interface", change("eni-c", func(i *vpc.Interface) { i.Groups = []vpc.GroupID{groupID("plain")} })},
		{"A B C", "a bound interface that joins a group that rules refer to", change("eni-c", func(i *vpc.Interface) { i.Groups = append(i.Groups, groupID("client")) })},
		{"C", "an interface that is taken off", change("eni-c", func(i *vpc.Interface) { i.Attachment = nil })},
		{"C D", "an interface that moves to another host", change("eni-c", func(i *vpc.Interface) { i.Attachment = on("D") })},
		{"Z", "an interface that is bound", change("eni-free", func(i *vpc.Interface) { i.Attachment = on("Z") })},
		{"", "an interface that is not bound", change("eni-free", func(i *vpc.Interface) { i.Groups = nil })},
		{"", "something that no ruleset is made of", func(tx *state.Txn) { state.KeyPairs.Put(tx, &vpc.KeyPair{Name: "k"}) }},
	} {
		f.view = base
		got := strings.Join(slices.Sorted(maps.Keys(ruleset.Hosts(f.view, nil))), " ")
		if got != "" {
			t.Fatalf("nothing concerns %s", got)
		}
		changes := f.stage(row.plan)
		if got = strings.Join(slices.Sorted(maps.Keys(ruleset.Hosts(f.view, changes))), " "); got != row.want {
			t.Errorf("%s concerns %q, want %q", row.what, got, row.want)
		}
	}
}

// randomly makes a random change to a fleet.
func (f *fleet) randomly(r *rand.Rand, tx *state.Txn) {
	pick := func(s ...string) string { return s[r.IntN(len(s))] }
	name := func() string { return pick("a", "b", "c", "d", "e") }
	scopes := []state.Scope{scope, otherScope}
	in := tx.In(scopes[r.IntN(2)])
	vpcs := []vpc.VPCID{"vpc-1", "vpc-2", "vpc-3"}
	if in.Scope == scopes[1] {
		vpcs = []vpc.VPCID{"far-1", "far-2", "far-3"}
	}
	id := vpc.InterfaceID(fmt.Sprintf("eni-%s-%02d", in.Account[:1], r.IntN(24)))
	switch r.IntN(16) {
	case 0, 1:
		g := &vpc.SecurityGroup{ID: groupID(name()), VPC: "vpc-1"}
		if r.IntN(3) == 0 {
			g.Tags = vpc.Tags{{Key: ruleset.OnRevokeTag, Value: pick("aws", "drain 3", "cut")}}
		}
		for i := range r.IntN(4) {
			rule := parseRule(f, pick("in", "out")+" tcp "+fmt.Sprint(r.IntN(3))+" from "+pick("a", "b", "c", "list:l", "list:m", "10.1.0.0/16"))
			rule.ID = vpc.RuleID(fmt.Sprintf("sgr-%s-%d", g.ID, i))
			g.Rules = append(g.Rules, rule)
		}
		state.Groups.Put(in, g)
	case 2:
		state.PrefixLists.Put(in, &vpc.PrefixList{ID: vpc.PrefixListID("pl-" + pick("l", "m")), Entries: []vpc.PrefixListEntry{{CIDR: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 9, byte(r.IntN(3)), 0}), 24)}}})
	case 3:
		p := &vpc.Peering{ID: vpc.PeeringID(fmt.Sprintf("pcx-%d", r.IntN(3))), Status: pick(vpc.PeeringActive, "deleted")}
		ends := [][2]vpc.PeeringSide{
			{sideOf(scopes[0], "vpc-1"), sideOf(scopes[0], "vpc-2")}, {sideOf(scopes[0], "vpc-1"), sideOf(scopes[1], "far-1")}, {sideOf(scopes[1], "far-2"), sideOf(scopes[1], "far-3")},
		}[p.ID[4]-'0']
		p.Requester, p.Accepter = ends[0], ends[1]
		for _, side := range ends {
			state.Peerings.Put(tx.In(state.Scope{Region: side.Region, Account: side.Owner}), p)
		}
	case 4:
		state.Groups.Delete(in, groupID(name()))
	case 5:
		v := &vpc.VPC{ID: vpcs[r.IntN(3)], Blocks: []vpc.Block{{CIDR: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(r.IntN(2)), 0, 0}), 16)}}}
		state.VPCs.Put(in, v)
	case 6:
		v := vpcs[r.IntN(3)]
		state.Subnets.Put(in, &vpc.Subnet{ID: vpc.SubnetID("subnet-" + v), VPC: v, CIDR: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(r.IntN(3)), 0}), 24)})
	case 7:
		state.Interfaces.Delete(in, id)
	case 8:
		if old := state.Interfaces.Get(in, id); old != nil {
			i := *old
			i.Description, i.Attachment = fmt.Sprint(r.Int()), on(pick("A", "B", "C", "D", ""))
			state.Interfaces.Put(in, &i)
		}
	default:
		v := vpcs[r.IntN(3)]
		i := &vpc.Interface{ID: id, VPC: v, Subnet: vpc.SubnetID("subnet-" + v), SourceDestCheck: r.IntN(2) == 0}
		i.Attachment = on(pick("A", "B", "C", "D", "", ""))
		i.Addresses = append(i.Addresses, netip.AddrFrom4([4]byte{10, 0, byte(r.IntN(2)), byte(r.IntN(40))}))
		for range r.IntN(3) {
			if g := groupID(name()); !slices.Contains(i.Groups, g) {
				i.Groups = append(i.Groups, g)
			}
		}
		state.Interfaces.Put(in, i)
	}
}

// TestConcernedHosts is the law that holds calls, hosts and rulesets together,
// over random changes: a host whose ruleset or bindings differ is among those that
// the change concerns, and a host that the change concerns finds that it is
// affected.
func TestConcernedHosts(t *testing.T) {
	type enforcing struct {
		*ruleset.Compiler
		compiled []any
		devices  []vpc.Device
		seen     *state.View
	}
	options := ruleset.Options{}
	if all, err := ruleset.ParseExemptions([]string{"aws"}); err == nil {
		options.Exempt = all
	} else {
		t.Fatal(err)
	}
	concerned, differ, calls := 0, 0, 0
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 2))
		f := &fleet{T: t, view: state.NewView()}
		f.stage(func(tx *state.Txn) {
			for _, v := range []vpc.VPCID{"vpc-1", "vpc-2", "vpc-3"} {
				state.Subnets.Put(tx, &vpc.Subnet{ID: vpc.SubnetID("subnet-" + v), VPC: v})
			}
			for _, v := range []vpc.VPCID{"far-1", "far-2", "far-3"} {
				state.Subnets.Put(tx.In(otherScope), &vpc.Subnet{ID: vpc.SubnetID("subnet-" + v), VPC: v})
			}
		})
		hosts := map[string]*enforcing{}
		for _, name := range []string{"A", "B", "C", "D"} {
			hosts[name] = &enforcing{Compiler: ruleset.NewCompiler(options)}
		}
		for step := range 300 {
			changes := f.stage(func(tx *state.Txn) {
				for range 1 + r.IntN(2) {
					f.randomly(r, tx)
				}
			})
			those := ruleset.Hosts(f.view, changes)
			calls++
			concerned += len(those)
			for name, h := range hosts {
				locals, devices := f.bound(name)
				now := plain(ruleset.Compile(f.view, locals, options))[1:]
				differs := !reflect.DeepEqual(now, h.compiled) || !slices.Equal(devices, h.devices)
				if h.compiled != nil && differs {
					differ++
					if !those[name] {
						t.Fatalf("seed %d, step %d: the ruleset of %s differs and the change concerns %v only", seed, step, name, those)
					}
				}
				h.compiled = now
				// The host itself looks at what is new since it looked last.
				bindings := !slices.Equal(devices, h.devices)
				h.devices = devices
				unaffected := false
				if h.seen != nil && !bindings {
					if since, ok := f.view.Changes(h.seen, ruleset.PartKinds...); ok {
						unaffected = h.Unaffected(f.view, ruleset.Parts(since))
					}
				}
				h.seen = f.view
				if unaffected && those[name] {
					t.Fatalf("seed %d, step %d: the change concerns %s, which sees nothing of it", seed, step, name)
				}
				if !unaffected {
					if got := plain(h.Compile(f.view, locals))[1:]; !reflect.DeepEqual(got, now) {
						t.Fatalf("seed %d, step %d: %s compiles\n%+v, want\n%+v", seed, step, name, got, now)
					}
				} else if differs && step > 0 {
					t.Fatalf("seed %d, step %d: %s is unaffected and its ruleset differs", seed, step, name)
				}
			}
		}
	}
	t.Logf("%d calls concern %d hosts, of which %d come to another ruleset or binding", calls, concerned, differ)
	if differ < calls/4 || concerned > 4*differ {
		t.Errorf("%d calls concern %d hosts, of which %d come to another ruleset: the trial says little", calls, concerned, differ)
	}
}
