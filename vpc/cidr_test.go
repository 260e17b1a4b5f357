package vpc_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"moat/fault"
	"moat/vpc"
)

// verdict gives the block, or the code of the refusal.
func verdict(p netip.Prefix, err error) string {
	var f *fault.Error
	switch {
	case errors.As(err, &f):
		return f.Code
	case err != nil:
		return err.Error()
	}
	return p.String()
}

func vpcWith(blocks ...string) *vpc.VPC {
	v := &vpc.VPC{ID: "vpc-1"}
	for _, b := range blocks {
		v.Blocks = append(v.Blocks, vpc.Block{CIDR: netip.MustParsePrefix(b)})
	}
	return v
}

func TestPrimaryBlock(t *testing.T) {
	for _, c := range []struct{ want, block string }{
		{"10.0.0.0/16", "10.0.0.0/16"},
		{"10.0.0.0/16", "10.0.0.5/16"},
		{"10.0.0.0/28", "10.0.0.0/28"},
		{"InvalidVpc.Range", "10.0.0.0/29"},
		{"InvalidVpc.Range", "10.0.0.0/15"},
		{"InvalidVpc.Range", "0.0.0.0/0"},
		{"8.8.8.0/24", "8.8.8.0/24"},
		{"100.64.0.0/16", "100.64.0.0/16"},
		{"169.253.0.0/16", "169.253.0.0/16"},
		{"InvalidVpc.Range", "169.254.0.0/16"},
		{"InvalidVpc.Range", "127.0.0.0/24"},
		{"223.255.0.0/16", "223.255.0.0/16"},
		{"InvalidVpc.Range", "224.0.0.0/16"},
		{"InvalidParameterValue", "10.0.0.0"},
		{"InvalidParameterValue", "10.0.0/16"},
		{"InvalidParameterValue", "10.0.0.0/33"},
		{"InvalidParameterValue", "10.0.0.0/-1"},
		{"InvalidParameterValue", " 10.0.0.0/16"},
		{"InvalidParameterValue", "010.0.0.0/16"},
		{"InvalidParameterValue", "2001:db8::/32"},
		{"InvalidParameterValue", "::ffff:10.0.0.0/112"},
		{"InvalidParameterValue", "10.0.0.0/255.255.0.0"},
		{"InvalidParameterValue", ""},
	} {
		if got := verdict(vpc.PrimaryBlock(c.block)); got != c.want {
			t.Errorf("VPC of %q: %s, want %s", c.block, got, c.want)
		}
	}
}

func TestSecondaryBlock(t *testing.T) {
	for _, c := range []struct{ want, has, block string }{
		{"10.3.0.0/16", "10.2.0.0/16", "10.3.0.0/16"},
		{"conflicts", "10.2.0.0/16", "10.2.255.240/28"},
		{"conflicts", "10.2.0.0/24", "10.2.0.0/16"},
		{"restricted", "10.2.0.0/16", "172.16.0.0/16"},
		{"restricted", "10.2.0.0/16", "192.168.0.0/16"},
		{"restricted", "10.2.0.0/16", "198.19.0.0/24"},
		{"100.64.0.0/16", "10.2.0.0/16", "100.64.0.0/16"},
		{"198.18.0.0/16", "10.2.0.0/16", "198.18.0.0/16"},
		{"restricted", "10.1.0.0/16", "10.0.0.0/16"},
		{"10.0.0.0/16", "10.2.0.0/16", "10.0.0.0/16"},
		{"10.1.0.0/16", "10.0.0.0/16", "10.1.0.0/16"},
		{"restricted", "172.16.0.0/16", "172.31.0.0/20"},
		{"172.30.0.0/16", "172.16.0.0/16", "172.30.0.0/16"},
		{"192.168.1.0/24", "192.168.0.0/24", "192.168.1.0/24"},
		{"restricted", "192.168.0.0/24", "10.0.0.0/16"},
		{"restricted", "8.8.8.0/24", "10.0.0.0/16"},
		{"8.8.4.0/24", "8.8.8.0/24", "8.8.4.0/24"},
		{"198.19.1.0/24", "198.19.0.0/24", "198.19.1.0/24"},
		{"is invalid", "10.2.0.0/16", "10.3.0.0/15"},
		{"not a valid CIDR", "10.2.0.0/16", "x"},
	} {
		p, err := vpcWith(c.has, "2600:1f00::/56").SecondaryBlock(c.block)
		got := p.String()
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%s beside %s: %s, want %s", c.block, c.has, got, c.want)
		}
	}
}

func TestSubnetBlocks(t *testing.T) {
	v := vpcWith("10.2.0.0/16", "10.9.0.0/20", "2600:1f00:0:100::/56")
	for _, c := range []struct{ want, block string }{
		{"10.2.0.0/16", "10.2.0.0/16"},
		{"10.2.1.0/28", "10.2.1.9/28"},
		{"10.9.15.0/24", "10.9.15.0/24"},
		{"InvalidSubnet.Range", "10.9.16.0/24"},
		{"InvalidSubnet.Range", "10.9.0.0/16"},
		{"InvalidSubnet.Range", "10.2.1.0/29"},
		{"InvalidSubnet.Range", "10.3.0.0/24"},
		{"InvalidParameterValue", "2600:1f00:0:100::/64"},
	} {
		if got := verdict(v.SubnetBlock(c.block)); got != c.want {
			t.Errorf("subnet %q: %s, want %s", c.block, got, c.want)
		}
	}
	for _, c := range []struct{ want, block string }{
		{"2600:1f00:0:100::/64", "2600:1f00:0:100::/64"},
		{"2600:1f00:0:1ff::/64", "2600:1f00:0:1ff::7/64"},
		{"2600:1f00:0:100::/56", "2600:1f00:0:100::/56"},
		{"2600:1f00:0:110::/60", "2600:1f00:0:110::/60"},
		{"InvalidSubnet.Range", "2600:1f00:0:200::/64"},
		{"InvalidSubnet.Range", "2600:1f00:0:100::/52"},
		{"InvalidParameterValue", "2600:1f00:0:100::/63"},
		{"InvalidParameterValue", "2600:1f00:0:100::/68"},
		{"InvalidParameterValue", "10.2.0.0/24"},
		{"InvalidParameterValue", "2600:1f00:0:100::"},
	} {
		if got := verdict(v.SubnetIPv6Block(c.block)); got != c.want {
			t.Errorf("IPv6 subnet %q: %s, want %s", c.block, got, c.want)
		}
	}
}

func TestNextFree(t *testing.T) {
	for _, c := range []struct {
		want, in string
		bits     int
		taken    string
	}{
		{"172.31.0.0/20", "172.31.0.0/16", 20, ""},
		{"172.31.16.0/20", "172.31.0.0/16", 20, "172.31.0.0/20"},
		{"172.31.16.0/20", "172.31.0.0/16", 20, "172.31.15.240/28"},
		{"172.31.128.0/20", "172.31.0.0/16", 20, "172.31.0.0/17"},
		{"172.31.240.0/20", "172.31.0.0/16", 20, "172.31.0.0/17 172.31.128.0/18 172.31.192.0/19 172.31.224.0/28"},
		{"none", "172.31.0.0/16", 20, "172.31.0.0/16"},
		{"none", "172.31.0.0/24", 20, ""},
		{"none", "255.255.240.0/20", 20, "255.255.255.240/28"},
		{"2600:1f00:0:101::/64", "2600:1f00:0:100::/56", 64, "172.31.0.0/16 2600:1f00:0:100::/64"},
	} {
		var taken []netip.Prefix
		for _, s := range strings.Fields(c.taken) {
			taken = append(taken, netip.MustParsePrefix(s))
		}
		got := "none"
		if p, ok := vpc.NextFree(netip.MustParsePrefix(c.in), c.bits, taken); ok {
			got = p.String()
		}
		if got != c.want {
			t.Errorf("free /%d in %s beside %q: %s, want %s", c.bits, c.in, c.taken, got, c.want)
		}
	}
}

func TestIPv6BlocksDiffer(t *testing.T) {
	one, two := vpc.IPv6Block(1), vpc.IPv6Block(2)
	if one.Overlaps(two) || one.Bits() != 56 || one != one.Masked() {
		t.Errorf("blocks %s and %s", one, two)
	}
	if all := netip.MustParsePrefix("2600:1f00::/24"); !vpc.Contains(all, vpc.IPv6Block(^uint64(0))) || !vpc.Contains(all, vpc.IPv6Block(0)) {
		t.Errorf("%s or %s is outside %s", vpc.IPv6Block(^uint64(0)), vpc.IPv6Block(0), all)
	}
}

func TestCatalogueOfPlaces(t *testing.T) {
	all := vpc.Regions()
	if !slices.IsSortedFunc(all, func(a, b vpc.Region) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("regions are out of order, so that some are not found")
	}
	always, ids := 0, map[string]bool{}
	for _, r := range all {
		if !vpc.KnownRegion(r.Name) {
			t.Errorf("%s is not known", r.Name)
		}
		if !r.OptIn && r.Partition() == "aws" {
			always++
		}
		zones := vpc.Zones(r.Name)
		if len(zones) < 2 {
			t.Errorf("%s has %d zones", r.Name, len(zones))
		}
		for _, z := range zones {
			if ids[z.ID] || z.Region != r.Name || !strings.HasPrefix(z.Name, r.Name) {
				t.Errorf("%+v: its id is not its own", z)
			}
			ids[z.ID] = true
		}
	}
	if always != 17 {
		t.Errorf("%d regions need no opt-in, want 17", always)
	}
	for name, id := range map[string]string{
		"us-east-1a": "use1-az6", "us-east-1f": "use1-az5", "ap-northeast-1c": "apne1-az1",
		"ap-southeast-2b": "apse2-az3", "us-gov-west-1a": "usgw1-az1", "cn-northwest-1a": "cnnw1-az1",
		"lab-1c": "lab1-az3", "moatc": "moat-az3",
	} {
		region := name[:len(name)-1]
		if z, ok := vpc.ZoneNamed(region, name); !ok || z.ID != id {
			t.Errorf("zone %s: %q, want %s", name, z.ID, id)
		}
		if z, ok := vpc.ZoneByID(region, id); !ok || z.Name != name {
			t.Errorf("zone %s: %q, want %s", id, z.Name, name)
		}
	}
	if _, ok := vpc.ZoneNamed("us-east-1", "us-west-2a"); ok || vpc.KnownRegion("lab-1") || vpc.KnownRegion("") {
		t.Error("found what is not there")
	}
}

func TestDefaultDHCPOptions(t *testing.T) {
	id := vpc.DefaultDHCPOptions("us-east-1", "123456789012")
	if !vpc.WellFormed("dopt", id) || id != vpc.DefaultDHCPOptions("us-east-1", "123456789012") {
		t.Errorf("id %q is malformed or not stable", id)
	}
	if id == vpc.DefaultDHCPOptions("us-east-2", "123456789012") || id == vpc.DefaultDHCPOptions("us-east-1", "123456789013") {
		t.Error("two spaces share their options")
	}
}

// What is taken as a block is canonical, reads back as itself, and lies where
// it may.
func FuzzCIDR(f *testing.F) {
	for _, s := range []string{
		"10.0.0.0/16", "10.2.0.5/24", "10.2.0.0/28", "172.31.0.0/20", "0.0.0.0/0", "255.255.255.255/32", "10.0.0.0", "10.0.0.0/016",
		"2600:1f00:0:100::/64", "::/0", "::ffff:10.0.0.0/112", "fe80::1%eth0/64", "2600:1f00::/24", "/", "10.2.0.0/16/24", "",
	} {
		f.Add(s)
	}
	v := vpcWith("10.2.0.0/16", "2600:1f00:0:100::/56")
	f.Fuzz(func(t *testing.T, s string) {
		canonical := func(p netip.Prefix, err error, ipv6 bool, again func(string) (netip.Prefix, error)) bool {
			if err != nil {
				var fe *fault.Error
				if !errors.As(err, &fe) || fe.Status != 400 {
					t.Fatalf("%q: %v is no fault of the caller's", s, err)
				}
				return false
			}
			if q, err := again(p.String()); err != nil || q != p || p != p.Masked() || p.Addr().Is6() != ipv6 {
				t.Fatalf("%q: %s is read again as %s (%v)", s, p, q, err)
			}
			return true
		}
		four := func(s string) (netip.Prefix, error) { return vpc.ParseCIDR4("cidrBlock", s) }
		six := func(s string) (netip.Prefix, error) { return vpc.ParseCIDR6("ipv6CidrBlock", s) }
		p, err := four(s)
		ok4 := canonical(p, err, false, four)
		p, err = six(s)
		if ok6 := canonical(p, err, true, six); ok4 && ok6 {
			t.Fatalf("%q is of both families", s)
		}
		if p, err := vpc.PrimaryBlock(s); canonical(p, err, false, vpc.PrimaryBlock) && (p.Bits() < 16 || p.Bits() > 28) {
			t.Fatalf("%q makes a VPC of /%d", s, p.Bits())
		}
		if p, err := v.SecondaryBlock(s); canonical(p, err, false, v.SecondaryBlock) && p.Overlaps(v.Blocks[0].CIDR) {
			t.Fatalf("%q overlaps the first block", s)
		}
		if p, err := v.SubnetBlock(s); canonical(p, err, false, v.SubnetBlock) && !vpc.Contains(v.Blocks[0].CIDR, p) {
			t.Fatalf("subnet %q is outside its VPC", s)
		}
		if p, err := v.SubnetIPv6Block(s); canonical(p, err, true, v.SubnetIPv6Block) && !vpc.Contains(v.Blocks[1].CIDR, p) {
			t.Fatalf("subnet %q is outside its VPC", s)
		}
	})
}
