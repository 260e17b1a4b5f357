package agent

import (
	"context"
	"errors"
	"fmt"

	"moat/dataplane"
	"moat/vpc"
)

// ErrBusy says that an interface is being attached by another call.
var ErrBusy = errors.New("the interface is being attached by another call")

// Attach puts an interface's filter on a device, so that it passes nothing,
// and then has commit write the binding into the state. If that fails the
// filter is taken off again. It gives the revision of the write.
func (a *Agent) Attach(ctx context.Context, b dataplane.Binding, commit func() (rev uint64, err error)) (uint64, error) {
	if err := a.hold(ctx, b); err != nil {
		return 0, err
	}
	rev, err := commit()
	a.binding.Lock()
	defer a.binding.Unlock()
	at := a.held[b.Interface]
	delete(a.held, b.Interface)
	if err != nil && !boundNow(a.source.Latest(), a.host, b.Interface) {
		// The caller may have gone away; its device is freed all the same.
		if e := a.release(context.WithoutCancel(ctx), at); e != nil {
			a.logger.Error("a device that was not attached after all cannot be freed; it is tried again", "interface", b.Interface, "host", a.host, "err", e)
			a.Kick()
		}
	}
	return rev, err
}

func (a *Agent) hold(ctx context.Context, b dataplane.Binding) error {
	a.binding.Lock()
	defer a.binding.Unlock()
	if _, ok := a.held[b.Interface]; ok {
		return ErrBusy
	}
	if boundNow(a.source.Latest(), a.host, b.Interface) {
		return fmt.Errorf("interface %s is bound on this host", b.Interface)
	}
	if err := a.attachedAgain(b.Interface); err != nil {
		return err
	}
	delete(a.marks, b.Interface) // of a device before
	b = Relocate(b)
	if err := a.replaceGuard(ctx, b); err != nil {
		return err
	}
	a.held[b.Interface] = b
	return nil
}

// Free takes the filter off a device that the state does not have bound.
func (a *Agent) Free(ctx context.Context, id vpc.InterfaceID) error {
	a.binding.Lock()
	defer a.binding.Unlock()
	if _, ok := a.held[id]; ok || boundNow(a.source.Latest(), a.host, id) {
		return fmt.Errorf("interface %s is bound in the state", id)
	}
	defer a.Kick()
	return a.plane.Unbind(ctx, id)
}
