package ebpf

import (
	"net/netip"
	"slices"
	"testing"

	"moat/flow"
	"moat/ruleset"
	"moat/vpc"
)

// judgeWords is bpf/search.h in Go: the number of the rule of a policy that
// allows x to or from an address of some groups; 0 for none.
func judgeWords(w []uint64, x uint32, remote netip.Addr, groups []uint32) uint32 {
	ports := func(at uint32) uint32 {
		n := w[at]
		for _, r := range w[at+1 : uint64(at)+1+n] {
			if uint32(r>>40) <= x && x <= uint32(r>>16&maxX) {
				return uint32(r & 0xffff)
			}
		}
		return 0
	}
	if any := uint32(w[2] >> (32 * (remote.BitLen() / 128))); any != 0 {
		if r := ports(any); r != 0 {
			return r
		}
	}
	n4, n6 := int(uint32(w[0])), int(w[0]>>32)
	hi, lo := halves(remote)
	set := uint32(0)
	if remote.Is4() {
		for _, s := range w[policyWords : policyWords+n4] {
			if s>>32 <= lo {
				set = uint32(s)
			}
		}
	} else {
		for i := range n6 {
			s := w[policyWords+n4+i:]
			if s[0] < hi || s[0] == hi && s[n6] <= lo {
				set = uint32(s[2*n6])
			}
		}
	}
	if set != 0 {
		if r := ports(set); r != 0 {
			return r
		}
	}
	base := policyWords + n4 + 3*n6
	for _, g := range w[base : base+int(uint32(w[1]))] {
		if slices.Contains(groups, uint32(g>>32)) {
			if r := ports(uint32(g)); r != 0 {
				return r
			}
		}
	}
	return 0
}

// xOf is x of a flow.
func xOf(f ruleset.Flow) uint32 {
	x := uint32(f.Protocol) << 16
	switch f.Protocol {
	case flow.TCP, flow.UDP:
		return x | uint32(f.Port)
	case flow.ICMP, flow.ICMPv6:
		if f.Remote.Is4() == (f.Protocol == flow.ICMP) {
			return x | uint32(f.Port)<<8 | uint32(f.Code)
		}
		return 1
	}
	return x
}

// What a policy's words allow is what Judge allows, whatever the rules.
func TestWordsJudgeAsJudge(t *testing.T) {
	allowed := 0
	for seed := range uint64(200) {
		w := newWorld(seed)
		n := newNames()
		words := make([][]uint64, len(w.rs.Policies))
		for i := range w.rs.Policies {
			var err error
			if words[i], err = policyIn(&w.rs.Policies[i], n.group, func(vpc.RuleID) (uint32, error) { return 0, nil }); err != nil {
				t.Fatal(err)
			}
		}
		for i := range w.rs.Interfaces {
			x := w.rs.Interfaces[i]
			for range 300 {
				out := w.IntN(2) == 0
				_, f := w.packet(&x, out)
				at := x.In
				if out {
					at = x.Out
				}
				var groups []uint32
				for _, g := range w.rs.GroupsOf(x.VPC, f.Remote) {
					groups = append(groups, n.group(g))
				}
				want := w.rs.Judge(f).Allowed
				if got := judgeWords(words[at], xOf(f), f.Remote, groups) != 0; got != want {
					t.Fatalf("seed %d: %+v: words allow it: %v, Judge: %v\n%+v", seed, f, got, want, w.rs.Policies[at])
				}
				if want {
					allowed++
				}
			}
		}
	}
	if allowed < 10_000 {
		t.Errorf("only %d flows were allowed: they prove little", allowed)
	}
}

// What is written of a policy and an interface is read back equal.
func TestSourcesComeBack(t *testing.T) {
	for seed := range uint64(50) {
		w := newWorld(seed)
		for _, p := range w.rs.Policies {
			if got, err := decodePolicy(encodePolicy(&p)); err != nil || got.Name != p.Name || got.Direction != p.Direction || !slices.Equal(got.Rules, p.Rules) {
				t.Fatalf("%+v came back as %+v, %v", p, got, err)
			}
		}
		for _, i := range w.rs.Interfaces {
			i.In, i.Out = 0, 0
			if got, err := decodeInterface(encodeInterface(&i)); err != nil || !(&got).Alike(&i) {
				t.Fatalf("%+v came back as %+v, %v", i, got, err)
			}
			for n := range encodeInterface(&i) {
				if _, err := decodeInterface(encodeInterface(&i)[:n]); err == nil {
					t.Fatalf("the first %d bytes are taken for an interface", n)
				}
			}
		}
	}
	for _, id := range []string{"sgr-0123456789abcdef0", "sgr-01234567", "sgr-x", "", "sg-0123456789abcdef0"} {
		c := &coder{}
		c.id("sgr", id)
		if got := c.readID("sgr"); got != id {
			t.Errorf("id %q came back as %q", id, got)
		}
	}
}

// The arena gives no place twice, and all of it back.
func TestArena(t *testing.T) {
	w := newWorld(7)
	a := newArena(make([]uint64, 10_000), []extent{{100, 10}, {50, 5}})
	held := map[extent]bool{}
	used := make([]bool, 10_000)
	for range 10_000 {
		if w.IntN(2) == 0 {
			n := uint32(1 + w.IntN(200))
			at, err := a.put(make([]uint64, n))
			if err != nil {
				continue
			}
			for i := at; i < at+n; i++ {
				if used[i] || i == 0 || i >= 100 && i < 110 || i >= 50 && i < 55 {
					t.Fatalf("place %d is given twice", i)
				}
				used[i] = true
			}
			held[extent{at, n}] = true
		} else {
			for e := range held {
				a.release(e)
				delete(held, e)
				for i := e.at; i < e.at+e.n; i++ {
					used[i] = false
				}
				break
			}
		}
	}
	for e := range held {
		a.release(e)
	}
	if want := []extent{{1, 49}, {55, 45}, {110, 9890}}; !slices.Equal(a.free, want) {
		t.Errorf("free at the end: %v, want %v", a.free, want)
	}
}
