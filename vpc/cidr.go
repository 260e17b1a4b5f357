package vpc

import (
	"encoding/binary"
	"net/netip"

	"moat/fault"
)

// The sizes that an IPv4 block of a VPC or a subnet may have: VPC user guide,
// "VPC CIDR blocks".
const widestBlock, narrowestBlock = 16, 28

// ParseCIDR4 reads an IPv4 block and clears its host bits. What is none is
// InvalidParameterValue, which names the parameter.
func ParseCIDR4(parameter, s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil || !p.Addr().Is4() {
		return netip.Prefix{}, fault.InvalidParameterValue.With(s, parameter, "This is not a valid CIDR block.")
	}
	return p.Masked(), nil
}

// ParseCIDR6 reads an IPv6 block and clears its host bits. An IPv4 address in
// the clothes of IPv6 is none.
func ParseCIDR6(parameter, s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil || !p.Addr().Is6() || p.Addr().Is4In6() {
		return netip.Prefix{}, fault.InvalidParameterValue.With(s, parameter, "This is not a valid CIDR block.")
	}
	return p.Masked(), nil
}

func blockSized(p netip.Prefix) bool { return p.Bits() >= widestBlock && p.Bits() <= narrowestBlock }

func mustPrefixes(texts ...string) (out []netip.Prefix) {
	for _, s := range texts {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// unusable are the ranges of which no VPC may have a block: VPC user guide,
// "IPv4 VPC CIDR blocks".
var unusable = mustPrefixes("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4")

// PrimaryBlock reads the block with which a VPC is made.
func PrimaryBlock(s string) (netip.Prefix, error) {
	p, err := ParseCIDR4("cidrBlock", s)
	if err != nil {
		return p, err
	}
	if !blockSized(p) || overlapsAny(p, unusable) {
		return netip.Prefix{}, fault.InvalidVpcRange.With(s)
	}
	return p, nil
}

// SecondaryBlock reads a block that v is to have besides those it has.
func (v *VPC) SecondaryBlock(s string) (netip.Prefix, error) {
	p, err := PrimaryBlock(s)
	if err != nil {
		return p, err
	}
	for _, b := range v.Blocks {
		if p.Overlaps(b.CIDR) {
			return netip.Prefix{}, fault.InvalidVpcRange.Say("The CIDR '%s' conflicts with another subnet", s)
		}
	}
	for _, b := range v.Blocks {
		if b.CIDR.Addr().Is4() && restricted(b.CIDR, p) {
			return netip.Prefix{}, fault.InvalidVpcRange.Say("The CIDR '%s' is restricted. Use a CIDR from the same private address range as the current VPC CIDR, or use a publicly-routable CIDR.\n"+
				"For additional restrictions, see https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html", s)
		}
	}
	return p, nil
}

// families are the ranges that do not mix in one VPC; what is in none of them
// is public.
var families = mustPrefixes("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "198.19.0.0/16")

var (
	tenSlash15 = netip.MustParsePrefix("10.0.0.0/15")
	tenSlash16 = netip.MustParsePrefix("10.0.0.0/16")
	slash12    = families[1]
	defaultVPC = netip.MustParsePrefix("172.31.0.0/16")
)

// restricted reports whether a VPC with block has cannot have block more: VPC
// user guide, "IPv4 CIDR block association restrictions".
func restricted(has, more netip.Prefix) bool {
	if f := family(more); f >= 0 && f != family(has) {
		return true
	}
	return tenSlash15.Overlaps(has) && tenSlash16.Overlaps(more) ||
		slash12.Overlaps(has) && defaultVPC.Overlaps(more)
}

// family gives the range that a block of a VPC's size is in, -1 for none.
func family(p netip.Prefix) int {
	for i, f := range families {
		if f.Overlaps(p) {
			return i
		}
	}
	return -1
}

// SubnetBlock reads the IPv4 block of a subnet of v.
func (v *VPC) SubnetBlock(s string) (netip.Prefix, error) {
	p, err := ParseCIDR4("cidrBlock", s)
	if err != nil {
		return p, err
	}
	if !blockSized(p) || !v.contains(p) {
		return netip.Prefix{}, fault.InvalidSubnetRange.With(s)
	}
	return p, nil
}

// SubnetIPv6Block reads the IPv6 block of a subnet of v: /44 to /64 in steps
// of four bits.
func (v *VPC) SubnetIPv6Block(s string) (netip.Prefix, error) {
	p, err := ParseCIDR6("ipv6CidrBlock", s)
	if err != nil || p.Bits() < 44 || p.Bits() > 64 || p.Bits()%4 != 0 {
		return netip.Prefix{}, fault.InvalidParameterValue.Say("invalid value for parameter ipv6-cidr-block: %s", s)
	}
	if !v.contains(p) {
		return netip.Prefix{}, fault.InvalidSubnetRange.Say("The IPv6 CIDR '%s' is invalid.", s)
	}
	return p, nil
}

// contains reports whether p lies in one of v's blocks.
func (v *VPC) contains(p netip.Prefix) bool {
	for _, b := range v.Blocks {
		if Contains(b.CIDR, p) {
			return true
		}
	}
	return false
}

// Contains reports whether all of inner lies in outer.
func Contains(outer, inner netip.Prefix) bool {
	return outer.Bits() <= inner.Bits() && outer.Contains(inner.Addr())
}

func overlapsAny(p netip.Prefix, others []netip.Prefix) bool {
	for _, o := range others {
		if p.Overlaps(o) {
			return true
		}
	}
	return false
}

// NextFree gives the first block of a size in a wider one that overlaps none
// of those taken; ok is false when there is none. It looks no further than
// taken blocks can reach.
func NextFree(in netip.Prefix, bits int, taken []netip.Prefix) (p netip.Prefix, ok bool) {
	if bits < in.Bits() {
		return netip.Prefix{}, false
	}
	p = netip.PrefixFrom(in.Addr(), bits).Masked()
	for Contains(in, p) {
		end := last(p)
		free := true
		for _, t := range taken {
			if t.Overlaps(p) {
				free = false
				if e := last(t); e.Compare(end) > 0 {
					end = e
				}
			}
		}
		if free {
			return p, true
		}
		next := end.Next()
		if !next.IsValid() {
			break
		}
		p = netip.PrefixFrom(next, bits).Masked()
	}
	return netip.Prefix{}, false
}

// The IPv6 blocks that VPCs get are /56s of one range, as Amazon's are.
const ipv6VPCBits = 56

// AmazonIPv6Pool is what IPv6 blocks name as the pool that they came from.
const AmazonIPv6Pool = "Amazon"

// IPv6SubnetBits is the length of the narrowest IPv6 block of a subnet.
const IPv6SubnetBits = 64

// OwnIPv6Pool is the pool of the IPv6 blocks that are the operator's own. It has
// every block that hosts can have.
const OwnIPv6Pool = "moat"

// notOwn are the ranges of which no host has a block: special addresses, those
// of a link, multicast, and what the pool Amazon gives away.
var notOwn = mustPrefixes("::/8", "fe80::/10", "ff00::/8", "2600:1f00::/24")

// OwnIPv6Block reads an IPv6 block of the operator's own for a VPC: /44 to /64
// in steps of four bits. EC2 ends at /60; many networks have one /64.
func OwnIPv6Block(s string) (netip.Prefix, error) {
	p, err := ParseCIDR6("ipv6CidrBlock", s)
	if err != nil {
		return p, err
	}
	if p.Bits() < 44 || p.Bits() > 64 || p.Bits()%4 != 0 || overlapsAny(p, notOwn) {
		return netip.Prefix{}, fault.InvalidVpcRange.Say("The IPv6 CIDR '%s' is invalid. Use a block from /44 to /64 in steps of 4, of global or unique local unicast addresses.", s)
	}
	return p, nil
}

// IPv6Block gives the block of a VPC for a number; numbers that differ in
// their low 32 bits give blocks that do not overlap.
func IPv6Block(n uint64) netip.Prefix {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], 0x2600_1f00_0000_0000|uint64(uint32(n))<<8)
	return netip.PrefixFrom(netip.AddrFrom16(b), ipv6VPCBits)
}

// HasIPv6 reports whether the subnet has an IPv6 block.
func (s *Subnet) HasIPv6() bool { return len(s.IPv6) > 0 }

// Conflicts reports whether the subnet has addresses of p.
func (s *Subnet) Conflicts(p netip.Prefix) bool {
	if s.CIDR.IsValid() && s.CIDR.Overlaps(p) {
		return true
	}
	for _, b := range s.IPv6 {
		if b.CIDR.Overlaps(p) {
			return true
		}
	}
	return false
}
