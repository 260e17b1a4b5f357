// Package dataplanetest holds every data plane to the contract of package
// dataplane, with ruleset.Judge as the expected answer.
package dataplanetest

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"moat/dataplane"
	"moat/flow"
	"moat/ruleset"
	"moat/test/clause"
	"moat/vpc"
)

// A Host is the machine that a data plane is tested on; one for each test.
type Host struct {
	// Open gives a plane of an identity, which takes over what an earlier one
	// of the same identity left. The suite closes it.
	Open func(t *testing.T, identity string) dataplane.Dataplane
	// AddDevice makes a device of the name, of a workload's link seen from the
	// host, and RemoveDevice makes it go. Netns is where the suite says that
	// the devices are.
	AddDevice    func(t *testing.T, name string)
	RemoveDevice func(t *testing.T, name string)
	RenameDevice func(t *testing.T, from, to string)
	// TakeOff takes the filter off a device, as a program that is not Moat can.
	TakeOff func(t *testing.T, name string)
	Netns   string
	// Send gives a device a packet and reports whether it passes.
	Send func(t *testing.T, name string, p Packet) bool
}

// A Packet is one packet at a device, as the interface on it sees it.
type Packet struct {
	Direction             flow.Direction
	Local, Remote         netip.Addr
	Protocol              flow.Protocol
	LocalPort, RemotePort uint16
	TCP                   uint8 // flags
	Type, Code            uint8 // of ICMP
	Query                 uint16
	Quoted                *Packet
}

// Flags of TCP.
const (
	FIN = 0x01
	SYN = 0x02
	RST = 0x04
	ACK = 0x10
)

var (
	client4, web4 = netip.MustParseAddr("10.0.0.4"), netip.MustParseAddr("10.0.0.5")
	web6          = netip.MustParseAddr("2001:db8::5")
	stranger4     = netip.MustParseAddr("192.0.2.7")
	stranger6     = netip.MustParseAddr("2001:db8:1::7")
)

// Names of devices that the suite uses.
const (
	webDevice   = "moat-t-web"
	otherDevice = "moat-t-other"
)

const web, other vpc.InterfaceID = "eni-0000000000000000a", "eni-0000000000000000b"

// rules gives a ruleset in which web has the inbound rules, and may begin
// nothing.
func rules(in ...ruleset.Rule) *ruleset.Ruleset {
	slices.SortFunc(in, ruleset.Compare)
	own := func(as ...netip.Addr) (ps []netip.Prefix) {
		for _, a := range as {
			ps = append(ps, netip.PrefixFrom(a, a.BitLen()))
		}
		return ps
	}
	rs := &ruleset.Ruleset{
		Rev: 1,
		Interfaces: []ruleset.Interface{{
			ID: web, VPC: "vpc-1", MAC: "02:00:00:00:00:02", Own: own(web4, web6), Check: true, In: 1, Out: 0, Timeouts: ruleset.DefaultTimeouts,
		}},
		Policies: []ruleset.Policy{
			{Name: "egress sg-web", Direction: flow.Egress},
			{Name: "ingress sg-web", Direction: flow.Ingress, Rules: in},
		},
		Members: ruleset.NewMembers(ruleset.Member{VPC: "vpc-1", Addr: client4, Groups: []vpc.GroupID{"sg-clients"}}),
	}
	return rs
}

func from(prefix string) ruleset.Remote { return ruleset.Remote{Prefix: netip.MustParsePrefix(prefix)} }

func tcp(id vpc.RuleID, port int32, r ruleset.Remote) ruleset.Rule {
	return ruleset.Rule{Protocol: flow.TCP, Ports: flow.PortRange{From: port, To: port}, Remote: r, ID: id}
}

var (
	anyWeb     = tcp("sgr-1", 80, from("0.0.0.0/0"))
	clientsSSH = tcp("sgr-2", 22, ruleset.Remote{Group: "sg-clients"})
)

// syn is the first packet of a connection to web, from a port of its own.
func syn(remote netip.Addr, port, from uint16) Packet {
	local := web4
	if remote.Is6() {
		local = web6
	}
	return Packet{Direction: flow.Ingress, Local: local, Remote: remote, Protocol: flow.TCP, LocalPort: port, RemotePort: from, TCP: SYN}
}

// answer is the next packet of a packet's connection, from the other side.
func answer(p Packet) Packet {
	p.Direction, p.TCP = !p.Direction, SYN|ACK
	return p
}

func further(p Packet) Packet {
	p.TCP = ACK
	return p
}

// Run runs the suite; newHost gives each of its tests a machine.
func Run(t *testing.T, newHost func(t *testing.T) *Host) {
	for _, test := range []struct {
		name string
		run  func(*bench)
	}{
		{"Unbound", unbound},
		{"BoundWithoutRulesetDenies", boundWithoutRuleset},
		{"Judge", judge},
		{"Replies", replies},
		{"MidStream", midStream},
		{"RevokeCuts", revokeCuts},
		{"ModeAWSSpares", modeAWS},
		{"Members", members},
		{"Observe", observe},
		{"Trial", trial},
		{"BindTwice", bindTwice},
		{"BindRefused", bindRefused},
		{"NoDevice", noDevice},
		{"Loopback", loopback},
		{"DeviceComesBack", comesBack},
		{"DeviceRenamed", renamed},
		{"FilterTakenOff", takenOff},
		{"Unbind", unbind},
		{"ApplyFails", applyFails},
		{"Deny", deny},
		{"Actual", actual},
		{"ApplyTwice", applyTwice},
		{"Restart", restart},
		{"Identities", identities},
		{"Stats", stats},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newHost(t)
			b := &bench{T: t, host: h, ctx: t.Context()}
			b.open()
			test.run(b)
		})
	}
}

// A bench is a host with one plane.
type bench struct {
	*testing.T
	host  *Host
	ctx   context.Context
	plane dataplane.Dataplane
	port  uint16
}

const identity = "00000000-0000-4000-8000-000000000001"

func (b *bench) open() {
	p := b.host.Open(b.T, identity)
	b.plane = p
	b.Cleanup(func() {
		if b.plane == p {
			p.Close()
		}
	})
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) binding(id vpc.InterfaceID, device string) dataplane.Binding {
	return dataplane.Binding{Interface: id, Device: device, Netns: b.host.Netns}
}

func (b *bench) bindWeb() {
	b.Helper()
	b.host.AddDevice(b.T, webDevice)
	b.must(b.plane.Bind(b.ctx, b.binding(web, webDevice)))
}

func (b *bench) apply(rs *ruleset.Ruleset) {
	b.Helper()
	b.must(b.plane.Apply(b.ctx, rs))
}

// fresh gives a port from which nothing came yet.
func (b *bench) fresh() uint16 {
	b.port++
	return 20_000 + b.port
}

func (b *bench) want(passes bool, what string, p Packet) {
	b.Helper()
	if got := b.host.Send(b.T, webDevice, p); got != passes {
		b.Errorf("%s: passes %v, want %v", what, got, passes)
	}
}

func unbound(b *bench) {
	b.host.AddDevice(b.T, webDevice)
	b.want(true, "a device that nobody has bound", syn(stranger4, 80, b.fresh()))
}

func boundWithoutRuleset(b *bench) {
	clause.Holds(b, "F50")
	b.bindWeb()
	b.want(false, "before the first ruleset", syn(client4, 80, b.fresh()))
	b.apply(&ruleset.Ruleset{Rev: 1})
	b.want(false, "with a ruleset that does not have it", syn(client4, 80, b.fresh()))
	b.want(false, "from the workload", Packet{Direction: flow.Egress, Local: web4, Remote: client4, Protocol: flow.UDP, LocalPort: 5, RemotePort: 53})
	b.apply(rules(anyWeb))
	b.want(true, "with one that has it", syn(client4, 80, b.fresh()))
	b.apply(&ruleset.Ruleset{Rev: 3})
	b.want(false, "with one that has it no more", syn(client4, 80, b.fresh()))
}

func judge(b *bench) {
	b.bindWeb()
	icmp := func(id vpc.RuleID, p flow.Protocol, typ, code int32, r string) ruleset.Rule {
		return ruleset.Rule{Protocol: p, Ports: flow.PortRange{From: typ, To: code}, Remote: from(r), ID: id}
	}
	rs := rules(
		tcp("sgr-1", 80, from("0.0.0.0/0")), tcp("sgr-2", 443, from("2001:db8::/32")), clientsSSH,
		ruleset.Rule{Protocol: flow.UDP, Ports: flow.PortRange{From: 1000, To: 2000}, Remote: from("192.0.2.0/24"), ID: "sgr-3"},
		icmp("sgr-4", flow.ICMP, 8, -1, "192.0.2.0/24"), icmp("sgr-5", flow.ICMPv6, 128, 0, "2001:db8:1::/64"),
		ruleset.Rule{Protocol: 47, Ports: flow.NoPorts, Remote: from("10.0.0.4/32"), ID: "sgr-6"},
	)
	b.apply(rs)
	remotes := []netip.Addr{client4, stranger4, stranger6, netip.MustParseAddr("192.0.3.0"), netip.MustParseAddr("2001:db9::1")}
	allowed := 0
	for _, remote := range remotes {
		local := web4
		if remote.Is6() {
			local = web6
		}
		for _, c := range []struct {
			protocol flow.Protocol
			ports    []uint16
		}{
			{flow.TCP, []uint16{21, 22, 23, 79, 80, 81, 443, 444}}, {flow.UDP, []uint16{80, 999, 1000, 1500, 2000, 2001}},
			{flow.ICMP, []uint16{8, 13}}, {flow.ICMPv6, []uint16{128}}, {47, []uint16{0}}, {50, []uint16{0}},
		} {
			if (c.protocol == flow.ICMP) != remote.Is4() && (c.protocol == flow.ICMP || c.protocol == flow.ICMPv6) {
				continue
			}
			for _, port := range c.ports {
				p := Packet{Direction: flow.Ingress, Local: local, Remote: remote, Protocol: c.protocol}
				switch c.protocol {
				case flow.TCP:
					p = syn(remote, port, b.fresh())
				case flow.UDP:
					p.LocalPort, p.RemotePort = port, b.fresh()
				case flow.ICMP, flow.ICMPv6:
					p.Type, p.Query = uint8(port), b.fresh()
				}
				v := rs.Judge(ruleset.Flow{Interface: web, Direction: flow.Ingress, Remote: remote, Protocol: c.protocol, Port: port})
				if v.Allowed {
					allowed++
				}
				b.want(v.Allowed, "protocol "+c.protocol.String()+" port "+flow.Protocol(port).String()+" from "+remote.String(), p)
			}
		}
	}
	if allowed < 8 {
		b.Errorf("only %d packets were to pass: the test tests little", allowed)
	}
	spoofed := syn(client4, 80, b.fresh())
	spoofed.Local = client4
	b.want(false, "to an address that is not the interface's", spoofed)
}

func replies(b *bench) {
	b.bindWeb()
	b.apply(rules(anyWeb))
	first := syn(stranger4, 80, b.fresh())
	b.want(false, "an answer to nothing", answer(first))
	b.want(true, "a connection", first)
	b.want(true, "its answer", answer(first))
	elsewhere := answer(first)
	elsewhere.RemotePort++
	b.want(false, "an answer to another port", elsewhere)
	b.want(true, "its third packet", further(first))
}

func midStream(b *bench) {
	b.bindWeb()
	b.apply(rules(anyWeb))
	first := syn(stranger4, 80, b.fresh())
	b.want(true, "a packet of a connection that nobody saw begin, which a rule allows", further(first))
	b.want(false, "an answer to it", answer(first))
	b.want(true, "the connection, begun", first)
	b.want(true, "its answer", answer(first))
}

func revokeCuts(b *bench) {
	b.bindWeb()
	b.apply(rules(anyWeb, clientsSSH))
	kept, gone := syn(client4, 22, b.fresh()), syn(stranger4, 80, b.fresh())
	for _, p := range []Packet{kept, gone} {
		b.want(true, "a connection", p)
		b.want(true, "its answer", answer(p))
	}
	b.apply(rules(clientsSSH))
	b.want(true, "a connection whose rule is still there", further(kept))
	b.want(false, "one whose rule went away", further(gone))
	other := tcp("sgr-9", 22, from("10.0.0.0/8"))
	b.apply(rules(other))
	b.want(true, "one that another rule allows now", further(kept))
}

func modeAWS(b *bench) {
	b.bindWeb()
	aws := func(rs *ruleset.Ruleset) *ruleset.Ruleset {
		rs.Interfaces[0].OnRevoke.Mode = ruleset.AWS
		return rs
	}
	b.apply(aws(rules(clientsSSH)))
	p := syn(client4, 22, b.fresh())
	b.want(true, "a connection", p)
	b.want(true, "its answer", answer(p))
	b.apply(aws(rules()))
	b.want(true, "a tracked connection outlives its rule", further(p))
	b.want(false, "a new one has none", syn(client4, 22, b.fresh()))
}

func members(b *bench) {
	b.bindWeb()
	rs := rules(clientsSSH)
	b.apply(rs)
	b.want(true, "a member", syn(client4, 22, b.fresh()))
	b.want(false, "one that is none", syn(stranger4, 22, b.fresh()))
	rs = rules(clientsSSH)
	rs.Members = ruleset.NewMembers(ruleset.Member{VPC: "vpc-1", Addr: stranger4, Groups: []vpc.GroupID{"sg-clients"}})
	b.apply(rs)
	b.want(false, "one that was a member", syn(client4, 22, b.fresh()))
	b.want(true, "one that is a member now", syn(stranger4, 22, b.fresh()))
	rs = rules(clientsSSH)
	rs.Members = ruleset.NewMembers(ruleset.Member{VPC: "vpc-2", Addr: client4, Groups: []vpc.GroupID{"sg-clients"}})
	b.apply(rs)
	b.want(false, "a member in another VPC", syn(client4, 22, b.fresh()))
}

func observe(b *bench) {
	b.bindWeb()
	b.apply(rules(anyWeb))
	bind := b.binding(web, webDevice)
	bind.Observe = true
	b.must(b.plane.Bind(b.ctx, bind))
	b.want(true, "what would be dropped", syn(client4, 81, b.fresh()))
	if have, err := b.plane.Bindings(b.ctx); err != nil || len(have) != 1 || !have[0].Observe {
		b.Errorf("bindings %+v, %v: want one that observes", have, err)
	}
	b.must(b.plane.Bind(b.ctx, b.binding(web, webDevice)))
	b.want(false, "once it is enforced", syn(client4, 81, b.fresh()))
}

func trial(b *bench) {
	b.bindWeb()
	b.apply(rules(anyWeb))
	bind := b.binding(web, webDevice)
	bind.Until = time.Now().Add(time.Hour)
	b.must(b.plane.Bind(b.ctx, bind))
	b.want(false, "while it is on trial", syn(client4, 81, b.fresh()))
	bind.Until = time.Now().Add(2 * time.Second)
	b.must(b.plane.Bind(b.ctx, bind))
	b.want(false, "a moment before the trial ends", syn(client4, 81, b.fresh()))
	b.must(b.plane.Close())
	time.Sleep(time.Until(bind.Until) + 2500*time.Millisecond) // the kernel's clock is all there is to wait for
	b.want(true, "after the trial, with nobody there", syn(client4, 81, b.fresh()))
	b.open()
	b.must(b.plane.Bind(b.ctx, bind))
	b.want(true, "after the trial, bound again", syn(client4, 81, b.fresh()))
	b.must(b.plane.Bind(b.ctx, b.binding(web, webDevice)))
	b.want(false, "confirmed after all", syn(client4, 81, b.fresh()))
}

func bindTwice(b *bench) {
	b.bindWeb()
	b.apply(rules(anyWeb))
	p := syn(client4, 80, b.fresh())
	b.want(true, "a connection", p)
	b.must(b.plane.Bind(b.ctx, b.binding(web, webDevice)))
	b.want(true, "its answer after binding again", answer(p))
	b.wantBound(web)
}

func (b *bench) wantBound(ids ...vpc.InterfaceID) {
	b.Helper()
	have, err := b.plane.Bindings(b.ctx)
	b.must(err)
	var got []vpc.InterfaceID
	for _, h := range have {
		got = append(got, h.Interface)
	}
	slices.Sort(got)
	if !slices.Equal(got, ids) {
		b.Errorf("bound are %v, want %v", got, ids)
	}
}

func bindRefused(b *bench) {
	b.bindWeb()
	b.host.AddDevice(b.T, otherDevice)
	b.apply(rules(anyWeb))
	if err := b.plane.Bind(b.ctx, b.binding(other, webDevice)); err == nil {
		b.Error("a second interface on a device is not refused")
	}
	if err := b.plane.Bind(b.ctx, b.binding(web, otherDevice)); err == nil {
		b.Error("an interface on a second device is not refused")
	}
	b.want(true, "allowed as before", syn(client4, 80, b.fresh()))
	b.want(false, "denied as before", syn(client4, 81, b.fresh()))
	b.wantBound(web)
}

func noDevice(b *bench) {
	err := b.plane.Bind(b.ctx, b.binding(web, webDevice))
	if !errors.Is(err, dataplane.ErrNoDevice) {
		b.Errorf("binding to no device: %v, want ErrNoDevice", err)
	}
	nowhere := b.binding(web, webDevice)
	nowhere.Netns = "/run/netns/moat-t-nowhere"
	if err := b.plane.Bind(b.ctx, nowhere); !errors.Is(err, dataplane.ErrNoDevice) {
		b.Errorf("binding in no namespace: %v, want ErrNoDevice", err)
	}
	b.wantBound()
}

// The other devices of a namespace can be bound, its lo cannot.
func loopback(b *bench) {
	clause.Holds(b, "F67")
	for _, side := range []dataplane.Side{dataplane.Host, dataplane.Workload} {
		lo := b.binding(web, "lo")
		lo.Side = side
		if err := b.plane.Bind(b.ctx, lo); !errors.Is(err, dataplane.ErrLoopback) {
			b.Errorf("binding lo, side %d: %v, want ErrLoopback", side, err)
		}
	}
	b.wantBound()
	b.bindWeb()
	b.wantBound(web)
}

func comesBack(b *bench) {
	clause.Holds(b, "F69")
	b.bindWeb()
	b.apply(rules(anyWeb))
	b.host.RemoveDevice(b.T, webDevice)
	if err := b.plane.Bind(b.ctx, b.binding(web, webDevice)); !errors.Is(err, dataplane.ErrNoDevice) {
		b.Errorf("binding while it is gone: %v, want ErrNoDevice", err)
	}
	b.host.AddDevice(b.T, webDevice)
	b.must(b.plane.Bind(b.ctx, b.binding(web, webDevice)))
	b.want(true, "allowed on the device that came back", syn(client4, 80, b.fresh()))
	b.want(false, "denied on the device that came back", syn(client4, 81, b.fresh()))
	b.wantBound(web)
}

// look finds one binding.
func (b *bench) look() dataplane.Standing {
	b.Helper()
	all, err := b.plane.Look(b.ctx, false)
	b.must(err)
	if len(all) != 1 {
		b.Fatalf("bound are %+v, want one", all)
	}
	return all[0]
}

// A device keeps its interface under another name, and a new device with the old
// name is another one.
func renamed(b *bench) {
	const now = "moat-t-now"
	b.bindWeb()
	b.apply(rules(anyWeb))
	was := b.look()
	b.host.RenameDevice(b.T, webDevice, now)
	b.host.AddDevice(b.T, webDevice)
	check := func(when string) {
		b.Helper()
		if is := b.look(); is.Device != now || is.Index != was.Index || is.Degraded != nil {
			b.Errorf("%s the binding is %+v, want it on %s with index %d", when, is, now, was.Index)
		}
		if have, err := b.plane.Bindings(b.ctx); err != nil || len(have) != 1 || have[0].Device != now {
			b.Errorf("%s bound are %+v, %v", when, have, err)
		}
		if b.host.Send(b.T, now, syn(client4, 81, b.fresh())) || !b.host.Send(b.T, now, syn(client4, 80, b.fresh())) {
			b.Errorf("%s the renamed device does not obey", when)
		}
		b.want(true, when+" a new device with the old name", syn(client4, 81, b.fresh()))
	}
	check("renamed,")
	if err := b.plane.Bind(b.ctx, b.binding(web, webDevice)); err == nil {
		b.Error("binding the interface to the new device with the old name is not refused")
	}
	at := b.binding(web, webDevice)
	at.Index = was.Index // which counts
	b.must(b.plane.Bind(b.ctx, at))
	check("bound by its index,")
	b.must(b.plane.Close())
	b.open()
	check("after a restart,")
	b.must(b.plane.Bind(b.ctx, b.binding(other, webDevice)))
	b.want(false, "the new device with an interface of its own", syn(client4, 81, b.fresh()))
	b.must(b.plane.Unbind(b.ctx, other))
	b.must(b.plane.Unbind(b.ctx, web))
	if !b.host.Send(b.T, now, syn(client4, 81, b.fresh())) {
		b.Error("the renamed device is not free once it is unbound")
	}
}

// A filter that was taken off is missed, and Bind puts it back.
func takenOff(b *bench) {
	b.bindWeb()
	b.apply(rules(anyWeb))
	p := syn(client4, 80, b.fresh())
	b.want(true, "a connection", p)
	for _, restart := range []bool{false, true} {
		b.host.TakeOff(b.T, webDevice)
		b.want(true, "a device whose filter was taken off", syn(client4, 81, b.fresh()))
		if all, err := b.plane.Look(b.ctx, true); err != nil || len(all) != 1 || !errors.Is(all[0].Degraded, dataplane.ErrTakenOff) {
			b.Errorf("a quick look finds %+v, %v; want ErrTakenOff", all, err)
		}
		if is := b.look(); is.Device != webDevice || is.Index == 0 || !errors.Is(is.Degraded, dataplane.ErrTakenOff) {
			b.Errorf("a look finds %+v; want ErrTakenOff on %s", is, webDevice)
		}
		if restart {
			b.must(b.plane.Close())
			b.open()
		}
		b.must(b.plane.Bind(b.ctx, b.binding(web, webDevice)))
		b.want(false, "denied once it is put back", syn(client4, 81, b.fresh()))
		b.want(true, "a connection from before", answer(p))
		if is := b.look(); is.Degraded != nil || is.Index == 0 {
			b.Errorf("once it is put back a look finds %+v", is)
		}
	}
}

func unbind(b *bench) {
	clause.Holds(b, "F68")
	b.bindWeb()
	b.apply(rules(anyWeb))
	b.want(false, "denied", syn(client4, 81, b.fresh()))
	b.must(b.plane.Unbind(b.ctx, web))
	b.want(true, "the same when nobody has bound the device", syn(client4, 81, b.fresh()))
	b.must(b.plane.Unbind(b.ctx, web))
	b.wantBound()
	b.must(b.plane.Bind(b.ctx, b.binding(web, webDevice)))
	b.want(false, "denied again", syn(client4, 81, b.fresh()))
}

func applyFails(b *bench) {
	b.bindWeb()
	b.apply(rules(anyWeb))
	for what, try := range map[string]func() error{
		"a call that is given up": func() error {
			ctx, cancel := context.WithCancel(b.ctx)
			cancel()
			return b.plane.Apply(ctx, rules(clientsSSH))
		},
		"a ruleset that is none": func() error {
			rs := rules(clientsSSH)
			rs.Interfaces[0].In = 7
			return b.plane.Apply(b.ctx, rs)
		},
	} {
		if err := try(); err == nil {
			b.Errorf("%s: no error", what)
			b.apply(rules(anyWeb))
		}
		b.want(true, what+": the old ruleset allows", syn(stranger4, 80, b.fresh()))
		b.want(false, what+": the old ruleset denies", syn(client4, 22, b.fresh()))
	}
}

func deny(b *bench) {
	d, ok := b.plane.(interface {
		Deny(ctx context.Context, id vpc.InterfaceID) error
	})
	if !ok {
		b.Skip("the data plane knows no other way to deny than a ruleset")
	}
	b.bindWeb()
	b.apply(rules(anyWeb))
	p := syn(client4, 80, b.fresh())
	b.want(true, "a connection", p)
	b.must(d.Deny(b.ctx, web))
	b.want(false, "a new connection, denied", syn(client4, 80, b.fresh()))
	b.want(false, "an open connection, denied", answer(p))
	b.must(d.Deny(b.ctx, other)) // what is not there is no error
	b.apply(rules(anyWeb))
	b.want(true, "with the next ruleset", syn(client4, 80, b.fresh()))
	b.apply(rules(clientsSSH))
	b.want(false, "with the one after it", syn(client4, 80, b.fresh()))
}

func actual(b *bench) {
	for _, rs := range []*ruleset.Ruleset{rules(anyWeb, clientsSSH), rules(clientsSSH), {Rev: 9}} {
		b.apply(rs)
		got, err := b.plane.Actual(b.ctx)
		b.must(err)
		if c := ruleset.Diff(rs, got); !c.Empty() || got.Rev != rs.Rev {
			b.Errorf("read back at revision %d, want %d, with the difference %+v", got.Rev, rs.Rev, c)
		}
	}
}

func applyTwice(b *bench) {
	b.bindWeb()
	b.apply(rules(anyWeb))
	p := syn(client4, 80, b.fresh())
	b.want(true, "a connection", p)
	b.apply(rules(anyWeb))
	b.want(true, "its answer after the same ruleset once more", answer(p))
	b.want(false, "denied as before", syn(client4, 81, b.fresh()))
}

func restart(b *bench) {
	b.bindWeb()
	b.apply(rules(anyWeb))
	p := syn(client4, 80, b.fresh())
	b.want(true, "a connection", p)
	b.must(b.plane.Close())
	b.want(true, "its answer while nobody is there", answer(p))
	b.want(true, "allowed while nobody is there", syn(client4, 80, b.fresh()))
	b.want(false, "denied while nobody is there", syn(client4, 81, b.fresh()))
	b.open()
	b.wantBound(web)
	if got, err := b.plane.Actual(b.ctx); err != nil || !ruleset.Diff(rules(anyWeb), got).Empty() {
		b.Errorf("the next plane finds %+v, %v", got, err)
	}
	b.must(b.plane.Bind(b.ctx, b.binding(web, webDevice)))
	b.apply(rules(anyWeb))
	b.want(true, "the connection after a restart", further(p))
	b.want(false, "denied after a restart", syn(client4, 81, b.fresh()))
	b.must(b.plane.Unbind(b.ctx, web))
	b.want(true, "unbound by the next plane", syn(client4, 81, b.fresh()))
}

func identities(b *bench) {
	b.bindWeb()
	b.host.AddDevice(b.T, otherDevice)
	second := b.host.Open(b.T, "00000000-0000-4000-8000-000000000002")
	defer second.Close()
	for _, id := range []vpc.InterfaceID{other, web} {
		if err := second.Bind(b.ctx, b.binding(id, webDevice)); err == nil {
			b.Errorf("%s on a device that another server has bound is not refused", id)
		}
	}
	b.must(second.Bind(b.ctx, b.binding(other, otherDevice)))
	b.must(second.Apply(b.ctx, &ruleset.Ruleset{Rev: 1}))
	b.apply(rules(anyWeb))
	b.want(true, "allowed, whatever another server enforces", syn(client4, 80, b.fresh()))
	b.wantBound(web)
	b.must(second.Unbind(b.ctx, other))
	b.must(second.Unbind(b.ctx, web))
	b.want(false, "another server cannot unbind it", syn(client4, 81, b.fresh()))
}

func stats(b *bench) {
	b.bindWeb()
	rs := rules(anyWeb)
	b.apply(rs)
	p := syn(client4, 80, b.fresh())
	b.want(true, "a connection", p)
	b.want(true, "its answer", answer(p))
	b.want(false, "denied", syn(client4, 81, b.fresh()))
	s, err := b.plane.Stats(b.ctx)
	b.must(err)
	if r := s.Rules["sgr-1"]; r.Packets != 2 || r.Connections != 1 {
		b.Errorf("the rule has %d packets of %d connections, want 2 of 1", r.Packets, r.Connections)
	}
	drops := uint64(0)
	for _, n := range s.Drops[web] {
		drops += n
	}
	if drops != 1 || s.Flows[web] != 1 {
		b.Errorf("%d drops, %d flows; want 1 of each", drops, s.Flows[web])
	}
}
