package ebpf

import (
	"fmt"
	"math"

	"github.com/cilium/ebpf"

	"moat/flow"
	"moat/ruleset"
	"moat/vpc"
)

// counters number the rules that are counted, each direction apart.
type counters struct {
	places map[ruleKey]uint32
	rules  []counter // by place; those that were never used are not in it
	free   []uint32
	turn   uint32 // of a policy that is counted
}

type counter struct {
	key  ruleKey
	uses uint32
	// turn is that of the policy that was the last to count it, and number its
	// number there.
	turn   uint32
	number uint16
}

type ruleKey struct {
	id        vpc.RuleID
	direction flow.Direction
}

// count gives the places of a policy's counters. old is what it was before, of
// which most rules come, mostly in the same order.
func (p *Plane) count(u *update, pol *ruleset.Policy, old *placedPolicy) (counted, error) {
	c, out := &p.counters, &counted{}
	u.undo = append(u.undo, func() { p.uncount(out.places) })
	if old.policy != nil && sameIDs(old.policy.Rules, pol.Rules) {
		*out = old.counted
		for _, n := range out.places {
			c.rules[n].uses++
		}
		return *out, nil
	}
	c.turn++
	out.places = make([]uint32, 0, len(pol.Rules))
	at := 0 // in old's rules
	for i := range pol.Rules {
		id := pol.Rules[i].ID
		var n uint32
		var err error
		for k := range 2 { // one may be gone
			if old.policy != nil && at+k < len(old.policy.Rules) && old.policy.Rules[at+k].ID == id {
				n = old.places[old.number(at+k)-1]
				at += k + 1
				break
			}
			if k == 1 {
				n, err = p.counter(ruleKey{id, pol.Direction})
			}
		}
		if err != nil {
			return counted{}, err
		}
		r := &c.rules[n]
		if r.turn != c.turn {
			r.uses++
			if out.places = append(out.places, n); len(out.places) > math.MaxUint16 {
				return counted{}, tooMany(pol)
			}
			r.turn, r.number = c.turn, uint16(len(out.places))
		} else if out.numbers == nil {
			out.numbers = make([]uint16, i, len(pol.Rules))
			for j := range out.numbers {
				out.numbers[j] = uint16(j + 1)
			}
		}
		if out.numbers != nil {
			out.numbers = append(out.numbers, r.number)
		}
	}
	return *out, nil
}

// counter gives the place of a rule's counters.
func (p *Plane) counter(k ruleKey) (uint32, error) {
	c := &p.counters
	n, ok := c.places[k]
	if ok {
		return n, nil
	}
	switch {
	case len(c.rules) < int(p.maps.RuleStats.MaxEntries()):
		n = uint32(len(c.rules))
		c.rules = append(c.rules, counter{})
	case len(c.free) > 0:
		n, c.free = c.free[0], c.free[1:]
		zero := make([]bpfRuleStat, ebpf.MustPossibleCPU())
		if err := p.maps.RuleStats.Put(n, zero); err != nil {
			c.free = append(c.free, n)
			return 0, fmt.Errorf("count rule %s: %w", k.id, err)
		}
	default:
		return 0, fmt.Errorf("no room to count more than %d rules", len(c.rules))
	}
	c.rules[n] = counter{key: k}
	c.places[k] = n
	return n, nil
}

func (p *Plane) uncount(places []uint32) {
	c := &p.counters
	for _, n := range places {
		if r := &c.rules[n]; r.uses == 1 {
			delete(c.places, r.key)
			c.rules[n] = counter{}
			c.free = append(c.free, n)
		} else {
			r.uses--
		}
	}
}
