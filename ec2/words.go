package ec2

import (
	"iter"
	"net/netip"
)

type seq[T any] = iter.Seq[T]

// The ranges of everything, each of one family.
var (
	everyIPv4 = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	everyIPv6 = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
)
