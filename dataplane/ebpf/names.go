package ebpf

import (
	"moat/vpc"
)

// Names are the numbers that stand for ids in words and keys.
type names struct {
	vpcs   map[vpc.VPCID]uint32
	groups map[vpc.GroupID]uint32
	next   uint32
}

func newNames() *names {
	return &names{vpcs: map[vpc.VPCID]uint32{}, groups: map[vpc.GroupID]uint32{}, next: 1}
}

func (n *names) vpc(id vpc.VPCID) uint32     { return number(n.vpcs, id, &n.next) }
func (n *names) group(id vpc.GroupID) uint32 { return number(n.groups, id, &n.next) }

func number[K comparable](m map[K]uint32, id K, next *uint32) uint32 {
	v, ok := m[id]
	if !ok {
		v = *next
		*next++
		m[id] = v
	}
	return v
}

func (n *names) encode() []byte {
	c := &coder{}
	c.uint(uint64(len(n.vpcs)))
	for id, v := range n.vpcs {
		c.uint(uint64(v))
		c.id(vpc.VPCPrefix, string(id))
	}
	c.uint(uint64(len(n.groups)))
	for id, v := range n.groups {
		c.uint(uint64(v))
		c.id(vpc.GroupPrefix, string(id))
	}
	return c.b
}

func decodeNames(b []byte) (*names, error) {
	c, n := &coder{b: b}, newNames()
	for k := c.readUint(); k > 0 && !c.bad; k-- {
		v := uint32(c.readUint())
		n.vpcs[vpc.VPCID(c.readID(vpc.VPCPrefix))] = v
		n.next = max(n.next, v+1)
	}
	for k := c.readUint(); k > 0 && !c.bad; k-- {
		v := uint32(c.readUint())
		n.groups[vpc.GroupID(c.readID(vpc.GroupPrefix))] = v
		n.next = max(n.next, v+1)
	}
	if c.bad || len(c.b) > 0 {
		return nil, errSource
	}
	return n, nil
}
