package agent

import (
	"slices"

	"moat/dataplane"
	"moat/state"
)

// A Target is where an interface's filter belongs: a binding of the state, with
// the device that it means now.
type Target struct {
	dataplane.Binding
	// Degraded says why packets may pass the device without being judged.
	Degraded error
}

// Locate finds the device of a binding of the state. An interface that is bound
// stays where it is, whatever its device is called now, unless the state names
// another device than named, the one when it was last bound, "" if that is not known.
// Any other is found by its name.
func Locate(want dataplane.Binding, have []dataplane.Standing, named string) Target {
	t := Target{Binding: want}
	n := slices.IndexFunc(have, func(h dataplane.Standing) bool { return h.Interface == want.Interface })
	if n < 0 || have[n].Index == 0 {
		return t
	}
	h := &have[n]
	if want.Device == h.Device || named == "" || want.Device == named {
		t.Device, t.Index, t.Netns, t.Side, t.Degraded = h.Device, h.Index, h.Netns, h.Side, h.Degraded
	}
	return t
}

// Bound returns the bindings that a view has for the agent's host, with the names
// that their devices have now.
func (a *Agent) Bound(view *state.View) []BindingStatus {
	all := Bound(view, a.host)
	now := a.Status().Bindings
	for i := range all {
		at := slices.IndexFunc(now, func(b BindingStatus) bool { return b.Interface == all[i].Interface })
		if at >= 0 && now[at].Index != 0 {
			all[i].Device, all[i].Index = now[at].Device, now[at].Index
		}
	}
	return all
}
