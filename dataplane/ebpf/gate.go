package ebpf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"moat/dataplane"
	"moat/flow"
	"moat/ruleset"
)

// A gate closes devices with nftables: by their names ports of bridges, which the
// doorman does not see, and all other devices on kernels without the doorman; and
// all ports of managed bridges. A set holds the bound devices. The tables stay when
// no process runs.
type gate struct {
	name   string
	closes closing
	open   map[uint32]bool // the indexes in the sets
	// netns is the network namespace of the tables, and inode its number.
	netns *os.File
	inode uint32
}

// A closing is what a gate closes.
type closing struct {
	names []dataplane.Pattern
	// routed tells that names are closed everywhere. Otherwise they are closed as
	// ports of bridges only.
	routed  bool
	bridges []string
	// own are the machine's own devices. They pass what it needs to get an address, and
	// holes.
	own   []dataplane.Pattern
	holes []ruleset.Pinhole
	// every tells that the ports of all bridges are closed, for a kernel whose
	// nftables cannot tell bridges apart.
	every bool
}

// families returns those that need a table.
func (c *closing) families() (all []nftables.TableFamily) {
	if len(c.names)+len(c.bridges) > 0 {
		all = append(all, nftables.TableFamilyBridge)
	}
	if len(c.names) > 0 && c.routed || len(c.own) > 0 {
		all = append(all, nftables.TableFamilyINet)
	}
	return all
}

// A gateRule is for devices that it matches and that are not in the set: they are
// closed, or only pass what the chain of the machine's own devices accepts.
type gateRule struct {
	match []expr.Any
	own   bool
}

// rules returns those of a chain.
func (c *closing) rules(f nftables.TableFamily, h gateHook) (all []gateRule, err error) {
	match := func(key expr.MetaKey, value []byte, own bool) {
		e := []expr.Any{&expr.Meta{Key: key, Register: 1}}
		if len(value) > 0 {
			e = append(e, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: value})
		}
		all = append(all, gateRule{e, own})
	}
	byName := func(patterns []dataplane.Pattern, own bool) error {
		for _, p := range patterns {
			name, err := gateName(p)
			if err != nil {
				return err
			}
			match(h.name, name, own)
		}
		return nil
	}
	if f != nftables.TableFamilyBridge {
		if c.routed {
			err = byName(c.names, false)
		}
		if err == nil {
			err = byName(c.own, true)
		}
		return all, err
	}
	if err := byName(c.names, false); err != nil {
		return nil, err
	}
	if c.every {
		return append(all, gateRule{}), nil
	}
	for _, b := range c.bridges {
		match(h.bridge, wholeName(b), false)
	}
	return all, nil
}

// equal matches the bytes at an offset of a header.
func equal(base expr.PayloadBase, offset uint32, value ...byte) []expr.Any {
	return []expr.Any{
		&expr.Payload{OperationType: expr.PayloadLoad, DestRegister: 1, Base: base, Offset: offset, Len: uint32(len(value))},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: value},
	}
}

// protocol matches IPv4 or IPv6, and what is in it.
func protocol(six bool, inner byte) []expr.Any {
	family := byte(unix.NFPROTO_IPV4)
	if six {
		family = unix.NFPROTO_IPV6
	}
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{family}},
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{inner}},
	}
}

// accepts returns what the machine's own devices pass before they are bound: neighbour
// discovery, DHCP as a client, and pinholes. Nftables does not see ARP here.
func (c *closing) accepts(h gateHook) (all [][]expr.Any) {
	in := h.hook == nftables.ChainHookPrerouting
	ports := func(local, remote uint16) []byte {
		if in {
			local, remote = remote, local
		}
		return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, local), remote)
	}
	nd := append(protocol(true, unix.IPPROTO_ICMPV6), equal(expr.PayloadBaseNetworkHeader, 7, 255)...)
	nd = append(nd, &expr.Payload{OperationType: expr.PayloadLoad, DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Len: 1},
		&expr.Range{Op: expr.CmpOpEq, Register: 1, FromData: []byte{133}, ToData: []byte{136}})
	all = append(all, nd,
		append(protocol(false, unix.IPPROTO_UDP), equal(expr.PayloadBaseTransportHeader, 0, ports(68, 67)...)...),
		append(protocol(true, unix.IPPROTO_UDP), equal(expr.PayloadBaseTransportHeader, 0, ports(546, 547)...)...))
	for _, o := range c.holes {
		six := o.Prefix.Addr().Is6()
		port, addr, length := uint32(2), uint32(12), uint32(4) // TCP's destination port, IPv4's source address
		if in == (o.Direction == flow.Egress) {
			port = 0
		}
		if six {
			addr, length = 8, 16
		}
		if !in {
			addr += length
		}
		mask := make([]byte, length)
		for i := range o.Prefix.Bits() {
			mask[i/8] |= 0x80 >> (i % 8)
		}
		e := append(protocol(six, unix.IPPROTO_TCP), equal(expr.PayloadBaseTransportHeader, port, byte(o.Port>>8), byte(o.Port))...)
		all = append(all, append(e,
			&expr.Payload{OperationType: expr.PayloadLoad, DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: addr, Len: length},
			&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: length, Mask: mask, Xor: make([]byte, length)},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: o.Prefix.Masked().Addr().AsSlice()}))
	}
	return all
}

const gateSet = "bound"

// newGate returns a gate for the network namespace of the calling thread.
func newGate(name string) (*gate, error) {
	const self = "/proc/thread-self/ns/net"
	n, err := inode(self)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(self)
	if err != nil {
		return nil, err
	}
	return &gate{name: name, netns: f, inode: n}, nil
}

func (g *gate) conn() (*nftables.Conn, error) {
	return nftables.New(nftables.WithNetNSFd(int(g.netns.Fd())))
}

// A gateHook is a chain of a gate, and what its rules match.
type gateHook struct {
	chain               string
	hook                *nftables.ChainHook
	priority            nftables.ChainPriority
	name, index, bridge expr.MetaKey
}

// gateHooks are before a packet is routed or forwarded, and where it leaves.
var gateHooks = []gateHook{
	{"in", nftables.ChainHookPrerouting, -1000, expr.MetaKeyIIFNAME, expr.MetaKeyIIF, expr.MetaKeyBRIIIFNAME},
	{"out", nftables.ChainHookPostrouting, 1000, expr.MetaKeyOIFNAME, expr.MetaKeyOIF, expr.MetaKeyBRIOIFNAME},
}

// gateName returns the bytes that nftables compares a device's name with. Nftables
// can compare whole names and prefixes only.
func gateName(p dataplane.Pattern) ([]byte, error) {
	name, begins := strings.CutSuffix(string(p), "*")
	if strings.ContainsAny(name, "*?") {
		return nil, fmt.Errorf("nftables cannot guard %q: give a whole name or a name that ends in *", p)
	}
	if begins {
		return []byte(name), nil
	}
	return wholeName(name), nil
}

// gateNames returns the patterns that nftables knows.
func gateNames(patterns []dataplane.Pattern) []dataplane.Pattern {
	return slices.DeleteFunc(slices.Clone(patterns), func(x dataplane.Pattern) bool { _, err := gateName(x); return err != nil })
}

// wholeName fills a name up to the length of the kernel's.
func wholeName(name string) []byte {
	return append([]byte(name), make([]byte, unix.IFNAMSIZ-len(name))...)
}

// shutAll is shut, also on a kernel whose nftables cannot tell bridges apart: there it
// closes the ports of all bridges, and fails if some of them are not to be closed.
func (g *gate) shutAll(c closing, open map[uint32]bool) error {
	err := g.shut(c, open)
	if err == nil || len(c.bridges) == 0 {
		return err
	}
	h, e := netlink.NewHandleAt(netns.NsHandle(g.netns.Fd()), unix.NETLINK_ROUTE)
	if e != nil {
		return errors.Join(err, e)
	}
	defer h.Close()
	links, e := h.LinkList()
	if e != nil {
		return errors.Join(err, e)
	}
	for _, l := range links {
		if name := l.Attrs().Name; l.Type() == "bridge" && !slices.Contains(c.bridges, name) {
			return fmt.Errorf("bridge %s is not managed, and nftables cannot tell bridges apart (CONFIG_NFT_BRIDGE_META): %w", name, err)
		}
	}
	c.every = true
	if reflect.DeepEqual(g.closes, c) && g.stands() {
		return nil
	}
	return g.shut(c, open)
}

// shut makes the gate close what c says, except devices with an index in open. It
// replaces the gate's earlier tables in one transaction.
func (g *gate) shut(c closing, open map[uint32]bool) error {
	conn, err := g.conn()
	if err != nil {
		return err
	}
	families := c.families()
	for _, f := range []nftables.TableFamily{nftables.TableFamilyINet, nftables.TableFamilyBridge} {
		if slices.Contains(families, f) {
			continue
		}
		if have, err := conn.ListTablesOfFamily(f); err == nil && slices.ContainsFunc(have, func(t *nftables.Table) bool { return t.Name == g.name }) {
			conn.DelTable(&nftables.Table{Name: g.name, Family: f})
		}
	}
	for _, f := range families {
		t := &nftables.Table{Name: g.name, Family: f}
		conn.AddTable(t) // so that there is one to delete
		conn.DelTable(t)
		conn.AddTable(t)
		set := &nftables.Set{Table: t, Name: gateSet, KeyType: nftables.TypeIFIndex}
		if err := conn.AddSet(set, elements(open)); err != nil {
			return err
		}
		for _, h := range gateHooks {
			rules, err := c.rules(f, h)
			if err != nil {
				return err
			}
			own := &nftables.Chain{Name: "own-" + h.chain, Table: t}
			if f == nftables.TableFamilyINet && len(c.own) > 0 {
				conn.AddChain(own)
				for _, e := range c.accepts(h) {
					conn.AddRule(&nftables.Rule{Table: t, Chain: own, Exprs: append(e, &expr.Verdict{Kind: expr.VerdictAccept})})
				}
			}
			chain := conn.AddChain(&nftables.Chain{Name: h.chain, Table: t, Type: nftables.ChainTypeFilter, Hooknum: h.hook, Priority: &h.priority})
			for _, r := range rules {
				unbound := append(r.match,
					&expr.Meta{Key: h.index, Register: 1},
					&expr.Lookup{SourceRegister: 1, SetName: set.Name, SetID: set.ID, Invert: true},
				)
				if r.own {
					conn.AddRule(&nftables.Rule{Table: t, Chain: chain, Exprs: append(slices.Clone(unbound), &expr.Verdict{Kind: expr.VerdictJump, Chain: own.Name})})
				}
				conn.AddRule(&nftables.Rule{Table: t, Chain: chain, Exprs: append(unbound, &expr.Counter{}, &expr.Verdict{Kind: expr.VerdictDrop})})
			}
		}
	}
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("nftables: %w", err)
	}
	g.closes, g.open = c, open
	return nil
}

func elements(indexes map[uint32]bool) []nftables.SetElement {
	var all []nftables.SetElement
	for i := range indexes {
		all = append(all, nftables.SetElement{Key: binary.NativeEndian.AppendUint32(nil, i)})
	}
	return all
}

// let opens the gate for exactly these devices.
func (g *gate) let(open map[uint32]bool) error {
	more, fewer := map[uint32]bool{}, map[uint32]bool{}
	for i := range open {
		if !g.open[i] {
			more[i] = true
		}
	}
	for i := range g.open {
		if !open[i] {
			fewer[i] = true
		}
	}
	if len(more)+len(fewer) == 0 {
		return nil
	}
	c, err := g.conn()
	if err != nil {
		return err
	}
	for _, f := range g.closes.families() {
		set := &nftables.Set{Table: &nftables.Table{Name: g.name, Family: f}, Name: gateSet, KeyType: nftables.TypeIFIndex}
		if len(more) > 0 {
			err = errors.Join(err, c.SetAddElements(set, elements(more)))
		}
		if len(fewer) > 0 {
			err = errors.Join(err, c.SetDeleteElements(set, elements(fewer)))
		}
	}
	if err = errors.Join(err, c.Flush()); err != nil {
		// Another program may have changed the tables: replace them.
		return g.shut(g.closes, open)
	}
	g.open = open
	return nil
}

// stands reports whether the tables are there.
func (g *gate) stands() bool {
	c, err := g.conn()
	if err != nil {
		return false
	}
	for _, f := range g.closes.families() {
		for _, h := range gateHooks {
			t := &nftables.Table{Name: g.name, Family: f}
			want, _ := g.closes.rules(f, h)
			n := len(want)
			for _, r := range want {
				if r.own {
					n++
				}
			}
			rules, err := c.GetRules(t, &nftables.Chain{Name: h.chain, Table: t})
			if err != nil || len(rules) != n {
				return false
			}
		}
	}
	return true
}

// turnedAway counts the packets that the gate dropped.
func (g *gate) turnedAway() (n uint64) {
	c, err := g.conn()
	if err != nil {
		return 0
	}
	for _, f := range g.closes.families() {
		for _, h := range gateHooks {
			t := &nftables.Table{Name: g.name, Family: f}
			rules, _ := c.GetRules(t, &nftables.Chain{Name: h.chain, Table: t})
			for _, r := range rules {
				for _, e := range r.Exprs {
					if k, ok := e.(*expr.Counter); ok {
						n += k.Packets
					}
				}
			}
		}
	}
	return n
}

// removeGate deletes the tables of a gate, including those of an earlier process.
func removeGate(name string) error {
	var errs []error
	for _, f := range []nftables.TableFamily{nftables.TableFamilyINet, nftables.TableFamilyBridge} {
		c, err := nftables.New()
		if err != nil {
			return ignore(err, unix.EPROTONOSUPPORT, unix.EPERM) // a kernel without nftables has none
		}
		c.DelTable(&nftables.Table{Name: name, Family: f})
		errs = append(errs, ignore(c.Flush(), unix.ENOENT, unix.EOPNOTSUPP, unix.EAFNOSUPPORT))
	}
	return errors.Join(errs...)
}

func gateOf(identity string) string { return "moat-" + identity }

func (p *Plane) gateName() string { return gateOf(p.options.Identity) }

// passable returns the indexes of the bound devices of a network namespace. The caller holds mu.
func (p *Plane) passable(netns uint32) map[uint32]bool {
	open := map[uint32]bool{}
	for _, b := range p.bound {
		if b.ready && b.bpfBinding.Netns == netns {
			open[b.bpfBinding.Index] = true
		}
	}
	return open
}

// letBound opens the gate, if there is one, for the bound devices. The caller holds
// mu.
func (p *Plane) letBound() error {
	if p.gate == nil {
		return nil
	}
	if err := p.gate.let(p.passable(p.gate.inode)); err != nil {
		return fmt.Errorf("update the bound devices in nftables: %w", err)
	}
	return nil
}
