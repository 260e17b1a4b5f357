package iam

import (
	"net/netip"
	"strconv"
)

// A Rule is what a call adds to a security group, or makes wider, as the keys
// of rules show it. A key that it does not have is absent.
type Rule struct {
	Direction string // ingress or egress
	Protocol  string // tcp, udp, icmp, icmpv6, a number or -1
	// From and To are its ports, if HasPorts. All protocols have all ports;
	// types of ICMP are none.
	From, To int32
	HasPorts bool
	// CIDR is a range that it lets in: its own, an entry of its prefix list, or
	// the address of a member of its group. Not valid for none.
	CIDR netip.Prefix
	// Group and PrefixList are the ids of what it names.
	Group, PrefixList string
}

// Values gives the values of a key of rules.
func (r *Rule) Values(key string) ([]string, bool) {
	one := func(s string) ([]string, bool) { return []string{s}, s != "" }
	switch key {
	case keyDirection:
		return one(r.Direction)
	case keyProtocol:
		return one(r.Protocol)
	case keyGroup:
		return one(r.Group)
	case keyPrefixList:
		return one(r.PrefixList)
	case keyPort, keyFromPort, keyToPort:
		from, to := strconv.Itoa(int(r.From)), strconv.Itoa(int(r.To))
		switch {
		case !r.HasPorts:
			return nil, false
		case key == keyFromPort:
			return one(from)
		case key == keyToPort:
			return one(to)
		case from == to:
			return one(from)
		}
		return one(from + "-" + to)
	case keyCIDR, keyPrefixLength, keyFamily:
		switch {
		case !r.CIDR.IsValid():
			return nil, false
		case key == keyCIDR:
			return one(r.CIDR.String())
		case key == keyPrefixLength:
			return one(strconv.Itoa(r.CIDR.Bits()))
		case r.CIDR.Addr().Is4():
			return one("ipv4")
		}
		return one("ipv6")
	}
	return nil, false
}

// Keys gives the keys that a rule has, for messages.
func (r *Rule) Keys() []Key {
	var out []Key
	for _, k := range []struct{ key, name string }{
		{keyDirection, "moat:Direction"}, {keyProtocol, "moat:IpProtocol"}, {keyPort, "moat:Port"}, {keyCIDR, "moat:Cidr"},
		{keyGroup, "moat:ReferencedGroup"}, {keyPrefixList, "moat:PrefixList"},
	} {
		if v, ok := r.Values(k.key); ok {
			out = append(out, Key{k.name, v})
		}
	}
	return out
}
