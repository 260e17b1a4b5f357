package ec2_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"moat/ec2/ec2test"
	"moat/state"
	"moat/vpc"
)

// An eniNet is a world with a VPC of its own, 10.0.0.0/16 with IPv6, in which
// tests have subnets as they like.
type eniNet struct {
	*ec2test.World
	t   *testing.T
	vpc vpc.VPCID
	def vpc.GroupID
}

func newENINet(t *testing.T) *eniNet {
	n := &eniNet{World: ec2test.New(t), t: t, vpc: "vpc-0123456789abcdef0", def: "sg-0123456789abcdef0"}
	n.Stage(func(tx *state.Txn) error {
		state.VPCs.Put(tx, &vpc.VPC{ID: n.vpc, Owner: tx.Account, Tenancy: "default", Blocks: []vpc.Block{
			{CIDR: netip.MustParsePrefix("10.0.0.0/16")}, {CIDR: netip.MustParsePrefix("2001:db8:0:100::/56")},
		}})
		return nil
	})
	n.group(string(n.def), "default")
	return n
}

func (n *eniNet) group(id, name string) string {
	n.Stage(func(tx *state.Txn) error {
		state.Groups.Put(tx, &vpc.SecurityGroup{ID: vpc.GroupID(id), Owner: tx.Account, VPC: n.vpc, Name: name, Description: name})
		return nil
	})
	return id
}

// subnet makes a subnet with an IPv4 range, an IPv6 range, or both.
func (n *eniNet) subnet(cidrs ...string) string {
	s := &vpc.Subnet{VPC: n.vpc, AvailabilityZone: "us-east-1a"}
	for _, c := range cidrs {
		p := netip.MustParsePrefix(c)
		if p.Addr().Is4() {
			s.CIDR = p
		} else {
			s.IPv6 = append(s.IPv6, vpc.Block{CIDR: p})
		}
	}
	s.IPv6Native = !s.CIDR.IsValid()
	n.Stage(func(tx *state.Txn) error {
		s.ID, s.Owner = vpc.SubnetID(tx.NewID(vpc.SubnetPrefix)), tx.Account
		state.Subnets.Put(tx, s)
		return nil
	})
	return string(s.ID)
}

// create gives the id and the reply of a new interface.
func (n *eniNet) create(subnet string, params ...string) (id, xml string) {
	n.t.Helper()
	xml = n.Must("CreateNetworkInterface", append([]string{"SubnetId", subnet}, params...)...)
	return ec2test.One(xml, "networkInterfaceId"), xml
}

func (n *eniNet) describe(params ...string) string {
	n.t.Helper()
	return n.Must("DescribeNetworkInterfaces", params...)
}

// row gives an interface's record.
func (n *eniNet) row(id string) *vpc.Interface {
	n.t.Helper()
	i := state.Interfaces.Get(n.Space(), vpc.InterfaceID(id))
	if i == nil {
		n.t.Fatalf("%s is gone", id)
	}
	return i
}

// attach binds an interface as AttachNetworkInterface will.
func (n *eniNet) attach(id string, a vpc.Attachment) {
	n.Stage(func(tx *state.Txn) error {
		i := *state.Interfaces.Get(tx, vpc.InterfaceID(id))
		i.Attachment = &a
		state.Interfaces.Put(tx, &i)
		return nil
	})
}

func wantENIMessage(t *testing.T, want, got string) {
	t.Helper()
	if got != want {
		t.Errorf("message %q, want %q", got, want)
	}
}

func addresses(i *vpc.Interface) string { return fmt.Sprint(i.Addresses, i.IPv6) }

const (
	badENIValue       = "InvalidParameterValue"
	badENICombination = "InvalidParameterCombination"
	eniIPv6           = "2001:db8:0:101::/64"
)

func TestCreateNetworkInterface_Shape(t *testing.T) {
	n := newENINet(t)
	s := n.subnet("10.0.1.0/24")
	id, xml := n.create(s, "PrivateIpAddress", "10.0.1.9")
	mac := ec2test.One(xml, "macAddress")
	if !regexp.MustCompile(`^0[26](:[0-9a-f]{2}){5}$`).MatchString(mac) {
		t.Errorf("mac %q", mac)
	}
	want := strings.NewReplacer("\n", "", "\t", "").Replace(`<networkInterface>
		<availabilityZone>us-east-1a</availabilityZone>
		<description/>
		<groupSet><item><groupId>sg-0123456789abcdef0</groupId><groupName>default</groupName></item></groupSet>
		<interfaceType>interface</interfaceType>
		<ipv6AddressesSet/>
		<macAddress>` + mac + `</macAddress>
		<networkInterfaceId>` + id + `</networkInterfaceId>
		<ownerId>123456789012</ownerId>
		<privateDnsName>ip-10-0-1-9.ec2.internal</privateDnsName>
		<privateIpAddress>10.0.1.9</privateIpAddress>
		<privateIpAddressesSet><item><primary>true</primary><privateDnsName>ip-10-0-1-9.ec2.internal</privateDnsName>
		<privateIpAddress>10.0.1.9</privateIpAddress></item></privateIpAddressesSet>
		<requesterId>123456789012</requesterId><requesterManaged>false</requesterManaged><sourceDestCheck>true</sourceDestCheck>
		<status>STATUS</status><subnetId>` + s + `</subnetId><tagSet/><vpcId>vpc-0123456789abcdef0</vpcId>
		<operator><managed>false</managed><hiddenByDefault>false</hiddenByDefault></operator><availabilityZoneId>use1-az6</availabilityZoneId></networkInterface>`)
	if pending := strings.Replace(want, "STATUS", "pending", 1); !strings.Contains(xml, pending) {
		t.Errorf("created:\n%s\nwant\n%s", xml, pending)
	}
	list := strings.NewReplacer("networkInterface>", "item>", "STATUS", "available").Replace(want)
	if got := n.describe("NetworkInterfaceId.1", id); !strings.Contains(got, "<networkInterfaceSet>"+list+"</networkInterfaceSet>") {
		t.Errorf("described:\n%s\nwant\n%s", got, list)
	}
}

func TestCreateNetworkInterface_Refusals(t *testing.T) {
	n := newENINet(t)
	s, plain, native := n.subnet("10.0.1.0/24", eniIPv6), n.subnet("10.0.2.0/24"), n.subnet("2001:db8:0:102::/64")
	n.create(s, "PrivateIpAddress", "10.0.1.9")
	for _, c := range []struct {
		code, message string
		params        []string
	}{
		{"MissingParameter", "The request must contain the parameter subnetId", nil},
		{"InvalidSubnetID.Malformed", `Invalid id: "subnet-x" (expecting "subnet-...")`, []string{"SubnetId", "subnet-x"}},
		{"InvalidSubnetID.NotFound", "The subnet ID 'subnet-12345678' does not exist", []string{"SubnetId", "subnet-12345678"}},
		{"InvalidGroupId.Malformed", `Invalid id: "web" (expecting "sg-...")`, []string{"SubnetId", "subnet-12345678", "SecurityGroupId.1", "web"}},
		{"InvalidGroup.NotFound", "The security group 'sg-12345678' does not exist", []string{"SubnetId", s, "SecurityGroupId.1", "sg-12345678"}},
		{"InvalidParameter", "You have specified two resources that belong to different networks.", []string{"SubnetId", s, "SecurityGroupId.1", string(state.DefaultGroup(n.Space(), state.DefaultVPC(n.Space()).ID).ID)}},
		{badENIValue, "Value (nic) for parameter interfaceType is invalid. The interface type is not supported.", []string{"SubnetId", s, "InterfaceType", "nic"}},
		{"UnsupportedOperation", "The parameter operator is reserved for internal use.", []string{"SubnetId", s, "Operator.Principal", "x"}},
		{badENIValue, "Value (5) for parameter udpTimeout is invalid. The timeout must be between 30 and 60 seconds.", []string{"SubnetId", s, "ConnectionTrackingSpecification.UdpTimeout", "5"}},

		{badENIValue, "invalid value for parameter address: 10.0.1", []string{"SubnetId", s, "PrivateIpAddress", "10.0.1"}},
		{badENIValue, "invalid value for parameter address: ::5", []string{"SubnetId", s, "PrivateIpAddresses.1.PrivateIpAddress", "::5"}},
		{badENIValue, "Address does not fall within the subnet's address range", []string{"SubnetId", s, "PrivateIpAddress", "10.0.2.9"}},
		{badENIValue, "Address is in subnet's reserved address range", []string{"SubnetId", s, "PrivateIpAddress", "10.0.1.1"}},
		{"InvalidIPAddress.InUse", "Address 10.0.1.9 is in use.", []string{"SubnetId", s, "PrivateIpAddress", "10.0.1.9"}},
		{"InvalidIPAddress.InUse", "Address 10.0.1.9 is in use.", []string{"SubnetId", s, "PrivateIpAddresses.1.PrivateIpAddress", "10.0.1.9"}},
		{badENICombination, "Only one primary private IP address can be specified.", []string{"SubnetId", s, "PrivateIpAddress", "10.0.1.10", "PrivateIpAddresses.1.PrivateIpAddress", "10.0.1.11", "PrivateIpAddresses.1.Primary", "true"}},
		{badENICombination, "Only one primary private IP address can be specified.", []string{"SubnetId", s, "PrivateIpAddresses.1.PrivateIpAddress", "10.0.1.10", "PrivateIpAddresses.1.Primary", "true", "PrivateIpAddresses.2.PrivateIpAddress", "10.0.1.11", "PrivateIpAddresses.2.Primary", "true"}},
		{badENICombination, "The parameter secondaryPrivateIpAddressCount cannot be used with the parameter privateIpAddresses", []string{"SubnetId", s, "SecondaryPrivateIpAddressCount", "1", "PrivateIpAddresses.1.PrivateIpAddress", "10.0.1.10", "PrivateIpAddresses.2.PrivateIpAddress", "10.0.1.11"}},
		{badENICombination, "The parameter secondaryPrivateIpAddressCount cannot be used with the parameter ipv4PrefixCount", []string{"SubnetId", s, "SecondaryPrivateIpAddressCount", "1", "Ipv4PrefixCount", "1"}},
		{badENICombination, "The parameter ipv4Prefixes cannot be used with the parameter ipv4PrefixCount", []string{"SubnetId", s, "Ipv4Prefix.1.Ipv4Prefix", "10.0.1.16/28", "Ipv4PrefixCount", "1"}},
		{badENIValue, "Value (-1) for parameter secondaryPrivateIpAddressCount is invalid. A count cannot be negative.", []string{"SubnetId", s, "SecondaryPrivateIpAddressCount", "-1"}},
		{badENIValue, "Value (10.0.1.16/27) for parameter ipv4Prefix is invalid. The prefix must be a /28 that starts at its first address.", []string{"SubnetId", s, "Ipv4Prefix.1.Ipv4Prefix", "10.0.1.16/27"}},
		{badENIValue, "Prefix is in subnet's reserved address range", []string{"SubnetId", s, "Ipv4Prefix.1.Ipv4Prefix", "10.0.1.0/28"}},
		{badENIValue, "Prefix does not fall within the subnet's address range", []string{"SubnetId", s, "Ipv4Prefix.1.Ipv4Prefix", "10.0.2.16/28"}},

		{badENIValue, "Subnet " + plain + " does not have an IPv6 CIDR block associated with it.", []string{"SubnetId", plain, "Ipv6AddressCount", "1"}},
		{badENIValue, "Subnet " + plain + " does not have an IPv6 CIDR block associated with it.", []string{"SubnetId", plain, "EnablePrimaryIpv6", "true"}},
		{badENIValue, "Address does not fall within the subnet's address range", []string{"SubnetId", s, "Ipv6Addresses.1.Ipv6Address", "2001:db8:0:102::9"}},
		{badENIValue, "Address is in subnet's reserved address range", []string{"SubnetId", s, "Ipv6Addresses.1.Ipv6Address", "2001:db8:0:101::1"}},
		{badENIValue, "invalid value for parameter address: 10.0.1.12", []string{"SubnetId", s, "Ipv6Addresses.1.Ipv6Address", "10.0.1.12"}},
		{badENICombination, "The parameter ipv6AddressCount cannot be used with the parameter ipv6Addresses", []string{"SubnetId", s, "Ipv6Addresses.1.Ipv6Address", "2001:db8:0:101::9", "Ipv6AddressCount", "1"}},
		{badENICombination, "The parameter ipv6AddressCount cannot be used with the parameter ipv6PrefixCount", []string{"SubnetId", s, "Ipv6PrefixCount", "1", "Ipv6AddressCount", "1"}},
		{badENIValue, "Value (2001:db8:0:101::/79) for parameter ipv6Prefix is invalid. The prefix must be a /80 that starts at its first address.", []string{"SubnetId", s, "Ipv6Prefix.1.Ipv6Prefix", "2001:db8:0:101::/79"}},
		{badENICombination, "Subnet " + native + " is IPv6 only: private IPv4 addresses cannot be assigned in it.", []string{"SubnetId", native, "SecondaryPrivateIpAddressCount", "1"}},
		{badENICombination, "Network interfaces of type efa-only do not support IP addresses.", []string{"SubnetId", s, "InterfaceType", "efa-only", "PrivateIpAddress", "10.0.1.12"}},

		{"PrivateIpAddressLimitExceeded", "Number of private addresses will exceed limit.", []string{"SubnetId", s, "SecondaryPrivateIpAddressCount", "50"}},
		{"PrivateIpAddressLimitExceeded", "Number of private addresses will exceed limit.", []string{"SubnetId", s, "Ipv6AddressCount", "51"}},
		{"InsufficientCidrBlocks", "The specified subnet does not have enough free cidr blocks to satisfy the request", []string{"SubnetId", s, "Ipv4PrefixCount", "15"}},
		{badENIValue, "'vpc' is not a valid taggable resource type for this operation.", []string{"SubnetId", s, "TagSpecification.1.ResourceType", "vpc", "TagSpecification.1.Tag.1.Key", "a"}},
	} {
		wantENIMessage(t, c.message, n.Refused(c.code, "CreateNetworkInterface", c.params...))
	}
}

func TestCreateNetworkInterface_Addresses(t *testing.T) {
	n := newENINet(t)
	s := n.subnet("10.0.1.0/24", eniIPv6)
	for _, c := range []struct {
		want   string // primary, number of IPv4 addresses, of IPv4 blocks, of IPv6 addresses, of IPv6 blocks
		params []string
	}{
		{"10.0.1.31 1 2 0 0", []string{"PrivateIpAddress", "10.0.1.31", "Ipv4Prefix.1.Ipv4Prefix", "10.0.1.224/28", "Ipv4Prefix.2.Ipv4Prefix", "10.0.1.208/28"}},
		{"10.0.1.20 1 0 0 0", []string{"PrivateIpAddress", "10.0.1.20"}},
		{"10.0.1.21 3 0 0 0", []string{"PrivateIpAddress", "10.0.1.21", "SecondaryPrivateIpAddressCount", "2"}},
		{"10.0.1.23 2 0 0 0", []string{"PrivateIpAddresses.1.PrivateIpAddress", "10.0.1.22", "PrivateIpAddresses.2.PrivateIpAddress", "10.0.1.23", "PrivateIpAddresses.2.Primary", "true"}},
		{"10.0.1.24 2 0 0 0", []string{"PrivateIpAddress", "10.0.1.24", "PrivateIpAddresses.1.PrivateIpAddress", "10.0.1.24", "PrivateIpAddresses.2.PrivateIpAddress", "10.0.1.25"}},
		{"10.0.1.26 3 0 0 0", []string{"PrivateIpAddresses.1.PrivateIpAddress", "10.0.1.26", "PrivateIpAddresses.1.Primary", "true", "SecondaryPrivateIpAddressCount", "2"}},
		{"10.0.1.32 1 0 2 0", []string{"PrivateIpAddress", "10.0.1.32", "Ipv6AddressCount", "2"}},
		{"10.0.1.33 1 0 0 2", []string{"PrivateIpAddress", "10.0.1.33", "Ipv6PrefixCount", "2"}},
		{"10.0.1.34 1 0 0 1", []string{"PrivateIpAddress", "10.0.1.34", "Ipv6Prefix.1.Ipv6Prefix", "2001:db8:0:101:5::/80"}},
		{"10.0.1.35 1 0 1 0", []string{"PrivateIpAddress", "10.0.1.35", "EnablePrimaryIpv6", "true"}},
	} {
		id, _ := n.create(s, c.params...)
		i := n.row(id)
		if got := fmt.Sprint(i.Addresses[0], len(i.Addresses), len(i.IPv4Prefixes), len(i.IPv6), len(i.IPv6Prefixes)); got != c.want {
			t.Errorf("%q: %s, want %s", c.params, got, c.want)
		}
	}
	// Without a primary one among them, the named addresses are secondary.
	id, xml := n.create(n.subnet("10.0.2.0/24"), "PrivateIpAddresses.1.PrivateIpAddress", "10.0.2.40")
	if i := n.row(id); len(i.Addresses) != 2 || i.Addresses[1].String() != "10.0.2.40" {
		t.Errorf("one secondary address: %s", addresses(i))
	}
	if p := ec2test.Text(xml, "primary"); !slices.Equal(p, []string{"true", "false"}) {
		t.Errorf("primary: %v", p)
	}
	// What is delegated shows in the reply, and nowhere else.
	s = n.subnet("10.0.3.0/24", "2001:db8:0:103::/64")
	_, xml = n.create(s, "PrivateIpAddress", "10.0.3.36", "Ipv4Prefix.1.Ipv4Prefix", "10.0.3.192/28", "Ipv6Prefix.1.Ipv6Prefix", "2001:db8:0:103:6::/80")
	if got := ec2test.One(xml, "ipv4PrefixSet") + ec2test.One(xml, "ipv6PrefixSet"); got != "<item><ipv4Prefix>10.0.3.192/28</ipv4Prefix></item><item><ipv6Prefix>2001:db8:0:103:6::/80</ipv6Prefix></item>" {
		t.Errorf("blocks: %s", got)
	}
	n.Refused("InvalidIPAddress.InUse", "CreateNetworkInterface", "SubnetId", s, "PrivateIpAddress", "10.0.3.194")
	n.Refused("InvalidIPAddress.InUse", "CreateNetworkInterface", "SubnetId", s, "Ipv6Addresses.1.Ipv6Address", "2001:db8:0:103:6::1")
	n.create(s, "Ipv6Addresses.1.Ipv6Address", "2001:db8:0:103:7::1")
	id, _ = n.create(s, "Ipv4PrefixCount", "2")
	if i := n.row(id); len(i.Addresses) != 1 || len(i.IPv4Prefixes) != 2 {
		t.Errorf("two counted blocks: %s %v", addresses(i), i.IPv4Prefixes)
	}
}

func TestCreateNetworkInterface_IPv6Defaults(t *testing.T) {
	n := newENINet(t)
	auto, native := n.subnet("10.0.1.0/24", eniIPv6), n.subnet("2001:db8:0:102::/64")
	n.Stage(func(tx *state.Txn) error {
		s := *state.Subnets.Get(tx, vpc.SubnetID(auto))
		s.AssignIPv6 = true
		state.Subnets.Put(tx, &s)
		return nil
	})
	for _, c := range []struct {
		want   string
		subnet string
		params []string
	}{
		{"1 1", auto, nil},
		{"1 0", auto, []string{"Ipv6AddressCount", "0"}},
		{"1 2", auto, []string{"Ipv6AddressCount", "2"}},
		{"1 1", auto, []string{"Ipv6Addresses.1.Ipv6Address", "2001:db8:0:101::77"}},
		{"1 0", auto, []string{"Ipv6PrefixCount", "1"}},
		{"0 1", native, nil},
		{"0 1", native, []string{"Ipv6AddressCount", "0"}},
		{"0 0", auto, []string{"InterfaceType", "efa-only"}},
		{"1 1", auto, []string{"InterfaceType", "efa"}},
	} {
		id, xml := n.create(c.subnet, c.params...)
		i := n.row(id)
		if got := fmt.Sprint(len(i.Addresses), len(i.IPv6)); got != c.want {
			t.Errorf("%q: %s, want %s", c.params, got, c.want)
		}
		if native := ec2test.One(xml, "ipv6Native") == "true"; native != (c.want == "0 1") {
			t.Errorf("%q: ipv6Native %v", c.params, native)
		}
		if has := strings.Contains(xml, "<privateDnsName>"); has != (len(i.Addresses) > 0) {
			t.Errorf("%q: private name %v", c.params, has)
		}
	}
	// The primary IPv6 address is shown first, whatever its place in the request.
	_, xml := n.create(auto, "Ipv6Addresses.1.Ipv6Address", "2001:db8:0:101::81", "Ipv6Addresses.2.Ipv6Address", "2001:db8:0:101::82", "Ipv6Addresses.2.IsPrimaryIpv6", "true")
	if got := ec2test.One(xml, "ipv6AddressesSet"); got != "<item><ipv6Address>2001:db8:0:101::82</ipv6Address><isPrimaryIpv6>true</isPrimaryIpv6></item><item><ipv6Address>2001:db8:0:101::81</ipv6Address><isPrimaryIpv6>false</isPrimaryIpv6></item>" {
		t.Errorf("addresses: %s", got)
	}
	n.Refused(badENICombination, "CreateNetworkInterface", "SubnetId", auto, "Ipv6Addresses.1.Ipv6Address", "2001:db8:0:101::83", "Ipv6Addresses.1.IsPrimaryIpv6", "true",
		"Ipv6Addresses.2.Ipv6Address", "2001:db8:0:101::84", "Ipv6Addresses.2.IsPrimaryIpv6", "true")
}

func TestCreateNetworkInterface_FullSubnet(t *testing.T) {
	n := newENINet(t)
	s := n.subnet("10.0.3.0/28")
	seen := map[string]bool{}
	var first string
	for range 11 {
		id, xml := n.create(s)
		first = id
		seen[ec2test.One(xml, "privateIpAddress")] = true
	}
	if len(seen) != 11 {
		t.Errorf("11 interfaces have %d addresses", len(seen))
	}
	const full = "The specified subnet does not have enough free addresses to satisfy the request."
	wantENIMessage(t, full, n.Refused("InsufficientFreeAddressesInSubnet", "CreateNetworkInterface", "SubnetId", s))
	gone := n.row(first).Addresses[0].String()
	n.Must("DeleteNetworkInterface", "NetworkInterfaceId", first)
	if _, xml := n.create(s); ec2test.One(xml, "privateIpAddress") != gone {
		t.Errorf("got %s, but only %s was free", ec2test.One(xml, "privateIpAddress"), gone)
	}
	// All or nothing: two more do not fit, so that not one is taken.
	n.Refused("InsufficientFreeAddressesInSubnet", "AssignPrivateIpAddresses", "NetworkInterfaceId", string(n.anyIn(s)), "SecondaryPrivateIpAddressCount", "2")
}

func (n *eniNet) anyIn(subnet string) vpc.InterfaceID {
	for i := range state.Interfaces.By(n.Space(), state.InterfacesBySubnet, subnet) {
		return i.ID
	}
	n.t.Fatal("no interface in ", subnet)
	return ""
}

func TestCreateNetworkInterface_ClientToken(t *testing.T) {
	n := newENINet(t)
	s := n.subnet("10.0.1.0/24")
	id, xml := n.create(s, "ClientToken", "once", "Description", "d")
	if ec2test.One(xml, "clientToken") != "once" {
		t.Error("the token is not told")
	}
	again, xml2 := n.create(s, "ClientToken", "once", "Description", "d")
	if again != id || xml2 != xml {
		t.Errorf("the same token made %s beside %s", again, id)
	}
	n.Refused("IdempotentParameterMismatch", "CreateNetworkInterface", "SubnetId", s, "ClientToken", "once", "Description", "e")
	if other, _ := n.create(s, "ClientToken", "twice", "Description", "d"); other == id {
		t.Error("another token gave the same interface")
	}
	n.Now = n.Now.Add(25 * time.Hour)
	if later, _ := n.create(s, "ClientToken", "once", "Description", "d"); later == id {
		t.Error("the token is remembered for too long")
	}
}

// groups gives parameters that name so many groups.
func (n *eniNet) groups(count int) (params []string) {
	for i := range count {
		id := n.group(fmt.Sprintf("sg-%08x", i+1), fmt.Sprint("g", i+1))
		params = append(params, fmt.Sprintf("SecurityGroupId.%d", i+1), id)
	}
	return params
}

func TestInterfaceGroupQuotas(t *testing.T) {
	n := newENINet(t)
	s := n.subnet("10.0.1.0/24")
	const tooMany = "The maximum number of security groups per interface has been reached."
	id, _ := n.create(s, n.groups(5)...)
	wantENIMessage(t, tooMany, n.Refused("SecurityGroupsPerInterfaceLimitExceeded", "CreateNetworkInterface", append([]string{"SubnetId", s}, n.groups(6)...)...))
	n.Must("ModifyNetworkInterfaceAttribute", append([]string{"NetworkInterfaceId", id}, n.groups(4)...)...)
	n.Refused("SecurityGroupsPerInterfaceLimitExceeded", "ModifyNetworkInterfaceAttribute", append([]string{"NetworkInterfaceId", id}, n.groups(6)...)...)
	// One group eniIPv6 times is one group.
	var same []string
	for i := range 6 {
		same = append(same, fmt.Sprintf("SecurityGroupId.%d", i+1), "sg-00000001")
	}
	n.Must("ModifyNetworkInterfaceAttribute", append([]string{"NetworkInterfaceId", id}, same...)...)
	if got := n.row(id).Groups; !slices.Equal(got, []vpc.GroupID{"sg-00000001"}) {
		t.Errorf("groups %v", got)
	}
}

// 16 groups of 60 rules are 960, of 100 rules 1600: EC2 allows 1000.
func TestSurprise14_RulesTimesGroupsOfAnInterface(t *testing.T) {
	n := newENINet(t)
	s := n.subnet("10.0.1.0/24")
	n.Quotas.GroupsPerInterface = 16
	n.create(s, n.groups(16)...)
	n.Quotas.RulesPerGroup = 100
	n.create(s, n.groups(10)...)
	n.Refused("SecurityGroupsPerInterfaceLimitExceeded", "CreateNetworkInterface", append([]string{"SubnetId", s}, n.groups(11)...)...)
	n.Quotas = vpc.NoQuotas()
	n.create(s, n.groups(30)...)
	n.Quotas.InterfacesPerRegion = state.Interfaces.Len(n.Space())
	n.Refused("NetworkInterfaceLimitExceeded", "CreateNetworkInterface", "SubnetId", s)
}

func TestTagsAreShown(t *testing.T) {
	n := newENINet(t)
	s := n.subnet("10.0.1.0/24")
	id, xml := n.create(s, "TagSpecification.1.ResourceType", "network-interface", "TagSpecification.1.Tag.1.Key", "Name", "TagSpecification.1.Tag.1.Value", "web")
	const want = "<item><key>Name</key><value>web</value></item>"
	if got := ec2test.One(xml, "tagSet"); got != want {
		t.Errorf("created with %s", got)
	}
	if got := ec2test.One(n.describe("Filter.1.Name", "tag:Name", "Filter.1.Value.1", "web"), "networkInterfaceId"); got != id {
		t.Errorf("by its tag: %q", got)
	}
	if got := n.describe("Filter.1.Name", "tag:Name", "Filter.1.Value.1", "db"); !strings.Contains(got, "<networkInterfaceSet/>") {
		t.Errorf("by another tag: %s", got)
	}
}

func TestDeleteNetworkInterface(t *testing.T) {
	n := newENINet(t)
	id, _ := n.create(n.subnet("10.0.1.0/24"))
	n.Refused("MissingParameter", "DeleteNetworkInterface")
	n.Refused("InvalidNetworkInterfaceId.Malformed", "DeleteNetworkInterface", "NetworkInterfaceId", "eni-1")
	n.attach(id, vpc.Attachment{ID: "eni-attach-0123456789abcdef0", Instance: "i-0123456789abcdef0", InstanceOwner: "123456789012", Attached: n.Now})
	wantENIMessage(t, "Network interface '"+id+"' is currently in use.", n.Refused(badENIValue, "DeleteNetworkInterface", "NetworkInterfaceId", id))
	n.Stage(func(tx *state.Txn) error {
		i := *state.Interfaces.Get(tx, vpc.InterfaceID(id))
		i.Attachment = nil
		state.Interfaces.Put(tx, &i)
		return nil
	})
	n.Refused("DryRunOperation", "DeleteNetworkInterface", "NetworkInterfaceId", id, "DryRun", "true")
	if got := ec2test.One(n.Must("DeleteNetworkInterface", "NetworkInterfaceId", id), "return"); got != "true" {
		t.Errorf("return %q", got)
	}
	wantENIMessage(t, "The networkInterface ID '"+id+"' does not exist", n.Refused("InvalidNetworkInterfaceID.NotFound", "DeleteNetworkInterface", "NetworkInterfaceId", id))
	n.Refused("InvalidNetworkInterfaceID.NotFound", "DescribeNetworkInterfaces", "NetworkInterfaceId.1", id)
}

func TestDescribeNetworkInterfaces_Filters(t *testing.T) {
	n := newENINet(t)
	s, other := n.subnet("10.0.1.0/24", eniIPv6), n.subnet("10.0.2.0/24")
	web := n.group("sg-00000001", "web")
	one, _ := n.create(s, "PrivateIpAddress", "10.0.1.9", "PrivateIpAddresses.1.PrivateIpAddress", "10.0.1.10", "Ipv6Addresses.1.Ipv6Address", "2001:db8:0:101::9",
		"Description", "first one", "SecurityGroupId.1", web, "InterfaceType", "efa")
	two, _ := n.create(other, "PrivateIpAddress", "10.0.2.9", "TagSpecification.1.ResourceType", "network-interface", "TagSpecification.1.Tag.1.Key", "k", "TagSpecification.1.Tag.1.Value", "")
	n.Stage(func(tx *state.Txn) error {
		i := *state.Interfaces.Get(tx, vpc.InterfaceID(two))
		i.SourceDestCheck, i.AvailabilityZone = false, "us-east-1b"
		state.Interfaces.Put(tx, &i)
		return nil
	})
	n.attach(two, vpc.Attachment{ID: "eni-attach-0123456789abcdef0", Instance: "i-0123456789abcdef0", InstanceOwner: "111122223333", DeviceIndex: 1, Attached: n.Now})
	both := []string{one, two}
	slices.Sort(both)
	for _, c := range []struct {
		want        []string
		name, value string
	}{
		{[]string{one}, "network-interface-id", one},
		{both, "vpc-id", string(n.vpc)},
		{nil, "vpc-id", "vpc-12345678"},
		{[]string{one}, "subnet-id", s},
		{[]string{one}, "mac-address", n.row(one).MAC},
		{[]string{one}, "group-id", web},
		{[]string{two}, "group-id", string(n.def)},
		{[]string{one}, "group-name", "web"},
		{[]string{one}, "addresses.private-ip-address", "10.0.1.10"},
		{[]string{one}, "private-ip-address", "10.0.1.10"},
		{nil, "private-ip-address", "10.0.1.11"},
		{nil, "private-ip-address", "10.0.1"},
		{both, "private-ip-address", "10.0.?.9"},
		{[]string{one}, "addresses.primary", "false"},
		{both, "addresses.primary", "true"},
		{[]string{one}, "ipv6-addresses.ipv6-address", "2001:db8:0:101::9"},
		{nil, "ipv6-addresses.ipv6-address", "2001:db8:0:101::8"},
		{[]string{one}, "private-dns-name", "ip-10-0-1-9.ec2.internal"},
		{nil, "private-dns-name", "ip-10-0-1-10.ec2.internal"},
		{nil, "private-dns-name", "ip-10-0-1-9.compute.internal"},
		{nil, "association.public-ip", "*"},
		{nil, "association.allocation-id", "*"}, {nil, "association.association-id", "*"}, {nil, "association.ip-owner-id", "*"}, {nil, "association.public-dns-name", "*"},
		{nil, "addresses.association.owner-id", "*"}, {nil, "addresses.association.public-ip", "*"},
		{[]string{two}, "attachment.attachment-id", "eni-attach-0123456789abcdef0"},
		{[]string{two}, "attachment.instance-id", "i-0123456789abcdef0"},
		{nil, "attachment.instance-id", "i-0123456789abcdef1"},
		{[]string{two}, "attachment.instance-owner-id", "111122223333"},
		{[]string{two}, "attachment.attach-time", "2026-01-02T03:04:05.000Z"},
		{[]string{two}, "attachment.delete-on-termination", "false"},
		{nil, "attachment.delete-on-termination", "true"},
		{[]string{two}, "attachment.device-index", "1"},
		{[]string{two}, "attachment.status", "attached"},
		{[]string{two}, "availability-zone", "us-east-1b"},
		{[]string{two}, "availability-zone-id", "use1-az1"},
		{[]string{one}, "description", "first*"},
		{[]string{two}, "description", ""},
		{[]string{one}, "interface-type", "efa"},
		{both, "operator.managed", "false"},
		{nil, "operator.principal", "*"},
		{both, "owner-id", "123456789012"},
		{both, "requester-id", "123456789012"},
		{both, "requester-managed", "false"},
		{[]string{two}, "source-dest-check", "false"},
		{[]string{one}, "status", "available"},
		{[]string{two}, "status", "in-use"},
		{[]string{two}, "tag:k", ""},
		{[]string{two}, "tag-key", "k"},
	} {
		got := ec2test.Text(n.describe("Filter.1.Name", c.name, "Filter.1.Value.1", c.value), "networkInterfaceId")
		if !slices.Equal(got, c.want) {
			t.Errorf("%s=%s: %v, want %v", c.name, c.value, got, c.want)
		}
	}
	wantENIMessage(t, "The filter 'mac' is invalid", n.Refused(badENIValue, "DescribeNetworkInterfaces", "Filter.1.Name", "mac", "Filter.1.Value.1", "x"))
}

func TestDescribeNetworkInterfaces_Pages(t *testing.T) {
	n := newENINet(t)
	s := n.subnet("10.0.1.0/24")
	for range 12 {
		n.create(s)
	}
	var seen []string
	token := ""
	for pages := 1; ; pages++ {
		xml := n.describe("MaxResults", "5", "NextToken", token)
		seen = append(seen, ec2test.Text(xml, "networkInterfaceId")...)
		if token = ec2test.One(xml, "nextToken"); token == "" {
			if pages != 3 {
				t.Errorf("%d pages", pages)
			}
			break
		}
	}
	if all := ec2test.Text(n.describe(), "networkInterfaceId"); !slices.Equal(seen, all) || len(all) != 12 {
		t.Errorf("in pages %v, at once %v", seen, all)
	}
	wantENIMessage(t, "The parameter networkInterfaceIdSet cannot be used with the parameter maxResults",
		n.Refused(badENICombination, "DescribeNetworkInterfaces", "NetworkInterfaceId.1", seen[0], "MaxResults", "5"))
	n.Refused(badENIValue, "DescribeNetworkInterfaces", "MaxResults", "4")
	n.Refused("InvalidNetworkInterfaceId.Malformed", "DescribeNetworkInterfaces", "NetworkInterfaceId.1", "eni-12345678", "NetworkInterfaceId.2", "x")
}

func TestAttachmentIsShown(t *testing.T) {
	n := newENINet(t)
	id, _ := n.create(n.subnet("10.0.1.0/24"))
	if xml := n.describe("NetworkInterfaceId.1", id); strings.Contains(xml, "attachment") {
		t.Errorf("without an attachment: %s", xml)
	}
	const att = "eni-attach-0123456789abcdef0"
	n.attach(id, vpc.Attachment{ID: att, Instance: "i-0123456789abcdef0", InstanceOwner: "123456789012", Attached: n.Now})
	want := func(deleted, queues string) string {
		return "<attachment><attachTime>2026-01-02T03:04:05.000Z</attachTime><attachmentId>" + att + "</attachmentId><deleteOnTermination>" + deleted +
			"</deleteOnTermination><deviceIndex>0</deviceIndex><networkCardIndex>0</networkCardIndex><instanceId>i-0123456789abcdef0</instanceId>" +
			"<instanceOwnerId>123456789012</instanceOwnerId><status>attached</status>" + queues + "</attachment>"
	}
	if xml := n.describe("NetworkInterfaceId.1", id); !strings.Contains(xml, want("false", "")) || !strings.Contains(xml, "<status>in-use</status>") {
		t.Errorf("attached: %s", xml)
	}
	modify := func(params ...string) []string {
		return append([]string{"NetworkInterfaceId", id}, params...)
	}
	n.Must("ModifyNetworkInterfaceAttribute", modify("Attachment.AttachmentId", att, "Attachment.DeleteOnTermination", "true")...)
	n.Must("ModifyNetworkInterfaceAttribute", modify("Attachment.AttachmentId", att, "Attachment.EnaQueueCount", "4")...)
	n.Must("ModifyNetworkInterfaceAttribute", modify("EnaSrdSpecification.EnaSrdEnabled", "true", "EnaSrdSpecification.EnaSrdUdpSpecification.EnaSrdUdpEnabled", "true")...)
	const more = "<enaSrdSpecification><enaSrdEnabled>true</enaSrdEnabled><enaSrdUdpSpecification><enaSrdUdpEnabled>true</enaSrdUdpEnabled></enaSrdUdpSpecification></enaSrdSpecification>"
	if xml := n.describe("NetworkInterfaceId.1", id); !strings.Contains(xml, want("true", more+"<enaQueueCount>4</enaQueueCount>")) {
		t.Errorf("modified: %s", xml)
	}
	if xml := n.Must("DescribeNetworkInterfaceAttribute", "NetworkInterfaceId", id, "Attribute", "attachment"); !strings.Contains(xml, want("true", more+"<enaQueueCount>4</enaQueueCount>")) {
		t.Errorf("attribute: %s", xml)
	}
	n.Must("ModifyNetworkInterfaceAttribute", modify("Attachment.AttachmentId", att, "Attachment.DefaultEnaQueueCount", "true")...)
	if q := n.row(id).Attachment.ENAQueues; q != 0 {
		t.Errorf("the default number of queues is %d", q)
	}
	n.Refused("MissingParameter", "ModifyNetworkInterfaceAttribute", modify("Attachment.DeleteOnTermination", "true")...)
	n.Refused("InvalidNetworkInterfaceAttachmentId.Malformed", "ModifyNetworkInterfaceAttribute", modify("Attachment.AttachmentId", "eni-1", "Attachment.DeleteOnTermination", "true")...)
	wantENIMessage(t, "The network interface attachment ID 'eni-attach-0123456789abcdef1' does not exist",
		n.Refused("InvalidAttachmentID.NotFound", "ModifyNetworkInterfaceAttribute", modify("Attachment.AttachmentId", "eni-attach-0123456789abcdef1", "Attachment.DeleteOnTermination", "true")...))
	wantENIMessage(t, "No attributes specified.", n.Refused(badENICombination, "ModifyNetworkInterfaceAttribute", modify("Attachment.AttachmentId", att)...))
	n.Refused(badENIValue, "ModifyNetworkInterfaceAttribute", modify("Attachment.AttachmentId", att, "Attachment.EnaQueueCount", "0")...)
	n.Refused(badENICombination, "ModifyNetworkInterfaceAttribute", modify("EnaSrdSpecification.EnaSrdEnabled", "false")...)
}

func TestNetworkInterfaceAttributes(t *testing.T) {
	n := newENINet(t)
	web := n.group("sg-00000001", "web")
	s := n.subnet("10.0.1.0/24", eniIPv6)
	id, _ := n.create(s)
	attribute := func(name string) string {
		xml := n.Must("DescribeNetworkInterfaceAttribute", "NetworkInterfaceId", id, "Attribute", name)
		_, xml, _ = strings.Cut(xml, "</requestId>")
		xml, _, _ = strings.Cut(xml, "</DescribeNetworkInterfaceAttributeResponse>")
		return strings.Replace(xml, "<networkInterfaceId>"+id+"</networkInterfaceId>", "", 1)
	}
	for _, c := range []struct{ attribute, before, name, value, after string }{
		{"description", "<description><value/></description>", "Description.Value", "new", "<description><value>new</value></description>"},
		{"description", "<description><value>new</value></description>", "Description.Value", "", "<description><value/></description>"},
		{"sourceDestCheck", "<sourceDestCheck><value>true</value></sourceDestCheck>", "SourceDestCheck.Value", "false", "<sourceDestCheck><value>false</value></sourceDestCheck>"},
		{"groupSet", "<groupSet><item><groupId>sg-0123456789abcdef0</groupId><groupName>default</groupName></item></groupSet>", "SecurityGroupId.1", web, "<groupSet><item><groupId>sg-00000001</groupId><groupName>web</groupName></item></groupSet>"},
		{"associatePublicIpAddress", "<associatePublicIpAddress>false</associatePublicIpAddress>", "AssociatePublicIpAddress", "true", "<associatePublicIpAddress>true</associatePublicIpAddress>"},
	} {
		if got := attribute(c.attribute); got != c.before {
			t.Errorf("%s: %s, want %s", c.attribute, got, c.before)
		}
		if got := ec2test.One(n.Must("ModifyNetworkInterfaceAttribute", "NetworkInterfaceId", id, c.name, c.value), "return"); got != "true" {
			t.Errorf("return %q", got)
		}
		if got := attribute(c.attribute); got != c.after {
			t.Errorf("%s: %s, want %s", c.attribute, got, c.after)
		}
	}
	if got := attribute("attachment"); got != "" {
		t.Errorf("no attachment: %s", got)
	}
	n.Refused("InvalidParameterCombination", "ResetNetworkInterfaceAttribute", "NetworkInterfaceId", id)
	n.Must("ResetNetworkInterfaceAttribute", "NetworkInterfaceId", id, "SourceDestCheck", "true")
	if !n.row(id).SourceDestCheck {
		t.Error("the check is still off")
	}

	wantENIMessage(t, "The request must contain the parameter attribute", n.Refused("MissingParameter", "DescribeNetworkInterfaceAttribute", "NetworkInterfaceId", id))
	n.Refused(badENIValue, "DescribeNetworkInterfaceAttribute", "NetworkInterfaceId", id, "Attribute", "mac")
	n.Refused("MissingParameter", "DescribeNetworkInterfaceAttribute", "Attribute", "description")
	n.Refused("InvalidNetworkInterfaceID.NotFound", "DescribeNetworkInterfaceAttribute", "NetworkInterfaceId", "eni-12345678", "Attribute", "description")
	wantENIMessage(t, "No attributes specified.", n.Refused(badENICombination, "ModifyNetworkInterfaceAttribute", "NetworkInterfaceId", id))
	wantENIMessage(t, "Fields for multiple attribute types specified: description, groupSet",
		n.Refused(badENICombination, "ModifyNetworkInterfaceAttribute", "NetworkInterfaceId", id, "Description.Value", "x", "SecurityGroupId.1", web))
	n.Refused("InvalidGroup.NotFound", "ModifyNetworkInterfaceAttribute", "NetworkInterfaceId", id, "SecurityGroupId.1", web, "SecurityGroupId.2", "sg-12345678")
	n.Refused("InvalidParameter", "ModifyNetworkInterfaceAttribute", "NetworkInterfaceId", id, "SecurityGroupId.1", string(state.DefaultGroup(n.Space(), state.DefaultVPC(n.Space()).ID).ID))
	n.Refused("InvalidNetworkInterfaceID.NotFound", "ModifyNetworkInterfaceAttribute", "NetworkInterfaceId", "eni-12345678", "Description.Value", "x")
	n.Refused("UnsupportedOperation", "ModifyNetworkInterfaceAttribute", "NetworkInterfaceId", id, "AssociatedSubnetId.1", s)

	// Connection tracking: shown once set, what is not named stays.
	if xml := n.describe("NetworkInterfaceId.1", id); strings.Contains(xml, "connectionTracking") {
		t.Errorf("no timeouts set: %s", xml)
	}
	n.Must("ModifyNetworkInterfaceAttribute", "NetworkInterfaceId", id, "ConnectionTrackingSpecification.UdpTimeout", "45")
	n.Must("ModifyNetworkInterfaceAttribute", "NetworkInterfaceId", id, "ConnectionTrackingSpecification.TcpEstablishedTimeout", "60")
	const timeouts = "<connectionTrackingConfiguration><tcpEstablishedTimeout>60</tcpEstablishedTimeout><udpTimeout>45</udpTimeout></connectionTrackingConfiguration>"
	if xml := n.describe("NetworkInterfaceId.1", id); !strings.Contains(xml, timeouts) {
		t.Errorf("timeouts: %s", xml)
	}
	n.Refused(badENIValue, "ModifyNetworkInterfaceAttribute", "NetworkInterfaceId", id, "ConnectionTrackingSpecification.UdpTimeout", "61")

	// A primary IPv6 address, once there is an address, and then for good.
	n.Refused(badENIValue, "ModifyNetworkInterfaceAttribute", "NetworkInterfaceId", id, "EnablePrimaryIpv6", "true")
	n.Must("AssignIpv6Addresses", "NetworkInterfaceId", id, "Ipv6Addresses.1", "2001:db8:0:101::9", "Ipv6Addresses.2", "2001:db8:0:101::10")
	n.Must("ModifyNetworkInterfaceAttribute", "NetworkInterfaceId", id, "EnablePrimaryIpv6", "true")
	n.Refused("OperationNotPermitted", "ModifyNetworkInterfaceAttribute", "NetworkInterfaceId", id, "EnablePrimaryIpv6", "false")
	n.Refused(badENIValue, "UnassignIpv6Addresses", "NetworkInterfaceId", id, "Ipv6Addresses.1", "2001:db8:0:101::9")
	n.Must("UnassignIpv6Addresses", "NetworkInterfaceId", id, "Ipv6Addresses.1", "2001:db8:0:101::10")
}

func TestAssignPrivateIpAddresses(t *testing.T) {
	n := newENINet(t)
	s := n.subnet("10.0.1.0/24")
	one, _ := n.create(s, "PrivateIpAddress", "10.0.1.9")
	two, _ := n.create(s, "PrivateIpAddress", "10.0.1.10")
	assign := func(id string, params ...string) []string {
		return append([]string{"NetworkInterfaceId", id}, params...)
	}

	xml := n.Must("AssignPrivateIpAddresses", assign(one, "PrivateIpAddress.1", "10.0.1.20", "PrivateIpAddress.2", "10.0.1.21")...)
	if want := "<networkInterfaceId>" + one + "</networkInterfaceId><assignedPrivateIpAddressesSet><item><privateIpAddress>10.0.1.20</privateIpAddress></item><item><privateIpAddress>10.0.1.21</privateIpAddress></item></assignedPrivateIpAddressesSet></"; !strings.Contains(xml, want) {
		t.Errorf("assigned: %s", xml)
	}
	xml = n.Must("AssignPrivateIpAddresses", assign(one, "SecondaryPrivateIpAddressCount", "2")...)
	if got := ec2test.Text(xml, "privateIpAddress"); len(got) != 2 || len(n.row(one).Addresses) != 5 {
		t.Errorf("two more: %v, now %s", got, addresses(n.row(one)))
	}
	xml = n.Must("AssignPrivateIpAddresses", assign(one, "Ipv4Prefix.1", "10.0.1.64/28")...)
	if got := ec2test.One(xml, "assignedIpv4PrefixSet"); got != "<item><ipv4Prefix>10.0.1.64/28</ipv4Prefix></item>" {
		t.Errorf("block: %s", got)
	}
	if n.Must("AssignPrivateIpAddresses", assign(one, "Ipv4PrefixCount", "1")...); len(n.row(one).IPv4Prefixes) != 2 {
		t.Errorf("blocks %v", n.row(one).IPv4Prefixes)
	}

	// Moving: only if it is allowed, never a primary address.
	wantENIMessage(t, "[10.0.1.20, 10.0.1.21] assigned, but move is not allowed.",
		n.Refused(badENIValue, "AssignPrivateIpAddresses", assign(two, "PrivateIpAddress.1", "10.0.1.20", "PrivateIpAddress.2", "10.0.1.21", "PrivateIpAddress.3", "10.0.1.22")...))
	wantENIMessage(t, "[10.0.1.20] assigned, but move is not allowed.",
		n.Refused(badENIValue, "AssignPrivateIpAddresses", assign(one, "PrivateIpAddress.1", "10.0.1.20")...))
	n.Must("AssignPrivateIpAddresses", assign(two, "PrivateIpAddress.1", "10.0.1.20", "AllowReassignment", "true")...)
	if a, b := n.row(one).Addresses, n.row(two).Addresses; slices.Contains(a, netip.MustParseAddr("10.0.1.20")) || !slices.Contains(b, netip.MustParseAddr("10.0.1.20")) {
		t.Errorf("moved: %v and %v", a, b)
	}
	if got := ec2test.One(n.Must("AssignPrivateIpAddresses", assign(two, "PrivateIpAddress.1", "10.0.1.20", "AllowReassignment", "true")...), "privateIpAddress"); got != "10.0.1.20" {
		t.Errorf("moved again: %q", got)
	}
	if got := addresses(n.row(two)); got != "[10.0.1.10 10.0.1.20] []" {
		t.Errorf("moved twice: %s", got)
	}
	wantENIMessage(t, "Value (10.0.1.9) for parameter privateIpAddress is invalid. The primary IP address of an interface cannot be reassigned.",
		n.Refused(badENIValue, "AssignPrivateIpAddresses", assign(two, "PrivateIpAddress.1", "10.0.1.9", "AllowReassignment", "true")...))
	n.Refused("InvalidIPAddress.InUse", "AssignPrivateIpAddresses", assign(two, "PrivateIpAddress.1", "10.0.1.70", "AllowReassignment", "true")...)
	n.Refused("InvalidIPAddress.InUse", "AssignPrivateIpAddresses", assign(two, "Ipv4Prefix.1", "10.0.1.64/28")...)
	n.Refused("InvalidIPAddress.InUse", "AssignPrivateIpAddresses", assign(two, "Ipv4Prefix.1", "10.0.1.16/28")...)

	n.Refused("MissingParameter", "AssignPrivateIpAddresses", "PrivateIpAddress.1", "10.0.1.30")
	n.Refused("MissingParameter", "AssignPrivateIpAddresses", assign(one)...)
	n.Refused(badENICombination, "AssignPrivateIpAddresses", assign(one, "PrivateIpAddress.1", "10.0.1.30", "SecondaryPrivateIpAddressCount", "1")...)
	n.Refused(badENICombination, "AssignPrivateIpAddresses", assign(one, "Ipv4Prefix.1", "10.0.1.96/28", "Ipv4PrefixCount", "1")...)
	n.Refused(badENIValue, "AssignPrivateIpAddresses", assign(one, "PrivateIpAddress.1", "10.0.2.30")...)
	n.Refused(badENIValue, "AssignPrivateIpAddresses", assign(one, "PrivateIpAddress.1", "10.0.1.255")...)
	n.Refused("InvalidIPAddress.InUse", "AssignPrivateIpAddresses", assign(one, "PrivateIpAddress.1", "10.0.1.30", "PrivateIpAddress.2", "10.0.1.30")...)
	n.Refused("InvalidNetworkInterfaceID.NotFound", "AssignPrivateIpAddresses", assign("eni-12345678", "PrivateIpAddress.1", "10.0.1.30")...)
	n.Refused("PrivateIpAddressLimitExceeded", "AssignPrivateIpAddresses", assign(two, "SecondaryPrivateIpAddressCount", "49")...)
	n.Must("AssignPrivateIpAddresses", assign(two, "SecondaryPrivateIpAddressCount", "48")...)
	native, _ := n.create(n.subnet("2001:db8:0:102::/64"))
	n.Refused("UnsupportedOperation", "AssignPrivateIpAddresses", assign(native, "SecondaryPrivateIpAddressCount", "1")...)
}

func TestUnassignPrivateIpAddresses(t *testing.T) {
	n := newENINet(t)
	id, _ := n.create(n.subnet("10.0.1.0/24"), "PrivateIpAddress", "10.0.1.9", "Ipv4Prefix.1.Ipv4Prefix", "10.0.1.64/28")
	n.Must("AssignPrivateIpAddresses", "NetworkInterfaceId", id, "PrivateIpAddress.1", "10.0.1.20", "PrivateIpAddress.2", "10.0.1.21")
	unassign := func(params ...string) []string { return append([]string{"NetworkInterfaceId", id}, params...) }
	wantENIMessage(t, "Value (10.0.1.9) for parameter privateIpAddress is invalid. The primary IP address of an interface cannot be unassigned.",
		n.Refused(badENIValue, "UnassignPrivateIpAddresses", unassign("PrivateIpAddress.1", "10.0.1.20", "PrivateIpAddress.2", "10.0.1.9")...))
	wantENIMessage(t, "Some of the specified addresses are not assigned to interface "+id,
		n.Refused(badENIValue, "UnassignPrivateIpAddresses", unassign("PrivateIpAddress.1", "10.0.1.20", "PrivateIpAddress.2", "10.0.1.22")...))
	wantENIMessage(t, "Some of the specified prefixes are not assigned to interface "+id,
		n.Refused(badENIValue, "UnassignPrivateIpAddresses", unassign("Ipv4Prefix.1", "10.0.1.80/28")...))
	n.Refused("MissingParameter", "UnassignPrivateIpAddresses", unassign()...)
	n.Refused("MissingParameter", "UnassignPrivateIpAddresses", "PrivateIpAddress.1", "10.0.1.20")
	if got := ec2test.One(n.Must("UnassignPrivateIpAddresses", unassign("PrivateIpAddress.1", "10.0.1.20", "Ipv4Prefix.1", "10.0.1.64/28")...), "return"); got != "true" {
		t.Errorf("return %q", got)
	}
	if i := n.row(id); addresses(i) != "[10.0.1.9 10.0.1.21] []" || len(i.IPv4Prefixes) != 0 {
		t.Errorf("left: %s %v", addresses(i), i.IPv4Prefixes)
	}
	// What was released can be had.
	n.create(string(n.row(id).Subnet), "PrivateIpAddress", "10.0.1.20")
	n.create(string(n.row(id).Subnet), "PrivateIpAddress", "10.0.1.70")
}

func TestAssignIpv6Addresses(t *testing.T) {
	n := newENINet(t)
	s := n.subnet("10.0.1.0/24", eniIPv6)
	id, _ := n.create(s)
	assign := func(params ...string) []string { return append([]string{"NetworkInterfaceId", id}, params...) }
	xml := n.Must("AssignIpv6Addresses", assign("Ipv6Addresses.1", "2001:DB8:0:101:0::9", "Ipv6PrefixCount", "1")...)
	block := n.row(id).IPv6Prefixes[0].String()
	if want := "<assignedIpv6Addresses><item>2001:db8:0:101::9</item></assignedIpv6Addresses><assignedIpv6PrefixSet><item>" + block + "</item></assignedIpv6PrefixSet><networkInterfaceId>" + id + "</networkInterfaceId>"; !strings.Contains(xml, want) {
		t.Errorf("assigned: %s", xml)
	}
	n.Must("AssignIpv6Addresses", assign("Ipv6AddressCount", "3")...)
	if i := n.row(id); len(i.IPv6) != 4 {
		t.Errorf("now %s", addresses(i))
	}
	n.Refused("InvalidIPAddress.InUse", "AssignIpv6Addresses", assign("Ipv6Addresses.1", "2001:db8:0:101::9")...)
	n.Refused("InvalidIPAddress.InUse", "AssignIpv6Addresses", assign("Ipv6Prefix.1", "2001:db8:0:101:"+strings.Split(n.row(id).IPv6[1].StringExpanded(), ":")[4]+"::/80")...)
	n.Refused(badENICombination, "AssignIpv6Addresses", assign("Ipv6Addresses.1", "2001:db8:0:101::19", "Ipv6AddressCount", "1")...)
	n.Refused(badENICombination, "AssignIpv6Addresses", assign("Ipv6Prefix.1", "2001:db8:0:101:5::/80", "Ipv6PrefixCount", "1")...)
	n.Refused("MissingParameter", "AssignIpv6Addresses", assign()...)
	n.Refused(badENIValue, "AssignIpv6Addresses", assign("Ipv6Addresses.1", "10.0.1.9")...)
	n.Refused(badENIValue, "AssignIpv6Addresses", assign("Ipv6AddressCount", "-2")...)
	n.Refused("PrivateIpAddressLimitExceeded", "AssignIpv6Addresses", assign("Ipv6AddressCount", "46")...)
	plain, _ := n.create(n.subnet("10.0.2.0/24"))
	n.Refused(badENIValue, "AssignIpv6Addresses", "NetworkInterfaceId", plain, "Ipv6AddressCount", "1")
	efa, _ := n.create(s, "InterfaceType", "efa-only")
	n.Refused(badENICombination, "AssignIpv6Addresses", "NetworkInterfaceId", efa, "Ipv6AddressCount", "1")

	xml = n.Must("UnassignIpv6Addresses", assign("Ipv6Addresses.1", "2001:db8:0:101::9", "Ipv6Prefix.1", block)...)
	if want := "<networkInterfaceId>" + id + "</networkInterfaceId><unassignedIpv6Addresses><item>2001:db8:0:101::9</item></unassignedIpv6Addresses><unassignedIpv6PrefixSet><item>" + block + "</item></unassignedIpv6PrefixSet>"; !strings.Contains(xml, want) {
		t.Errorf("unassigned: %s", xml)
	}
	wantENIMessage(t, "Some of the specified addresses are not assigned to interface "+id, n.Refused(badENIValue, "UnassignIpv6Addresses", assign("Ipv6Addresses.1", "2001:db8:0:101::9")...))
	n.Refused("MissingParameter", "UnassignIpv6Addresses", assign()...)
	n.create(s, "Ipv6Addresses.1.Ipv6Address", "2001:db8:0:101::9")
}

// The law of vpc's allocator, once more through the API and the indexes: in
// whatever order calls come, no address is held twice.
func TestNoAddressIsHeldTwice(t *testing.T) {
	for seed := range uint64(12) {
		n := newENINet(t)
		n.Quotas = vpc.NoQuotas()
		rnd := rand.New(rand.NewPCG(seed, 1))
		subnets := []string{n.subnet("10.0.1.0/28", eniIPv6), n.subnet("10.0.1.128/26", "2001:db8:0:102::/64")}
		var ids []string
		for step := range 250 {
			s := rnd.IntN(2)
			address := fmt.Sprintf("10.0.1.%d", s*128+rnd.IntN(64))
			block := fmt.Sprintf("10.0.1.%d/28", s*128+16*rnd.IntN(4))
			v6 := fmt.Sprintf("2001:db8:0:10%d:%x::%x", s+1, rnd.IntN(3), rnd.IntN(8))
			v6block := fmt.Sprintf("2001:db8:0:10%d:%x::/80", s+1, rnd.IntN(3))
			count := fmt.Sprint(rnd.IntN(4))
			id := "eni-12345678"
			if len(ids) > 0 {
				id = ids[rnd.IntN(len(ids))]
			}
			calls := [][]string{
				{"CreateNetworkInterface", "SubnetId", subnets[s], "SecondaryPrivateIpAddressCount", count, "Ipv6AddressCount", count},
				{"CreateNetworkInterface", "SubnetId", subnets[s], "PrivateIpAddress", address, "Ipv6Addresses.1.Ipv6Address", v6},
				{"CreateNetworkInterface", "SubnetId", subnets[s], "Ipv4Prefix.1.Ipv4Prefix", block, "Ipv6Prefix.1.Ipv6Prefix", v6block},
				{"AssignPrivateIpAddresses", "NetworkInterfaceId", id, "PrivateIpAddress.1", address, "AllowReassignment", fmt.Sprint(rnd.IntN(2) == 0), "Ipv4PrefixCount", count},
				{"AssignPrivateIpAddresses", "NetworkInterfaceId", id, "SecondaryPrivateIpAddressCount", count, "Ipv4Prefix.1", block},
				{"AssignIpv6Addresses", "NetworkInterfaceId", id, "Ipv6Addresses.1", v6, "Ipv6PrefixCount", count},
				{"AssignIpv6Addresses", "NetworkInterfaceId", id, "Ipv6AddressCount", count, "Ipv6Prefix.1", v6block},
				{"UnassignPrivateIpAddresses", "NetworkInterfaceId", id, "PrivateIpAddress.1", address},
				{"UnassignPrivateIpAddresses", "NetworkInterfaceId", id, "Ipv4Prefix.1", block},
				{"UnassignIpv6Addresses", "NetworkInterfaceId", id, "Ipv6Addresses.1", v6},
				{"DeleteNetworkInterface", "NetworkInterfaceId", id},
			}
			call := calls[rnd.IntN(len(calls))]
			xml, f := n.Do(call[0], call[1:]...)
			switch {
			case f != nil:
			case call[0] == "CreateNetworkInterface":
				ids = append(ids, ec2test.One(xml, "networkInterfaceId"))
			case call[0] == "DeleteNetworkInterface":
				ids = slices.DeleteFunc(ids, func(s string) bool { return s == id })
			}
			if twice := heldTwice(n.Space()); twice != "" {
				t.Fatalf("seed %d step %d, after %q: %s", seed, step, call, twice)
			}
		}
		if len(ids) == 0 {
			t.Errorf("seed %d made no interface", seed)
		}
	}
}

func heldTwice(r state.Reader) string {
	var all []netip.Prefix
	for i := range state.Interfaces.All(r) {
		for _, a := range slices.Concat(i.Addresses, i.IPv6) {
			all = append(all, netip.PrefixFrom(a, a.BitLen()))
		}
		all = slices.Concat(all, i.IPv4Prefixes, i.IPv6Prefixes)
	}
	for n, p := range all {
		for _, q := range all[:n] {
			if p.Overlaps(q) {
				return fmt.Sprintf("%v and %v are both held", p, q)
			}
		}
	}
	return ""
}

// A subnet of 4091 addresses is filled at the same pace to its last one.
func BenchmarkCreateInNearlyFullSubnet(b *testing.B) {
	for _, left := range []int{4000, 1} {
		b.Run(fmt.Sprintf("%d free", left), func(b *testing.B) {
			w := ec2test.New(b)
			w.Quotas = vpc.NoQuotas()
			var s *vpc.Subnet
			for s = range state.Subnets.All(w.Space()) {
				break
			}
			for range vpc.HostAddresses(s.CIDR) - left {
				w.Must("CreateNetworkInterface", "SubnetId", string(s.ID))
			}
			full := w.View
			b.ResetTimer()
			for range b.N {
				w.View = full
				w.Must("CreateNetworkInterface", "SubnetId", string(s.ID))
			}
		})
	}
}
