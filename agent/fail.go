package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"moat/flow"
	"moat/ruleset"
	"moat/vpc"
)

// A denier is a data plane that can make an interface pass nothing until the
// next ruleset, by simpler means than a ruleset.
type denier interface {
	Deny(ctx context.Context, id vpc.InterfaceID) error
}

// errNoDeny says that a data plane is no denier.
var errNoDeny = errors.New("the data plane knows no other way to deny")

// failing is a row of failures of Apply.
type failing struct {
	times  int
	since  time.Time
	denied []vpc.InterfaceID
}

// After so many failures, or so long, interfaces that were to lose access are
// made to deny.
const (
	hopelessTimes = 10
	hopelessAfter = 5 * time.Second
)

// denyIfHopeless is called when want cannot be put into force. What was allowed
// stays so for a while; then the interfaces that were to lose something pass
// nothing, until a ruleset can be put into force again. It gives the error to
// report.
func (a *Agent) denyIfHopeless(ctx context.Context, want *ruleset.Ruleset, err error) error {
	f := &a.failing
	if f.times++; f.times == 1 {
		f.since = time.Now()
	}
	if f.times < hopelessTimes && time.Since(f.since) < hopelessAfter {
		return err
	}
	if a.inForce == nil {
		// What is in force could not be read when this process started.
		if actual, e := a.plane.Actual(ctx); e == nil {
			a.inForce = actual
		}
	}
	from, narrowed := a.inForce, Narrowed(a.inForce, want)
	if from == nil {
		// It cannot be read at all: any interface may be about to lose something.
		from, narrowed = want, nil
		for i := range want.Interfaces {
			narrowed = append(narrowed, want.Interfaces[i].ID)
		}
	}
	var more []vpc.InterfaceID
	for _, id := range narrowed {
		if !slices.Contains(f.denied, id) {
			more = append(more, id)
		}
	}
	if len(more) == 0 {
		return err
	}
	all := slices.Concat(f.denied, more)
	slices.Sort(all)
	deny := Denying(from, all)
	e := a.plane.Apply(ctx, deny)
	if e == nil {
		a.inForce = deny
	} else if e = a.denyEach(ctx, more); e == nil {
		a.inForce = deny
	}
	if e != nil {
		return errors.Join(err, fmt.Errorf("deny what was to lose access: %w", e))
	}
	f.denied = all
	a.logger.Error("interfaces that were to lose access pass nothing, until the state can be enforced", "host", a.host, "interfaces", more, "err", err)
	return err
}

func (a *Agent) denyEach(ctx context.Context, ids []vpc.InterfaceID) error {
	d, ok := a.plane.(denier)
	if !ok {
		return errNoDeny
	}
	var errs []error
	for _, id := range ids {
		errs = append(errs, d.Deny(ctx, id))
	}
	return errors.Join(errs...)
}

// Denying gives a ruleset in which some interfaces allow nothing but their
// pinholes, and their flows are cut.
func Denying(rs *ruleset.Ruleset, ids []vpc.InterfaceID) *ruleset.Ruleset {
	out := &ruleset.Ruleset{Rev: rs.Rev, Members: rs.Members, Policies: slices.Clone(rs.Policies), Interfaces: slices.Clone(rs.Interfaces)}
	add := func(name string, d flow.Direction, rules []ruleset.Rule) {
		if _, ok := slices.BinarySearchFunc(out.Policies, name, policyByName); !ok {
			out.Policies = append(out.Policies, ruleset.Policy{Name: name, Direction: d, Rules: rules})
			slices.SortFunc(out.Policies, func(a, b ruleset.Policy) int { return cmp.Compare(a.Name, b.Name) })
		}
	}
	// Policies of no groups have no rules but pinholes.
	bare := func(p *ruleset.Policy) string {
		name := p.Direction.String()
		if len(p.Failsafe()) > 0 {
			name += " failsafe"
		}
		return name
	}
	for i := range rs.Interfaces {
		for _, p := range []int{rs.Interfaces[i].In, rs.Interfaces[i].Out} {
			if slices.Contains(ids, rs.Interfaces[i].ID) {
				add(bare(&rs.Policies[p]), rs.Policies[p].Direction, rs.Policies[p].Failsafe())
			}
		}
	}
	place := func(name string) int {
		n, _ := slices.BinarySearchFunc(out.Policies, name, policyByName)
		return n
	}
	for n := range out.Interfaces {
		i := &out.Interfaces[n]
		in, eg := rs.Policies[i.In].Name, rs.Policies[i.Out].Name
		if slices.Contains(ids, i.ID) {
			in, eg, i.OnRevoke = bare(&rs.Policies[i.In]), bare(&rs.Policies[i.Out]), ruleset.OnRevoke{}
		}
		i.In, i.Out = place(in), place(eg)
	}
	return out
}

func policyByName(p ruleset.Policy, name string) int { return cmp.Compare(p.Name, name) }

// Narrowed gives the interfaces of both rulesets from which want may take
// something that old allows. Where that is not easy to tell it does.
func Narrowed(old, want *ruleset.Ruleset) []vpc.InterfaceID {
	if old == nil {
		old = &ruleset.Ruleset{}
	}
	type member struct {
		vpc   vpc.VPCID
		group vpc.GroupID
	}
	left := map[member]bool{} // groups that lost a member
	for m := range old.Members.All() {
		now := want.GroupsOf(m.VPC, m.Addr)
		for _, g := range m.Groups {
			if !slices.Contains(now, g) {
				left[member{m.VPC, g}] = true
			}
		}
	}
	var out []vpc.InterfaceID
	for _, o := range old.Interfaces {
		w := want.Interface(o.ID)
		if w == nil {
			continue // it is unbound, or denied for want of rules
		}
		narrower := o.VPC != w.VPC || w.Check && (!o.Check || !containsAll(w.Own, o.Own))
		for _, p := range [][2]int{{o.In, w.In}, {o.Out, w.Out}} {
			now := map[ruleset.Rule]bool{}
			for _, r := range want.Policies[p[1]].Rules {
				r.ID = ""
				now[r] = true
			}
			for _, r := range old.Policies[p[0]].Rules {
				r.ID = ""
				narrower = narrower || !now[r] || r.Remote.Group != "" && left[member{o.VPC, r.Remote.Group}]
			}
		}
		if narrower {
			out = append(out, o.ID)
		}
	}
	return out
}

func containsAll[T comparable](all, some []T) bool {
	for _, s := range some {
		if !slices.Contains(all, s) {
			return false
		}
	}
	return true
}
