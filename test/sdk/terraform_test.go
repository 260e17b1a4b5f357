package sdk

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// testTerraform calls what Terraform's provider calls for each of its
// resources, in the provider's order, and looks at what the provider reads.
func testTerraform(w *world) {
	home := w.vpc("10.40.0.0/16")
	subnet := w.subnet(home, "10.40.1.0/24")
	for _, r := range []struct {
		name string
		run  func(w *world, vpc, subnet string)
	}{
		{"aws_vpc", replayVPC},
		{"aws_subnet", replaySubnet},
		{"aws_internet_gateway", replayInternetGateway},
		{"aws_route_table", replayRouteTable},
		{"aws_security_group", replaySecurityGroup},
		{"aws_security_group_rule", replaySecurityGroupRule},
		{"aws_vpc_security_group_rules", replayVPCSecurityGroupRules},
		{"aws_default_security_group", replayDefaultSecurityGroup},
		{"aws_ec2_managed_prefix_list", replayPrefixList},
		{"aws_network_interface", replayInterface},
		{"aws_instance", replayInstance},
		{"aws_vpc_peering_connection", replayPeering},
		{"aws_eip", replayAddress},
		{"aws_key_pair", replayKeyPair},
	} {
		w.Run(r.name, func(t *testing.T) {
			one := *w
			one.T = t
			r.run(&one, home, subnet)
		})
	}
}

// until calls look, as the provider's waiters do, until it says true.
func (w *world) until(what string, look func() bool) {
	w.Helper()
	for end := time.Now().Add(30 * time.Second); !look(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			w.Fatalf("after 30 s still not %s", what)
		}
	}
}

// theInterface describes one interface.
func (w *world) theInterface(id string) types.NetworkInterface {
	w.Helper()
	return must(w, w.ec2.DescribeNetworkInterfaces, &ec2.DescribeNetworkInterfacesInput{NetworkInterfaceIds: []string{id}}).NetworkInterfaces[0]
}

func replayVPC(w *world, _, _ string) {
	id := must(w, w.ec2.CreateVpc, &ec2.CreateVpcInput{
		CidrBlock: new("10.41.0.0/16"), InstanceTenancy: types.TenancyDefault, AmazonProvidedIpv6CidrBlock: new(false), TagSpecifications: tagged("vpc", "Name", "tf"),
	}).Vpc.VpcId
	ask := &ec2.DescribeVpcsInput{VpcIds: []string{*id}}
	w.until("available", func() bool {
		return must(w, w.ec2.DescribeVpcs, ask).Vpcs[0].State == types.VpcStateAvailable
	})
	flag := func(name types.VpcAttributeName) *ec2.DescribeVpcAttributeOutput {
		return must(w, w.ec2.DescribeVpcAttribute, &ec2.DescribeVpcAttributeInput{VpcId: id, Attribute: name})
	}
	read := func(name string, hostnames bool) {
		w.Helper()
		v := must(w, w.ec2.DescribeVpcs, ask).Vpcs[0]
		equal(w, "CIDR, owner and DHCP options", []string{*v.CidrBlock, *v.OwnerId, (*v.DhcpOptionsId)[:5]}, []string{"10.41.0.0/16", account, "dopt-"})
		equal(w, "tenancy", v.InstanceTenancy, types.TenancyDefault)
		equal(w, "tags", v.Tags, tags("Name", name))
		equal(w, "host names", *flag(types.VpcAttributeNameEnableDnsHostnames).EnableDnsHostnames.Value, hostnames)
		equal(w, "DNS", *flag(types.VpcAttributeNameEnableDnsSupport).EnableDnsSupport.Value, true)
		equal(w, "metrics", *flag(types.VpcAttributeNameEnableNetworkAddressUsageMetrics).EnableNetworkAddressUsageMetrics.Value, false)
		equal(w, "default ACLs", len(must(w, w.ec2.DescribeNetworkAcls, &ec2.DescribeNetworkAclsInput{Filters: filters("default", "true", "vpc-id", *id)}).NetworkAcls), 1)
		equal(w, "main tables", len(must(w, w.ec2.DescribeRouteTables, &ec2.DescribeRouteTablesInput{Filters: filters("association.main", "true", "vpc-id", *id)}).RouteTables), 1)
		equal(w, "default groups", len(must(w, w.ec2.DescribeSecurityGroups, &ec2.DescribeSecurityGroupsInput{Filters: filters("group-name", "default", "vpc-id", *id)}).SecurityGroups), 1)
	}
	read("tf", false)
	must(w, w.ec2.DeleteTags, &ec2.DeleteTagsInput{Resources: []string{*id}, Tags: []types.Tag{{Key: new("old")}}})
	must(w, w.ec2.CreateTags, &ec2.CreateTagsInput{Resources: []string{*id}, Tags: tags("Name", "tf2")})
	must(w, w.ec2.ModifyVpcAttribute, &ec2.ModifyVpcAttributeInput{VpcId: id, EnableDnsHostnames: &types.AttributeBooleanValue{Value: new(true)}})
	w.until("with host names", func() bool { return *flag(types.VpcAttributeNameEnableDnsHostnames).EnableDnsHostnames.Value })
	read("tf2", true)

	// aws_vpc_ipv4_cidr_block_association
	more := must(w, w.ec2.AssociateVpcCidrBlock, &ec2.AssociateVpcCidrBlockInput{VpcId: id, CidrBlock: new("10.51.0.0/16")}).CidrBlockAssociation.AssociationId
	block := func() (state types.VpcCidrBlockStateCode) {
		for _, v := range must(w, w.ec2.DescribeVpcs, &ec2.DescribeVpcsInput{Filters: filters("cidr-block-association.association-id", *more)}).Vpcs {
			for _, a := range v.CidrBlockAssociationSet {
				if *a.AssociationId == *more {
					state = a.CidrBlockState.State
				}
			}
		}
		return state
	}
	w.until("associated", func() bool { return block() == types.VpcCidrBlockStateCodeAssociated })
	must(w, w.ec2.DisassociateVpcCidrBlock, &ec2.DisassociateVpcCidrBlockInput{AssociationId: more})
	w.until("disassociated", func() bool { s := block(); return s == "" || s == types.VpcCidrBlockStateCodeDisassociated })

	must(w, w.ec2.DeleteVpc, &ec2.DeleteVpcInput{VpcId: id})
	refused(w, w.ec2.DescribeVpcs, ask, "InvalidVpcID.NotFound", "The vpc ID '"+*id+"' does not exist")
}

func replaySubnet(w *world, vpc, _ string) {
	id := must(w, w.ec2.CreateSubnet, &ec2.CreateSubnetInput{VpcId: &vpc, CidrBlock: new("10.40.2.0/24"), TagSpecifications: tagged("subnet", "Name", "tf")}).Subnet.SubnetId
	ask := &ec2.DescribeSubnetsInput{SubnetIds: []string{*id}}
	read := func() types.Subnet { w.Helper(); return must(w, w.ec2.DescribeSubnets, ask).Subnets[0] }
	w.until("available", func() bool { return read().State == types.SubnetStateAvailable })
	must(w, w.ec2.ModifySubnetAttribute, &ec2.ModifySubnetAttributeInput{SubnetId: id, MapPublicIpOnLaunch: &types.AttributeBooleanValue{Value: new(true)}})
	w.until("public", func() bool { return *read().MapPublicIpOnLaunch })
	s := read()
	equal(w, "VPC, CIDR and ARN", []string{*s.VpcId, *s.CidrBlock, *s.SubnetArn}, []string{vpc, "10.40.2.0/24", "arn:aws:ec2:" + w.region + ":" + account + ":subnet/" + *id})
	equal(w, "tags", s.Tags, tags("Name", "tf"))
	equal(w, "flags", []bool{*s.AssignIpv6AddressOnCreation, *s.EnableDns64, *s.Ipv6Native, *s.DefaultForAz}, []bool{false, false, false, false})
	equal(w, "names", s.PrivateDnsNameOptionsOnLaunch.HostnameType, types.HostnameTypeIpName)
	must(w, w.ec2.ModifySubnetAttribute, &ec2.ModifySubnetAttributeInput{SubnetId: id, EnableResourceNameDnsARecordOnLaunch: &types.AttributeBooleanValue{Value: new(true)}})
	w.until("with A records", func() bool { return *read().PrivateDnsNameOptionsOnLaunch.EnableResourceNameDnsARecord })
	equal(w, "lingering interfaces", len(must(w, w.ec2.DescribeNetworkInterfaces, &ec2.DescribeNetworkInterfacesInput{Filters: filters("subnet-id", *id)}).NetworkInterfaces), 0)
	must(w, w.ec2.DeleteSubnet, &ec2.DeleteSubnetInput{SubnetId: id})
	refused(w, w.ec2.DescribeSubnets, ask, "InvalidSubnetID.NotFound", "The subnet ID '"+*id+"' does not exist")
	// aws_default_subnet
	zone := *must(w, w.ec2.DescribeAvailabilityZones, &ec2.DescribeAvailabilityZonesInput{Filters: filters("state", "available")}).AvailabilityZones[0].ZoneName
	equal(w, "default subnets", len(must(w, w.ec2.DescribeSubnets, &ec2.DescribeSubnetsInput{Filters: filters("availabilityZone", zone, "defaultForAz", "true")}).Subnets), 1)
}

func replayInternetGateway(w *world, vpc, _ string) {
	id := must(w, w.ec2.CreateInternetGateway, &ec2.CreateInternetGatewayInput{TagSpecifications: tagged("internet-gateway", "Name", "tf")}).InternetGateway.InternetGatewayId
	must(w, w.ec2.AttachInternetGateway, &ec2.AttachInternetGatewayInput{InternetGatewayId: id, VpcId: &vpc})
	ask := &ec2.DescribeInternetGatewaysInput{InternetGatewayIds: []string{*id}}
	for range 2 {
		g := must(w, w.ec2.DescribeInternetGateways, ask).InternetGateways[0]
		equal(w, "attachment", g.Attachments, []types.InternetGatewayAttachment{{State: "available", VpcId: &vpc}})
		equal(w, "owner", *g.OwnerId, account)
		equal(w, "tags", g.Tags, tags("Name", "tf"))
	}
	must(w, w.ec2.DetachInternetGateway, &ec2.DetachInternetGatewayInput{InternetGatewayId: id, VpcId: &vpc})
	equal(w, "attachments", len(must(w, w.ec2.DescribeInternetGateways, ask).InternetGateways[0].Attachments), 0)
	must(w, w.ec2.DeleteInternetGateway, &ec2.DeleteInternetGatewayInput{InternetGatewayId: id})
	refused(w, w.ec2.DescribeInternetGateways, ask, "InvalidInternetGatewayID.NotFound", "~.*"+*id+".*")
}

func replayRouteTable(w *world, vpc, subnet string) {
	gateway := must(w, w.ec2.CreateInternetGateway, &ec2.CreateInternetGatewayInput{}).InternetGateway.InternetGatewayId
	must(w, w.ec2.AttachInternetGateway, &ec2.AttachInternetGatewayInput{InternetGatewayId: gateway, VpcId: &vpc})
	id := must(w, w.ec2.CreateRouteTable, &ec2.CreateRouteTableInput{VpcId: &vpc}).RouteTable.RouteTableId
	ask := &ec2.DescribeRouteTablesInput{RouteTableIds: []string{*id}}
	must(w, w.ec2.DescribeRouteTables, ask)
	must(w, w.ec2.CreateRoute, &ec2.CreateRouteInput{RouteTableId: id, DestinationCidrBlock: new("0.0.0.0/0"), GatewayId: gateway})
	var routes []string
	for _, r := range must(w, w.ec2.DescribeRouteTables, ask).RouteTables[0].Routes {
		routes = append(routes, *r.DestinationCidrBlock+" "+*r.GatewayId+" "+string(r.State)+" "+string(r.Origin))
	}
	slices.Sort(routes)
	equal(w, "routes", routes, []string{"0.0.0.0/0 " + *gateway + " active CreateRoute", "10.40.0.0/16 local active CreateRouteTable"})

	// aws_route_table_association
	at := must(w, w.ec2.AssociateRouteTable, &ec2.AssociateRouteTableInput{RouteTableId: id, SubnetId: &subnet}).AssociationId
	found := must(w, w.ec2.DescribeRouteTables, &ec2.DescribeRouteTablesInput{Filters: filters("association.route-table-association-id", *at)}).RouteTables[0].Associations[0]
	equal(w, "association", []string{*found.RouteTableAssociationId, *found.RouteTableId, *found.SubnetId}, []string{*at, *id, subnet})
	equal(w, "association's state", found.AssociationState.State, types.RouteTableAssociationStateCodeAssociated)
	must(w, w.ec2.DisassociateRouteTable, &ec2.DisassociateRouteTableInput{AssociationId: at})
	equal(w, "tables by the association", len(must(w, w.ec2.DescribeRouteTables, &ec2.DescribeRouteTablesInput{Filters: filters("association.route-table-association-id", *at)}).RouteTables), 0)

	must(w, w.ec2.DeleteRoute, &ec2.DeleteRouteInput{RouteTableId: id, DestinationCidrBlock: new("0.0.0.0/0")})
	equal(w, "routes", len(must(w, w.ec2.DescribeRouteTables, ask).RouteTables[0].Routes), 1)
	must(w, w.ec2.DeleteRouteTable, &ec2.DeleteRouteTableInput{RouteTableId: id})
	refused(w, w.ec2.DescribeRouteTables, ask, "InvalidRouteTableID.NotFound", "~.*"+*id+".*")
	must(w, w.ec2.DetachInternetGateway, &ec2.DetachInternetGatewayInput{InternetGatewayId: gateway, VpcId: &vpc})
	must(w, w.ec2.DeleteInternetGateway, &ec2.DeleteInternetGatewayInput{InternetGatewayId: gateway})
}

// everywhere is the provider's permission for all protocols, ports 0 and all.
func everywhere(cidr string) []types.IpPermission {
	p := types.IpPermission{IpProtocol: new("-1"), FromPort: new(int32(0)), ToPort: new(int32(0))}
	if strings.Contains(cidr, ":") {
		p.Ipv6Ranges = []types.Ipv6Range{{CidrIpv6: &cidr}}
	} else {
		p.IpRanges = []types.IpRange{{CidrIp: &cidr}}
	}
	return []types.IpPermission{p}
}

// deleteGroup is how the provider deletes a group.
func (w *world) deleteGroup(id string) {
	w.Helper()
	equal(w, "lingering interfaces", len(must(w, w.ec2.DescribeNetworkInterfaces, &ec2.DescribeNetworkInterfacesInput{Filters: filters("group-id", id)}).NetworkInterfaces), 0)
	must(w, w.ec2.DeleteSecurityGroup, &ec2.DeleteSecurityGroupInput{GroupId: &id})
	refused(w, w.ec2.DescribeSecurityGroups, &ec2.DescribeSecurityGroupsInput{GroupIds: []string{id}}, "InvalidGroup.NotFound", "The security group '"+id+"' does not exist")
}

func replaySecurityGroup(w *world, vpc, _ string) {
	id := *must(w, w.ec2.CreateSecurityGroup, &ec2.CreateSecurityGroupInput{GroupName: new("tf"), Description: new("Managed by Terraform"), VpcId: &vpc}).GroupId
	w.theGroup(id)
	must(w, w.ec2.RevokeSecurityGroupEgress, &ec2.RevokeSecurityGroupEgressInput{GroupId: &id, IpPermissions: everywhere("0.0.0.0/0")})
	_, err := w.ec2.RevokeSecurityGroupEgress(w.ctx, &ec2.RevokeSecurityGroupEgressInput{GroupId: &id, IpPermissions: everywhere("::/0")})
	w.isRefusal("revoking ::/0", err, "InvalidPermission.NotFound", "~.+")
	equal(w, "rules after revoking", len(w.theGroup(id).IpPermissionsEgress), 0)
	in := tcp(443, 443, "10.0.0.0/8")
	in.IpRanges[0].Description = new("https")
	w.allow(id, in)
	all := types.IpPermission{IpProtocol: new("-1"), IpRanges: []types.IpRange{{CidrIp: new("0.0.0.0/0")}}}
	must(w, w.ec2.AuthorizeSecurityGroupEgress, &ec2.AuthorizeSecurityGroupEgressInput{GroupId: &id, IpPermissions: []types.IpPermission{all}})
	for range 2 {
		g := w.theGroup(id)
		equal(w, "texts", []string{*g.GroupName, *g.Description, *g.VpcId, *g.OwnerId}, []string{"tf", "Managed by Terraform", vpc, account})
		equal(w, "inbound", g.IpPermissions, []types.IpPermission{in})
		equal(w, "outbound", g.IpPermissionsEgress, []types.IpPermission{all})
	}
	next := tcp(8443, 8443, "10.0.0.0/8", "192.168.0.0/16")
	must(w, w.ec2.RevokeSecurityGroupIngress, &ec2.RevokeSecurityGroupIngressInput{GroupId: &id, IpPermissions: []types.IpPermission{in}})
	w.allow(id, next)
	equal(w, "inbound", w.theGroup(id).IpPermissions, []types.IpPermission{next})
	// revoke_rules_on_delete
	for rule := range w.rulesOf(id, false) {
		must(w, w.ec2.RevokeSecurityGroupIngress, &ec2.RevokeSecurityGroupIngressInput{GroupId: &id, SecurityGroupRuleIds: []string{rule}})
	}
	w.deleteGroup(id)
}

func replaySecurityGroupRule(w *world, vpc, _ string) {
	id := w.group("rule", vpc)
	w.theGroup(id)
	p := tcp(22, 22, "10.1.0.0/16", "10.2.0.0/16")
	p.IpRanges[0].Description, p.IpRanges[1].Description = new("one"), new("two")
	w.allow(id, p)
	equal(w, "the permission", w.theGroup(id).IpPermissions, []types.IpPermission{p})
	equal(w, "its rules", len(w.rulesOf(id, false)), 2)
	p.IpRanges[0].Description, p.IpRanges[1].Description = new("three"), new("three")
	must(w, w.ec2.UpdateSecurityGroupRuleDescriptionsIngress, &ec2.UpdateSecurityGroupRuleDescriptionsIngressInput{GroupId: &id, IpPermissions: []types.IpPermission{p}})
	equal(w, "the permission", w.theGroup(id).IpPermissions, []types.IpPermission{p})
	must(w, w.ec2.RevokeSecurityGroupIngress, &ec2.RevokeSecurityGroupIngressInput{GroupId: &id, IpPermissions: []types.IpPermission{p}})
	refused(w, w.ec2.RevokeSecurityGroupIngress, &ec2.RevokeSecurityGroupIngressInput{GroupId: &id, IpPermissions: []types.IpPermission{p}}, "InvalidPermission.NotFound", "~.+")
	equal(w, "permissions left", len(w.theGroup(id).IpPermissions), 0)
	w.deleteGroup(id)
}

func replayVPCSecurityGroupRules(w *world, vpc, _ string) {
	id := w.group("rules", vpc)
	in := must(w, w.ec2.AuthorizeSecurityGroupIngress, &ec2.AuthorizeSecurityGroupIngressInput{
		GroupId: &id, IpPermissions: []types.IpPermission{tcp(80, 80, "10.0.0.0/8")}, TagSpecifications: tagged("security-group-rule", "Name", "in"),
	}).SecurityGroupRules
	out := must(w, w.ec2.AuthorizeSecurityGroupEgress, &ec2.AuthorizeSecurityGroupEgressInput{
		GroupId: &id, IpPermissions: []types.IpPermission{tcp(81, 82, "10.0.0.0/8")}, TagSpecifications: tagged("security-group-rule", "Name", "out"),
	}).SecurityGroupRules
	equal(w, "rules in the answers", []int{len(in), len(out)}, []int{1, 1})
	for _, made := range []types.SecurityGroupRule{in[0], out[0]} {
		rule, egress := *made.SecurityGroupRuleId, *made.IsEgress
		ask := &ec2.DescribeSecurityGroupRulesInput{SecurityGroupRuleIds: []string{rule}}
		read := func() types.SecurityGroupRule {
			return must(w, w.ec2.DescribeSecurityGroupRules, ask).SecurityGroupRules[0]
		}
		got := read()
		equal(w, "rule", got, made)
		equal(w, "ARN", str(got.SecurityGroupRuleArn), "arn:aws:ec2:"+w.region+":"+account+":security-group-rule/"+rule)
		must(w, w.ec2.CreateTags, &ec2.CreateTagsInput{Resources: []string{rule}, Tags: tags("Name", "new")})
		must(w, w.ec2.ModifySecurityGroupRules, &ec2.ModifySecurityGroupRulesInput{GroupId: &id, SecurityGroupRules: []types.SecurityGroupRuleUpdate{{
			SecurityGroupRuleId: &rule, SecurityGroupRule: &types.SecurityGroupRuleRequest{
				IpProtocol: new("udp"), FromPort: new(int32(53)), ToPort: new(int32(53)), CidrIpv4: new("10.9.0.0/16"), Description: new("dns"),
			},
		}}})
		want := made
		want.IpProtocol, want.FromPort, want.ToPort, want.CidrIpv4, want.Description, want.Tags = new("udp"), new(int32(53)), new(int32(53)), new("10.9.0.0/16"), new("dns"), tags("Name", "new")
		equal(w, "modified rule", read(), want)
		for i := range 2 {
			var err error
			if egress {
				_, err = w.ec2.RevokeSecurityGroupEgress(w.ctx, &ec2.RevokeSecurityGroupEgressInput{GroupId: &id, SecurityGroupRuleIds: []string{rule}})
			} else {
				_, err = w.ec2.RevokeSecurityGroupIngress(w.ctx, &ec2.RevokeSecurityGroupIngressInput{GroupId: &id, SecurityGroupRuleIds: []string{rule}})
			}
			if i == 0 && err != nil {
				w.Error(err)
			} else if i == 1 {
				w.isRefusal("revoking twice", err, "InvalidSecurityGroupRuleId.NotFound", "~.+")
			}
		}
		refused(w, w.ec2.DescribeSecurityGroupRules, ask, "InvalidSecurityGroupRuleId.NotFound", "~.+")
	}
	w.deleteGroup(id)
}

func replayDefaultSecurityGroup(w *world, vpc, _ string) {
	id := *must(w, w.ec2.DescribeSecurityGroups, &ec2.DescribeSecurityGroupsInput{Filters: filters("group-name", "default", "vpc-id", vpc)}).SecurityGroups[0].GroupId
	must(w, w.ec2.CreateTags, &ec2.CreateTagsInput{Resources: []string{id}, Tags: tags("Name", "adopted")})
	equal(w, "tags", w.theGroup(id).Tags, tags("Name", "adopted"))
	for rule := range w.rulesOf(id, false) {
		must(w, w.ec2.RevokeSecurityGroupIngress, &ec2.RevokeSecurityGroupIngressInput{GroupId: &id, SecurityGroupRuleIds: []string{rule}})
	}
	for rule := range w.rulesOf(id, true) {
		must(w, w.ec2.RevokeSecurityGroupEgress, &ec2.RevokeSecurityGroupEgressInput{GroupId: &id, SecurityGroupRuleIds: []string{rule}})
	}
	self := types.IpPermission{IpProtocol: new("-1"), UserIdGroupPairs: []types.UserIdGroupPair{{UserId: new(account), GroupId: &id}}}
	w.allow(id, self)
	g := w.theGroup(id)
	equal(w, "inbound", g.IpPermissions, []types.IpPermission{self})
	equal(w, "outbound", len(g.IpPermissionsEgress), 0)
}

func replayPrefixList(w *world, _, _ string) {
	id := must(w, w.ec2.CreateManagedPrefixList, &ec2.CreateManagedPrefixListInput{
		ClientToken: new("terraform-20261122000000"), PrefixListName: new("tf"), AddressFamily: new("IPv4"), MaxEntries: new(int32(4)),
		Entries: []types.AddPrefixListEntry{{Cidr: new("10.0.0.0/8"), Description: new("a")}},
	}).PrefixList.PrefixListId
	ask := &ec2.DescribeManagedPrefixListsInput{PrefixListIds: []string{*id}}
	wait := func(state types.PrefixListState) (version *int64) {
		w.until(string(state), func() bool {
			l := must(w, w.ec2.DescribeManagedPrefixLists, ask).PrefixLists[0]
			version = l.Version
			return l.State == state
		})
		return version
	}
	entries := func(want ...string) {
		w.Helper()
		var got []string
		for _, e := range must(w, w.ec2.GetManagedPrefixListEntries, &ec2.GetManagedPrefixListEntriesInput{PrefixListId: id}).Entries {
			got = append(got, *e.Cidr+" "+str(e.Description))
		}
		equal(w, "entries", got, want)
	}
	version := wait(types.PrefixListStateCreateComplete)
	entries("10.0.0.0/8 a")
	add := func(cidr, description string) {
		w.Helper()
		must(w, w.ec2.ModifyManagedPrefixList, &ec2.ModifyManagedPrefixListInput{PrefixListId: id, CurrentVersion: version, AddEntries: []types.AddPrefixListEntry{{Cidr: &cidr, Description: &description}}})
		version = wait(types.PrefixListStateModifyComplete)
	}
	remove := func(cidr string) {
		w.Helper()
		must(w, w.ec2.ModifyManagedPrefixList, &ec2.ModifyManagedPrefixListInput{PrefixListId: id, CurrentVersion: version, RemoveEntries: []types.RemovePrefixListEntry{{Cidr: &cidr}}})
		version = wait(types.PrefixListStateModifyComplete)
	}
	remove("10.0.0.0/8") // only the description changes
	add("10.0.0.0/8", "b")
	entries("10.0.0.0/8 b")
	add("192.168.0.0/16", "entry") // aws_ec2_managed_prefix_list_entry
	entries("10.0.0.0/8 b", "192.168.0.0/16 entry")
	remove("192.168.0.0/16")
	equal(w, "version", *version, 5)
	must(w, w.ec2.ModifyManagedPrefixList, &ec2.ModifyManagedPrefixListInput{PrefixListId: id, MaxEntries: new(int32(6))})
	wait(types.PrefixListStateModifyComplete)
	must(w, w.ec2.DeleteManagedPrefixList, &ec2.DeleteManagedPrefixListInput{PrefixListId: id})
	w.until("gone", func() bool {
		out, err := w.ec2.DescribeManagedPrefixLists(w.ctx, ask)
		if err != nil {
			w.isRefusal("a deleted list", err, "InvalidPrefixListID.NotFound", "~.+")
		}
		return err != nil || len(out.PrefixLists) == 0
	})
}

func replayInterface(w *world, vpc, subnet string) {
	a, b := w.group("eni-a", vpc), w.group("eni-b", vpc)
	id := must(w, w.ec2.CreateNetworkInterface, &ec2.CreateNetworkInterfaceInput{
		ClientToken: new("terraform-20261122000001"), SubnetId: &subnet, Groups: []string{a},
		PrivateIpAddresses: []types.PrivateIpAddressSpecification{{Primary: new(true), PrivateIpAddress: new("10.40.1.20")}},
	}).NetworkInterface.NetworkInterfaceId
	read := func() types.NetworkInterface { w.Helper(); return w.theInterface(*id) }
	w.until("available", func() bool { return read().Status == types.NetworkInterfaceStatusAvailable })
	e := read()
	equal(w, "address, subnet and owner", []string{*e.PrivateIpAddress, *e.SubnetId, *e.OwnerId}, []string{"10.40.1.20", subnet, account})
	if *e.MacAddress == "" || e.Attachment != nil || !*e.SourceDestCheck {
		w.Errorf("interface: %s", show(tree2(e)))
	}
	must(w, w.ec2.CreateTags, &ec2.CreateTagsInput{Resources: []string{*id}, Tags: tags("Name", "tf")})
	must(w, w.ec2.AssignPrivateIpAddresses, &ec2.AssignPrivateIpAddressesInput{NetworkInterfaceId: id, PrivateIpAddresses: []string{"10.40.1.21"}})
	equal(w, "addresses", len(read().PrivateIpAddresses), 2)
	must(w, w.ec2.UnassignPrivateIpAddresses, &ec2.UnassignPrivateIpAddressesInput{NetworkInterfaceId: id, PrivateIpAddresses: []string{"10.40.1.21"}})
	must(w, w.ec2.ModifyNetworkInterfaceAttribute, &ec2.ModifyNetworkInterfaceAttributeInput{NetworkInterfaceId: id, SourceDestCheck: &types.AttributeBooleanValue{Value: new(false)}})
	must(w, w.ec2.ModifyNetworkInterfaceAttribute, &ec2.ModifyNetworkInterfaceAttributeInput{NetworkInterfaceId: id, Description: &types.AttributeValue{Value: new("told")}})
	// aws_network_interface_sg_attachment
	for _, groups := range [][]string{{a, b}, {a}} {
		must(w, w.ec2.ModifyNetworkInterfaceAttribute, &ec2.ModifyNetworkInterfaceAttributeInput{NetworkInterfaceId: id, Groups: groups})
		equal(w, "groups", len(read().Groups), len(groups))
	}
	e = read()
	equal(w, "description", *e.Description, "told")
	equal(w, "source/destination check", *e.SourceDestCheck, false)
	equal(w, "tags", e.TagSet, tags("Name", "tf"))
	// aws_network_interface_attachment
	i := w.launch(&ec2.RunInstancesInput{SubnetId: &subnet})
	at := must(w, w.ec2.AttachNetworkInterface, &ec2.AttachNetworkInterfaceInput{NetworkInterfaceId: id, InstanceId: i.InstanceId, DeviceIndex: new(int32(1))}).AttachmentId
	w.until("attached", func() bool { return read().Attachment.Status == types.AttachmentStatusAttached })
	equal(w, "attachment", []string{*read().Attachment.AttachmentId, *read().Attachment.InstanceId}, []string{*at, *i.InstanceId})
	must(w, w.ec2.DetachNetworkInterface, &ec2.DetachNetworkInterfaceInput{AttachmentId: at, Force: new(true)})
	w.until("detached", func() bool {
		e := read()
		return e.Attachment == nil && e.Status == types.NetworkInterfaceStatusAvailable
	})
	must(w, w.ec2.DeleteNetworkInterface, &ec2.DeleteNetworkInterfaceInput{NetworkInterfaceId: id})
	refused(w, w.ec2.DescribeNetworkInterfaces, &ec2.DescribeNetworkInterfacesInput{NetworkInterfaceIds: []string{*id}}, "InvalidNetworkInterfaceID.NotFound", "The networkInterface ID '"+*id+"' does not exist")
	must(w, w.ec2.TerminateInstances, &ec2.TerminateInstancesInput{InstanceIds: []string{*i.InstanceId}})
	w.deleteGroup(b)
}

func replayInstance(w *world, vpc, subnet string) {
	a, b := w.group("instance-a", vpc), w.group("instance-b", vpc)
	i := w.launch(&ec2.RunInstancesInput{
		ClientToken: new("terraform-20261122000002"), SubnetId: &subnet, SecurityGroupIds: []string{a}, DisableApiTermination: new(false), EbsOptimized: new(false),
		HibernationOptions: &types.HibernationOptionsRequest{Configured: new(false)}, Monitoring: &types.RunInstancesMonitoringEnabled{Enabled: new(false)},
		CreditSpecification: &types.CreditSpecificationRequest{CpuCredits: new("standard")}, Placement: &types.Placement{AvailabilityZone: new("")},
	})
	id := *i.InstanceId
	attribute := func(name types.InstanceAttributeName) *ec2.DescribeInstanceAttributeOutput {
		return must(w, w.ec2.DescribeInstanceAttribute, &ec2.DescribeInstanceAttributeInput{InstanceId: &id, Attribute: name})
	}
	read := func(kind types.InstanceType) {
		w.Helper()
		i := w.instance(id)
		equal(w, "type", i.InstanceType, kind)
		equal(w, "subnet and VPC", []string{*i.SubnetId, *i.VpcId}, []string{subnet, vpc})
		t := must(w, w.ec2.DescribeInstanceTypes, &ec2.DescribeInstanceTypesInput{InstanceTypes: []types.InstanceType{kind}}).InstanceTypes[0]
		equal(w, "burstable", *t.BurstablePerformanceSupported, true)
		equal(w, "hypervisor", t.Hypervisor, types.InstanceTypeHypervisorNitro)
		equal(w, "templates", len(must(w, w.ec2.DescribeTags, &ec2.DescribeTagsInput{Filters: filters("key", "aws:ec2launchtemplate:id", "resource-id", id)}).Tags), 0)
		must(w, w.ec2.DescribeVpcs, &ec2.DescribeVpcsInput{VpcIds: []string{vpc}})
		equal(w, "behaviour", *attribute(types.InstanceAttributeNameInstanceInitiatedShutdownBehavior).InstanceInitiatedShutdownBehavior.Value, "stop")
		equal(w, "root disks", len(must(w, w.ec2.DescribeVolumes, &ec2.DescribeVolumesInput{VolumeIds: []string{*i.BlockDeviceMappings[0].Ebs.VolumeId}}).Volumes), 1)
		equal(w, "stop protection", *attribute(types.InstanceAttributeNameDisableApiStop).DisableApiStop.Value, false)
		equal(w, "termination protection", *attribute(types.InstanceAttributeNameDisableApiTermination).DisableApiTermination.Value, false)
		if data := attribute(types.InstanceAttributeNameUserData).UserData; data != nil && data.Value != nil {
			w.Errorf("user data %q", *data.Value)
		}
		credits := must(w, w.ec2.DescribeInstanceCreditSpecifications, &ec2.DescribeInstanceCreditSpecificationsInput{InstanceIds: []string{id}}).InstanceCreditSpecifications
		equal(w, "credits", *credits[0].CpuCredits, "standard")
	}
	read(types.InstanceTypeT3Micro)
	must(w, w.ec2.ModifyNetworkInterfaceAttribute, &ec2.ModifyNetworkInterfaceAttributeInput{NetworkInterfaceId: i.NetworkInterfaces[0].NetworkInterfaceId, Groups: []string{b}})
	equal(w, "groups", w.instance(id).SecurityGroups, []types.GroupIdentifier{{GroupId: &b, GroupName: new("instance-b")}})
	in := func(state types.InstanceStateName) {
		w.Helper()
		w.until(string(state), func() bool { return w.instance(id).State.Name == state })
	}
	must(w, w.ec2.StopInstances, &ec2.StopInstancesInput{InstanceIds: []string{id}})
	in(types.InstanceStateNameStopped)
	must(w, w.ec2.ModifyInstanceAttribute, &ec2.ModifyInstanceAttributeInput{InstanceId: &id, InstanceType: &types.AttributeValue{Value: new("t3.small")}})
	must(w, w.ec2.StartInstances, &ec2.StartInstancesInput{InstanceIds: []string{id}})
	in(types.InstanceStateNameRunning)
	read(types.InstanceTypeT3Small)
	must(w, w.ec2.ModifyInstanceAttribute, &ec2.ModifyInstanceAttributeInput{InstanceId: &id, DisableApiTermination: &types.AttributeBooleanValue{Value: new(false)}})
	must(w, w.ec2.TerminateInstances, &ec2.TerminateInstancesInput{InstanceIds: []string{id}})
	in(types.InstanceStateNameTerminated)
	w.deleteGroup(a)
	w.deleteGroup(b)
}

func replayPeering(w *world, vpc, _ string) {
	peer := w.vpc("10.42.0.0/16")
	id := must(w, w.ec2.CreateVpcPeeringConnection, &ec2.CreateVpcPeeringConnectionInput{VpcId: &vpc, PeerVpcId: &peer}).VpcPeeringConnection.VpcPeeringConnectionId
	read := func() types.VpcPeeringConnection {
		w.Helper()
		return must(w, w.ec2.DescribeVpcPeeringConnections, &ec2.DescribeVpcPeeringConnectionsInput{VpcPeeringConnectionIds: []string{*id}}).VpcPeeringConnections[0]
	}
	w.until("pending", func() bool {
		return read().Status.Code == types.VpcPeeringConnectionStateReasonCodePendingAcceptance
	})
	must(w, w.ec2.AcceptVpcPeeringConnection, &ec2.AcceptVpcPeeringConnectionInput{VpcPeeringConnectionId: id})
	w.until("active", func() bool { return read().Status.Code == types.VpcPeeringConnectionStateReasonCodeActive })
	p := read()
	equal(w, "the two VPCs", []string{*p.RequesterVpcInfo.VpcId, *p.AccepterVpcInfo.VpcId, *p.AccepterVpcInfo.OwnerId, *p.AccepterVpcInfo.Region}, []string{vpc, peer, account, w.region})
	must(w, w.ec2.ModifyVpcPeeringConnectionOptions, &ec2.ModifyVpcPeeringConnectionOptionsInput{VpcPeeringConnectionId: id,
		RequesterPeeringConnectionOptions: &types.PeeringConnectionOptionsRequest{AllowDnsResolutionFromRemoteVpc: new(true)}})
	equal(w, "DNS from the peer", *read().RequesterVpcInfo.PeeringOptions.AllowDnsResolutionFromRemoteVpc, true)
	must(w, w.ec2.DeleteVpcPeeringConnection, &ec2.DeleteVpcPeeringConnectionInput{VpcPeeringConnectionId: id})
	w.until("deleted", func() bool { return read().Status.Code == types.VpcPeeringConnectionStateReasonCodeDeleted })
	must(w, w.ec2.DeleteVpc, &ec2.DeleteVpcInput{VpcId: &peer})
}

func replayAddress(w *world, _, _ string) {
	a := must(w, w.ec2.AllocateAddress, &ec2.AllocateAddressInput{Domain: types.DomainTypeVpc, TagSpecifications: tagged("elastic-ip", "Name", "tf")})
	ask := &ec2.DescribeAddressesInput{AllocationIds: []string{*a.AllocationId}}
	read := func() types.Address { w.Helper(); return must(w, w.ec2.DescribeAddresses, ask).Addresses[0] }
	got := read()
	equal(w, "address", *got.PublicIp, *a.PublicIp)
	equal(w, "domain", got.Domain, types.DomainTypeVpc)
	equal(w, "tags", got.Tags, tags("Name", "tf"))
	must(w, w.ec2.DescribeAddressesAttribute, &ec2.DescribeAddressesAttributeInput{AllocationIds: []string{*a.AllocationId}, Attribute: types.AddressAttributeNameDomainName})
	i := w.launch(&ec2.RunInstancesInput{}) // in the default VPC, which has a gateway
	at := must(w, w.ec2.AssociateAddress, &ec2.AssociateAddressInput{AllocationId: a.AllocationId, InstanceId: i.InstanceId}).AssociationId
	got = read()
	equal(w, "association", []string{*got.AssociationId, *got.InstanceId, *got.NetworkInterfaceId, *got.PrivateIpAddress},
		[]string{*at, *i.InstanceId, *i.NetworkInterfaces[0].NetworkInterfaceId, *i.PrivateIpAddress})
	must(w, w.ec2.DisassociateAddress, &ec2.DisassociateAddressInput{AssociationId: at})
	equal(w, "association", str(read().AssociationId), "(absent)")
	must(w, w.ec2.TerminateInstances, &ec2.TerminateInstancesInput{InstanceIds: []string{*i.InstanceId}})
	must(w, w.ec2.ReleaseAddress, &ec2.ReleaseAddressInput{AllocationId: a.AllocationId})
	refused(w, w.ec2.DescribeAddresses, ask, "InvalidAllocationID.NotFound", "~.*"+*a.AllocationId+".*")
}

func replayKeyPair(w *world, _, _ string) {
	made := must(w, w.ec2.ImportKeyPair, &ec2.ImportKeyPairInput{KeyName: new("tf"), PublicKeyMaterial: []byte(publicKey), TagSpecifications: tagged("key-pair", "Name", "tf")})
	ask := &ec2.DescribeKeyPairsInput{KeyNames: []string{"tf"}}
	for range 2 {
		k := must(w, w.ec2.DescribeKeyPairs, ask).KeyPairs[0]
		equal(w, "id and fingerprint", []string{*k.KeyPairId, *k.KeyFingerprint}, []string{*made.KeyPairId, *made.KeyFingerprint})
		equal(w, "kind", k.KeyType, types.KeyTypeEd25519)
		equal(w, "tags", k.Tags, tags("Name", "tf"))
	}
	must(w, w.ec2.DeleteKeyPair, &ec2.DeleteKeyPairInput{KeyName: new("tf")})
	refused(w, w.ec2.DescribeKeyPairs, ask, "InvalidKeyPair.NotFound", "The key pair 'tf' does not exist")
}
