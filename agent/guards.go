package agent

import (
	"context"
	"errors"
	"slices"

	"moat/dataplane"
)

// errNotYet says that devices are not guarded by their names yet.
var errNotYet = errors.New("the agent has not come to it")

// guardDevices keeps closed the devices whose names are guarded and the ports of
// managed bridges, or no longer those that a process before this one guarded. before
// is how it stood.
func (a *Agent) guardDevices(ctx context.Context, before error) error {
	want := dataplane.Guards{Names: a.guards, Bridges: a.bridges, Own: a.own, Pinholes: a.options.Failsafe}
	var err, bridges error
	if d, ok := a.plane.(dataplane.Doorman); ok {
		err, bridges = d.Guard(ctx, want)
	} else {
		err, bridges = noDoorman(want)
	}
	if ctx.Err() != nil {
		return before
	}
	if err != nil && errors.Is(before, errNotYet) {
		a.logger.Error("devices that are guarded by their names pass everything until they are bound", "host", a.host, "patterns", a.guards, "err", err)
	}
	a.bridgesOpen = bridges
	a.mu.Lock()
	a.status.Unguarded = err
	a.mu.Unlock()
	return err
}

// Closes reports whether a device passes nothing while nobody has bound it.
func (a *Agent) Closes(device, netns string) bool {
	fits := func(p dataplane.Pattern) bool { return p.Match(device) }
	return a.managed(device, netns) || netns == "" && a.Status().Unguarded == nil && slices.ContainsFunc(a.Guards(), fits)
}
