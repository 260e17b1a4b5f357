package sim_test

import (
	"testing"

	"moat/dataplane"
	"moat/dataplane/dataplanetest"
	"moat/dataplane/sim"
)

func TestContract(t *testing.T) {
	dataplanetest.Run(t, func(*testing.T) *dataplanetest.Host {
		h := sim.NewHost(nil)
		return &dataplanetest.Host{
			Open:         func(_ *testing.T, identity string) dataplane.Dataplane { return h.Open(identity) },
			AddDevice:    func(_ *testing.T, name string) { h.AddDevice("", name) },
			RenameDevice: func(_ *testing.T, from, to string) { h.Rename("", from, to) },
			TakeOff:      func(_ *testing.T, name string) { h.TakeOff("", name) },
			RemoveDevice: func(_ *testing.T, name string) { h.RemoveDevice("", name) },
			Send: func(_ *testing.T, name string, p dataplanetest.Packet) bool {
				return h.Send("", name, packet(p)).Passed
			},
		}
	})
}

func packet(p dataplanetest.Packet) sim.Packet {
	out := sim.Packet{
		Direction: p.Direction, Local: p.Local, Remote: p.Remote, Protocol: p.Protocol, LocalPort: p.LocalPort, RemotePort: p.RemotePort,
		TCP: p.TCP, Type: p.Type, Code: p.Code, Query: p.Query,
	}
	if p.Quoted != nil {
		q := packet(*p.Quoted)
		out.Quoted = &q
	}
	return out
}
