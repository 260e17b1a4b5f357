package agent

import (
	"context"
	"slices"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// A LinkChange is a device that came, went or changed, as it is now. The zero value
// says that changes were missed.
type LinkChange struct {
	Index int
	Name  string
}

// A LinkWatcher reports devices that come, go or change, until ctx ends or it can
// watch no longer.
type LinkWatcher func(ctx context.Context, changed func(LinkChange)) error

// WatchLinks is the LinkWatcher of the kernel: of the process's own network
// namespace and of those that have a number in it, as one with the other end
// of a veth has. It opens nothing in another namespace: that would keep it,
// and its devices, after its owner has removed it.
func WatchLinks(ctx context.Context, changed func(LinkChange)) error {
	s, err := nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_LINK)
	if err != nil {
		return err
	}
	defer s.Close()
	_ = unix.SetsockoptInt(s.GetFd(), unix.SOL_NETLINK, unix.NETLINK_LISTEN_ALL_NSID, 1) // an old kernel tells of its own only
	// Receive wakes once a second to see whether to end.
	if err := s.SetReceiveTimeout(&unix.Timeval{Sec: 1}); err != nil {
		return err
	}
	for ctx.Err() == nil {
		messages, _, err := s.Receive()
		switch err {
		case nil:
		case unix.EAGAIN, unix.EINTR:
			continue
		case unix.ENOBUFS:
			changed(LinkChange{}) // some were missed
			continue
		default:
			return err
		}
		for _, m := range messages {
			if m.Header.Type != unix.RTM_NEWLINK && m.Header.Type != unix.RTM_DELLINK || len(m.Data) < unix.SizeofIfInfomsg {
				continue
			}
			attrs, err := nl.ParseRouteAttr(m.Data[unix.SizeofIfInfomsg:])
			if err != nil {
				continue
			}
			for _, a := range attrs {
				if a.Attr.Type == unix.IFLA_IFNAME {
					changed(LinkChange{int(nl.DeserializeIfInfomsg(m.Data).Index), nl.BytesToString(a.Value)})
				}
			}
		}
	}
	return ctx.Err()
}

// watchLinks makes Run look at its devices when one of them moves.
func (a *Agent) watchLinks(ctx context.Context) {
	for {
		err := a.links(ctx, func(c LinkChange) {
			bound := func(b BindingStatus) bool { return b.Device == c.Name || b.Index == c.Index }
			if c == (LinkChange{}) || a.managed(c.Name, "") || len(a.bridges) > 0 && isBridge(c.Name) || slices.Contains(a.bridges, c.Name) || slices.ContainsFunc(a.Status().Bindings, bound) {
				a.Kick()
			}
		})
		if ctx.Err() != nil {
			return
		}
		a.logger.Warn("devices that come and go are seen late", "host", a.host, "err", err)
		select {
		case <-time.After(time.Minute):
		case <-ctx.Done():
			return
		}
	}
}
