package sdk

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// testVPCs: a VPC's life.
func testVPCs(w *world) {
	made := must(w, w.ec2.CreateVpc, &ec2.CreateVpcInput{
		CidrBlock: new("10.5.0.9/16"), AmazonProvidedIpv6CidrBlock: new(true), TagSpecifications: tagged("vpc", "Name", "five"),
	}).Vpc
	id := *made.VpcId
	if !vpcID.MatchString(id) {
		w.Errorf("VPC id %q", id)
	}
	equal(w, "state of a new VPC", made.State, types.VpcStatePending)
	equal(w, "tags of a new VPC", made.Tags, tags("Name", "five"))
	ask := &ec2.DescribeVpcsInput{VpcIds: []string{id}}
	if err := ec2.NewVpcExistsWaiter(w.ec2).Wait(w.ctx, ask, 30*time.Second); err != nil {
		w.Error(err)
	}
	if err := ec2.NewVpcAvailableWaiter(w.ec2).Wait(w.ctx, ask, 30*time.Second); err != nil {
		w.Error(err)
	}
	describe := func() types.Vpc {
		w.Helper()
		vpcs := must(w, w.ec2.DescribeVpcs, ask).Vpcs
		if len(vpcs) != 1 {
			w.Fatalf("%d VPCs by one id", len(vpcs))
		}
		return vpcs[0]
	}
	v := describe()
	equal(w, "CIDR without host bits", *v.CidrBlock, "10.5.0.0/16")
	equal(w, "tenancy", v.InstanceTenancy, types.TenancyDefault)
	equal(w, "IsDefault", *v.IsDefault, false)
	if len(v.CidrBlockAssociationSet) != 1 || len(v.Ipv6CidrBlockAssociationSet) != 1 {
		w.Fatalf("blocks: %s", show(tree2(v)))
	}
	six, err := netip.ParsePrefix(*v.Ipv6CidrBlockAssociationSet[0].Ipv6CidrBlock)
	if err != nil || six.Bits() != 56 {
		w.Errorf("IPv6 block %v, %v; want a /56", six, err)
	}

	// With IPv6 the default group lets out IPv6 too, in one permission.
	group := must(w, w.ec2.DescribeSecurityGroups, &ec2.DescribeSecurityGroupsInput{Filters: filters("vpc-id", id, "group-name", "default")}).SecurityGroups[0]
	equal(w, "outbound rules with IPv6", group.IpPermissionsEgress, []types.IpPermission{{
		IpProtocol: new("-1"), IpRanges: []types.IpRange{{CidrIp: new("0.0.0.0/0")}}, Ipv6Ranges: []types.Ipv6Range{{CidrIpv6: new("::/0")}},
	}})
	equal(w, "their ids", len(w.rulesOf(*group.GroupId, true)), 2)

	// Attributes, one at a time.
	for _, change := range []*ec2.ModifyVpcAttributeInput{
		{VpcId: &id, EnableDnsSupport: &types.AttributeBooleanValue{Value: new(false)}},
		{VpcId: &id, EnableNetworkAddressUsageMetrics: &types.AttributeBooleanValue{Value: new(true)}},
	} {
		must(w, w.ec2.ModifyVpcAttribute, change)
	}
	a := must(w, w.ec2.DescribeVpcAttribute, &ec2.DescribeVpcAttributeInput{VpcId: &id, Attribute: types.VpcAttributeNameEnableDnsSupport})
	equal(w, "enableDnsSupport", *a.EnableDnsSupport.Value, false)

	// A second block, and back.
	second := must(w, w.ec2.AssociateVpcCidrBlock, &ec2.AssociateVpcCidrBlockInput{VpcId: &id, CidrBlock: new("10.6.0.0/16")})
	equal(w, "the second block", *second.CidrBlockAssociation.CidrBlock, "10.6.0.0/16")
	equal(w, "its state", second.CidrBlockAssociation.CidrBlockState.State, types.VpcCidrBlockStateCodeAssociating)
	equal(w, "blocks", len(describe().CidrBlockAssociationSet), 2)
	subnet := w.subnet(id, "10.6.1.0/24")
	gone := &ec2.DisassociateVpcCidrBlockInput{AssociationId: second.CidrBlockAssociation.AssociationId}
	if _, err := w.ec2.DisassociateVpcCidrBlock(w.ctx, gone); err == nil {
		w.Error("a block goes while a subnet is in it")
	}
	must(w, w.ec2.DeleteSubnet, &ec2.DeleteSubnetInput{SubnetId: &subnet})
	must(w, w.ec2.DisassociateVpcCidrBlock, gone)
	refused(w, w.ec2.DisassociateVpcCidrBlock, &ec2.DisassociateVpcCidrBlockInput{AssociationId: v.CidrBlockAssociationSet[0].AssociationId},
		"OperationNotPermitted", "The vpc CIDR block with association ID "+*v.CidrBlockAssociationSet[0].AssociationId+" may not be disassociated. It is the primary IPv4 CIDR block of the VPC")

	refused(w, w.ec2.CreateVpc, &ec2.CreateVpcInput{CidrBlock: new("10.0.0.0/8")}, "InvalidVpc.Range", "The CIDR '10.0.0.0/8' is invalid.")
	refused(w, w.ec2.CreateVpc, &ec2.CreateVpcInput{CidrBlock: new("ten")}, "InvalidParameterValue", "Value (ten) for parameter cidrBlock is invalid. This is not a valid CIDR block.")
	refused(w, w.ec2.DescribeVpcs, &ec2.DescribeVpcsInput{VpcIds: []string{"vpc-0123456789abcdef0"}}, "InvalidVpcID.NotFound", "The vpc ID 'vpc-0123456789abcdef0' does not exist")
	refused(w, w.ec2.DescribeVpcs, &ec2.DescribeVpcsInput{VpcIds: []string{"five"}}, "InvalidVpcID.Malformed", `Invalid id: "five" (expecting "vpc-...")`)

	// Deleting waits for what is inside.
	inside := w.group("inside", id)
	refused(w, w.ec2.DeleteVpc, &ec2.DeleteVpcInput{VpcId: &id}, "DependencyViolation", "~The vpc '"+id+"' has dependencies and cannot be deleted\\..*"+inside+".*")
	must(w, w.ec2.DeleteSecurityGroup, &ec2.DeleteSecurityGroupInput{GroupId: &inside})
	must(w, w.ec2.DeleteVpc, &ec2.DeleteVpcInput{VpcId: &id})
	refused(w, w.ec2.DescribeSecurityGroups, &ec2.DescribeSecurityGroupsInput{GroupIds: []string{*group.GroupId}},
		"InvalidGroup.NotFound", "The security group '"+*group.GroupId+"' does not exist")

	// A default VPC can be deleted and made anew, once.
	refused(w, w.ec2.CreateDefaultVpc, &ec2.CreateDefaultVpcInput{}, "DefaultVpcAlreadyExists", "A Default VPC already exists for this account in this region.")
	old := w.defaultVPC()
	for _, s := range must(w, w.ec2.DescribeSubnets, &ec2.DescribeSubnetsInput{Filters: filters("vpc-id", old)}).Subnets {
		must(w, w.ec2.DeleteSubnet, &ec2.DeleteSubnetInput{SubnetId: s.SubnetId})
	}
	for _, g := range must(w, w.ec2.DescribeInternetGateways, &ec2.DescribeInternetGatewaysInput{Filters: filters("attachment.vpc-id", old)}).InternetGateways {
		refused(w, w.ec2.DeleteVpc, &ec2.DeleteVpcInput{VpcId: &old}, "DependencyViolation", "~The vpc '"+old+"' has dependencies and cannot be deleted\\..*"+*g.InternetGatewayId+".*")
		must(w, w.ec2.DetachInternetGateway, &ec2.DetachInternetGatewayInput{InternetGatewayId: g.InternetGatewayId, VpcId: &old})
		must(w, w.ec2.DeleteInternetGateway, &ec2.DeleteInternetGatewayInput{InternetGatewayId: g.InternetGatewayId})
	}
	must(w, w.ec2.DeleteVpc, &ec2.DeleteVpcInput{VpcId: &old})
	refused(w, w.ec2.CreateSecurityGroup, &ec2.CreateSecurityGroupInput{GroupName: new("x"), Description: new("x")}, "VPCIdNotSpecified", "No default VPC for this user")
	refused(w, w.ec2.CreateDefaultSubnet, &ec2.CreateDefaultSubnetInput{AvailabilityZone: new(w.region + "a")}, "DefaultVpcDoesNotExist", "No default VPC exists for this account in this region.")
	fresh := must(w, w.ec2.CreateDefaultVpc, &ec2.CreateDefaultVpcInput{}).Vpc
	equal(w, "IsDefault", *fresh.IsDefault, true)
	equal(w, "the new default VPC", w.defaultVPC(), *fresh.VpcId)
}

// testSubnets: a subnet's life.
func testSubnets(w *world) {
	home := *must(w, w.ec2.CreateVpc, &ec2.CreateVpcInput{CidrBlock: new("10.7.0.0/16"), AmazonProvidedIpv6CidrBlock: new(true)}).Vpc.VpcId
	v := must(w, w.ec2.DescribeVpcs, &ec2.DescribeVpcsInput{VpcIds: []string{home}}).Vpcs[0]
	block := netip.MustParsePrefix(*v.Ipv6CidrBlockAssociationSet[0].Ipv6CidrBlock)
	six := netip.PrefixFrom(block.Addr(), 64).String()

	zone := *must(w, w.ec2.DescribeAvailabilityZones, &ec2.DescribeAvailabilityZonesInput{}).AvailabilityZones[1].ZoneName
	made := must(w, w.ec2.CreateSubnet, &ec2.CreateSubnetInput{
		VpcId: &home, CidrBlock: new("10.7.1.0/24"), AvailabilityZone: &zone, TagSpecifications: tagged("subnet", "Name", "one"),
	}).Subnet
	id := *made.SubnetId
	if !subnetID.MatchString(id) {
		w.Errorf("subnet id %q", id)
	}
	ask := &ec2.DescribeSubnetsInput{SubnetIds: []string{id}}
	if err := ec2.NewSubnetAvailableWaiter(w.ec2).Wait(w.ctx, ask, 30*time.Second); err != nil {
		w.Error(err)
	}
	describe := func() types.Subnet {
		w.Helper()
		return must(w, w.ec2.DescribeSubnets, ask).Subnets[0]
	}
	s := describe()
	equal(w, "free addresses", *s.AvailableIpAddressCount, 251)
	equal(w, "zone", *s.AvailabilityZone, zone)
	equal(w, "ARN", *s.SubnetArn, "arn:aws:ec2:"+w.region+":"+account+":subnet/"+id)
	equal(w, "tags", s.Tags, tags("Name", "one"))

	joined := must(w, w.ec2.AssociateSubnetCidrBlock, &ec2.AssociateSubnetCidrBlockInput{SubnetId: &id, Ipv6CidrBlock: &six}).Ipv6CidrBlockAssociation
	equal(w, "IPv6 block", *joined.Ipv6CidrBlock, six)
	equal(w, "IPv6 block, described", *describe().Ipv6CidrBlockAssociationSet[0].Ipv6CidrBlock, six)
	for _, change := range []*ec2.ModifySubnetAttributeInput{
		{SubnetId: &id, MapPublicIpOnLaunch: &types.AttributeBooleanValue{Value: new(true)}},
		{SubnetId: &id, AssignIpv6AddressOnCreation: &types.AttributeBooleanValue{Value: new(true)}},
		{SubnetId: &id, PrivateDnsHostnameTypeOnLaunch: types.HostnameTypeResourceName},
		{SubnetId: &id, EnableResourceNameDnsARecordOnLaunch: &types.AttributeBooleanValue{Value: new(true)}},
	} {
		must(w, w.ec2.ModifySubnetAttribute, change)
	}
	s = describe()
	if !*s.MapPublicIpOnLaunch || !*s.AssignIpv6AddressOnCreation || s.PrivateDnsNameOptionsOnLaunch.HostnameType != types.HostnameTypeResourceName || !*s.PrivateDnsNameOptionsOnLaunch.EnableResourceNameDnsARecord {
		w.Errorf("after four changes: %s", show(tree2(s)))
	}
	must(w, w.ec2.ModifySubnetAttribute, &ec2.ModifySubnetAttributeInput{SubnetId: &id, AssignIpv6AddressOnCreation: &types.AttributeBooleanValue{Value: new(false)}})
	must(w, w.ec2.DisassociateSubnetCidrBlock, &ec2.DisassociateSubnetCidrBlockInput{AssociationId: joined.AssociationId})
	equal(w, "IPv6 blocks after leaving", len(describe().Ipv6CidrBlockAssociationSet), 0)

	create := func(cidr string) *ec2.CreateSubnetInput {
		return &ec2.CreateSubnetInput{VpcId: &home, CidrBlock: &cidr}
	}
	refused(w, w.ec2.CreateSubnet, create("10.7.1.128/25"), "InvalidSubnet.Conflict", "The CIDR '10.7.1.128/25' conflicts with another subnet")
	refused(w, w.ec2.CreateSubnet, create("10.8.0.0/24"), "InvalidSubnet.Range", "The CIDR '10.8.0.0/24' is invalid.")
	refused(w, w.ec2.CreateSubnet, create("10.7.2.0/29"), "InvalidSubnet.Range", "The CIDR '10.7.2.0/29' is invalid.")
	w.subnet(home, "10.7.2.0/28")

	eni := *must(w, w.ec2.CreateNetworkInterface, &ec2.CreateNetworkInterfaceInput{SubnetId: &id}).NetworkInterface.NetworkInterfaceId
	equal(w, "free addresses with an interface", *describe().AvailableIpAddressCount, 250)
	refused(w, w.ec2.DeleteSubnet, &ec2.DeleteSubnetInput{SubnetId: &id}, "DependencyViolation", "~The subnet '"+id+"' has dependencies and cannot be deleted\\..*"+eni+".*")
	must(w, w.ec2.DeleteNetworkInterface, &ec2.DeleteNetworkInterfaceInput{NetworkInterfaceId: &eni})
	must(w, w.ec2.DeleteSubnet, &ec2.DeleteSubnetInput{SubnetId: &id})
	refused(w, w.ec2.DescribeSubnets, ask, "InvalidSubnetID.NotFound", "The subnet ID '"+id+"' does not exist")

	// The default subnet of a zone.
	def := must(w, w.ec2.DescribeSubnets, &ec2.DescribeSubnetsInput{Filters: filters("defaultForAz", "true", "availabilityZone", w.region+"a")}).Subnets[0]
	again := &ec2.CreateDefaultSubnetInput{AvailabilityZone: new(w.region + "a")}
	refused(w, w.ec2.CreateDefaultSubnet, again, "DefaultSubnetAlreadyExistsInAvailabilityZone", "'"+*def.SubnetId+"' is already the default subnet in "+w.region+"a.")
	must(w, w.ec2.DeleteSubnet, &ec2.DeleteSubnetInput{SubnetId: def.SubnetId})
	equal(w, "DefaultForAz", *must(w, w.ec2.CreateDefaultSubnet, again).Subnet.DefaultForAz, true)
}

// testInterfaces: an interface's life, and its addresses.
func testInterfaces(w *world) {
	home := *must(w, w.ec2.CreateVpc, &ec2.CreateVpcInput{CidrBlock: new("10.9.0.0/16"), AmazonProvidedIpv6CidrBlock: new(true)}).Vpc.VpcId
	v := must(w, w.ec2.DescribeVpcs, &ec2.DescribeVpcsInput{VpcIds: []string{home}}).Vpcs[0]
	block := netip.MustParsePrefix(*v.Ipv6CidrBlockAssociationSet[0].Ipv6CidrBlock)
	subnet := *must(w, w.ec2.CreateSubnet, &ec2.CreateSubnetInput{
		VpcId: &home, CidrBlock: new("10.9.1.0/24"), Ipv6CidrBlock: new(netip.PrefixFrom(block.Addr(), 64).String()),
	}).Subnet.SubnetId
	web, ops := w.group("web", home), w.group("ops", home)

	create := &ec2.CreateNetworkInterfaceInput{
		SubnetId: &subnet, Description: new("first"), Groups: []string{web, ops}, PrivateIpAddress: new("10.9.1.10"), Ipv6AddressCount: new(int32(1)),
		ClientToken: new("token-1"), TagSpecifications: tagged("network-interface", "Name", "eth0"),
		ConnectionTrackingSpecification: &types.ConnectionTrackingSpecificationRequest{TcpEstablishedTimeout: new(int32(350)), UdpTimeout: new(int32(40)), UdpStreamTimeout: new(int32(100))},
	}
	made := must(w, w.ec2.CreateNetworkInterface, create)
	id := *made.NetworkInterface.NetworkInterfaceId
	if !eniID.MatchString(id) {
		w.Errorf("interface id %q", id)
	}
	equal(w, "status of a new interface", made.NetworkInterface.Status, types.NetworkInterfaceStatus("pending"))
	equal(w, "client token", str(made.ClientToken), "token-1")
	ask := &ec2.DescribeNetworkInterfacesInput{NetworkInterfaceIds: []string{id}}
	if err := ec2.NewNetworkInterfaceAvailableWaiter(w.ec2).Wait(w.ctx, ask, 30*time.Second); err != nil {
		w.Error(err)
	}
	describe := func() types.NetworkInterface {
		w.Helper()
		return must(w, w.ec2.DescribeNetworkInterfaces, ask).NetworkInterfaces[0]
	}
	e := describe()
	groupIDs := func(gs []types.GroupIdentifier) (ids []string) {
		for _, g := range gs {
			ids = append(ids, *g.GroupId+" "+*g.GroupName)
		}
		return ids
	}
	equal(w, "groups", groupIDs(e.Groups), []string{web + " web", ops + " ops"})
	equal(w, "address", *e.PrivateIpAddress, "10.9.1.10")
	equal(w, "timeouts", e.ConnectionTrackingConfiguration, &types.ConnectionTrackingConfiguration{TcpEstablishedTimeout: new(int32(350)), UdpTimeout: new(int32(40)), UdpStreamTimeout: new(int32(100))})
	equal(w, "tags", e.TagSet, tags("Name", "eth0"))
	equal(w, "VPC, subnet and owner", []string{*e.VpcId, *e.SubnetId, *e.OwnerId}, []string{home, subnet, account})
	equal(w, "type", e.InterfaceType, types.NetworkInterfaceTypeInterface)
	equal(w, "source/destination check", *e.SourceDestCheck, true)
	if len(e.Ipv6Addresses) != 1 || !block.Contains(netip.MustParseAddr(*e.Ipv6Addresses[0].Ipv6Address)) {
		w.Errorf("IPv6 addresses %s", show(tree2(e.Ipv6Addresses)))
	}
	if len(e.PrivateIpAddresses) != 1 || !*e.PrivateIpAddresses[0].Primary || *e.MacAddress == "" {
		w.Errorf("the interface: %s", show(tree2(e)))
	}

	// The same token gives the same interface; another request with it, an error.
	if again := must(w, w.ec2.CreateNetworkInterface, create); *again.NetworkInterface.NetworkInterfaceId != id {
		w.Errorf("a second call with one token gives %s, want %s", *again.NetworkInterface.NetworkInterfaceId, id)
	}
	refused(w, w.ec2.CreateNetworkInterface, &ec2.CreateNetworkInterfaceInput{SubnetId: &subnet, ClientToken: new("token-1")},
		"IdempotentParameterMismatch", "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).")
	equal(w, "interfaces in the subnet", len(must(w, w.ec2.DescribeNetworkInterfaces, &ec2.DescribeNetworkInterfacesInput{Filters: filters("subnet-id", subnet)}).NetworkInterfaces), 1)

	// Filters.
	for _, row := range [][2]string{{"group-id", ops}, {"addresses.private-ip-address", "10.9.1.1?"}, {"description", "first"}, {"mac-address", *e.MacAddress}, {"tag:Name", "eth*"}} {
		found := must(w, w.ec2.DescribeNetworkInterfaces, &ec2.DescribeNetworkInterfacesInput{Filters: filters(row[0], row[1])}).NetworkInterfaces
		if len(found) != 1 || *found[0].NetworkInterfaceId != id {
			w.Errorf("filter %v finds %d interfaces", row, len(found))
		}
	}

	// Attributes.
	modify := func(in ec2.ModifyNetworkInterfaceAttributeInput) *ec2.ModifyNetworkInterfaceAttributeInput {
		in.NetworkInterfaceId = &id
		return &in
	}
	must(w, w.ec2.ModifyNetworkInterfaceAttribute, modify(ec2.ModifyNetworkInterfaceAttributeInput{Groups: []string{ops}}))
	must(w, w.ec2.ModifyNetworkInterfaceAttribute, modify(ec2.ModifyNetworkInterfaceAttributeInput{Description: &types.AttributeValue{Value: new("second")}}))
	must(w, w.ec2.ModifyNetworkInterfaceAttribute, modify(ec2.ModifyNetworkInterfaceAttributeInput{SourceDestCheck: &types.AttributeBooleanValue{Value: new(false)}}))
	refused(w, w.ec2.ModifyNetworkInterfaceAttribute, modify(ec2.ModifyNetworkInterfaceAttributeInput{}), "InvalidParameterCombination", "No attributes specified.")
	refused(w, w.ec2.ModifyNetworkInterfaceAttribute, modify(ec2.ModifyNetworkInterfaceAttributeInput{Groups: []string{"sg-0123456789abcdef0"}}), "InvalidGroup.NotFound", "The security group 'sg-0123456789abcdef0' does not exist")
	attribute := func(name types.NetworkInterfaceAttribute) *ec2.DescribeNetworkInterfaceAttributeOutput {
		w.Helper()
		return must(w, w.ec2.DescribeNetworkInterfaceAttribute, &ec2.DescribeNetworkInterfaceAttributeInput{NetworkInterfaceId: &id, Attribute: name})
	}
	equal(w, "groupSet", groupIDs(attribute(types.NetworkInterfaceAttributeGroupSet).Groups), []string{ops + " ops"})
	equal(w, "description", *attribute(types.NetworkInterfaceAttributeDescription).Description.Value, "second")
	equal(w, "sourceDestCheck", *attribute(types.NetworkInterfaceAttributeSourceDestCheck).SourceDestCheck.Value, false)
	must(w, w.ec2.ResetNetworkInterfaceAttribute, &ec2.ResetNetworkInterfaceAttributeInput{NetworkInterfaceId: &id, SourceDestCheck: new("true")})
	equal(w, "sourceDestCheck after a reset", *attribute(types.NetworkInterfaceAttributeSourceDestCheck).SourceDestCheck.Value, true)

	// Addresses: nothing is handed out twice, and none outside the subnet.
	assigned := must(w, w.ec2.AssignPrivateIpAddresses, &ec2.AssignPrivateIpAddressesInput{NetworkInterfaceId: &id, SecondaryPrivateIpAddressCount: new(int32(2))}).AssignedPrivateIpAddresses
	equal(w, "assigned", len(assigned), 2)
	all := map[string]bool{}
	for _, a := range describe().PrivateIpAddresses {
		if all[*a.PrivateIpAddress] || !strings.HasPrefix(*a.PrivateIpAddress, "10.9.1.") {
			w.Errorf("address %s", *a.PrivateIpAddress)
		}
		all[*a.PrivateIpAddress] = true
	}
	equal(w, "addresses", len(all), 3)
	must(w, w.ec2.AssignPrivateIpAddresses, &ec2.AssignPrivateIpAddressesInput{NetworkInterfaceId: &id, PrivateIpAddresses: []string{"10.9.1.200"}})
	taken := &ec2.CreateNetworkInterfaceInput{SubnetId: &subnet, PrivateIpAddress: new("10.9.1.200")}
	refused(w, w.ec2.CreateNetworkInterface, taken, "InvalidIPAddress.InUse", "Address 10.9.1.200 is in use.")
	refused(w, w.ec2.CreateNetworkInterface, &ec2.CreateNetworkInterfaceInput{SubnetId: &subnet, PrivateIpAddress: new("10.9.2.1")}, "InvalidParameterValue", "Address does not fall within the subnet's address range")
	refused(w, w.ec2.CreateNetworkInterface, &ec2.CreateNetworkInterfaceInput{SubnetId: &subnet, PrivateIpAddress: new("10.9.1.2")}, "InvalidParameterValue", "Address is in subnet's reserved address range")
	must(w, w.ec2.UnassignPrivateIpAddresses, &ec2.UnassignPrivateIpAddressesInput{NetworkInterfaceId: &id, PrivateIpAddresses: []string{"10.9.1.200"}})
	second := *must(w, w.ec2.CreateNetworkInterface, taken).NetworkInterface.NetworkInterfaceId

	six := must(w, w.ec2.AssignIpv6Addresses, &ec2.AssignIpv6AddressesInput{NetworkInterfaceId: &id, Ipv6AddressCount: new(int32(2))}).AssignedIpv6Addresses
	equal(w, "assigned IPv6 addresses", len(six), 2)
	equal(w, "IPv6 addresses", len(describe().Ipv6Addresses), 3)
	un := must(w, w.ec2.UnassignIpv6Addresses, &ec2.UnassignIpv6AddressesInput{NetworkInterfaceId: &id, Ipv6Addresses: six})
	equal(w, "unassigned IPv6 addresses", un.UnassignedIpv6Addresses, six)

	for _, e := range []string{id, second} {
		must(w, w.ec2.DeleteNetworkInterface, &ec2.DeleteNetworkInterfaceInput{NetworkInterfaceId: &e})
	}
	refused(w, w.ec2.DescribeNetworkInterfaces, ask, "InvalidNetworkInterfaceID.NotFound", "The networkInterface ID '"+id+"' does not exist")
}

// testPrefixLists: a list's life, in versions.
func testPrefixLists(w *world) {
	entry := func(cidrDescription ...string) (es []types.AddPrefixListEntry) {
		for i := 0; i < len(cidrDescription); i += 2 {
			es = append(es, types.AddPrefixListEntry{Cidr: &cidrDescription[i], Description: &cidrDescription[i+1]})
		}
		return es
	}
	create := &ec2.CreateManagedPrefixListInput{
		PrefixListName: new("offices"), AddressFamily: new("IPv4"), MaxEntries: new(int32(5)), ClientToken: new("list-1"),
		Entries: entry("203.0.113.0/24", "hq", "198.51.100.0/24", "branch"), TagSpecifications: tagged("prefix-list", "Name", "o"),
	}
	made := must(w, w.ec2.CreateManagedPrefixList, create).PrefixList
	id := *made.PrefixListId
	if !listID.MatchString(id) {
		w.Errorf("prefix list id %q", id)
	}
	if again := must(w, w.ec2.CreateManagedPrefixList, create).PrefixList; *again.PrefixListId != id {
		w.Errorf("a second call with one token gives %s, want %s", *again.PrefixListId, id)
	}
	describe := func() types.ManagedPrefixList {
		w.Helper()
		return must(w, w.ec2.DescribeManagedPrefixLists, &ec2.DescribeManagedPrefixListsInput{PrefixListIds: []string{id}}).PrefixLists[0]
	}
	l := describe()
	want := types.ManagedPrefixList{
		PrefixListId: &id, PrefixListName: new("offices"), AddressFamily: new("IPv4"), MaxEntries: new(int32(5)), Version: new(int64(1)),
		State: types.PrefixListStateCreateComplete, OwnerId: new(account), Tags: tags("Name", "o"),
		PrefixListArn:                     new("arn:aws:ec2:" + w.region + ":" + account + ":prefix-list/" + id),
		IpamPrefixListResolverSyncEnabled: l.IpamPrefixListResolverSyncEnabled,
	}
	equal(w, "the list", l, want)
	entries := func(version *int64) (es []string) {
		w.Helper()
		pages := ec2.NewGetManagedPrefixListEntriesPaginator(w.ec2, &ec2.GetManagedPrefixListEntriesInput{PrefixListId: &id, TargetVersion: version, MaxResults: new(int32(1))})
		for pages.HasMorePages() {
			page, err := pages.NextPage(w.ctx)
			if err != nil {
				w.Fatal(err)
			}
			for _, e := range page.Entries {
				es = append(es, *e.Cidr+" "+str(e.Description))
			}
		}
		slices.Sort(es)
		return es
	}
	equal(w, "entries", entries(nil), []string{"198.51.100.0/24 branch", "203.0.113.0/24 hq"})

	modify := func(version int64, add []types.AddPrefixListEntry, remove ...string) *ec2.ModifyManagedPrefixListInput {
		in := &ec2.ModifyManagedPrefixListInput{PrefixListId: &id, CurrentVersion: &version, AddEntries: add}
		for _, r := range remove {
			in.RemoveEntries = append(in.RemoveEntries, types.RemovePrefixListEntry{Cidr: &r})
		}
		return in
	}
	must(w, w.ec2.ModifyManagedPrefixList, modify(1, entry("192.0.2.0/24", "new"), "198.51.100.0/24"))
	equal(w, "version", *describe().Version, 2)
	equal(w, "entries of version 2", entries(nil), []string{"192.0.2.0/24 new", "203.0.113.0/24 hq"})
	equal(w, "entries of version 1", entries(new(int64(1))), []string{"198.51.100.0/24 branch", "203.0.113.0/24 hq"})
	refused(w, w.ec2.ModifyManagedPrefixList, modify(1, entry("10.0.0.0/8", "")), "PrefixListVersionMismatch", "The prefix list has the incorrect version number.")
	both := modify(2, entry("10.0.0.0/8", "x"))
	both.MaxEntries = new(int32(9))
	refused(w, w.ec2.ModifyManagedPrefixList, both, "InvalidParameterCombination", "You cannot modify the entries and the maximum entries for the prefix list in the same request.")
	must(w, w.ec2.ModifyManagedPrefixList, &ec2.ModifyManagedPrefixListInput{PrefixListId: &id, PrefixListName: new("places"), MaxEntries: new(int32(6))})
	l = describe()
	equal(w, "name, size and version", []any{*l.PrefixListName, *l.MaxEntries, *l.Version}, []any{"places", int32(6), int64(2)})
	must(w, w.ec2.RestoreManagedPrefixListVersion, &ec2.RestoreManagedPrefixListVersionInput{PrefixListId: &id, PreviousVersion: new(int64(1)), CurrentVersion: new(int64(2))})
	equal(w, "version after a restore", *describe().Version, 3)
	equal(w, "entries after a restore", entries(nil), entries(new(int64(1))))

	// AWS's own lists: seen, with their entries, and not to be changed.
	vendors := must(w, w.ec2.DescribeManagedPrefixLists, &ec2.DescribeManagedPrefixListsInput{Filters: filters("owner-id", "AWS")}).PrefixLists
	for _, v := range vendors {
		if !strings.HasPrefix(*v.PrefixListName, "com.amazonaws.") || v.Version != nil {
			w.Errorf("a list of AWS: %s", show(tree2(v)))
		}
	}
	own := must(w, w.ec2.DescribeManagedPrefixLists, &ec2.DescribeManagedPrefixListsInput{Filters: filters("owner-id", account)}).PrefixLists
	equal(w, "own lists", len(own), 1)
	for _, v := range must(w, w.ec2.DescribePrefixLists, &ec2.DescribePrefixListsInput{}).PrefixLists {
		if len(v.Cidrs) == 0 || *v.PrefixListId == id {
			w.Errorf("a list of a service: %s", show(tree2(v)))
		}
	}

	// In use it stays; unused it goes.
	group := w.group("user", w.defaultVPC())
	rule := w.allow(group, types.IpPermission{IpProtocol: new("-1"), PrefixListIds: []types.PrefixListId{{PrefixListId: &id}}})[0]
	if _, err := w.ec2.DeleteManagedPrefixList(w.ctx, &ec2.DeleteManagedPrefixListInput{PrefixListId: &id}); err == nil {
		equal(w, "state of a list in use", describe().State, types.PrefixListStateDeleteFailed)
	}
	must(w, w.ec2.RevokeSecurityGroupIngress, &ec2.RevokeSecurityGroupIngressInput{GroupId: &group, SecurityGroupRuleIds: []string{*rule.SecurityGroupRuleId}})
	must(w, w.ec2.DeleteManagedPrefixList, &ec2.DeleteManagedPrefixListInput{PrefixListId: &id})
	refused(w, w.ec2.DescribeManagedPrefixLists, &ec2.DescribeManagedPrefixListsInput{PrefixListIds: []string{id}}, "InvalidPrefixListID.NotFound", "The prefix list ID '"+id+"' does not exist")
}

// testTags: tags on everything that can have them.
func testTags(w *world) {
	home := w.vpc("10.11.0.0/16")
	subnet := w.subnet(home, "10.11.1.0/24")
	group := w.group("tagged", home)
	rule := *w.allow(group, tcp(22, 22, "192.0.2.1/32"))[0].SecurityGroupRuleId
	eni := *must(w, w.ec2.CreateNetworkInterface, &ec2.CreateNetworkInterfaceInput{SubnetId: &subnet}).NetworkInterface.NetworkInterfaceId
	list := *must(w, w.ec2.CreateManagedPrefixList, &ec2.CreateManagedPrefixListInput{PrefixListName: new("t"), AddressFamily: new("IPv6"), MaxEntries: new(int32(1))}).PrefixList.PrefixListId
	of := map[string]types.ResourceType{
		home: "vpc", subnet: "subnet", group: "security-group", rule: "security-group-rule", eni: "network-interface", list: "prefix-list",
	}
	var ids []string
	for id := range of {
		ids = append(ids, id)
	}
	must(w, w.ec2.CreateTags, &ec2.CreateTagsInput{Resources: ids, Tags: tags("team", "net ü", "empty", "")})
	must(w, w.ec2.CreateTags, &ec2.CreateTagsInput{Resources: []string{group}, Tags: tags("team", "ops")})

	described := func(nameValue ...string) map[string]string {
		w.Helper()
		found := map[string]string{}
		pages := ec2.NewDescribeTagsPaginator(w.ec2, &ec2.DescribeTagsInput{Filters: filters(nameValue...), MaxResults: new(int32(5))})
		for pages.HasMorePages() {
			page, err := pages.NextPage(w.ctx)
			if err != nil {
				w.Fatal(err)
			}
			for _, t := range page.Tags {
				if t.ResourceType != of[*t.ResourceId] {
					w.Errorf("%s is a %s", *t.ResourceId, t.ResourceType)
				}
				found[*t.ResourceId+" "+*t.Key] = *t.Value
			}
		}
		return found
	}
	all := described()
	equal(w, "number of tags", len(all), 2*len(ids))
	for _, id := range ids {
		want := "net ü"
		if id == group {
			want = "ops"
		}
		if all[id+" team"] != want {
			w.Errorf("tag of %s is %q, want %q", id, all[id+" team"], want)
		}
	}
	equal(w, "by value", len(described("value", "ops")), 1)
	equal(w, "by type", len(described("resource-type", "subnet|vpc", "key", "team")), 2)
	equal(w, "the rule shows its tags", w.rulesOf(group, false)[rule].Tags, tags("empty", "", "team", "net ü"))

	refused(w, w.ec2.CreateTags, &ec2.CreateTagsInput{Resources: []string{group}, Tags: tags("aws:x", "y")},
		"InvalidParameterValue", "Value ( aws:x ) for parameter key is invalid. Tag keys starting with 'aws:' are reserved for internal use")
	refused(w, w.ec2.CreateTags, &ec2.CreateTagsInput{Resources: []string{group, "sg-0123456789abcdef0"}, Tags: tags("a", "b")},
		"InvalidGroup.NotFound", "The security group 'sg-0123456789abcdef0' does not exist")
	refused(w, w.ec2.CreateTags, &ec2.CreateTagsInput{Resources: []string{"thing-1"}, Tags: tags("a", "b")}, "InvalidID", "The ID 'thing-1' is not valid")
	equal(w, "tags after refusals", len(described("resource-id", group)), 2)

	must(w, w.ec2.DeleteTags, &ec2.DeleteTagsInput{Resources: ids})
	equal(w, "tags after deleting all", len(described()), 0)
}
