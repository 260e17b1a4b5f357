package vpc

import (
	"encoding/binary"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strings"

	"moat/fault"
)

// The blocks that a subnet delegates to an interface have one length in each
// family: EC2 user guide, "Assign prefixes to network interfaces".
const (
	IPv4PrefixBits = 28
	IPv6PrefixBits = 80
)

// BlockOf gives the block that an address would be delegated with.
func BlockOf(a netip.Addr) netip.Prefix {
	bits := IPv6PrefixBits
	if a.Is4() {
		bits = IPv4PrefixBits
	}
	return netip.PrefixFrom(a, bits).Masked()
}

// ParseIPv4 reads an IPv4 address of a request.
func ParseIPv4(s string) (netip.Addr, error) {
	a, err := netip.ParseAddr(s)
	if err != nil || !a.Is4() {
		return netip.Addr{}, badAddress(s)
	}
	return a, nil
}

// ParseIPv6 reads an IPv6 address of a request, however it is spelled.
func ParseIPv6(s string) (netip.Addr, error) {
	a, err := netip.ParseAddr(s)
	if err != nil || !a.Is6() || a.Is4In6() || a.Zone() != "" {
		return netip.Addr{}, badAddress(s)
	}
	return a, nil
}

func badAddress(s string) error {
	return fault.InvalidParameterValue.Say("invalid value for parameter address: %s", s)
}

// ParseIPv4Block reads a block to delegate, of 16 addresses.
func ParseIPv4Block(s string) (netip.Prefix, error) { return parseBlock(s, "ipv4Prefix", true) }

// ParseIPv6Block reads a block to delegate, of the length 80.
func ParseIPv6Block(s string) (netip.Prefix, error) { return parseBlock(s, "ipv6Prefix", false) }

func parseBlock(s, parameter string, v4 bool) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Addr().Is4() != v4 || p.Addr().Is4In6() {
		return p, fault.InvalidParameterValue.With(s, parameter, "This is not a valid CIDR block.")
	}
	if p != BlockOf(p.Addr()) {
		return p, fault.InvalidParameterValue.With(s, parameter, fmt.Sprintf("The prefix must be a /%d that starts at its first address.", BlockOf(p.Addr()).Bits()))
	}
	return p, nil
}

// PrivateDNSName gives the name by which a region's resolver knows a private
// IPv4 address.
func PrivateDNSName(region string, a netip.Addr) string {
	domain := region + ".compute.internal"
	if region == "us-east-1" {
		domain = "ec2.internal"
	}
	return "ip-" + strings.ReplaceAll(a.String(), ".", "-") + "." + domain
}

// MAC makes an address of the locally administered kind that EC2 gives its
// interfaces out of a random number.
func MAC(random uint64) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], random)
	first := 0x02 | b[0]&0x04
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", first, b[1], b[2], b[3], b[4], b[5])
}

// IPv4Held gives how many addresses of its subnet an interface takes, with
// those of its delegated blocks.
func (i *Interface) IPv4Held() int {
	return len(i.Addresses) + len(i.IPv4Prefixes)<<(32-IPv4PrefixBits)
}

// HostAddresses gives how many addresses of an IPv4 range interfaces can have:
// the first four and the last are the subnet's own. VPC user guide, "Subnet
// CIDR blocks".
func HostAddresses(r netip.Prefix) int { return 1<<(32-r.Bits()) - 5 }

// Reserved reports whether a subnet with the range r keeps an address of it
// for itself: its first four and its last.
func Reserved(r netip.Prefix, a netip.Addr) bool {
	return unit(r.Addr(), 2) == unit(a, 2) || last(r) == a
}

// unit gives an address without its n lowest bits.
func unit(a netip.Addr, n int) netip.Addr {
	return netip.PrefixFrom(a, a.BitLen()-n).Masked().Addr()
}

// last gives the highest address of a range.
func last(r netip.Prefix) netip.Addr {
	b := r.Addr().As16()
	if r.Addr().Is4() {
		for i := r.Bits(); i < 32; i++ {
			b[12+i/8] |= 0x80 >> (i % 8)
		}
		return netip.AddrFrom16(b).Unmap()
	}
	for i := r.Bits(); i < 128; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return netip.AddrFrom16(b)
}

// plus gives the address i<<shift after a, which starts a range that the
// result is in: nothing is carried.
func plus(a netip.Addr, i uint64, shift int) netip.Addr {
	if a.Is4() {
		b := a.As4()
		binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(b[:])+uint32(i<<shift))
		return netip.AddrFrom4(b)
	}
	b := a.As16()
	hi, lo := binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
	binary.BigEndian.PutUint64(b[:8], hi|i>>(64-shift))
	binary.BigEndian.PutUint64(b[8:], lo|i<<shift)
	return netip.AddrFrom16(b)
}

// Held tells what the interfaces of one subnet have: single addresses, and
// blocks that were delegated to them.
type Held struct {
	// Address reports whether an interface has the address itself.
	Address func(netip.Addr) bool
	// Delegated reports whether an interface has the block.
	Delegated func(netip.Prefix) bool
	// Touched reports whether an interface has an address in the block.
	Touched func(netip.Prefix) bool
	// Interfaces gives the interfaces; it is asked only in a nearly full subnet.
	Interfaces func() iter.Seq[*Interface]
}

// An Allocator hands out what is free in one subnet. It serves one call, and
// remembers what it handed out.
//
// It draws at random rather than lowest first, so that an address that was
// released a moment ago does not at once become somebody else's, to whom old
// flows and stale names would lead.
type Allocator struct {
	subnet *Subnet
	held   Held
	random func() uint64

	addresses map[netip.Addr]bool
	delegated map[netip.Prefix]bool
	touched   map[netip.Prefix]bool
	taken     []byte // one bit for each IPv4 address, once the subnet was found nearly full
}

// NewAllocator gives an allocator for a subnet.
func NewAllocator(s *Subnet, held Held, random func() uint64) *Allocator {
	return &Allocator{
		subnet: s, held: held, random: random,
		addresses: map[netip.Addr]bool{}, delegated: map[netip.Prefix]bool{}, touched: map[netip.Prefix]bool{},
	}
}

// draws is how often a place is drawn at random before the subnet counts as
// nearly full: one that is 90 % full fails 32 draws once in 29 times.
const draws = 32

// Take takes an address that a request names.
func (al *Allocator) Take(a netip.Addr) error {
	r, ok := al.rangeOf(a)
	switch {
	case !ok:
		return fault.InvalidParameterValue.Say("Address does not fall within the subnet's address range")
	case Reserved(r, a) && !al.ownBlock(r):
		return fault.InvalidParameterValue.Say("Address is in subnet's reserved address range")
	case !al.free(a):
		return fault.InvalidIPAddressInUse.With(a)
	}
	al.take(a)
	return nil
}

// TakeBlock takes a block that a request names.
func (al *Allocator) TakeBlock(b netip.Prefix) error {
	r, ok := al.rangeOf(b.Addr())
	switch {
	case !ok || r.Bits() > b.Bits():
		return fault.InvalidParameterValue.Say("Prefix does not fall within the subnet's address range")
	case b.Contains(r.Addr()) || b.Contains(last(r)):
		return fault.InvalidParameterValue.Say("Prefix is in subnet's reserved address range")
	case !al.freeBlock(b):
		return fault.InvalidIPAddressInUse.With(b)
	}
	al.takeBlock(b)
	return nil
}

// IPv4 gives a free address, or InsufficientFreeAddressesInSubnet.
func (al *Allocator) IPv4() (netip.Addr, error) {
	if r := al.subnet.CIDR; r.IsValid() {
		n := uint64(1) << (32 - r.Bits())
		for range draws {
			// The last of the n places and the first four are reserved.
			a := plus(r.Addr(), 4+al.random()%(n-5), 0)
			if al.free(a) {
				al.take(a)
				return a, nil
			}
		}
		if i, ok := al.search(1); ok {
			a := plus(r.Addr(), i, 0)
			al.take(a)
			return a, nil
		}
	}
	return netip.Addr{}, fault.InsufficientFreeAddresses.With()
}

// IPv4Block gives a free block, or InsufficientCidrBlocks.
func (al *Allocator) IPv4Block() (netip.Prefix, error) {
	// Of the subnet's blocks the first and the last have reserved addresses.
	if r := al.subnet.CIDR; r.IsValid() && r.Bits() < IPv4PrefixBits-1 {
		n := uint64(1) << (IPv4PrefixBits - r.Bits())
		for range draws {
			b := BlockOf(plus(r.Addr(), 1+al.random()%(n-2), 32-IPv4PrefixBits))
			if al.freeBlock(b) {
				al.takeBlock(b)
				return b, nil
			}
		}
		if i, ok := al.search(1 << (32 - IPv4PrefixBits)); ok {
			b := BlockOf(plus(r.Addr(), i, 0))
			al.takeBlock(b)
			return b, nil
		}
	}
	return netip.Prefix{}, fault.InsufficientCidrBlocks.With()
}

// search looks through the whole IPv4 range for size addresses in a row that
// are free, aligned to size, and gives the offset of the first.
func (al *Allocator) search(size uint64) (offset uint64, ok bool) {
	r := al.subnet.CIDR
	n := uint64(1) << (32 - r.Bits())
	if al.taken == nil {
		al.taken = make([]byte, (n+7)/8)
		for _, i := range []uint64{0, 1, 2, 3, n - 1} {
			al.mark(plus(r.Addr(), i, 0), 1)
		}
		for i := range al.held.Interfaces() {
			for _, a := range i.Addresses {
				al.mark(a, 1)
			}
			for _, b := range i.IPv4Prefixes {
				al.mark(b.Addr(), 1<<(32-IPv4PrefixBits))
			}
		}
		for a := range al.addresses {
			al.mark(a, 1)
		}
		for b := range al.delegated {
			al.mark(b.Addr(), 1<<(32-IPv4PrefixBits))
		}
	}
	units := n / size
	first := al.random() % units
	for i := range units {
		at := (first + i) % units * size
		if al.clear(at, size) {
			return at, true
		}
	}
	return 0, false
}

func (al *Allocator) mark(a netip.Addr, size uint64) {
	if al.taken == nil || !al.subnet.CIDR.Contains(a) {
		return
	}
	base, at := al.subnet.CIDR.Addr().As4(), a.As4()
	offset := uint64(binary.BigEndian.Uint32(at[:]) - binary.BigEndian.Uint32(base[:]))
	for i := offset; i < offset+size; i++ {
		al.taken[i/8] |= 1 << (i % 8)
	}
}

func (al *Allocator) clear(at, size uint64) bool {
	for i := at; i < at+size; i++ {
		if al.taken[i/8]&(1<<(i%8)) != 0 {
			return false
		}
	}
	return true
}

// IPv6 gives a free address, or InsufficientFreeAddressesInSubnet. The subnet
// must have an IPv6 range.
func (al *Allocator) IPv6() (netip.Addr, error) {
	r := al.subnet.IPv6[0].CIDR
	const hostBits = 128 - IPv6PrefixBits
	n := uint64(1) << (IPv6PrefixBits - r.Bits())
	// A block with nothing but single addresses always has room for one more:
	// nobody has 2^48 of them.
	block, ok := al.place(n, 0, n, func(i uint64) bool { return !al.isDelegated(BlockOf(plus(r.Addr(), i, hostBits))) })
	if !ok {
		return netip.Addr{}, fault.InsufficientFreeAddresses.With()
	}
	base := plus(r.Addr(), block, hostBits)
	host, _ := al.place(1<<hostBits, 0, 1<<hostBits, func(i uint64) bool {
		a := plus(base, i, 0)
		return !Reserved(r, a) && al.free(a)
	})
	a := plus(base, host, 0)
	al.take(a)
	return a, nil
}

// IPv6Block gives a free block, or InsufficientCidrBlocks. The subnet must
// have an IPv6 range.
func (al *Allocator) IPv6Block() (netip.Prefix, error) {
	r := al.subnet.IPv6[0].CIDR
	const hostBits = 128 - IPv6PrefixBits
	n := uint64(1) << (IPv6PrefixBits - r.Bits())
	// The first and the last block have reserved addresses.
	i, ok := al.place(n, 1, n-1, func(i uint64) bool { return al.freeBlock(BlockOf(plus(r.Addr(), i, hostBits))) })
	if !ok {
		return netip.Prefix{}, fault.InsufficientCidrBlocks.With()
	}
	b := BlockOf(plus(r.Addr(), i, hostBits))
	al.takeBlock(b)
	return b, nil
}

// place gives one of the n places from least on, below most, that is free: at
// random, and if many draws fail then by going on from the last one. The walk
// takes no more steps than there are places that are not free.
func (al *Allocator) place(n, least, most uint64, free func(uint64) bool) (uint64, bool) {
	if least >= most {
		return 0, false
	}
	at := least + al.random()%(most-least)
	for range draws {
		if free(at) {
			return at, true
		}
		at = least + al.random()%(most-least)
	}
	for range n {
		if free(at) {
			return at, true
		}
		if at++; at == most {
			at = least
		}
	}
	return 0, false
}

// rangeOf gives the range of the subnet that has an address.
func (al *Allocator) rangeOf(a netip.Addr) (netip.Prefix, bool) {
	if al.subnet.CIDR.Contains(a) {
		return al.subnet.CIDR, true
	}
	for _, b := range al.subnet.IPv6 {
		if b.CIDR.Contains(a) {
			return b.CIDR, true
		}
	}
	return netip.Prefix{}, false
}

// ownBlock reports whether a range of the subnet is the operator's own. None of
// its addresses is reserved: hosts have them already.
func (al *Allocator) ownBlock(r netip.Prefix) bool {
	return slices.ContainsFunc(al.subnet.IPv6, func(b Block) bool { return b.CIDR == r && b.Pool == OwnIPv6Pool })
}

func (al *Allocator) free(a netip.Addr) bool {
	return !al.addresses[a] && !al.held.Address(a) && !al.isDelegated(BlockOf(a))
}

func (al *Allocator) freeBlock(b netip.Prefix) bool {
	return !al.isDelegated(b) && !al.touched[b] && !al.held.Touched(b)
}

func (al *Allocator) isDelegated(b netip.Prefix) bool {
	return al.delegated[b] || al.held.Delegated(b)
}

func (al *Allocator) take(a netip.Addr) {
	al.addresses[a] = true
	al.touched[BlockOf(a)] = true
	if a.Is4() {
		al.mark(a, 1)
	}
}

func (al *Allocator) takeBlock(b netip.Prefix) {
	al.delegated[b] = true
	if b.Addr().Is4() {
		al.mark(b.Addr(), 1<<(32-IPv4PrefixBits))
	}
}
