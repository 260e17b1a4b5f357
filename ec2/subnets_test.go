package ec2_test

import (
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"moat/ec2/ec2test"
	"moat/state"
	"moat/vpc"
)

// makeSubnet creates a subnet and gives its id.
func makeSubnet(w *ec2test.World, params ...string) string {
	return ec2test.One(w.Must("CreateSubnet", params...), "subnetId")
}

// putInterface puts an interface with addresses into a subnet.
func putInterface(w *ec2test.World, id, in, subnet string, addresses ...string) {
	i := &vpc.Interface{ID: vpc.InterfaceID(id), VPC: vpc.VPCID(in), Subnet: vpc.SubnetID(subnet)}
	for _, s := range addresses {
		if a := netip.MustParseAddr(s); a.Is4() {
			i.Addresses = append(i.Addresses, a)
		} else {
			i.IPv6 = append(i.IPv6, a)
		}
	}
	w.Stage(func(tx *state.Txn) error { state.Interfaces.Put(tx, i); return nil })
}

// makeIPv6VPC creates a VPC of both families and gives its id and the start of
// its IPv6 block, to which two digits and "::/64" can be added.
func makeIPv6VPC(w *ec2test.World) (id, prefix string) {
	xml := w.Must("CreateVpc", "CidrBlock", "10.0.0.0/16", "AmazonProvidedIpv6CidrBlock", "true")
	return ec2test.One(xml, "vpcId"), strings.TrimSuffix(ec2test.One(xml, "ipv6CidrBlock"), "00::/56")
}

func TestCreateSubnet(t *testing.T) {
	w := ec2test.New(t)
	id := makeVPC(w, "CidrBlock", "10.0.0.0/16")
	xml := w.Must("CreateSubnet", "VpcId", id, "CidrBlock", "10.0.1.7/24", "AvailabilityZone", "us-east-1c",
		"TagSpecification.1.ResourceType", "subnet", "TagSpecification.1.Tag.1.Key", "Name", "TagSpecification.1.Tag.1.Value", "a")
	subnet := ec2test.One(xml, "subnetId")
	for element, want := range map[string]string{
		"state": "available", "cidrBlock": "10.0.1.0/24", "vpcId": id, "availabilityZone": "us-east-1c", "availabilityZoneId": "use1-az2",
		"availableIpAddressCount": "251", "defaultForAz": "false", "mapPublicIpOnLaunch": "false", "assignIpv6AddressOnCreation": "false",
		"ownerId": "123456789012", "subnetArn": "arn:aws:ec2:us-east-1:123456789012:subnet/" + subnet, "hostnameType": "ip-name",
		"enableDns64": "false", "ipv6Native": "false", "key": "Name", "mapCustomerOwnedIpOnLaunch": "false",
	} {
		wantElement(t, "created", xml, element, want)
	}
	if !strings.Contains(xml, "<ipv6CidrBlockAssociationSet/>") || strings.Contains(xml, "enableLniAtDeviceIndex") {
		t.Errorf("created: %s", xml)
	}
	wantElement(t, "described", w.Must("DescribeSubnets", "SubnetId.1", subnet), "internetGatewayBlockMode", "off")
	wantElement(t, "by zone id", w.Must("CreateSubnet", "VpcId", id, "CidrBlock", "10.0.2.0/28", "AvailabilityZoneId", "use1-az6"), "availabilityZone", "us-east-1a")
	// Left to choose, the zone that has the fewest.
	untagged := w.Must("CreateSubnet", "VpcId", id, "CidrBlock", "10.0.3.0/24")
	wantElement(t, "without a zone", untagged, "availabilityZone", "us-east-1b")
	if strings.Contains(untagged, "tagSet") {
		t.Errorf("a subnet without tags shows them: %s", untagged)
	}
}

func TestCreateSubnetRefuses(t *testing.T) {
	w := ec2test.New(t)
	id, six := makeIPv6VPC(w)
	makeSubnet(w, "VpcId", id, "CidrBlock", "10.0.1.0/24", "Ipv6CidrBlock", six+"01::/64")
	zones := "Subnets can currently only be created in the following availability zones: "
	for _, c := range []struct {
		code, message string
		params        []string
	}{
		{"MissingParameter", "The request must contain the parameter vpcId", []string{"CidrBlock", "10.0.2.0/24"}},
		{"MissingParameter", "Either 'cidrBlock' or 'ipv4IpamPoolId' should be provided.", []string{"VpcId", id}},
		{"MissingParameter", "Either 'ipv6CidrBlock' or 'ipv6IpamPoolId' should be provided.", []string{"VpcId", id, "Ipv6Native", "true"}},
		{"InvalidParameterCombination", "When specifying ipv4 parameters, cidrBlock or ipv4IpamPoolId, you cannot set ipv6Native to true.", []string{"VpcId", id, "Ipv6Native", "true", "Ipv6CidrBlock", six + "02::/64", "CidrBlock", "10.0.2.0/24"}},
		{"InvalidVpcID.Malformed", `Invalid id: "vpc-g" (expecting "vpc-...")`, []string{"VpcId", "vpc-g", "CidrBlock", "10.0.2.0/24"}},
		{"InvalidVpcID.NotFound", "The vpc ID 'vpc-00000000' does not exist", []string{"VpcId", "vpc-00000000", "CidrBlock", "10.0.2.0/24"}},
		{"InvalidParameterValue", "Value (10.0.2.0) for parameter cidrBlock is invalid. This is not a valid CIDR block.", []string{"VpcId", id, "CidrBlock", "10.0.2.0"}},
		{"InvalidSubnet.Range", "The CIDR '10.1.2.0/24' is invalid.", []string{"VpcId", id, "CidrBlock", "10.1.2.0/24"}},
		{"InvalidSubnet.Range", "The CIDR '10.0.2.0/29' is invalid.", []string{"VpcId", id, "CidrBlock", "10.0.2.0/29"}},
		{"InvalidSubnet.Conflict", "The CIDR '10.0.1.128/25' conflicts with another subnet", []string{"VpcId", id, "CidrBlock", "10.0.1.128/25"}},
		{"InvalidSubnet.Conflict", "The CIDR '10.0.0.0/16' conflicts with another subnet", []string{"VpcId", id, "CidrBlock", "10.0.0.0/16"}},
		{"InvalidSubnet.Conflict", "The IPv6 CIDR '" + six + "01::/64' conflicts with another subnet", []string{"VpcId", id, "CidrBlock", "10.0.2.0/24", "Ipv6CidrBlock", six + "01::/64"}},
		{"InvalidSubnet.Range", "The IPv6 CIDR '2001:db8::/64' is invalid.", []string{"VpcId", id, "CidrBlock", "10.0.2.0/24", "Ipv6CidrBlock", "2001:db8::/64"}},
		{"InvalidParameterValue", "invalid value for parameter ipv6-cidr-block: " + six + "02::/65", []string{"VpcId", id, "CidrBlock", "10.0.2.0/24", "Ipv6CidrBlock", six + "02::/65"}},
		{"InvalidParameterValue", "Value (us-west-2a) for parameter availabilityZone is invalid. " + zones + "us-east-1a, us-east-1b, us-east-1c, us-east-1d, us-east-1e, us-east-1f.",
			[]string{"VpcId", id, "CidrBlock", "10.0.2.0/24", "AvailabilityZone", "us-west-2a"}},
		{"InvalidParameterValue", "Value (usw2-az1) for parameter availabilityZoneId is invalid. " + zones + "use1-az6, use1-az1, use1-az2, use1-az4, use1-az3, use1-az5.",
			[]string{"VpcId", id, "CidrBlock", "10.0.2.0/24", "AvailabilityZoneId", "usw2-az1"}},
		{"InvalidParameterCombination", "The parameter availabilityZone cannot be used with the parameter availabilityZoneId", []string{"VpcId", id, "CidrBlock", "10.0.2.0/24", "AvailabilityZone", "us-east-1a", "AvailabilityZoneId", "use1-az6"}},
		{"InvalidIpamPoolId.NotFound", "The ipam-pool ID 'ipam-pool-1' does not exist", []string{"VpcId", id, "Ipv4IpamPoolId", "ipam-pool-1"}},
		{"InvalidParameterValue", "", []string{"VpcId", id, "CidrBlock", "10.0.2.0/24", "OutpostArn", "arn:aws:outposts:us-east-1:123456789012:outpost/op-1"}},
		{"InvalidParameterValue", "'vpc' is not a valid taggable resource type for this operation.", []string{"VpcId", id, "CidrBlock", "10.0.2.0/24", "TagSpecification.1.ResourceType", "vpc", "TagSpecification.1.Tag.1.Key", "a", "TagSpecification.1.Tag.1.Value", "b"}},
	} {
		if got := w.Refused(c.code, "CreateSubnet", c.params...); c.message != "" && got != c.message {
			t.Errorf("CreateSubnet %q: message %q, want %q", c.params, got, c.message)
		}
	}
	w.Refused("DryRunOperation", "CreateSubnet", "VpcId", id, "CidrBlock", "10.0.2.0/24", "DryRun", "true")
	w.Quotas.SubnetsPerVPC = 2
	makeSubnet(w, "VpcId", id, "CidrBlock", "10.0.2.0/24", "Ipv6CidrBlock", six+"02::/64")
	w.Refused("SubnetLimitExceeded", "CreateSubnet", "VpcId", id, "CidrBlock", "10.0.3.0/24")
	// The same addresses in another VPC are other addresses.
	makeSubnet(w, "VpcId", makeVPC(w, "CidrBlock", "10.0.0.0/16"), "CidrBlock", "10.0.2.0/24")
}

func TestSubnetInSecondaryBlock(t *testing.T) {
	w := ec2test.New(t)
	id := makeVPC(w, "CidrBlock", "10.2.0.0/16")
	w.Refused("InvalidSubnet.Range", "CreateSubnet", "VpcId", id, "CidrBlock", "10.3.0.0/24")
	w.Must("AssociateVpcCidrBlock", "VpcId", id, "CidrBlock", "10.3.0.0/16")
	makeSubnet(w, "VpcId", id, "CidrBlock", "10.3.0.0/24")
}

func TestIPv6OnlySubnet(t *testing.T) {
	w := ec2test.New(t)
	id, six := makeIPv6VPC(w)
	xml := w.Must("CreateSubnet", "VpcId", id, "Ipv6Native", "true", "Ipv6CidrBlock", six+"0a::/64")
	wantElement(t, "created", xml, "ipv6Native", "true")
	wantElement(t, "created", xml, "assignIpv6AddressOnCreation", "true")
	wantElement(t, "created", xml, "availableIpAddressCount", "0")
	wantElement(t, "created", xml, "hostnameType", "resource-name")
	wantElement(t, "created", xml, "state", "associating", "available")
	wantElement(t, "created", xml, "cidrBlock")
	subnet := ec2test.One(xml, "subnetId")
	described := w.Must("DescribeSubnets", "Filter.1.Name", "ipv6-native", "Filter.1.Value.1", "true")
	wantElement(t, "described", described, "subnetId", subnet)
	wantElement(t, "described", described, "state", "associated", "available")
	w.Refused("InvalidParameterValue", "ModifySubnetAttribute", "SubnetId", subnet, "PrivateDnsHostnameTypeOnLaunch", "ip-name")
	w.Refused("InvalidParameterValue", "ModifySubnetAttribute", "SubnetId", subnet, "MapPublicIpOnLaunch.Value", "true")
	w.Refused("OperationNotPermitted", "DisassociateSubnetCidrBlock", "AssociationId", ec2test.One(xml, "associationId"))
}

func TestCreateDefaultSubnet(t *testing.T) {
	w := ec2test.New(t)
	find := func() string {
		return ec2test.One(w.Must("DescribeSubnets", "Filter.1.Name", "availabilityZone", "Filter.1.Value.1", "us-east-1b", "Filter.2.Name", "defaultForAz", "Filter.2.Value.1", "true"), "subnetId")
	}
	old := find()
	wantSaid(t, w.Refused("DefaultSubnetAlreadyExistsInAvailabilityZone", "CreateDefaultSubnet", "AvailabilityZone", "us-east-1b"),
		"'"+old+"' is already the default subnet in us-east-1b.")
	w.Refused("DefaultSubnetAlreadyExistsInAvailabilityZone", "CreateDefaultSubnet", "AvailabilityZoneId", "use1-az1")
	w.Must("DeleteSubnet", "SubnetId", old)
	w.Refused("MissingParameter", "CreateDefaultSubnet")
	w.Refused("InvalidParameterValue", "CreateDefaultSubnet", "AvailabilityZone", "eu-west-1a")
	w.Refused("DryRunOperation", "CreateDefaultSubnet", "AvailabilityZone", "us-east-1b", "DryRun", "true")
	xml := w.Must("CreateDefaultSubnet", "AvailabilityZone", "us-east-1b")
	wantElement(t, "made anew", xml, "cidrBlock", "172.31.16.0/20")
	wantElement(t, "made anew", xml, "defaultForAz", "true")
	wantElement(t, "made anew", xml, "mapPublicIpOnLaunch", "true")
	if got := find(); got != ec2test.One(xml, "subnetId") {
		t.Errorf("default subnet is %s", got)
	}

	w.Must("DeleteSubnet", "SubnetId", find())
	w.Refused("InvalidParameterValue", "CreateDefaultSubnet", "AvailabilityZone", "us-east-1b", "Ipv6Native", "true")
	id := string(state.DefaultVPC(w.Space()).ID)
	w.Must("AssociateVpcCidrBlock", "VpcId", id, "AmazonProvidedIpv6CidrBlock", "true")
	native := w.Must("CreateDefaultSubnet", "AvailabilityZone", "us-east-1b", "Ipv6Native", "true")
	wantElement(t, "of IPv6", native, "mapPublicIpOnLaunch", "false")
	if p := netip.MustParsePrefix(ec2test.One(native, "ipv6CidrBlock")); p.Bits() != 64 {
		t.Errorf("of IPv6: %s", p)
	}
	for i := range 11 {
		makeSubnet(w, "VpcId", id, "CidrBlock", "172.31."+strconv.Itoa(16*[]int{1, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}[i])+".0/20")
	}
	w.Must("DeleteSubnet", "SubnetId", ec2test.One(native, "subnetId"))
	w.Refused("InvalidSubnet.Conflict", "CreateDefaultSubnet", "AvailabilityZone", "us-east-1b")

	w.Must("DeleteVpc", "VpcId", clearSubnets(w))
	wantSaid(t, w.Refused("DefaultVpcDoesNotExist", "CreateDefaultSubnet", "AvailabilityZone", "us-east-1b"), "No default VPC exists for this account in this region.")
}

func TestFreeAddressesFollowInterfaces(t *testing.T) {
	w := ec2test.New(t)
	id := makeVPC(w, "CidrBlock", "10.0.0.0/16")
	subnet := makeSubnet(w, "VpcId", id, "CidrBlock", "10.0.1.0/24")
	other := makeSubnet(w, "VpcId", id, "CidrBlock", "10.0.2.0/24")
	count := func(want string) {
		t.Helper()
		wantElement(t, "free", w.Must("DescribeSubnets", "SubnetId.1", subnet), "availableIpAddressCount", want)
		wantElement(t, "by count", w.Must("DescribeSubnets", "Filter.1.Name", "available-ip-address-count", "Filter.1.Value.1", want, "Filter.2.Name", "subnet-id", "Filter.2.Value.1", subnet), "subnetId", subnet)
	}
	count("251")
	putInterface(w, "eni-00000000000000001", id, subnet, "10.0.1.10", "10.0.1.11", "2600::1")
	count("249")
	putInterface(w, "eni-00000000000000002", id, other, "10.0.2.10")
	count("249")
	w.Stage(func(tx *state.Txn) error {
		i := *state.Interfaces.Get(tx, "eni-00000000000000001")
		i.IPv4Prefixes = []netip.Prefix{netip.MustParsePrefix("10.0.1.32/28")}
		state.Interfaces.Put(tx, &i)
		return nil
	})
	count("233")
}

func TestDeleteSubnet(t *testing.T) {
	w := ec2test.New(t)
	id := makeVPC(w, "CidrBlock", "10.0.0.0/16")
	subnet, other := makeSubnet(w, "VpcId", id, "CidrBlock", "10.0.1.0/24"), makeSubnet(w, "VpcId", id, "CidrBlock", "10.0.2.0/24")
	putInterface(w, "eni-00000000000000001", id, subnet, "10.0.1.10")
	wantSaid(t, w.Refused("DependencyViolation", "DeleteSubnet", "SubnetId", subnet),
		"The subnet '"+subnet+"' has dependencies and cannot be deleted. (held by network interface eni-00000000000000001)")
	wantElement(t, "deleted", w.Must("DeleteSubnet", "SubnetId", other), "return", "true")
	wantSaid(t, w.Refused("InvalidSubnetID.NotFound", "DeleteSubnet", "SubnetId", other), "The subnet ID '"+other+"' does not exist")
	wantSaid(t, w.Refused("InvalidSubnetID.Malformed", "DeleteSubnet", "SubnetId", "subnet-x"), `Invalid id: "subnet-x" (expecting "subnet-...")`)
	w.Refused("MissingParameter", "DeleteSubnet")
}

func TestModifySubnetAttribute(t *testing.T) {
	w := ec2test.New(t)
	id, six := makeIPv6VPC(w)
	subnet := makeSubnet(w, "VpcId", id, "CidrBlock", "10.0.1.0/24")
	show := func(element, want string) {
		t.Helper()
		wantElement(t, "described", w.Must("DescribeSubnets", "SubnetId.1", subnet), element, want)
	}
	set := func(parameter, value string) {
		t.Helper()
		wantElement(t, parameter, w.Must("ModifySubnetAttribute", "SubnetId", subnet, parameter, value), "return", "true")
	}
	for _, c := range []struct{ parameter, name string }{
		{"AssignIpv6AddressOnCreation.Value", "assign-ipv6-address-on-creation"},
		{"EnableDns64.Value", "enable-dns64"},
		{"EnableResourceNameDnsAAAARecordOnLaunch.Value", "enable-resource-name-dns-aaaa-record-on-launch"},
	} {
		wantSaid(t, w.Refused("InvalidParameterValue", "ModifySubnetAttribute", "SubnetId", subnet, c.parameter, "true"),
			"Invalid value 'true' for "+c.name+". Cannot set "+c.name+" to true unless the subnet ("+subnet+") has an IPv6 CIDR block associated with it.")
		set(c.parameter, "false")
	}
	w.Must("AssociateSubnetCidrBlock", "SubnetId", subnet, "Ipv6CidrBlock", six+"01::/64")
	for _, c := range []struct{ parameter, value, element, want string }{
		{"AssignIpv6AddressOnCreation.Value", "true", "assignIpv6AddressOnCreation", "true"},
		{"EnableDns64.Value", "true", "enableDns64", "true"},
		{"EnableResourceNameDnsAAAARecordOnLaunch.Value", "true", "enableResourceNameDnsAAAARecord", "true"},
		{"EnableResourceNameDnsARecordOnLaunch.Value", "true", "enableResourceNameDnsARecord", "true"},
		{"MapPublicIpOnLaunch.Value", "true", "mapPublicIpOnLaunch", "true"},
		{"MapPublicIpOnLaunch.Value", "false", "mapPublicIpOnLaunch", "false"},
		{"PrivateDnsHostnameTypeOnLaunch", "resource-name", "hostnameType", "resource-name"},
		{"EnableLniAtDeviceIndex", "1", "enableLniAtDeviceIndex", "1"},
		{"MapCustomerOwnedIpOnLaunch.Value", "false", "mapCustomerOwnedIpOnLaunch", "false"},
	} {
		set(c.parameter, c.value)
		show(c.element, c.want)
	}
	set("DisableLniAtDeviceIndex.Value", "true")
	wantElement(t, "disabled", w.Must("DescribeSubnets", "SubnetId.1", subnet), "enableLniAtDeviceIndex")

	for _, c := range []struct {
		code, message string
		params        []string
	}{
		{"InvalidParameterCombination", "No attributes specified.", []string{"SubnetId", subnet}},
		{"InvalidParameterCombination", "Fields for multiple attribute types specified: mapPublicIpOnLaunch, enableDns64", []string{"SubnetId", subnet, "MapPublicIpOnLaunch.Value", "true", "EnableDns64.Value", "true"}},
		{"InvalidParameterDependency", "The parameter [mapCustomerOwnedIpOnLaunch] requires the parameter customerOwnedIpv4Pool to be set.", []string{"SubnetId", subnet, "MapCustomerOwnedIpOnLaunch.Value", "true"}},
		{"InvalidPoolID.NotFound", "The pool ID 'ipv4pool-coip-1' does not exist", []string{"SubnetId", subnet, "MapCustomerOwnedIpOnLaunch.Value", "true", "CustomerOwnedIpv4Pool", "ipv4pool-coip-1"}},
		{"InvalidParameterValue", "", []string{"SubnetId", subnet, "PrivateDnsHostnameTypeOnLaunch", "dns-name"}},
		{"InvalidParameterValue", "", []string{"SubnetId", subnet, "EnableLniAtDeviceIndex", "0"}},
		{"MissingParameter", "The request must contain the parameter subnetId", []string{"MapPublicIpOnLaunch.Value", "true"}},
		{"InvalidSubnetID.NotFound", "", []string{"SubnetId", "subnet-00000000", "MapPublicIpOnLaunch.Value", "true"}},
	} {
		if got := w.Refused(c.code, "ModifySubnetAttribute", c.params...); c.message != "" && got != c.message {
			t.Errorf("%q: message %q, want %q", c.params, got, c.message)
		}
	}
}

func TestSubnetIPv6Association(t *testing.T) {
	w := ec2test.New(t)
	id, six := makeIPv6VPC(w)
	subnet, other := makeSubnet(w, "VpcId", id, "CidrBlock", "10.0.1.0/24"), makeSubnet(w, "VpcId", id, "CidrBlock", "10.0.2.0/24")
	xml := w.Must("AssociateSubnetCidrBlock", "SubnetId", subnet, "Ipv6CidrBlock", six+"01::/64")
	wantElement(t, "associated", xml, "state", "associating")
	wantElement(t, "associated", xml, "ipv6CidrBlock", six+"01::/64")
	wantElement(t, "associated", xml, "subnetId", subnet)
	association := ec2test.One(xml, "associationId")
	for _, c := range []struct {
		code   string
		params []string
	}{
		{"InvalidSubnet.Conflict", []string{"SubnetId", other, "Ipv6CidrBlock", six + "01::/64"}},
		{"CidrLimitExceeded", []string{"SubnetId", subnet, "Ipv6CidrBlock", six + "02::/64"}},
		{"InvalidSubnet.Range", []string{"SubnetId", other, "Ipv6CidrBlock", "2001:db8::/64"}},
		{"InvalidParameterValue", []string{"SubnetId", other, "Ipv6CidrBlock", "10.0.0.0/24"}},
		{"MissingParameter", []string{"SubnetId", other}},
		{"MissingParameter", []string{"Ipv6CidrBlock", six + "02::/64"}},
		{"InvalidSubnetID.NotFound", []string{"SubnetId", "subnet-00000000", "Ipv6CidrBlock", six + "02::/64"}},
		{"InvalidIpamPoolId.NotFound", []string{"SubnetId", other, "Ipv6IpamPoolId", "ipam-pool-1", "Ipv6NetmaskLength", "64"}},
	} {
		w.Refused(c.code, "AssociateSubnetCidrBlock", c.params...)
	}
	w.Must("AssociateSubnetCidrBlock", "SubnetId", other, "Ipv6CidrBlock", six+"02::/64")

	w.Refused("MissingParameter", "DisassociateSubnetCidrBlock")
	wantSaid(t, w.Refused("InvalidSubnetCidrBlockAssociationId.Malformed", "DisassociateSubnetCidrBlock", "AssociationId", "x"), "The subnet CIDR block with association ID x is malformed")
	w.Refused("InvalidSubnetCidrBlockAssociationID.NotFound", "DisassociateSubnetCidrBlock", "AssociationId", "subnet-cidr-assoc-00000000")
	w.Must("ModifySubnetAttribute", "SubnetId", subnet, "AssignIpv6AddressOnCreation.Value", "true")
	wantSaid(t, w.Refused("InvalidCidrBlock.InUse", "DisassociateSubnetCidrBlock", "AssociationId", association),
		"The subnet IPv6 CIDR block with association ID "+association+" may not be disassociated, because its subnet has assign-ipv6-address-on-creation set to true.")
	w.Must("ModifySubnetAttribute", "SubnetId", subnet, "AssignIpv6AddressOnCreation.Value", "false")
	putInterface(w, "eni-00000000000000001", id, subnet, "10.0.1.10", six+"01::a")
	if got := w.Refused("InvalidCidrBlock.InUse", "DisassociateSubnetCidrBlock", "AssociationId", association); !strings.Contains(got, "eni-00000000000000001") {
		t.Errorf("%q does not name the interface", got)
	}
	putInterface(w, "eni-00000000000000001", id, subnet, "10.0.1.10")
	xml = w.Must("DisassociateSubnetCidrBlock", "AssociationId", association)
	wantElement(t, "disassociated", xml, "state", "disassociating")
	wantElement(t, "disassociated", xml, "subnetId", subnet)
	if described := w.Must("DescribeSubnets", "SubnetId.1", subnet); !strings.Contains(described, "<ipv6CidrBlockAssociationSet/>") {
		t.Errorf("still there: %s", described)
	}
}

func TestDescribeSubnetsFilters(t *testing.T) {
	w := ec2test.New(t)
	id, six := makeIPv6VPC(w)
	xml := w.Must("CreateSubnet", "VpcId", id, "CidrBlock", "10.0.1.0/24", "AvailabilityZone", "us-east-1d", "Ipv6CidrBlock", six+"01::/64",
		"TagSpecification.1.ResourceType", "subnet", "TagSpecification.1.Tag.1.Key", "Name", "TagSpecification.1.Tag.1.Value", "one")
	one, association := ec2test.One(xml, "subnetId"), ec2test.One(xml, "associationId")
	for parameter, value := range map[string]string{
		"EnableDns64.Value": "true", "EnableLniAtDeviceIndex": "1", "PrivateDnsHostnameTypeOnLaunch": "resource-name",
		"EnableResourceNameDnsARecordOnLaunch.Value": "true", "EnableResourceNameDnsAAAARecordOnLaunch.Value": "true",
	} {
		w.Must("ModifySubnetAttribute", "SubnetId", one, parameter, value)
	}
	two := makeSubnet(w, "VpcId", id, "CidrBlock", "10.0.2.0/25", "AvailabilityZone", "us-east-1e")
	for _, c := range []struct{ name, first, second string }{
		{"availability-zone", "us-east-1d", "us-east-1e"},
		{"availabilityZone", "us-east-1d", "us-east-1e"},
		{"availability-zone-id", "use1-az4", "use1-az3"},
		{"availabilityZoneId", "use1-az4", "use1-az3"},
		{"available-ip-address-count", "251", "123"},
		{"cidr-block", "10.0.1.0/24", "10.0.2.0/25"},
		{"cidr", "10.0.1.*", "10.0.2.*"},
		{"cidrBlock", "10.0.1.0/24", "10.0.2.0/25"},
		{"enable-dns64", "true", "false"},
		{"enable-lni-at-device-index", "1", ""},
		{"ipv6-cidr-block-association.ipv6-cidr-block", six + "01::/64", ""},
		{"ipv6-cidr-block-association.association-id", association, ""},
		{"ipv6-cidr-block-association.state", "associated", ""},
		{"private-dns-name-options-on-launch.hostname-type", "resource-name", "ip-name"},
		{"private-dns-name-options-on-launch.enable-resource-name-dns-a-record", "true", "false"},
		{"private-dns-name-options-on-launch.enable-resource-name-dns-aaaa-record", "true", "false"},
		{"subnet-arn", "arn:aws:ec2:us-east-1:123456789012:subnet/" + one, "arn:aws:ec2:us-east-1:123456789012:subnet/" + two},
		{"subnet-id", one, two},
		{"tag:Name", "one", ""},
		{"tag-key", "Name", ""},
	} {
		for value, want := range map[string]string{c.first: one, c.second: two} {
			if value != "" {
				wantElement(t, c.name+"="+value, w.Must("DescribeSubnets", "Filter.1.Name", "vpc-id", "Filter.1.Value.1", id, "Filter.2.Name", c.name, "Filter.2.Value.1", value), "subnetId", want)
			}
		}
	}
	for _, c := range []struct {
		want        int
		name, value string
	}{
		{6, "default-for-az", "true"}, {2, "defaultForAz", "false"}, {6, "map-public-ip-on-launch", "true"}, {8, "ipv6-native", "false"},
		{8, "owner-id", "123456789012"}, {8, "state", "available"}, {0, "state", "pending"}, {8, "map-customer-owned-ip-on-launch", "false"},
		{0, "customer-owned-ipv4-pool", "*"}, {0, "outpost-arn", "*"}, {2, "vpc-id", id},
	} {
		if got := ec2test.Text(w.Must("DescribeSubnets", "Filter.1.Name", c.name, "Filter.1.Value.1", c.value), "subnetId"); len(got) != c.want {
			t.Errorf("%s=%s: %d subnets, want %d", c.name, c.value, len(got), c.want)
		}
	}
	w.Refused("InvalidParameterValue", "DescribeSubnets", "Filter.1.Name", "zone", "Filter.1.Value.1", "a")
	w.Refused("InvalidSubnetID.NotFound", "DescribeSubnets", "SubnetId.1", one, "SubnetId.2", "subnet-00000000")
	w.Refused("InvalidSubnetID.Malformed", "DescribeSubnets", "SubnetId.1", "subnet-00000000", "SubnetId.2", "s")
	first := w.Must("DescribeSubnets", "MaxResults", "5")
	if second := w.Must("DescribeSubnets", "MaxResults", "5", "NextToken", ec2test.One(first, "nextToken")); len(ec2test.Text(second, "subnetId")) != 3 || strings.Contains(second, "nextToken") {
		t.Errorf("second page: %s", second)
	}
}
