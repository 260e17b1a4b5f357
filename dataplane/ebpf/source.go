package ebpf

import (
	"encoding/binary"
	"errors"
	"net/netip"

	"moat/flow"
	"moat/ruleset"
	"moat/vpc"
)

func appendSource(w []uint64, b []byte) []uint64 {
	w = append(w, uint64(len(b)))
	for ; len(b) >= 8; b = b[8:] {
		w = append(w, binary.LittleEndian.Uint64(b))
	}
	if len(b) > 0 {
		var word [8]byte
		copy(word[:], b)
		w = append(w, binary.LittleEndian.Uint64(word[:]))
	}
	return w
}

// sourceAt reads the source at a place; nil if there is none in its bounds.
func sourceAt(w []uint64, at uint64) []byte {
	if at >= uint64(len(w)) {
		return nil
	}
	n := w[at]
	if n > uint64(len(w))*8 || at+1+(n+7)/8 > uint64(len(w)) {
		return nil
	}
	b := make([]byte, 0, n+8)
	for _, v := range w[at+1 : at+1+(n+7)/8] {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return b[:n]
}

var errSource = errors.New("what the kernel has is not a ruleset: it stays in force; have it replaced by `moat detach --force`")

// A coder writes and reads sources.
type coder struct {
	b   []byte
	bad bool
}

func (c *coder) uint(v uint64) { c.b = binary.AppendUvarint(c.b, v) }
func (c *coder) int(v int64)   { c.b = binary.AppendVarint(c.b, v) }
func (c *coder) text(s string) { c.uint(uint64(len(s))); c.b = append(c.b, s...) }
func (c *coder) take(n uint64) (b []byte) {
	if n > uint64(len(c.b)) {
		c.bad, c.b = true, nil
		return nil
	}
	b, c.b = c.b[:n], c.b[n:]
	return b
}

func (c *coder) readUint() uint64 {
	v, n := binary.Uvarint(c.b)
	if n <= 0 {
		c.bad, c.b = true, nil
		return 0
	}
	c.b = c.b[n:]
	return v
}

func (c *coder) readInt() int64 {
	v, n := binary.Varint(c.b)
	if n <= 0 {
		c.bad, c.b = true, nil
		return 0
	}
	c.b = c.b[n:]
	return v
}

func (c *coder) readText() string { return string(c.take(c.readUint())) }

// id writes an id: 17 hexadecimal digits after its prefix take nine bytes.
func (c *coder) id(prefix, s string) {
	if !vpc.WellFormed(prefix, s) || len(s) != len(prefix)+18 {
		c.text(s)
		return
	}
	c.uint(1 << 20)
	var b [9]byte
	for i, d := range []byte(s[len(prefix)+1:]) {
		if d >= 'a' {
			d -= 'a' - 10
		} else {
			d -= '0'
		}
		b[i/2] |= d << (4 * (1 - i%2))
	}
	c.b = append(c.b, b[:]...)
}

func (c *coder) readID(prefix string) string {
	n := c.readUint()
	if n != 1<<20 {
		return string(c.take(n))
	}
	s := append([]byte(prefix), '-')
	for i, b := range c.take(9) {
		s = append(s, "0123456789abcdef"[b>>4])
		if i < 8 {
			s = append(s, "0123456789abcdef"[b&15])
		}
	}
	return string(s)
}

// prefix writes a prefix; 255 bits stand for the zero one.
func (c *coder) prefix(p netip.Prefix) {
	if !p.IsValid() {
		c.b = append(c.b, 255)
		return
	}
	if a := p.Addr(); a.Is4() {
		b := a.As4()
		c.b = append(append(c.b, byte(p.Bits()), 4), b[:]...)
	} else {
		b := a.As16()
		c.b = append(append(c.b, byte(p.Bits()), 16), b[:]...)
	}
}

func (c *coder) readPrefix() netip.Prefix {
	bits := c.take(1)
	if bits == nil || bits[0] == 255 {
		return netip.Prefix{}
	}
	n := c.take(1)
	if n == nil {
		return netip.Prefix{}
	}
	a, ok := netip.AddrFromSlice(c.take(uint64(n[0])))
	p := netip.PrefixFrom(a, int(bits[0]))
	c.bad = c.bad || !ok || !p.IsValid()
	return p
}

func encodePolicy(p *ruleset.Policy) []byte {
	c := &coder{}
	c.policy(p)
	return c.b
}

func (c *coder) policy(p *ruleset.Policy) {
	c.text(p.Name)
	n := uint64(len(p.Rules)) << 1
	if p.Direction == flow.Egress {
		n |= 1
	}
	c.uint(n)
	for i := range p.Rules {
		r := &p.Rules[i]
		c.int(int64(r.Protocol))
		c.int(int64(r.Ports.From))
		c.int(int64(r.Ports.To))
		c.prefix(r.Remote.Prefix)
		if !r.Remote.Prefix.IsValid() {
			c.id(vpc.GroupPrefix, string(r.Remote.Group))
		}
		c.id(vpc.RulePrefix, string(r.ID))
	}
}

func decodePolicy(b []byte) (p ruleset.Policy, err error) {
	c := &coder{b: b}
	p.Name = c.readText()
	n := c.readUint()
	p.Direction = n&1 == 1
	for range n >> 1 {
		var r ruleset.Rule
		r.Protocol = flow.Protocol(c.readInt())
		r.Ports = flow.PortRange{From: int32(c.readInt()), To: int32(c.readInt())}
		if r.Remote.Prefix = c.readPrefix(); !r.Remote.Prefix.IsValid() {
			r.Remote.Group = vpc.GroupID(c.readID(vpc.GroupPrefix))
		}
		r.ID = vpc.RuleID(c.readID(vpc.RulePrefix))
		if c.bad {
			return p, errSource
		}
		p.Rules = append(p.Rules, r)
	}
	if c.bad || len(c.b) > 0 {
		return p, errSource
	}
	return p, nil
}

func encodeInterface(i *ruleset.Interface) []byte {
	c := &coder{}
	c.text(string(i.ID))
	c.text(string(i.VPC))
	c.text(i.MAC)
	check := uint64(0)
	if i.Check {
		check = 1
	}
	c.uint(check)
	c.uint(uint64(len(i.Own)))
	for _, p := range i.Own {
		c.prefix(p)
	}
	c.uint(uint64(len(i.OnLink)))
	for _, p := range i.OnLink {
		c.prefix(p)
	}
	for _, v := range []int32{i.Timeouts.TCPEstablished, i.Timeouts.UDPStream, i.Timeouts.UDP, int32(i.OnRevoke.Mode), i.OnRevoke.Drain} {
		c.int(int64(v))
	}
	return c.b
}

func decodeInterface(b []byte) (i ruleset.Interface, err error) {
	c := &coder{b: b}
	i.ID, i.VPC, i.MAC = vpc.InterfaceID(c.readText()), vpc.VPCID(c.readText()), c.readText()
	i.Check = c.readUint() == 1
	for n := c.readUint(); n > 0 && !c.bad; n-- {
		i.Own = append(i.Own, c.readPrefix())
	}
	for n := c.readUint(); n > 0 && !c.bad; n-- {
		i.OnLink = append(i.OnLink, c.readPrefix())
	}
	var v [5]int32
	for j := range v {
		v[j] = int32(c.readInt())
	}
	i.Timeouts = ruleset.Timeouts{TCPEstablished: v[0], UDPStream: v[1], UDP: v[2]}
	i.OnRevoke = ruleset.OnRevoke{Mode: ruleset.Mode(v[3]), Drain: v[4]}
	if c.bad || len(c.b) > 0 {
		return i, errSource
	}
	return i, nil
}
