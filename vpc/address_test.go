package vpc_test

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"moat/fault"
	"moat/vpc"
)

// A book is what the interfaces of a test's subnet hold, kept in the plainest way.
type book struct {
	subnet     *vpc.Subnet
	interfaces []*vpc.Interface
}

func (b *book) any(holds func(*vpc.Interface) bool) bool {
	return slices.ContainsFunc(b.interfaces, holds)
}

func (b *book) allocator(random func() uint64) *vpc.Allocator {
	return vpc.NewAllocator(b.subnet, vpc.Held{
		Address: func(a netip.Addr) bool {
			return b.any(func(i *vpc.Interface) bool { return slices.Contains(i.Addresses, a) || slices.Contains(i.IPv6, a) })
		},
		Delegated: func(p netip.Prefix) bool {
			return b.any(func(i *vpc.Interface) bool {
				return slices.Contains(i.IPv4Prefixes, p) || slices.Contains(i.IPv6Prefixes, p)
			})
		},
		Touched: func(p netip.Prefix) bool {
			return b.any(func(i *vpc.Interface) bool {
				return slices.ContainsFunc(i.Addresses, p.Contains) || slices.ContainsFunc(i.IPv6, p.Contains)
			})
		},
		Interfaces: func() iter.Seq[*vpc.Interface] { return slices.Values(b.interfaces) },
	}, random)
}

// twice tells of two things in the book that overlap, or of one that is
// outside of the subnet or reserved; "" if all is well.
func (b *book) twice() string {
	var all []netip.Prefix
	for _, i := range b.interfaces {
		for _, a := range slices.Concat(i.Addresses, i.IPv6) {
			all = append(all, netip.PrefixFrom(a, a.BitLen()))
		}
		all = slices.Concat(all, i.IPv4Prefixes, i.IPv6Prefixes)
	}
	ranges := []netip.Prefix{b.subnet.CIDR}
	for _, r := range b.subnet.IPv6 {
		ranges = append(ranges, r.CIDR)
	}
	for n, p := range all {
		inside := false
		for _, r := range ranges {
			inside = inside || r.Contains(p.Addr()) && r.Bits() <= p.Bits()
			reserved := []netip.Addr{r.Addr(), r.Addr().Next(), r.Addr().Next().Next(), r.Addr().Next().Next().Next(), lastOf(r)}
			if slices.ContainsFunc(reserved, p.Contains) {
				return fmt.Sprintf("%v is reserved in %v", p, r)
			}
		}
		if !inside {
			return fmt.Sprintf("%v is outside of %v", p, ranges)
		}
		for _, q := range all[:n] {
			if p.Overlaps(q) {
				return fmt.Sprintf("%v and %v are both held", p, q)
			}
		}
	}
	return ""
}

// lastOf counts up from the range that follows, other than the code does.
func lastOf(r netip.Prefix) netip.Addr {
	b := r.Addr().AsSlice()
	for bit := r.Bits(); bit < len(b)*8; bit++ {
		b[bit/8] |= 1 << (7 - bit%8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

func subnet(v4 string, v6 ...string) *vpc.Subnet {
	s := &vpc.Subnet{ID: "subnet-1", CIDR: netip.MustParsePrefix(v4)}
	for _, r := range v6 {
		s.IPv6 = append(s.IPv6, vpc.Block{CIDR: netip.MustParsePrefix(r)})
	}
	return s
}

func seeded(seed uint64) func() uint64 { return rand.New(rand.NewPCG(seed, 1)).Uint64 }

func TestTakeRefuses(t *testing.T) {
	in := func(has ...string) *book {
		b := &book{subnet: subnet("10.0.1.0/24", "2001:db8:0:1::/64")}
		i := &vpc.Interface{}
		for _, s := range has {
			switch p, err := netip.ParsePrefix(s); {
			case err != nil && netip.MustParseAddr(s).Is4():
				i.Addresses = append(i.Addresses, netip.MustParseAddr(s))
			case err != nil:
				i.IPv6 = append(i.IPv6, netip.MustParseAddr(s))
			case p.Addr().Is4():
				i.IPv4Prefixes = append(i.IPv4Prefixes, p)
			default:
				i.IPv6Prefixes = append(i.IPv6Prefixes, p)
			}
		}
		b.interfaces = append(b.interfaces, i)
		return b
	}
	const outside, reserved = "Address does not fall within the subnet's address range", "Address is in subnet's reserved address range"
	for _, c := range []struct {
		want, take string
		has        *book
	}{
		{"", "10.0.1.4", in()},
		{reserved, "10.0.1.3", in()},
		{reserved, "10.0.1.0", in()},
		{"", "10.0.1.254", in()},
		{reserved, "10.0.1.255", in()},
		{outside, "10.0.2.4", in()},
		{outside, "10.0.0.254", in()},
		{"Address 10.0.1.9 is in use.", "10.0.1.9", in("10.0.1.9")},
		{"", "10.0.1.10", in("10.0.1.9")},
		{"Address 10.0.1.40 is in use.", "10.0.1.40", in("10.0.1.32/28")},
		{"", "10.0.1.48", in("10.0.1.32/28")},

		{"", "2001:db8:0:1::4", in()},
		{reserved, "2001:db8:0:1::3", in()},
		{"", "2001:db8:0:1:ffff:ffff:ffff:fffe", in()},
		{reserved, "2001:db8:0:1:ffff:ffff:ffff:ffff", in()},
		{outside, "2001:db8:0:2::4", in()},
		{"Address 2001:db8:0:1:5::9 is in use.", "2001:db8:0:1:5::9", in("2001:db8:0:1:5::9")},
		{"Address 2001:db8:0:1:5::9 is in use.", "2001:db8:0:1:5::9", in("2001:db8:0:1:5::/80")},
		{"", "2001:db8:0:1:6::9", in("2001:db8:0:1:5::/80")},

		{"", "10.0.1.32/28", in("10.0.1.31", "10.0.1.48")},
		{"Address 10.0.1.32/28 is in use.", "10.0.1.32/28", in("10.0.1.47")},
		{"Address 10.0.1.32/28 is in use.", "10.0.1.32/28", in("10.0.1.32/28")},
		{"", "10.0.1.16/28", in("10.0.1.32/28")},
		{"Prefix is in subnet's reserved address range", "10.0.1.0/28", in()},
		{"Prefix is in subnet's reserved address range", "10.0.1.240/28", in()},
		{"Prefix does not fall within the subnet's address range", "10.0.2.16/28", in()},
		{"", "2001:db8:0:1:5::/80", in("2001:db8:0:1:6::9")},
		{"Address 2001:db8:0:1:5::/80 is in use.", "2001:db8:0:1:5::/80", in("2001:db8:0:1:5::9")},
		{"Prefix is in subnet's reserved address range", "2001:db8:0:1::/80", in()},
	} {
		al := c.has.allocator(seeded(1))
		var err error
		if p, perr := netip.ParsePrefix(c.take); perr == nil {
			err = al.TakeBlock(p)
		} else {
			err = al.Take(netip.MustParseAddr(c.take))
		}
		got := ""
		if err != nil {
			got = err.(*fault.Error).Message
		}
		if got != c.want {
			t.Errorf("take %s beside %v: %q, want %q", c.take, c.has.interfaces[0], got, c.want)
		}
	}
}

func TestTakenOnceInOneCall(t *testing.T) {
	al := (&book{subnet: subnet("10.0.1.0/24", "2001:db8::/64")}).allocator(seeded(1))
	for _, a := range []string{"10.0.1.20", "2001:db8::5:0:0:9"} {
		if err := al.Take(netip.MustParseAddr(a)); err != nil {
			t.Fatal(err)
		}
		if err := al.Take(netip.MustParseAddr(a)); err == nil {
			t.Errorf("%s was taken twice in one call", a)
		}
		if err := al.TakeBlock(vpc.BlockOf(netip.MustParseAddr(a))); err == nil {
			t.Errorf("the block of %s was taken beside it", a)
		}
	}
}

// Every address of a subnet can be handed out, each once, and then no more:
// VPC user guide, "Subnet CIDR blocks".
func TestSubnetIsHandedOutWhole(t *testing.T) {
	const tooMany = 1 << 13
	for _, cidr := range []string{"10.0.0.0/28", "10.0.0.16/28", "10.9.0.0/27", "172.31.0.0/24", "10.0.0.0/20"} {
		al := (&book{subnet: subnet(cidr)}).allocator(seeded(7))
		got := map[netip.Addr]bool{}
		var err error
		for err == nil && len(got) < tooMany {
			var a netip.Addr
			if a, err = al.IPv4(); err == nil {
				if got[a] {
					t.Fatalf("%s: %s handed out twice", cidr, a)
				}
				got[a] = true
			}
		}
		if want := vpc.HostAddresses(netip.MustParsePrefix(cidr)); len(got) != want {
			t.Errorf("%s: %d addresses handed out, want %d", cidr, len(got), want)
		}
		if f := err.(*fault.Error); f.Code != "InsufficientFreeAddressesInSubnet" {
			t.Errorf("%s: then %v", cidr, f)
		}
		for _, n := range []int{0, 1, 2, 3} {
			a := netip.MustParsePrefix(cidr).Addr()
			for range n {
				a = a.Next()
			}
			if got[a] {
				t.Errorf("%s: reserved %s handed out", cidr, a)
			}
		}
		if a := lastOf(netip.MustParsePrefix(cidr)); got[a] {
			t.Errorf("%s: reserved %s handed out", cidr, a)
		}
	}
}

func TestBlocksAreHandedOutWhole(t *testing.T) {
	for _, c := range []struct {
		want int
		cidr string
	}{
		{0, "10.0.0.0/28"}, {0, "10.0.0.0/27"}, {2, "10.0.0.0/26"}, {14, "10.0.0.0/24"}, {254, "10.0.0.0/20"},
	} {
		al := (&book{subnet: subnet(c.cidr)}).allocator(seeded(3))
		got := map[netip.Prefix]bool{}
		for len(got) <= c.want {
			b, err := al.IPv4Block()
			if err == nil && got[b] {
				t.Fatalf("%s: %v handed out twice", c.cidr, b)
			}
			if err != nil {
				if f := err.(*fault.Error); f.Code != "InsufficientCidrBlocks" {
					t.Errorf("%s: %v", c.cidr, f)
				}
				break
			}
			got[b] = true
		}
		if len(got) != c.want {
			t.Errorf("%s: %d blocks, want %d", c.cidr, len(got), c.want)
		}
	}
}

// A /64 has 65536 blocks. When all but the reserved ones are delegated there
// is no further block, and single addresses go where no block was given.
func TestIPv6BlocksRunOut(t *testing.T) {
	s := subnet("10.0.0.0/24", "2001:db8::/64")
	delegated := map[netip.Prefix]bool{}
	al := vpc.NewAllocator(s, vpc.Held{
		Address:    func(netip.Addr) bool { return false },
		Delegated:  func(p netip.Prefix) bool { return delegated[p] },
		Touched:    func(netip.Prefix) bool { return false },
		Interfaces: func() iter.Seq[*vpc.Interface] { return slices.Values([]*vpc.Interface(nil)) },
	}, seeded(5))
	for n := range 1<<16 - 2 {
		b, err := al.IPv6Block()
		if err != nil {
			t.Fatalf("after %d blocks: %v", n, err)
		}
		if delegated[b] {
			t.Fatalf("%v handed out twice", b)
		}
		delegated[b] = true
	}
	if b, err := al.IPv6Block(); err == nil {
		t.Fatalf("one more block: %v", b)
	}
	a, err := al.IPv6()
	if err != nil {
		t.Fatal(err)
	}
	if delegated[vpc.BlockOf(a)] {
		t.Errorf("%v is in a delegated block", a)
	}
}

// A subnet may be larger than a /64, and then all of it is used.
func TestLargeIPv6Subnet(t *testing.T) {
	r := netip.MustParsePrefix("2001:db8:0:100::/56")
	al := (&book{subnet: subnet("10.0.0.0/24", r.String())}).allocator(seeded(1))
	networks := map[netip.Prefix]bool{}
	for range 40 {
		a, err := al.IPv6()
		if err != nil {
			t.Fatal(err)
		}
		b, err := al.IPv6Block()
		if err != nil {
			t.Fatal(err)
		}
		if !r.Contains(a) || !r.Contains(b.Addr()) {
			t.Errorf("%v or %v is outside of %v", a, b, r)
		}
		networks[netip.PrefixFrom(a, 64).Masked()], networks[netip.PrefixFrom(b.Addr(), 64).Masked()] = true, true
	}
	if len(networks) < 20 {
		t.Errorf("80 draws out of 256 networks met %d", len(networks))
	}
}

// The law: whatever is created, assigned, released and deleted, in whatever
// order, nothing is held twice, nothing reserved is held, and a refusal of
// "no more" is true.
func TestNothingIsHandedOutTwice(t *testing.T) {
	for seed := range uint64(60) {
		orders(t, seed, 300)
	}
}

func FuzzNothingIsHandedOutTwice(f *testing.F) {
	f.Add(uint64(1), uint16(100))
	f.Fuzz(func(t *testing.T, seed uint64, steps uint16) { orders(t, seed, int(steps%500)) })
}

func orders(t *testing.T, seed uint64, steps int) {
	rnd := rand.New(rand.NewPCG(seed, 2))
	b := &book{subnet: subnet([]string{"10.0.0.0/28", "10.0.0.0/26", "10.0.0.0/25", "10.0.0.128/25"}[rnd.IntN(4)], "2001:db8:0:5::/64")}
	// Few distinct random numbers make collisions likely.
	narrow := func() uint64 { return rnd.Uint64N(40) }
	for step := range steps {
		var i *vpc.Interface
		if n := len(b.interfaces); n == 0 || rnd.IntN(4) == 0 {
			i = &vpc.Interface{}
			b.interfaces = append(b.interfaces, i)
		} else {
			i = b.interfaces[rnd.IntN(n)]
		}
		al := b.allocator([]func() uint64{narrow, rnd.Uint64}[rnd.IntN(2)])
		var what string
		switch rnd.IntN(10) {
		case 0, 1:
			what = "address"
			if a, err := al.IPv4(); err == nil {
				i.Addresses = append(i.Addresses, a)
			} else if free := b.freeIPv4(); free != "" {
				t.Fatalf("seed %d step %d: %v, but %s is free", seed, step, err, free)
			}
		case 2:
			what = "block"
			if p, err := al.IPv4Block(); err == nil {
				i.IPv4Prefixes = append(i.IPv4Prefixes, p)
			}
		case 3:
			what = "IPv6 address"
			if a, err := al.IPv6(); err == nil {
				i.IPv6 = append(i.IPv6, a)
			}
		case 4:
			what = "IPv6 block"
			if p, err := al.IPv6Block(); err == nil {
				i.IPv6Prefixes = append(i.IPv6Prefixes, p)
			}
		case 5:
			what = "named address"
			base := b.subnet.CIDR.Addr().As4()
			base[3] += byte(rnd.IntN(160))
			if a := netip.AddrFrom4(base); al.Take(a) == nil {
				i.Addresses = append(i.Addresses, a)
			}
		case 6:
			what = "named block"
			base := b.subnet.CIDR.Addr().As4()
			base[3] += byte(rnd.IntN(9) * 16)
			if p := vpc.BlockOf(netip.AddrFrom4(base)); al.TakeBlock(p) == nil {
				i.IPv4Prefixes = append(i.IPv4Prefixes, p)
			}
		case 7:
			what = "several"
			for range rnd.IntN(5) {
				if a, err := al.IPv4(); err == nil {
					i.Addresses = append(i.Addresses, a)
				}
				if p, err := al.IPv4Block(); err == nil {
					i.IPv4Prefixes = append(i.IPv4Prefixes, p)
				}
			}
		case 8:
			what = "release"
			if n := len(i.Addresses); n > 0 {
				i.Addresses = slices.Delete(i.Addresses, rnd.IntN(n), n)
			}
			i.IPv4Prefixes, i.IPv6Prefixes = nil, nil
		case 9:
			what = "delete"
			b.interfaces = slices.DeleteFunc(b.interfaces, func(x *vpc.Interface) bool { return x == i })
		}
		if found := b.twice(); found != "" {
			t.Fatalf("seed %d step %d, after %s: %s", seed, step, what, found)
		}
	}
}

// freeIPv4 gives an address that could be handed out, or "".
func (b *book) freeIPv4() string {
	r := b.subnet.CIDR
	a := r.Addr()
	for range 4 {
		a = a.Next()
	}
	for ; a != lastOf(r); a = a.Next() {
		held := b.any(func(i *vpc.Interface) bool {
			return slices.Contains(i.Addresses, a) || slices.ContainsFunc(i.IPv4Prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
		})
		if !held {
			return a.String()
		}
	}
	return ""
}

func TestAddressesParse(t *testing.T) {
	for _, s := range []string{"", "10.0.0", "10.0.0.256", "010.0.0.1", "10.0.0.1/32", "::1", "::ffff:10.0.0.1"} {
		if a, err := vpc.ParseIPv4(s); err == nil || err.Error() != "InvalidParameterValue: invalid value for parameter address: "+s {
			t.Errorf("ParseIPv4(%q) = %v, %v", s, a, err)
		}
	}
	for _, s := range []string{"", "10.0.0.1", "::ffff:10.0.0.1", "fe80::1%eth0", "2001:db8::/64"} {
		if a, err := vpc.ParseIPv6(s); err == nil {
			t.Errorf("ParseIPv6(%q) = %v", s, a)
		}
	}
	if a, err := vpc.ParseIPv6("2001:DB8:0:0::1"); err != nil || a.String() != "2001:db8::1" {
		t.Errorf("a differently spelled address: %v, %v", a, err)
	}
	for _, s := range []string{"10.0.0.16/27", "10.0.0.17/28", "10.0.0.16", "2001:db8::/80", "x"} {
		if p, err := vpc.ParseIPv4Block(s); err == nil {
			t.Errorf("ParseIPv4Block(%q) = %v", s, p)
		}
	}
	if _, err := vpc.ParseIPv6Block("2001:db8::/64"); err == nil {
		t.Error("a /64 was taken as a block")
	}
	if p, err := vpc.ParseIPv6Block("2001:db8:0:0:5::/80"); err != nil || p.Bits() != 80 {
		t.Errorf("a /80: %v, %v", p, err)
	}
}

func TestNames(t *testing.T) {
	a := netip.MustParseAddr("10.0.0.5")
	if got := vpc.PrivateDNSName("us-east-1", a); got != "ip-10-0-0-5.ec2.internal" {
		t.Error(got)
	}
	if got := vpc.PrivateDNSName("eu-west-1", a); got != "ip-10-0-0-5.eu-west-1.compute.internal" {
		t.Error(got)
	}
	if got := vpc.MAC(0xffaabbccddee0000); got != "06:aa:bb:cc:dd:ee" {
		t.Error(got)
	}
	if got := vpc.MAC(0x01aabbccddee0000); got != "02:aa:bb:cc:dd:ee" {
		t.Error(got)
	}
}

func TestTrackingTimeouts(t *testing.T) {
	n := func(v int32) *int32 { return &v }
	for _, c := range []struct {
		want             string
		tcp, stream, udp *int32
	}{
		{"", n(60), n(60), n(30)},
		{"", n(432000), n(180), n(60)},
		{"", nil, nil, nil},
		{"Value (59) for parameter tcpEstablishedTimeout is invalid. The timeout must be between 60 and 432000 seconds.", n(59), nil, nil},
		{"Value (432001) for parameter tcpEstablishedTimeout is invalid. The timeout must be between 60 and 432000 seconds.", n(432001), nil, nil},
		{"Value (59) for parameter udpStreamTimeout is invalid. The timeout must be between 60 and 180 seconds.", nil, n(59), nil},
		{"Value (181) for parameter udpStreamTimeout is invalid. The timeout must be between 60 and 180 seconds.", nil, n(181), nil},
		{"Value (29) for parameter udpTimeout is invalid. The timeout must be between 30 and 60 seconds.", nil, nil, n(29)},
		{"Value (61) for parameter udpTimeout is invalid. The timeout must be between 30 and 60 seconds.", nil, nil, n(61)},
	} {
		_, err := (*vpc.ConnectionTracking)(nil).With(c.tcp, c.stream, c.udp)
		got := ""
		if err != nil {
			got = err.(*fault.Error).Message
		}
		if got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	set := &vpc.ConnectionTracking{TCPEstablished: 100, UDP: 40}
	got, err := set.With(nil, n(90), nil)
	if err != nil || *got != (vpc.ConnectionTracking{TCPEstablished: 100, UDPStream: 90, UDP: 40}) || set.UDPStream != 0 {
		t.Errorf("one more timeout: %+v, %v; before it was %+v", got, err, set)
	}
}

// The last free address of a subnet with 4091 is found without a look-up for
// each of the others.
func TestNearlyFullSubnetIsFast(t *testing.T) {
	s := subnet("10.0.0.0/20")
	full := &vpc.Interface{}
	held := map[netip.Addr]bool{}
	al := (&book{subnet: s}).allocator(seeded(1))
	for range vpc.HostAddresses(s.CIDR) - 1 {
		a, err := al.IPv4()
		if err != nil {
			t.Fatal(err)
		}
		full.Addresses, held[a] = append(full.Addresses, a), true
	}
	asked := 0
	al = vpc.NewAllocator(s, vpc.Held{
		Address:    func(a netip.Addr) bool { asked++; return held[a] },
		Delegated:  func(netip.Prefix) bool { asked++; return false },
		Touched:    func(netip.Prefix) bool { asked++; return false },
		Interfaces: func() iter.Seq[*vpc.Interface] { return slices.Values([]*vpc.Interface{full}) },
	}, seeded(2))
	start := time.Now()
	if a, err := al.IPv4(); err != nil || held[a] {
		t.Fatalf("%v, %v", a, err)
	}
	if asked > 100 {
		t.Errorf("%d look-ups", asked)
	}
	if _, err := al.IPv4(); err == nil {
		t.Error("one more address than there are")
	}
	t.Log(time.Since(start))
}
