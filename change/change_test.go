package change_test

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"moat/action"
	"moat/change"
	"moat/ec2"
	"moat/ec2/ec2test"
	"moat/fault"
	"moat/flow"
	"moat/ruleset"
	"moat/state"
	"moat/vpc"
)

var long = flag.Bool("long", false, "many more random rules: minutes")

// A place is a state in which wishes are made.
type place struct {
	*ec2test.World
	t   testing.TB
	vpc vpc.VPCID
	net vpc.SubnetID
}

func newPlace(t testing.TB) *place {
	p := &place{World: ec2test.New(t), t: t}
	p.Quotas = vpc.NoQuotas()
	p.Stage(func(tx *state.Txn) error {
		p.vpc = state.DefaultVPC(tx).ID
		for s := range state.Subnets.All(tx) {
			p.net = s.ID
		}
		return nil
	})
	return p
}

func (p *place) space() *state.Space { return p.View.In(p.Scope) }

// do makes a call that must succeed, and gives an element of its answer.
func (p *place) do(element, name string, params ...string) string {
	p.t.Helper()
	xml, f := p.Do(name, params...)
	if f != nil {
		p.t.Fatalf("%s %q: %v", name, params, f)
	}
	_, rest, _ := strings.Cut(xml, "<"+element+">")
	value, _, _ := strings.Cut(rest, "<")
	return value
}

func (p *place) group(name string) vpc.GroupID {
	p.t.Helper()
	return vpc.GroupID(p.do("groupId", "CreateSecurityGroup", "GroupName", name, "GroupDescription", "d"))
}

// rules puts rules into a group, in place of what it has.
func (p *place) rules(id vpc.GroupID, rules ...vpc.Rule) {
	p.Stage(func(tx *state.Txn) error {
		g := *state.Groups.Get(tx, id)
		g.Rules = nil
		for _, r := range rules {
			if slices.ContainsFunc(g.Rules, func(o vpc.Rule) bool { return o.Key() == r.Key() }) {
				continue
			}
			r.ID = tx.NewRuleID(&g)
			g.Rules = append(g.Rules, r)
		}
		state.Groups.Put(tx, &g)
		return nil
	})
}

func (p *place) iface(groups ...vpc.GroupID) *vpc.Interface {
	p.t.Helper()
	params := []string{"SubnetId", string(p.net)}
	for i, g := range groups {
		params = append(params, fmt.Sprintf("SecurityGroupId.%d", i+1), string(g))
	}
	id := p.do("networkInterfaceId", "CreateNetworkInterface", params...)
	return state.Interfaces.Get(p.space(), vpc.InterfaceID(id))
}

// fulfil makes the calls of a plan, as one change.
func (p *place) fulfil(plan *change.Plan) error {
	var failed error
	st := state.NewStage(p.View)
	tx := st.Begin(state.Call{Scope: p.Scope, Now: p.Now, Quotas: p.Quotas, Random: rand.Uint64})
	for _, c := range plan.Calls {
		i := slices.IndexFunc(all, func(a action.Action) bool { return a.Info().Name == c.Action })
		if _, err := all[i].(action.Planner).Stage(tx, c.In); err != nil {
			failed = fmt.Errorf("%s: %w", c.Action, err)
			break
		}
	}
	if failed == nil {
		st.Accept(tx)
		p.View = st.View()
	}
	return failed
}

var all = slices.Concat(ec2.Actions, change.Actions)

// plan wants a wish to be understood.
func (p *place) plan(w change.Wish) *change.Plan {
	p.t.Helper()
	plan, err := change.Make(p.space(), &w)
	if err != nil {
		p.t.Fatalf("%+v: %v", w, err)
	}
	return plan
}

func rule(t testing.TB, text string) vpc.Rule {
	t.Helper()
	f := strings.Fields(text) // in tcp 22-23 10.0.0.0/8
	r := vpc.Rule{Direction: flow.Direction(f[0] == "out"), Ports: flow.NoPorts}
	var err error
	if r.Protocol, err = vpc.ParseProtocol(f[1]); err != nil {
		t.Fatal(err)
	}
	if len(f) == 4 {
		if _, err := fmt.Sscanf(strings.Replace(f[2], "-", " ", 1)+" "+strings.TrimPrefix(f[2], "-"), "%d %d", &r.Ports.From, &r.Ports.To); err != nil {
			t.Fatal(err)
		}
	}
	last := f[len(f)-1]
	if strings.Contains(last, "/") {
		r.Peer.CIDR = netip.MustParsePrefix(last)
	} else {
		r.Peer.Ref = last
	}
	return r
}

// What is left of random rules after something random is denied with --split is
// exactly what was allowed without it, as ruleset.Judge sees it; and without
// --split, where that is not refused. A refusal has its reason: something that is
// to be denied would still be allowed.
func TestDenyLeavesExactlyTheRest(t *testing.T) {
	seeds := 300
	if *long {
		seeds = 20_000
	}
	kept, refused, split := 0, 0, 0
	for seed := range seeds {
		r := rand.New(rand.NewPCG(uint64(seed), 7))
		p := newPlace(t)
		web, ops := p.group("web"), p.group("ops")
		eni := p.iface(web)
		friend := p.iface(ops)
		list := p.do("prefixListId", "CreateManagedPrefixList", "PrefixListName", "office", "AddressFamily", "IPv4", "MaxEntries", "5",
			"Entry.1.Cidr", "10.0.0.4/31", "Entry.2.Cidr", "10.0.0.10/32")
		egress := r.IntN(4) == 0
		peers := func(refs int) vpc.Peer {
			switch n := r.IntN(10 + refs); {
			case n < 7:
				return vpc.Peer{CIDR: randomRange(r, "10.0.0.0/28")}
			case n < 10:
				return vpc.Peer{CIDR: randomRange(r, "2001:db8::/124")}
			case n < 12:
				return vpc.Peer{Ref: list}
			case n == 12:
				return vpc.Peer{Ref: string(ops)}
			}
			return vpc.Peer{CIDR: netip.PrefixFrom(friend.Addresses[0], 32)}
		}
		var rules []vpc.Rule
		for range 1 + r.IntN(5) {
			rules = append(rules, randomRule(r, flow.Direction(egress), peers(4)))
		}
		p.rules(web, rules...)

		denied := randomRule(r, flow.Direction(egress), peers(4))
		w := change.Wish{Do: "deny", Group: "web", What: whatOf(&denied), Peer: denied.Peer.String(), Egress: egress, Split: r.IntN(4) > 0}
		plan := p.plan(w)
		before := p.judge(eni)
		isDenied := func(f ruleset.Flow) bool {
			d := denied
			if d.Protocol == flow.ICMP && f.Remote.Is6() {
				d.Protocol = flow.ICMPv6
			}
			var ranges []netip.Prefix
			switch d.Peer.Ref {
			case "":
				ranges = append(ranges, d.Peer.CIDR)
			case list:
				ranges = append(ranges, netip.MustParsePrefix("10.0.0.4/31"), netip.MustParsePrefix("10.0.0.10/32"))
			default:
				ranges = append(ranges, netip.PrefixFrom(friend.Addresses[0], 32))
			}
			return slices.ContainsFunc(ranges, func(p netip.Prefix) bool { return p.Contains(f.Remote) }) && matches(&d, f)
		}
		flows := sampleFlows(p, eni, append(slices.Clone(rules), denied), friend)
		story := func() string {
			text := fmt.Sprintf("seed %d: %+v\n%s\n%s", seed, w, strings.Join(plan.Does, "\n"), plan.Refused)
			for _, r := range rules {
				text += fmt.Sprintf("\n had %s %s %d-%d %s", r.Direction, r.Protocol, r.Ports.From, r.Ports.To, r.Peer)
			}
			return text
		}
		if plan.Refused != "" {
			refused++
			if len(plan.Calls) > 0 {
				t.Fatalf("a refused plan has calls: %s", story())
			}
			w.Anyway = true
			if err := p.fulfil(p.plan(w)); err != nil {
				t.Fatalf("%v: %s", err, story())
			}
			after := p.judge(eni)
			if !slices.ContainsFunc(flows, func(f ruleset.Flow) bool { return isDenied(f) && after(f) }) {
				t.Fatalf("refused, and without what could be taken away nothing allows it: %s", story())
			}
			for _, f := range flows {
				if !isDenied(f) && after(f) != before(f) {
					t.Fatalf("--anyway: %+v is allowed %v, was %v: %s", f, after(f), before(f), story())
				}
			}
			continue
		}
		if err := p.fulfil(plan); err != nil {
			t.Fatalf("%v: %s", err, story())
		}
		after := p.judge(eni)
		for _, f := range flows {
			if want := before(f) && !isDenied(f); after(f) != want {
				t.Fatalf("%+v is allowed %v, want %v: %s", f, after(f), want, story())
			}
		}
		if plan.Idle {
			kept++
		} else if slices.ContainsFunc(plan.Does, func(s string) bool { return strings.HasPrefix(s, "  +") }) {
			split++
		}
		// A second time there is nothing left to deny.
		if again := p.plan(w); !again.Idle {
			t.Fatalf("denied twice: %s\n%s", story(), strings.Join(again.Does, "\n"))
		}
	}
	if kept < seeds/20 || refused < seeds/20 || split < seeds/20 {
		t.Errorf("%d seeds: %d with nothing to do, %d refused, %d narrowed: the random rules are too alike", seeds, kept, refused, split)
	}
}

func randomRange(r *rand.Rand, in string) netip.Prefix {
	p := netip.MustParsePrefix(in)
	bits := p.Bits() + r.IntN(p.Addr().BitLen()-p.Bits()+1)
	if r.IntN(8) == 0 {
		bits = r.IntN(p.Bits() + 1)
	}
	b := p.Addr().AsSlice()
	b[len(b)-1] |= byte(r.IntN(16))
	a, _ := netip.AddrFromSlice(b)
	return netip.PrefixFrom(a, bits).Masked()
}

func randomRule(r *rand.Rand, d flow.Direction, peer vpc.Peer) vpc.Rule {
	out := vpc.Rule{Direction: d, Peer: peer, Ports: flow.NoPorts}
	port := func() int32 { return []int32{0, 1, 2, 3, 4, 5, 65533, 65534, 65535}[r.IntN(9)] }
	switch r.IntN(12) {
	case 0:
		out.Protocol = flow.AllProtocols
	case 1:
		out.Protocol = flow.ICMP
		if peer.CIDR.Addr().Is6() {
			out.Protocol = flow.ICMPv6
		}
		if r.IntN(2) == 0 {
			out.Ports.From = []int32{0, 8}[r.IntN(2)]
			if r.IntN(2) == 0 {
				out.Ports.To = []int32{0, 3}[r.IntN(2)]
			}
		}
	case 2:
		out.Protocol = 50
	case 3, 4:
		out.Protocol = flow.UDP
	default:
		out.Protocol = flow.TCP
	}
	if out.Protocol == flow.TCP || out.Protocol == flow.UDP {
		a, b := port(), port()
		out.Ports = flow.PortRange{From: min(a, b), To: max(a, b)}
	}
	return out
}

// whatOf writes a rule's traffic as a person would.
func whatOf(r *vpc.Rule) string {
	switch r.Protocol {
	case flow.AllProtocols:
		return "all"
	case flow.TCP, flow.UDP:
		return fmt.Sprintf("%d-%d/%s", r.Ports.From, r.Ports.To, r.Protocol)
	case flow.ICMP, flow.ICMPv6:
		switch {
		case r.Ports.From < 0:
			return r.Protocol.String()
		case r.Ports.To < 0:
			return fmt.Sprintf("%s:%d", r.Protocol, r.Ports.From)
		}
		return fmt.Sprintf("%s:%d.%d", r.Protocol, r.Ports.From, r.Ports.To)
	}
	return fmt.Sprintf("%d/proto", r.Protocol)
}

func matches(r *vpc.Rule, f ruleset.Flow) bool {
	switch {
	case r.Protocol == flow.AllProtocols:
		return true
	case r.Protocol != f.Protocol:
		return false
	case r.Protocol == flow.TCP || r.Protocol == flow.UDP:
		return r.Ports.From <= int32(f.Port) && int32(f.Port) <= r.Ports.To
	case r.Protocol == flow.ICMP || r.Protocol == flow.ICMPv6:
		return (r.Ports.From < 0 || r.Ports.From == int32(f.Port)) && (r.Ports.To < 0 || r.Ports.To == int32(f.Code))
	}
	return true
}

// judge gives what is allowed at an interface now.
func (p *place) judge(i *vpc.Interface) func(ruleset.Flow) bool {
	rs := ruleset.Compile(p.View, []ruleset.Local{{Scope: p.Scope, ID: i.ID}}, ruleset.Options{})
	return func(f ruleset.Flow) bool { return rs.Judge(f).Allowed }
}

// sampleFlows gives flows at and beside every edge of the rules.
func sampleFlows(p *place, eni *vpc.Interface, rules []vpc.Rule, friends ...*vpc.Interface) (out []ruleset.Flow) {
	var remotes []netip.Addr
	add := func(a netip.Addr) {
		if a.IsValid() && !slices.Contains(remotes, a) {
			remotes = append(remotes, a)
		}
	}
	for i := range 16 {
		add(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}))
		b := netip.MustParseAddr("2001:db8::").As16()
		b[15] = byte(i)
		add(netip.AddrFrom16(b))
	}
	for _, f := range friends {
		add(f.Addresses[0])
		add(f.Addresses[0].Next())
	}
	for _, r := range rules {
		if c := r.Peer.CIDR; c.IsValid() {
			add(c.Addr())
			add(c.Addr().Prev())
			last := lastOf(c)
			add(last)
			add(last.Next())
		}
	}
	d := rules[0].Direction
	for _, a := range remotes {
		flows := func(p flow.Protocol, port uint16, code uint8) {
			out = append(out, ruleset.Flow{Interface: eni.ID, Direction: d, Remote: a, Protocol: p, Port: port, Code: code})
		}
		for _, port := range []uint16{0, 1, 2, 3, 4, 5, 6, 65532, 65533, 65534, 65535} {
			flows(flow.TCP, port, 0)
			flows(flow.UDP, port, 0)
		}
		icmp := flow.ICMP
		if a.Is6() {
			icmp = flow.ICMPv6
		}
		for _, typ := range []uint16{0, 8, 9} {
			for _, code := range []uint8{0, 3, 4} {
				flows(icmp, typ, code)
			}
		}
		flows(50, 0, 0)
		flows(51, 0, 0)
	}
	return out
}

func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// The texts: what groups hold, wishes, and what becomes of them.
func TestWishes(t *testing.T) {
	p := newPlace(t)
	web, ops := p.group("web"), p.group("ops")
	eni := p.iface(ops)
	list := p.do("prefixListId", "CreateManagedPrefixList", "PrefixListName", "office", "AddressFamily", "IPv4", "MaxEntries", "5", "Entry.1.Cidr", "203.0.113.0/24")
	other := p.do("vpcId", "CreateVpc", "CidrBlock", "10.9.0.0/16")
	p.do("groupId", "CreateSecurityGroup", "GroupName", "twin", "GroupDescription", "d")
	twin := p.do("groupId", "CreateSecurityGroup", "GroupName", "twin", "GroupDescription", "d", "VpcId", other)
	addr := eni.Addresses[0].String()
	allow := func(what, peer string) change.Wish {
		return change.Wish{Do: "allow", Group: "web", What: what, Peer: peer}
	}
	deny := func(what, peer string) change.Wish {
		return change.Wish{Do: "deny", Group: "web", What: what, Peer: peer}
	}
	split := func(what, peer string) change.Wish {
		return change.Wish{Do: "deny", Group: "web", What: what, Peer: peer, Split: true}
	}
	for _, row := range []struct {
		what string
		has  []string
		wish change.Wish
		want string // lines, calls, refusal; or the error
	}{
		{"a number is of TCP", nil, allow("22", "192.0.2.7"), "+ ssh 22/tcp from 192.0.2.7/32 | AuthorizeSecurityGroupIngress"},
		{"a service of both", nil, allow("dns", "192.0.2.7"), "+ dns 53/tcp from 192.0.2.7/32 | + dns 53/udp from 192.0.2.7/32 | AuthorizeSecurityGroupIngress"},
		{"IPv6, and its ICMP", nil, allow("icmp,443", "2001:db8::1"), "+ all icmpv6 from 2001:db8::1/128 | + https 443/tcp from 2001:db8::1/128 | AuthorizeSecurityGroupIngress"},
		{"ping of both families", nil, allow("ping", "192.0.2.7,2001:db8::1"), "+ ping (icmp type 8) from 192.0.2.7/32 | + ping (icmpv6 type 128) from 2001:db8::1/128 | AuthorizeSecurityGroupIngress"},
		{"a type of the other family", nil, allow("icmp:3", "2001:db8::1"), "error icmp:3 is of the other family than 2001:db8::1: icmp is of IPv4, icmpv6 of IPv6."},
		{"ICMPv6 of what is IPv6", nil, allow("icmpv6", "anywhere"), "+ all icmpv6 from anywhere (::/0) | AuthorizeSecurityGroupIngress | note ::/0 is everybody"},
		{"everybody", nil, allow("80", "anywhere"), "+ http 80/tcp from anywhere (0.0.0.0/0) | + http 80/tcp from anywhere (::/0) | AuthorizeSecurityGroupIngress | note 0.0.0.0/0 is everybody | note ::/0 is everybody"},
		{"bits beyond the mask", nil, allow("80", "192.0.2.7/24"), "+ http 80/tcp from 192.0.2.0/24 | AuthorizeSecurityGroupIngress | note 192.0.2.7/24 is the range 192.0.2.0/24: a rule has no address in a range"},
		{"a group and a list", nil, allow("80", "ops,office"), "+ http 80/tcp from group ops (OPS) | + http 80/tcp from list office (LIST) | AuthorizeSecurityGroupIngress"},
		{"an interface", nil, allow("80", string(eni.ID)), "+ http 80/tcp from " + addr + "/32 | AuthorizeSecurityGroupIngress"},
		{"a list that AWS owns", nil, allow("80", "pl-63a5400a"), "+ http 80/tcp from list com.amazonaws.us-east-1.s3 (pl-63a5400a) | AuthorizeSecurityGroupIngress"},
		{"out", nil, change.Wish{Do: "allow", Group: "web", What: "80", Peer: "192.0.2.7", Egress: true}, "+ http 80/tcp to 192.0.2.7/32 | AuthorizeSecurityGroupEgress"},
		{"there already", []string{"in tcp 22-22 192.0.2.7/32"}, allow("22", "192.0.2.7"), "= ssh 22/tcp from 192.0.2.7/32 is allowed already by R0: ssh 22/tcp from 192.0.2.7/32"},
		{"allowed by a wider one", []string{"in -1 192.0.2.0/24"}, allow("22", "192.0.2.7"), "= ssh 22/tcp from 192.0.2.7/32 is allowed already by R0: everything from 192.0.2.0/24"},
		{"the other direction does not count", []string{"out tcp 22-22 192.0.2.7/32"}, allow("22", "192.0.2.7"), "+ ssh 22/tcp from 192.0.2.7/32 | AuthorizeSecurityGroupIngress"},

		{"no such port", nil, allow("70000", "192.0.2.7"), `error "70000": 70000 is no port from 0 to 65535`},
		{"no such group", nil, allow("22", "wbe"), `error no security group, prefix list, network interface, subnet or VPC is called "wbe": did you mean web?`},
		{"no range", nil, allow("22", "192.0.2.0/33"), `error "192.0.2.0/33" is no range of addresses: want such as 203.0.113.0/24 or 2001:db8::/32`},
		{"nobody", nil, allow("22", ""), "error The other side is empty: want an address, a range, me, anywhere, or the name or id of a group or a prefix list."},
		{"two of a name", nil, change.Wish{Do: "allow", Group: "twin", What: "22", Peer: "192.0.2.7"}, `error "twin" stands for 2 things, write the id of one: `},

		{"exactly it", []string{"in tcp 22-22 192.0.2.7/32", "in tcp 22-22 192.0.2.8/32"}, deny("22", "192.0.2.7"), "- R0 ssh 22/tcp from 192.0.2.7/32 | RevokeSecurityGroupIngress"},
		{"inside of it", []string{"in tcp 22-22 192.0.2.7/32", "in udp 22-22 192.0.2.7/32", "in tcp 23-23 192.0.3.8/32"}, deny("20-30", "192.0.2.0/24"), "- R0 ssh 22/tcp from 192.0.2.7/32 | RevokeSecurityGroupIngress"},
		{"nothing allows it", []string{"in tcp 23-23 192.0.2.7/32"}, deny("22", "192.0.2.7"), "= nothing allows 22 from 192.0.2.7"},
		{"a wider range", []string{"in tcp 22-22 192.0.2.6/31", "in tcp 22-22 192.0.2.7/32"}, deny("22", "192.0.2.7"),
			"- R1 ssh 22/tcp from 192.0.2.7/32 | ! R0 ssh 22/tcp from 192.0.2.6/31: wider than what is denied; --split puts 1 narrower rule in its place | refused What is marked ! still allows it. --split narrows the wider rules; --anyway takes away what can be, and leaves that."},
		{"narrowed", []string{"in tcp 22-22 192.0.2.4/30"}, split("22", "192.0.2.7"),
			"- R0 ssh 22/tcp from 192.0.2.4/30 | + ssh 22/tcp from 192.0.2.4/31 | + ssh 22/tcp from 192.0.2.6/32 | RevokeSecurityGroupIngress | AuthorizeSecurityGroupIngress"},
		{"ports at the edges", []string{"in tcp 0-65535 192.0.2.7/32"}, split("0,65535", "192.0.2.7"),
			"- R0 all tcp from 192.0.2.7/32 | + 1-65534/tcp from 192.0.2.7/32 | RevokeSecurityGroupIngress | AuthorizeSecurityGroupIngress"},
		{"narrowed to a rule that is there", []string{"in tcp 22-22 192.0.2.6/31", "in tcp 22-22 192.0.2.6/32"}, split("22", "192.0.2.7"),
			"- R0 ssh 22/tcp from 192.0.2.6/31 | RevokeSecurityGroupIngress"},
		{"ports of a list", []string{"in tcp 22-24 LIST"}, split("23", "office"),
			"- R0 22-24/tcp from list office (LIST) | + ssh 22/tcp from list office (LIST) | + 24/tcp from list office (LIST) | RevokeSecurityGroupIngress | AuthorizeSecurityGroupIngress | note list office is denied by the addresses that it has now"},
		{"a list cannot be narrowed", []string{"in tcp 22-22 LIST"}, split("22", "203.0.113.7"),
			"! R0 ssh 22/tcp from list office (LIST): the list has 203.0.113.0/24, and a rule cannot allow a part of a list: take it out of the list with `aws ec2 modify-managed-prefix-list --prefix-list-id LIST --current-version 1 --remove-entries Cidr=203.0.113.0/24`, or the rule away with `moat deny web 22 --from LIST` | refused What is marked ! still allows it. Change that first; --anyway takes away what can be, and leaves that."},
		{"a list that does not have it", []string{"in tcp 22-22 LIST"}, split("22", "203.0.112.7"), "= nothing allows 22 from 203.0.112.7"},
		{"a group that has the address", []string{"in tcp 22-22 OPS"}, split("22", addr),
			"! R0 ssh 22/tcp from group ops (OPS): ops has " + addr + ": take group ops off that interface, or the rule away with `moat deny web 22 --from OPS` | refused What is marked ! still allows it. Change that first; --anyway takes away what can be, and leaves that."},
		{"a group that has the address, on more ports", []string{"in tcp 20-30 OPS"}, split("22", addr),
			"! R0 20-30/tcp from group ops (OPS): ops has " + addr + ": take group ops off that interface, or that from the rule with `moat deny web 22 --from OPS --split` | refused What is marked ! still allows it. Change that first; --anyway takes away what can be, and leaves that."},
		{"a group that has the address, for all protocols", []string{"in -1 OPS"}, split("22", addr),
			"! R0 everything from group ops (OPS): ops has " + addr + ": take group ops off that interface, or the rule away with `moat deny web all --from OPS` | refused What is marked ! still allows it. Change that first; --anyway takes away what can be, and leaves that."},
		{"the group itself", []string{"in tcp 22-22 OPS", "in tcp 22-22 " + addr + "/32"}, deny("22", "ops"), "- R0 ssh 22/tcp from group ops (OPS) | - R1 ssh 22/tcp from " + addr + "/32 | RevokeSecurityGroupIngress"},
		{"all protocols", []string{"in -1 192.0.2.7/32"}, split("22", "192.0.2.7"),
			"! R0 everything from 192.0.2.7/32: a rule for all protocols cannot lose one: allow what is needed by rules of their own, as `moat allow web tcp --from 192.0.2.7/32`, and take this one away with `moat deny web all --from 192.0.2.7/32` | refused What is marked ! still allows it. Change that first; --anyway takes away what can be, and leaves that."},
		{"all protocols, an address of them", []string{"in -1 192.0.2.6/31"}, split("all", "192.0.2.7"),
			"- R0 everything from 192.0.2.6/31 | + everything from 192.0.2.6/32 | RevokeSecurityGroupIngress | AuthorizeSecurityGroupIngress"},
		{"both families", []string{"in tcp 22-22 0.0.0.0/0", "in tcp 22-22 ::/0", "out tcp 22-22 ::/0"}, deny("22", "anywhere"), "- R0 ssh 22/tcp from anywhere (0.0.0.0/0) | - R1 ssh 22/tcp from anywhere (::/0) | RevokeSecurityGroupIngress"},
		{"the other family", []string{"in tcp 22-22 ::/0"}, deny("22", "0.0.0.0/0"), "= nothing allows 22 from 0.0.0.0/0"},

		{"a name that is taken", nil, change.Wish{Do: "rename", Group: "web", New: "OPS"}, `- name "web" | + name "OPS"; its id, its rules and whatever uses it stay | RenameSecurityGroup`},
		{"the same name", nil, change.Wish{Do: "rename", Group: "web", New: "web"}, "= it has that name already"},
		{"no name", nil, change.Wish{Do: "rename", Group: "web", New: "sg-1"}, "error "},
		{"in use", nil, change.Wish{Do: "rm", Group: "ops"}, "! ENI has no other group, and an interface must have one | refused It is in use: --detach takes it off what uses it."},
		{"its only group", nil, change.Wish{Do: "rm", Group: "ops", Detach: true}, "! ENI has no other group, and an interface must have one | refused An interface must have a group: --instead GROUP says which it gets."},
		{"with another instead", []string{"in tcp 22-22 OPS"}, change.Wish{Do: "rm", Group: "ops", Detach: true, New: "web"},
			"- off ENI, which gets web | - R0 of group web: ssh 22/tcp from group ops (OPS) | - the group with its 1 rule | ModifyNetworkInterfaceAttribute | RevokeSecurityGroupIngress | DeleteSecurityGroup"},
		{"the default group", nil, change.Wish{Do: "rm", Group: "default", Detach: true}, "error "},
		{"in place", []string{"in tcp 22-22 OPS", "out -1 OPS"}, change.Wish{Do: "replace-group", Group: "ops", New: "web"},
			"~ ENI: web in place of ops | ~ R0 of group web: ssh 22/tcp from group web in place of ops | ~ R1 of group web: everything to group web in place of ops | ModifyNetworkInterfaceAttribute | ModifySecurityGroupRules | note group ops stays, with its own rules; nothing uses it then: `moat rm OPS`"},
		{"in place, where it is already", []string{"in tcp 22-22 OPS", "in tcp 22-22 WEB"}, change.Wish{Do: "replace-group", Group: "ops", New: "web"},
			"~ ENI: web in place of ops | - R0 of group web: ssh 22/tcp from group ops (OPS); it has the same for web | ModifyNetworkInterfaceAttribute | RevokeSecurityGroupIngress | note group ops stays, with its own rules; nothing uses it then: `moat rm OPS`"},
		{"used by nobody", nil, change.Wish{Do: "replace-group", Group: "web", New: "ops"}, "= nothing uses web"},
		{"another VPC's", nil, change.Wish{Do: "replace-group", Group: "web", New: twin}, "error "},
	} {
		var rules []vpc.Rule
		for _, text := range row.has {
			rules = append(rules, rule(t, strings.NewReplacer("LIST", list, "OPS", string(ops), "WEB", string(web)).Replace(text)))
		}
		p.rules(web, rules...)
		var got []string
		plan, err := change.Make(p.space(), &row.wish)
		if err != nil {
			var f *fault.Error
			if !errors.As(err, &f) || f.Status != 400 {
				t.Errorf("%s: %v is no fault", row.what, err)
				continue
			}
			got = []string{"error " + f.Message}
			if strings.HasPrefix(row.want, "error") && strings.HasPrefix(got[0], row.want) {
				continue
			}
		} else {
			for _, line := range plan.Does {
				if strings.HasPrefix(line, "  ") {
					got = append(got, line[2:])
				}
			}
			for _, c := range plan.Calls {
				got = append(got, c.Action)
			}
			for _, n := range plan.Notes {
				got = append(got, "note "+n)
			}
			if plan.Refused != "" {
				got = append(got, "refused "+plan.Refused)
			}
		}
		text := strings.Join(got, " | ")
		for i, r := range state.Groups.Get(p.space(), web).Rules {
			text = strings.ReplaceAll(text, string(r.ID), fmt.Sprintf("R%d", i))
		}
		text = strings.NewReplacer(list, "LIST", string(ops), "OPS", string(web), "WEB", string(eni.ID), "ENI").Replace(text)
		want := row.want
		if strings.HasPrefix(want, "error") && want != "error " && plan == nil {
			t.Errorf("%s:\n got %s\nwant %s", row.what, text, want)
			continue
		}
		if text != want {
			t.Errorf("%s:\n got %s\nwant %s", row.what, text, want)
		}
	}
}

// A type of ICMP that is taken from all of them leaves the 255 others.
func TestDenyATypeOfICMP(t *testing.T) {
	p := newPlace(t)
	web := p.group("web")
	p.rules(web, rule(t, "in icmp 10.0.0.1/32"))
	eni := p.iface(web)
	if err := p.fulfil(p.plan(change.Wish{Do: "deny", Group: "web", What: "ping", Peer: "10.0.0.1", Split: true})); err != nil {
		t.Fatal(err)
	}
	after := p.judge(eni)
	for typ := range 256 {
		f := ruleset.Flow{Interface: eni.ID, Remote: netip.MustParseAddr("10.0.0.1"), Protocol: flow.ICMP, Port: uint16(typ), Code: uint8(typ)}
		if after(f) != (typ != 8) {
			t.Errorf("type %d is allowed: %v", typ, after(f))
		}
	}
}

// Another group of the same interface allows it as well: rules add up.
func TestDenySeesTheOtherGroupsOfAnInterface(t *testing.T) {
	p := newPlace(t)
	web, ops := p.group("web"), p.group("ops")
	p.rules(web, rule(t, "in tcp 22-22 10.0.0.1/32"))
	p.rules(ops, rule(t, "in tcp 0-100 10.0.0.0/8"), rule(t, "in tcp 443-443 10.0.0.0/8"))
	w := change.Wish{Do: "deny", Group: "web", What: "22", Peer: "10.0.0.1", Split: true}
	if plan := p.plan(w); plan.Refused != "" {
		t.Errorf("while no interface has both: %q", plan.Refused)
	}
	eni := p.iface(web, ops)
	plan := p.plan(w)
	text := strings.Join(plan.Does, "\n")
	if plan.Refused == "" || !strings.Contains(text, "of group ops") || !strings.Contains(text, string(eni.ID)) || !strings.Contains(text, "`moat deny "+string(ops)+" 22 --from 10.0.0.1`") || strings.Contains(text, "443") {
		t.Errorf("%q\n%s", plan.Refused, text)
	}
	w.Anyway = true
	if plan := p.plan(w); plan.Refused != "" || len(plan.Calls) != 1 {
		t.Errorf("--anyway: %+v", plan)
	}
}

// A renamed group is the same group, and its name is as unique as before.
func TestRename(t *testing.T) {
	p := newPlace(t)
	web := p.group("web")
	p.group("ops")
	eni := p.iface(web)
	p.rules(web, rule(t, "in tcp 22-22 10.0.0.1/32"))
	rename := func(to string) error { return p.fulfil(p.plan(change.Wish{Do: "rename", Group: string(web), New: to})) }
	for _, to := range []string{"Ops", "DEFAULT"} {
		if err := rename(to); !errors.Is(err, fault.InvalidGroupDuplicate.With()) {
			t.Errorf("to %s: %v", to, err)
		}
	}
	for _, to := range []string{"Web", "www"} { // another case of its own name, too
		before := state.Interfaces.Get(p.space(), eni.ID)
		if err := rename(to); err != nil {
			t.Fatal(err)
		}
		g := state.GroupByName(p.space(), p.vpc, to)
		if g == nil || g.ID != web || g.Name != to || len(g.Rules) != 1 {
			t.Errorf("renamed to %s: %+v", to, g)
		}
		if state.Interfaces.Get(p.space(), eni.ID) == before {
			t.Error("what is kept rendered of the interface has the old name")
		}
	}
	if state.GroupByName(p.space(), p.vpc, "web") != nil {
		t.Error("the old name is still taken")
	}
	def := state.DefaultGroup(p.space(), p.vpc)
	if err := p.fulfil(p.plan(change.Wish{Do: "rename", Group: string(def.ID), New: "other"})); err == nil {
		t.Error("the default group was renamed")
	}
}

// The same wish on the same state has the same digest, on another one not.
func TestDigestTellsPlansApart(t *testing.T) {
	p := newPlace(t)
	web := p.group("web")
	p.rules(web, rule(t, "in tcp 22-22 10.0.0.0/8"))
	w := change.Wish{Do: "deny", Group: "web", What: "22", Peer: "10.0.0.1", Split: true}
	first := p.plan(w).Digest
	p.group("unrelated")
	if p.plan(w).Digest != first {
		t.Error("another group changes what is done to this one")
	}
	p.rules(web, rule(t, "in tcp 22-22 10.0.0.0/9"))
	if p.plan(w).Digest == first {
		t.Error("other rules, and the same digest")
	}
	w.Description = "x"
	allow := change.Wish{Do: "allow", Group: "web", What: "80", Peer: "10.0.0.1"}
	one := p.plan(allow).Digest
	if allow.Description = "x"; p.plan(allow).Digest == one {
		t.Error("another description, and the same digest")
	}
}

// A group may be called what the id of something else looks like, or have signs
// in its name that mean something to a shell.
func TestNamesDeceiveNobody(t *testing.T) {
	p := newPlace(t)
	web := p.group("web")
	eni := p.iface(web)
	list := p.do("prefixListId", "CreateManagedPrefixList", "PrefixListName", "office", "AddressFamily", "IPv4", "MaxEntries", "5", "Entry.1.Cidr", "203.0.113.0/24")
	for word, want := range map[string]string{
		list:             "+ ssh 22/tcp from list office (" + list + ")",
		"pl-63a5400a":    "+ ssh 22/tcp from list com.amazonaws.us-east-1.s3 (pl-63a5400a)",
		string(eni.ID):   "+ ssh 22/tcp from " + eni.Addresses[0].String() + "/32",
		string(p.net):    "+ ssh 22/tcp from 172.31.",
		string(p.vpc):    "+ ssh 22/tcp from 172.31.0.0/16",
		"vpc-0123456789": "+ ssh 22/tcp from group vpc-0123456789 (sg-",
	} {
		p.group(word)
		if got := strings.Join(p.plan(change.Wish{Do: "allow", Group: "web", What: "22", Peer: word}).Does, "\n"); !strings.Contains(got, want) {
			t.Errorf("%s, which a group is called as well: %s", word, got)
		}
	}

	odd := p.group("a$(reboot) b")
	p.rules(odd, rule(t, "in -1 10.0.0.0/8"), rule(t, "in tcp 22-22 "+list))
	got := strings.Join(p.plan(change.Wish{Do: "deny", Group: "a$(reboot) b", What: "22", Peer: "10.0.0.1,203.0.113.1"}).Does, "\n")
	for _, want := range []string{"`moat allow 'a$(reboot) b' tcp", "`moat deny 'a$(reboot) b' all", "`moat deny 'a$(reboot) b' 22"} {
		if !strings.Contains(got, want) {
			t.Errorf("want %s in\n%s", want, got)
		}
	}
}
