package ruleset_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"moat/flow"
	"moat/ruleset"
	"moat/state"
	"moat/test/clause"
	"moat/vpc"
)

var update = flag.Bool("update", false, "write the answers of testdata anew")

// TestJudge runs the scripts of testdata: a world of interfaces and groups,
// then flows, each with its verdict after four dashes.
//
//	interface eni-1 10.0.0.5 in web ops
//	group web: in tcp 443 from 0.0.0.0/0
//	list office: 203.0.113.0/24
//	peering pcx-1 vpc-1 vpc-2 active
//	vpc vpc-2 10.2.0.0/16 10.3.0.0/16
//	exempt aws
//	flow 198.51.100.7 -> eni-1 tcp 443
//	----
//	allow by in tcp 443 from 0.0.0.0/0
func TestJudge(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(b))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(b) {
				t.Errorf("%s: got\n%s", file, got)
			}
		})
	}
}

// play gives a script with the answers that the code gives.
func play(t *testing.T, script string) string {
	t.Helper()
	w := newWorld(t)
	var out strings.Builder
	skip := false
	for line := range strings.Lines(script) {
		text := strings.TrimSpace(line)
		switch {
		case text == "----":
			skip = true // the answer is written with the flow
			continue
		case text == "":
			skip = false
		}
		if skip {
			continue
		}
		out.WriteString(line)
		switch word, _, _ := strings.Cut(text, " "); word {
		case "interface", "group", "list", "peering", "vpc", "exempt":
			w.add(text)
		case "flow":
			fmt.Fprintf(&out, "----\n%s\n", w.flow(text))
		case "", "#":
		default:
			t.Fatalf("unknown line %q", text)
		}
	}
	return out.String()
}

// A world is a state made of script lines.
type world struct {
	t       testing.TB
	view    *state.View
	rules   map[vpc.RuleID]string
	aliases map[string]string
	changed bool
	options ruleset.Options
	rs      *ruleset.Ruleset
	n       uint64
}

var scope = state.Scope{Region: "us-east-1", Account: "123456789012"}

func newWorld(t testing.TB) *world {
	w := &world{t: t, view: state.NewView(), rules: map[vpc.RuleID]string{}, aliases: map[string]string{}}
	w.stage(func(tx *state.Txn) {
		state.VPCs.Put(tx, &vpc.VPC{ID: "vpc-1", Blocks: []vpc.Block{{CIDR: netip.MustParsePrefix("10.0.0.0/16")}}})
	})
	return w
}

func (w *world) stage(f func(*state.Txn)) {
	st := state.NewStage(w.view)
	tx := st.Begin(state.Call{Scope: scope, Now: time.Unix(0, 0), Random: func() uint64 { w.n++; return w.n << 36 }})
	f(tx)
	st.Accept(tx)
	w.view, w.changed = st.View(), true
}

func (w *world) add(line string) {
	w.t.Helper()
	kind, rest, _ := strings.Cut(line, " ")
	switch kind {
	case "interface": // interface ID ADDRESS… in GROUP… [vpc ID]
		f := strings.Fields(rest)
		i := vpc.Interface{ID: vpc.InterfaceID(f[0]), VPC: "vpc-1", SourceDestCheck: true}
		in := slices.Index(f, "in")
		end := len(f)
		if v := slices.Index(f, "vpc"); v > 0 {
			i.VPC, end = vpc.VPCID(f[v+1]), v
		}
		for _, a := range f[1:in] {
			addr := netip.MustParseAddr(a)
			if addr.Is4() {
				i.Addresses = append(i.Addresses, addr)
			} else {
				i.IPv6 = append(i.IPv6, addr)
			}
		}
		for _, g := range f[in+1 : end] {
			i.Groups = append(i.Groups, groupID(g))
		}
		w.stage(func(tx *state.Txn) { state.Interfaces.Put(tx, &i) })
	case "vpc": // vpc ID CIDR…
		f := strings.Fields(rest)
		v := &vpc.VPC{ID: vpc.VPCID(f[0])}
		for _, b := range f[1:] {
			v.Blocks = append(v.Blocks, vpc.Block{CIDR: netip.MustParsePrefix(b)})
		}
		w.stage(func(tx *state.Txn) { state.VPCs.Put(tx, v) })
	case "exempt": // exempt WORD…
		all, err := ruleset.ParseExemptions(strings.Fields(rest))
		if err != nil {
			w.t.Fatal(err)
		}
		w.options.Exempt, w.changed = all, true
	case "peering": // peering ID VPC VPC STATUS
		f := strings.Fields(rest)
		w.stage(func(tx *state.Txn) {
			side := func(id string) vpc.PeeringSide {
				return vpc.PeeringSide{Owner: scope.Account, Region: scope.Region, VPC: vpc.VPCID(id)}
			}
			state.Peerings.Put(tx, &vpc.Peering{ID: vpc.PeeringID(f[0]), Requester: side(f[1]), Accepter: side(f[2]), Status: f[3]})
		})
	case "list": // list NAME: CIDR…
		name, entries, _ := strings.Cut(rest, ":")
		l := vpc.PrefixList{ID: vpc.PrefixListID("pl-" + name), Version: 1}
		for _, e := range strings.Fields(entries) {
			l.Entries = append(l.Entries, vpc.PrefixListEntry{CIDR: netip.MustParsePrefix(e)})
		}
		w.stage(func(tx *state.Txn) { state.PrefixLists.Put(tx, &l) })
	case "group": // group NAME: in|out PROTOCOL [PORTS] from|to PEER
		name, text, _ := strings.Cut(rest, ": ")
		w.stage(func(tx *state.Txn) {
			g := &vpc.SecurityGroup{ID: groupID(name), VPC: "vpc-1", Name: name}
			if old := state.Groups.Get(tx, g.ID); old != nil {
				c := *old
				c.Rules = slices.Clone(old.Rules)
				g = &c
			}
			if text != "nothing" {
				r := parseRule(w.t, text)
				r.ID = tx.NewRuleID(g)
				w.rules[r.ID] = name + " " + text
				g.Rules = append(g.Rules, r)
			}
			state.Groups.Put(tx, g)
		})
	}
}

func groupID(name string) vpc.GroupID { return vpc.GroupID("sg-" + name) }

func parseRule(t testing.TB, text string) vpc.Rule {
	t.Helper()
	f := strings.Fields(text)
	r := vpc.Rule{Direction: f[0] == "out", Ports: flow.NoPorts}
	r.Protocol = protocol(t, f[1])
	peer := f[len(f)-1]
	if len(f) == 5 {
		from, to, ok := strings.Cut(f[2], "-")
		if strings.Contains(f[2], "/") {
			from, to, ok = strings.Cut(f[2], "/")
		}
		if !ok {
			to = from
		}
		number := func(s string) int32 {
			if s == "*" {
				return -1
			}
			n, err := strconv.Atoi(s)
			if err != nil {
				t.Fatalf("rule %q: %v", text, err)
			}
			return int32(n)
		}
		r.Ports = flow.PortRange{From: number(from), To: number(to)}
	}
	switch p, err := netip.ParsePrefix(peer); {
	case err == nil:
		r.Peer.CIDR = p
	case strings.HasPrefix(peer, "list:"):
		r.Peer.Ref = "pl-" + peer[5:]
	default:
		r.Peer.Ref = string(groupID(peer))
	}
	return r
}

func protocol(t testing.TB, s string) flow.Protocol {
	t.Helper()
	for _, p := range []flow.Protocol{flow.TCP, flow.UDP, flow.ICMP, flow.ICMPv6} {
		if p.String() == s {
			return p
		}
	}
	if s == "all" {
		return flow.AllProtocols
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("protocol %q: %v", s, err)
	}
	return flow.Protocol(n)
}

// flow judges "flow A -> B PROTOCOL [PORT|TYPE/CODE]", where A or B is an
// interface's id and tells the direction.
func (w *world) flow(line string) string {
	w.t.Helper()
	f := strings.Fields(line)
	fl := ruleset.Flow{Protocol: protocol(w.t, f[4])}
	local, remote := f[3], f[1]
	if strings.HasPrefix(f[1], "eni-") {
		local, remote, fl.Direction = f[1], f[3], flow.Egress
	}
	fl.Interface, fl.Remote = vpc.InterfaceID(local), netip.MustParseAddr(remote)
	if len(f) > 5 {
		port, code, _ := strings.Cut(f[5], "/")
		n, _ := strconv.Atoi(port)
		fl.Port = uint16(n)
		n, _ = strconv.Atoi(code)
		fl.Code = uint8(n)
	}
	v := w.ruleset().Judge(fl)
	switch {
	case v.Allowed:
		if option, text, ok := ruleset.OptionOf(v.Rule); ok {
			return "allow by " + option + ": " + text
		}
		return "allow by " + w.rules[v.Rule]
	case v.Reason == ruleset.NoInterface:
		return "deny: no interface"
	}
	return "deny: no rule"
}

func (w *world) ruleset() *ruleset.Ruleset {
	if w.changed {
		w.rs, w.changed = ruleset.Compile(w.view, w.locals(), w.options), false
	}
	return w.rs
}

var options = ruleset.Options{Exempt: ruleset.AWSExemptions()}

func (w *world) locals() []ruleset.Local {
	var out []ruleset.Local
	for i := range state.Interfaces.All(w.view.In(scope)) {
		out = append(out, ruleset.Local{Scope: scope, ID: i.ID})
	}
	return out
}

// TestOrderDoesNotMatter is the law that what is enforced depends on the state
// and not on how it came about.
func TestOrderDoesNotMatter(t *testing.T) {
	lines := []string{
		"interface eni-1 10.0.0.5 2001:db8::5 in web ops", "interface eni-2 10.0.0.6 in web", "interface eni-3 10.0.0.7 in db",
		"group web: in tcp 443 from 0.0.0.0/0", "group ops: in tcp 22 from list:office", "group db: in tcp 5432 from web",
		"group db: in tcp 5432 from ops", "list office: 203.0.113.0/24 198.51.100.0/24", "group web: out all to 0.0.0.0/0",
	}
	// Rules get ids in the order in which they come: give them the same ones.
	build := func(order []int) *ruleset.Ruleset {
		w := newWorld(t)
		for _, i := range order {
			w.add(lines[i])
		}
		w.stage(func(tx *state.Txn) {
			for g := range state.Groups.All(tx) {
				c := *g
				c.Rules = slices.Clone(g.Rules)
				for i := range c.Rules {
					c.Rules[i].ID = vpc.RuleID("sgr-" + w.rules[c.Rules[i].ID])
				}
				state.Groups.Put(tx, &c)
			}
		})
		locals := w.locals()
		rand.Shuffle(len(locals), func(i, j int) { locals[i], locals[j] = locals[j], locals[i] })
		rs := ruleset.Compile(w.view, locals, options)
		rs.Rev = 0
		return rs
	}
	first := []int{0, 1, 2, 3, 4, 5, 6, 7, 8}
	want := build(first)
	if len(want.Interfaces) != 3 || want.Members.Len() == 0 {
		t.Fatalf("a poor world: %+v", want)
	}
	for range 50 {
		order := rand.Perm(len(lines))
		if got := build(order); !reflect.DeepEqual(got, want) {
			t.Fatalf("in the order %v:\n got %+v\nwant %+v", order, got, want)
		}
		if c := ruleset.Diff(want, build(order)); !c.Empty() {
			t.Fatalf("in the order %v: a difference: %+v", order, c)
		}
	}
}

// TestDiff checks that a difference has what changed and nothing else.
func TestDiff(t *testing.T) {
	w := newWorld(t)
	for _, l := range []string{"interface eni-1 10.0.0.5 in web", "interface eni-2 10.0.0.6 in db", "group web: out all to 0.0.0.0/0", "group db: in tcp 5432 from web"} {
		w.add(l)
	}
	before := w.ruleset()
	w.add("interface eni-3 10.0.0.7 in web")
	after := w.ruleset()
	c := ruleset.Diff(before, after)
	if len(c.PutInterfaces) != 1 || c.PutInterfaces[0].ID != "eni-3" || len(c.PutMembers) != 1 ||
		len(c.PutPolicies)+len(c.RemovePolicies)+len(c.RemoveInterfaces)+len(c.RemoveMembers) != 0 {
		t.Errorf("an interface joins a referenced group: %+v, want it and one member", c)
	}
	back := ruleset.Diff(after, before)
	if len(back.RemoveInterfaces) != 1 || len(back.RemoveMembers) != 1 || len(back.PutPolicies) != 0 {
		t.Errorf("and leaves again: %+v", back)
	}
	w.add("group db: in tcp 22 from 10.0.0.0/8")
	if c := ruleset.Diff(after, w.ruleset()); len(c.PutPolicies) != 1 || c.PutPolicies[0].Name != "ingress sg-db" || len(c.PutInterfaces) != 0 {
		t.Errorf("a rule is added: %+v, want one policy", c)
	}
}

func TestOnRevoke(t *testing.T) {
	clause.Holds(t, "F13")
	for text, want := range map[string]ruleset.OnRevoke{
		"cut": {}, "aws": {Mode: ruleset.AWS}, "drain 30": {Mode: ruleset.Drain, Drain: 30}, "drain 0": {Mode: ruleset.Drain},
	} {
		if got, ok := ruleset.ParseOnRevoke(text); !ok || got != want {
			t.Errorf("%q is %v, %v; want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "Cut", "drain", "drain -1", "drain x", "drain 9999999"} {
		if got, ok := ruleset.ParseOnRevoke(text); ok {
			t.Errorf("%q is %v, want a refusal", text, got)
		}
	}
}

func BenchmarkCompile1000Rules(b *testing.B) {
	w := newWorld(b)
	w.add("interface eni-1 10.0.0.5 in web")
	w.stage(func(tx *state.Txn) {
		g := &vpc.SecurityGroup{ID: "sg-web", VPC: "vpc-1"}
		for i := range 1000 {
			g.Rules = append(g.Rules, vpc.Rule{
				ID: vpc.RuleID(fmt.Sprintf("sgr-%017x", i)), Protocol: flow.TCP, Ports: flow.PortRange{From: int32(i), To: int32(i + 5)},
				Peer: vpc.Peer{CIDR: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24)},
			})
		}
		state.Groups.Put(tx, g)
	})
	locals := w.locals()
	for b.Loop() {
		ruleset.Compile(w.view, locals, options)
	}
}

// Diff of members gives what was put and removed at the beginning, in the
// middle and at the end, alone and together.
func TestDiffOfMembers(t *testing.T) {
	member := func(i int, groups ...vpc.GroupID) ruleset.Member {
		return ruleset.Member{VPC: "vpc-1", Addr: netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), Groups: groups}
	}
	lists := map[string][]ruleset.Member{
		"none": nil, "one": {member(1, "a")}, "another": {member(2, "a")}, "of two groups": {member(1, "a", "b")}, "of another": {member(1, "b")},
		"three": {member(1, "a"), member(2, "a"), member(3, "a")}, "middle": {member(2, "a")}, "without": {member(1, "a"), member(3, "a")},
		"changed": {member(1, "a"), member(2, "b"), member(3, "a")}, "twice": {member(1, "a"), member(2, "b"), member(3, "a"), member(4, "a")},
	}
	for from, a := range lists {
		for to, b := range lists {
			c := ruleset.Diff(&ruleset.Ruleset{Members: ruleset.NewMembers(a...)}, &ruleset.Ruleset{Members: ruleset.NewMembers(b...)})
			got := map[netip.Addr][]vpc.GroupID{}
			for _, m := range a {
				got[m.Addr] = m.Groups
			}
			for _, m := range c.RemoveMembers {
				if got[m.Addr] == nil {
					t.Errorf("%s to %s: removes %v, which is not there", from, to, m)
				}
				delete(got, m.Addr)
			}
			for _, m := range c.PutMembers {
				if slices.Equal(got[m.Addr], m.Groups) {
					t.Errorf("%s to %s: puts %v, which is there", from, to, m)
				}
				got[m.Addr] = m.Groups
			}
			want := map[netip.Addr][]vpc.GroupID{}
			for _, m := range b {
				want[m.Addr] = m.Groups
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s to %s: %v, want %v", from, to, got, want)
			}
		}
	}
}
