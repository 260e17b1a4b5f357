package sdk

import (
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

func testCaller(w *world) {
	out := must(w, w.sts.GetCallerIdentity, &sts.GetCallerIdentityInput{})
	equal(w, "account", *out.Account, account)
	equal(w, "user id", *out.UserId, account)
	equal(w, "ARN", *out.Arn, "arn:aws:iam::"+account+":root")
}

// testDefaultVPC: what a region begins with.
func testDefaultVPC(w *world) {
	vpcs := must(w, w.ec2.DescribeVpcs, &ec2.DescribeVpcsInput{}).Vpcs
	if len(vpcs) != 1 {
		w.Fatalf("%d VPCs in a new region, want the default one", len(vpcs))
	}
	v := vpcs[0]
	equal(w, "CIDR", *v.CidrBlock, "172.31.0.0/16")
	equal(w, "IsDefault", *v.IsDefault, true)
	equal(w, "owner", *v.OwnerId, account)
	equal(w, "state", v.State, types.VpcStateAvailable)
	for attribute, want := range map[types.VpcAttributeName]bool{
		types.VpcAttributeNameEnableDnsSupport: true, types.VpcAttributeNameEnableDnsHostnames: true,
		types.VpcAttributeNameEnableNetworkAddressUsageMetrics: false,
	} {
		a := must(w, w.ec2.DescribeVpcAttribute, &ec2.DescribeVpcAttributeInput{VpcId: v.VpcId, Attribute: attribute})
		got := map[types.VpcAttributeName]*types.AttributeBooleanValue{
			types.VpcAttributeNameEnableDnsSupport: a.EnableDnsSupport, types.VpcAttributeNameEnableDnsHostnames: a.EnableDnsHostnames,
			types.VpcAttributeNameEnableNetworkAddressUsageMetrics: a.EnableNetworkAddressUsageMetrics,
		}
		for name, value := range got {
			if (value != nil) != (name == attribute) {
				w.Errorf("asked for %s: %s is %v", attribute, name, value)
			}
		}
		if value := got[attribute]; value != nil && *value.Value != want {
			w.Errorf("%s is %v, want %v", attribute, *value.Value, want)
		}
	}

	zones := must(w, w.ec2.DescribeAvailabilityZones, &ec2.DescribeAvailabilityZonesInput{}).AvailabilityZones
	subnets := must(w, w.ec2.DescribeSubnets, &ec2.DescribeSubnetsInput{Filters: filters("vpc-id", *v.VpcId)}).Subnets
	if len(subnets) != len(zones) || len(zones) < 2 {
		w.Fatalf("%d subnets in %d zones", len(subnets), len(zones))
	}
	seen := map[string]bool{}
	for _, s := range subnets {
		seen[*s.AvailabilityZone] = true
		if !*s.DefaultForAz || !*s.MapPublicIpOnLaunch || *s.AvailableIpAddressCount != 4091 || !strings.HasSuffix(*s.CidrBlock, "/20") || *s.SubnetArn == "" {
			w.Errorf("a default subnet: %s", show(tree2(s)))
		}
	}
	for _, z := range zones {
		if !seen[*z.ZoneName] || *z.RegionName != w.region || z.State != types.AvailabilityZoneStateAvailable || *z.GroupName == "" || *z.ZoneId == "" {
			w.Errorf("a zone: %s", show(tree2(z)))
		}
	}
	one := must(w, w.ec2.DescribeAvailabilityZones, &ec2.DescribeAvailabilityZonesInput{ZoneNames: []string{*zones[1].ZoneName}}).AvailabilityZones
	if len(one) != 1 || *one[0].ZoneId != *zones[1].ZoneId {
		w.Errorf("one zone by name: %s", show(tree2(one)))
	}

	groups := must(w, w.ec2.DescribeSecurityGroups, &ec2.DescribeSecurityGroupsInput{}).SecurityGroups
	if len(groups) != 1 {
		w.Fatalf("%d groups in a new region, want the default one", len(groups))
	}
	id := *groups[0].GroupId
	equal(w, "the default group", groups[0], types.SecurityGroup{
		OwnerId: new(account), GroupId: &id, GroupName: new("default"), Description: new("default VPC security group"), VpcId: v.VpcId,
		IpPermissions:       []types.IpPermission{{IpProtocol: new("-1"), UserIdGroupPairs: []types.UserIdGroupPair{{UserId: new(account), GroupId: &id}}}},
		IpPermissionsEgress: []types.IpPermission{{IpProtocol: new("-1"), IpRanges: []types.IpRange{{CidrIp: new("0.0.0.0/0")}}}},
		SecurityGroupArn:    new("arn:aws:ec2:" + w.region + ":" + account + ":security-group/" + id),
	})
	if len(w.rulesOf(id, false)) != 1 || len(w.rulesOf(id, true)) != 1 {
		w.Error("each of the two rules of the default group should have an id")
	}
	refused(w, w.ec2.DeleteSecurityGroup, &ec2.DeleteSecurityGroupInput{GroupId: &id},
		"CannotDelete", `the specified group: "`+id+`" name: "default" cannot be deleted by a user`)

	regions := must(w, w.ec2.DescribeRegions, &ec2.DescribeRegionsInput{RegionNames: []string{w.region}}).Regions
	equal(w, "regions", len(regions), 1)
	equal(w, "endpoint", *regions[0].Endpoint, "ec2."+w.region+".amazonaws.com")
	all := must(w, w.ec2.DescribeRegions, &ec2.DescribeRegionsInput{AllRegions: new(true)}).Regions
	some := must(w, w.ec2.DescribeRegions, &ec2.DescribeRegionsInput{}).Regions
	if len(some) != 17 || len(all) <= len(some) {
		w.Errorf("%d regions, %d of them without asking for all; want 17", len(all), len(some))
	}
	attributes := map[string]string{}
	for _, a := range must(w, w.ec2.DescribeAccountAttributes, &ec2.DescribeAccountAttributesInput{}).AccountAttributes {
		attributes[*a.AttributeName] = *a.AttributeValues[0].AttributeValue
	}
	equal(w, "default-vpc", attributes["default-vpc"], *v.VpcId)
	equal(w, "supported-platforms", attributes["supported-platforms"], "VPC")
}

// testGroups: a group's life.
func testGroups(w *world) {
	home := w.vpc("10.1.0.0/16")
	made := must(w, w.ec2.CreateSecurityGroup, &ec2.CreateSecurityGroupInput{
		GroupName: new("web"), Description: new("web tier"), VpcId: &home, TagSpecifications: tagged("security-group", "Name", "web", "empty", ""),
	})
	id := *made.GroupId
	if !groupID.MatchString(id) {
		w.Errorf("group id %q", id)
	}
	arn := "arn:aws:ec2:" + w.region + ":" + account + ":security-group/" + id
	equal(w, "ARN", str(made.SecurityGroupArn), arn)
	equal(w, "tags", made.Tags, tags("Name", "web", "empty", ""))

	if err := ec2.NewSecurityGroupExistsWaiter(w.ec2).Wait(w.ctx, &ec2.DescribeSecurityGroupsInput{GroupIds: []string{id}}, 30*time.Second); err != nil {
		w.Error(err)
	}
	g := w.theGroup(id)
	equal(w, "the group", g, types.SecurityGroup{
		OwnerId: new(account), GroupId: &id, GroupName: new("web"), Description: new("web tier"), VpcId: &home, SecurityGroupArn: &arn,
		IpPermissionsEgress: []types.IpPermission{{IpProtocol: new("-1"), IpRanges: []types.IpRange{{CidrIp: new("0.0.0.0/0")}}}},
		Tags:                tags("Name", "web", "empty", ""),
	})
	if g.IpPermissions == nil || g.IpPermissionsEgress[0].UserIdGroupPairs == nil || g.IpPermissionsEgress[0].Ipv6Ranges == nil || g.IpPermissionsEgress[0].PrefixListIds == nil {
		w.Errorf("empty lists should be there, as empty elements: %#v", g)
	}

	create := func(name string) *ec2.CreateSecurityGroupInput {
		return &ec2.CreateSecurityGroupInput{GroupName: &name, Description: new("d"), VpcId: &home}
	}
	refused(w, w.ec2.CreateSecurityGroup, create("WEB"), "InvalidGroup.Duplicate", "The security group 'WEB' already exists for VPC '"+home+"'")
	refused(w, w.ec2.CreateSecurityGroup, create("default"), "InvalidParameterValue", "Cannot use reserved security group name: default")
	refused(w, w.ec2.CreateSecurityGroup, create("sg-web"), "InvalidParameterValue", "Value (sg-web) for parameter GroupName is invalid. Group names may not be in the format sg-*.")
	refused(w, w.ec2.CreateSecurityGroup, create("wéb"), "InvalidParameterValue", "Value (wéb) for parameter GroupName is invalid. Character sets beyond ASCII are not supported.")
	refused(w, w.ec2.CreateSecurityGroup, &ec2.CreateSecurityGroupInput{GroupName: new("x"), Description: new(""), VpcId: &home},
		"MissingParameter", "The request must contain the parameter GroupDescription")
	refused(w, w.ec2.CreateSecurityGroup, &ec2.CreateSecurityGroupInput{GroupName: new("x"), Description: new("x"), VpcId: new("vpc-0123456789abcdef0")},
		"InvalidVpcID.NotFound", "The vpc ID 'vpc-0123456789abcdef0' does not exist")
	refused(w, w.ec2.CreateSecurityGroup, &ec2.CreateSecurityGroupInput{GroupName: new("x"), Description: new("x"), VpcId: &home, TagSpecifications: tagged("vpc", "a", "b")},
		"InvalidParameterValue", "'vpc' is not a valid taggable resource type for this operation.")
	trimmed := must(w, w.ec2.CreateSecurityGroup, create("trailing  "))
	equal(w, "a name with trailing spaces", *w.theGroup(*trimmed.GroupId).GroupName, "trailing")

	// By name and by filter, and a neighbour that is not found.
	byFilter := func(nameValue ...string) (ids []string) {
		for _, g := range must(w, w.ec2.DescribeSecurityGroups, &ec2.DescribeSecurityGroupsInput{Filters: filters(nameValue...)}).SecurityGroups {
			ids = append(ids, *g.GroupId)
		}
		return ids
	}
	equal(w, "by group-name", byFilter("group-name", "w?b"), []string{id})
	equal(w, "by tag", byFilter("tag:Name", "we*"), []string{id})
	equal(w, "by an empty tag", byFilter("tag:empty", ""), []string{id})
	equal(w, "by tag-key", byFilter("tag-key", "empty|none", "vpc-id", home), []string{id})
	equal(w, "by description", byFilter("description", "web tier"), []string{id})
	if ids := byFilter("tag:Name", "Web"); ids != nil {
		w.Errorf("filters tell upper from lower case; found %v", ids)
	}

	// Who holds a group keeps it from being deleted, and is named.
	other := w.group("other", home)
	reference := w.allow(other, types.IpPermission{IpProtocol: new("-1"), UserIdGroupPairs: []types.UserIdGroupPair{{GroupId: &id}}})[0]
	equal(w, "the reference", reference.ReferencedGroupInfo, &types.ReferencedSecurityGroup{GroupId: &id, UserId: new(account)})
	refused(w, w.ec2.DeleteSecurityGroup, &ec2.DeleteSecurityGroupInput{GroupId: &id},
		"DependencyViolation", "~resource "+id+" has a dependent object.*"+*reference.SecurityGroupRuleId+".*")
	must(w, w.ec2.RevokeSecurityGroupIngress, &ec2.RevokeSecurityGroupIngressInput{GroupId: &other, SecurityGroupRuleIds: []string{*reference.SecurityGroupRuleId}})

	subnet := w.subnet(home, "10.1.1.0/24")
	eni := *must(w, w.ec2.CreateNetworkInterface, &ec2.CreateNetworkInterfaceInput{SubnetId: &subnet, Groups: []string{id}}).NetworkInterface.NetworkInterfaceId
	refused(w, w.ec2.DeleteSecurityGroup, &ec2.DeleteSecurityGroupInput{GroupId: &id},
		"DependencyViolation", "~resource "+id+" has a dependent object.*"+eni+".*")
	must(w, w.ec2.DeleteNetworkInterface, &ec2.DeleteNetworkInterfaceInput{NetworkInterfaceId: &eni})

	w.allow(id, types.IpPermission{IpProtocol: new("-1"), UserIdGroupPairs: []types.UserIdGroupPair{{GroupId: &id}}}) // a group does not hold itself
	gone := must(w, w.ec2.DeleteSecurityGroup, &ec2.DeleteSecurityGroupInput{GroupId: &id})
	equal(w, "the deleted group", str(gone.GroupId), id)
	equal(w, "Return", *gone.Return, true)
	refused(w, w.ec2.DeleteSecurityGroup, &ec2.DeleteSecurityGroupInput{GroupId: &id}, "InvalidGroup.NotFound", "The security group '"+id+"' does not exist")
	refused(w, w.ec2.DescribeSecurityGroups, &ec2.DescribeSecurityGroupsInput{GroupIds: []string{other, id}}, "InvalidGroup.NotFound", "The security group '"+id+"' does not exist")
	refused(w, w.ec2.DeleteSecurityGroup, &ec2.DeleteSecurityGroupInput{}, "MissingParameter", "The request must contain the parameter groupName or groupId")
	refused(w, w.ec2.DeleteSecurityGroup, &ec2.DeleteSecurityGroupInput{GroupId: new("web")}, "InvalidGroupId.Malformed", `Invalid id: "web" (expecting "sg-...")`)
}

// testRules: every way to add, see, change and remove rules.
func testRules(w *world) {
	home := w.vpc("10.2.0.0/16")
	web, lb := w.group("web", home), w.group("lb", home)
	list := *must(w, w.ec2.CreateManagedPrefixList, &ec2.CreateManagedPrefixListInput{
		PrefixListName: new("offices"), AddressFamily: new("IPv4"), MaxEntries: new(int32(3)),
		Entries: []types.AddPrefixListEntry{{Cidr: new("198.51.100.0/25")}},
	}).PrefixList.PrefixListId

	// One call, all four kinds of source, tags on all.
	added := must(w, w.ec2.AuthorizeSecurityGroupIngress, &ec2.AuthorizeSecurityGroupIngressInput{
		GroupId: &web, TagSpecifications: tagged("security-group-rule", "team", "net"),
		IpPermissions: []types.IpPermission{{
			IpProtocol: new("TCP"), FromPort: new(int32(443)), ToPort: new(int32(443)),
			IpRanges:      []types.IpRange{{CidrIp: new("203.0.113.9/24"), Description: new("office")}, {CidrIp: new("198.51.100.0/24")}},
			Ipv6Ranges:    []types.Ipv6Range{{CidrIpv6: new("2001:DB8:0:1::1/32"), Description: new("six")}},
			PrefixListIds: []types.PrefixListId{{PrefixListId: &list, Description: new("list")}},
		}, {
			IpProtocol:       new("-1"),
			UserIdGroupPairs: []types.UserIdGroupPair{{GroupId: &lb, UserId: new(account), Description: new("balancer")}},
		}},
	})
	equal(w, "Return", *added.Return, true)
	rule := func(change func(*types.SecurityGroupRule)) types.SecurityGroupRule {
		r := types.SecurityGroupRule{
			GroupId: &web, GroupOwnerId: new(account), IsEgress: new(false), IpProtocol: new("tcp"),
			FromPort: new(int32(443)), ToPort: new(int32(443)), Tags: tags("team", "net"),
		}
		change(&r)
		return r
	}
	want := []types.SecurityGroupRule{
		rule(func(r *types.SecurityGroupRule) { r.CidrIpv4, r.Description = new("203.0.113.0/24"), new("office") }),
		rule(func(r *types.SecurityGroupRule) { r.CidrIpv4 = new("198.51.100.0/24") }),
		rule(func(r *types.SecurityGroupRule) { r.CidrIpv6, r.Description = new("2001:db8::/32"), new("six") }),
		rule(func(r *types.SecurityGroupRule) { r.PrefixListId, r.Description = &list, new("list") }),
		rule(func(r *types.SecurityGroupRule) {
			r.IpProtocol, r.FromPort, r.ToPort, r.Description = new("-1"), new(int32(-1)), new(int32(-1)), new("balancer")
			r.ReferencedGroupInfo = &types.ReferencedSecurityGroup{GroupId: &lb, UserId: new(account)}
		}),
	}
	if len(added.SecurityGroupRules) != len(want) {
		w.Fatalf("%d rules, want one for each source: %s", len(added.SecurityGroupRules), show(tree2(added.SecurityGroupRules)))
	}
	ids := map[string]bool{}
	for i, got := range added.SecurityGroupRules {
		if !ruleID.MatchString(*got.SecurityGroupRuleId) || ids[*got.SecurityGroupRuleId] {
			w.Errorf("rule id %s", *got.SecurityGroupRuleId)
		}
		ids[*got.SecurityGroupRuleId] = true
		want[i].SecurityGroupRuleId = got.SecurityGroupRuleId
		want[i].SecurityGroupRuleArn = new("arn:aws:ec2:" + w.region + ":" + account + ":security-group-rule/" + *got.SecurityGroupRuleId)
	}
	equal(w, "added", added.SecurityGroupRules, want)

	// The ids agree with DescribeSecurityGroupRules, by id and by filter.
	var byID []string
	for _, r := range want {
		byID = append(byID, *r.SecurityGroupRuleId)
	}
	found := must(w, w.ec2.DescribeSecurityGroupRules, &ec2.DescribeSecurityGroupRulesInput{SecurityGroupRuleIds: byID}).SecurityGroupRules
	equal(w, "rules by id", len(found), len(want))
	for _, r := range want {
		i := slices.IndexFunc(found, func(f types.SecurityGroupRule) bool { return *f.SecurityGroupRuleId == *r.SecurityGroupRuleId })
		equal(w, "by id", found[max(i, 0)], r)
		equal(w, "by filter", w.rulesOf(web, false)[*r.SecurityGroupRuleId], r)
	}
	byTag := must(w, w.ec2.DescribeSecurityGroupRules, &ec2.DescribeSecurityGroupRulesInput{Filters: filters("tag:team", "n*", "group-id", web)}).SecurityGroupRules
	equal(w, "rules by tag", len(byTag), 5)

	// DescribeSecurityGroups gathers them by protocol and ports.
	perms := w.theGroup(web).IpPermissions
	equal(w, "permissions", perms, []types.IpPermission{{
		IpProtocol: new("tcp"), FromPort: new(int32(443)), ToPort: new(int32(443)),
		IpRanges:      []types.IpRange{{CidrIp: new("203.0.113.0/24"), Description: new("office")}, {CidrIp: new("198.51.100.0/24")}},
		Ipv6Ranges:    []types.Ipv6Range{{CidrIpv6: new("2001:db8::/32"), Description: new("six")}},
		PrefixListIds: []types.PrefixListId{{PrefixListId: &list, Description: new("list")}},
	}, {
		IpProtocol:       new("-1"),
		UserIdGroupPairs: []types.UserIdGroupPair{{UserId: new(account), GroupId: &lb, Description: new("balancer")}},
	}})
	associations := must(w, w.ec2.GetManagedPrefixListAssociations, &ec2.GetManagedPrefixListAssociationsInput{PrefixListId: &list}).PrefixListAssociations
	equal(w, "who uses the list", associations, []types.PrefixListAssociation{{ResourceId: &web, ResourceOwner: new(account)}})

	// Duplicates, and nothing added by a refused call.
	authorize := func(ps ...types.IpPermission) *ec2.AuthorizeSecurityGroupIngressInput {
		return &ec2.AuthorizeSecurityGroupIngressInput{GroupId: &web, IpPermissions: ps}
	}
	refused(w, w.ec2.AuthorizeSecurityGroupIngress, authorize(tcp(80, 80, "192.0.2.0/24"), tcp(443, 443, "203.0.113.0/24")),
		"InvalidPermission.Duplicate", `the specified rule "peer: 203.0.113.0/24, TCP, from port: 443, to port: 443, ALLOW" already exists`)
	refused(w, w.ec2.AuthorizeSecurityGroupIngress, authorize(tcp(80, 80, "192.0.2.0/24", "192.0.2.1/24")),
		"InvalidParameterValue", "The same permission must not appear multiple times")
	refused(w, w.ec2.AuthorizeSecurityGroupIngress, authorize(tcp(80, 80, "192.0.2.0")), "InvalidParameterValue", "CIDR block 192.0.2.0 is malformed")
	refused(w, w.ec2.AuthorizeSecurityGroupIngress, authorize(types.IpPermission{IpProtocol: new("tcp"), IpRanges: []types.IpRange{{CidrIp: new("192.0.2.0/24")}}}),
		"InvalidParameterValue", "Invalid value for portRange. Must specify both from and to ports with TCP/UDP.")
	refused(w, w.ec2.AuthorizeSecurityGroupIngress, authorize(types.IpPermission{IpProtocol: new("all"), IpRanges: []types.IpRange{{CidrIp: new("192.0.2.0/24")}}}),
		"InvalidParameterValue", "Invalid value 'all' for IP protocol. Unknown protocol.")
	refused(w, w.ec2.AuthorizeSecurityGroupIngress, authorize(types.IpPermission{IpProtocol: new("-1"), UserIdGroupPairs: []types.UserIdGroupPair{{GroupId: new("sg-0123456789abcdef0")}}}),
		"InvalidGroup.NotFound", "The security group 'sg-0123456789abcdef0' does not exist")
	equal(w, "rules after refusals", len(w.rulesOf(web, false)), 5)

	// Modify keeps the id; the body replaces the rule.
	modify := func(id string, r *types.SecurityGroupRuleRequest) *ec2.ModifySecurityGroupRulesInput {
		return &ec2.ModifySecurityGroupRulesInput{GroupId: &web, SecurityGroupRules: []types.SecurityGroupRuleUpdate{{SecurityGroupRuleId: &id, SecurityGroupRule: r}}}
	}
	first := byID[0]
	must(w, w.ec2.ModifySecurityGroupRules, modify(first, &types.SecurityGroupRuleRequest{
		IpProtocol: new("6"), FromPort: new(int32(8443)), ToPort: new(int32(8444)), CidrIpv4: new("203.0.113.77/25"), Description: new("moved"),
	}))
	moved := want[0]
	moved.FromPort, moved.ToPort, moved.CidrIpv4, moved.Description = new(int32(8443)), new(int32(8444)), new("203.0.113.0/25"), new("moved")
	equal(w, "a modified rule", w.rulesOf(web, false)[first], moved)
	refused(w, w.ec2.ModifySecurityGroupRules, modify(first, &types.SecurityGroupRuleRequest{
		IpProtocol: new("tcp"), FromPort: new(int32(443)), ToPort: new(int32(443)), CidrIpv4: new("198.51.100.0/24"),
	}), "InvalidPermission.Duplicate", "~.*")
	refused(w, w.ec2.ModifySecurityGroupRules, modify(first, &types.SecurityGroupRuleRequest{
		IpProtocol: new("-1"), FromPort: new(int32(0)), ToPort: new(int32(0)), CidrIpv4: new("198.51.100.0/24"),
	}), "InvalidParameterValue", "~You may not specify all protocols and specific ports.*")
	refused(w, w.ec2.ModifySecurityGroupRules, modify("sgr-0123456789abcdef0", &types.SecurityGroupRuleRequest{IpProtocol: new("-1"), CidrIpv4: new("198.51.100.0/24")}),
		"InvalidSecurityGroupRuleId.NotFound", "The security group rule ID 'sgr-0123456789abcdef0' does not exist")
	equal(w, "a rule after refusals", w.rulesOf(web, false)[first], moved)

	// Descriptions, by rule id and by permission, both directions.
	must(w, w.ec2.UpdateSecurityGroupRuleDescriptionsIngress, &ec2.UpdateSecurityGroupRuleDescriptionsIngressInput{
		GroupId: &web, SecurityGroupRuleDescriptions: []types.SecurityGroupRuleDescription{{SecurityGroupRuleId: &byID[1], Description: new("by id")}, {SecurityGroupRuleId: &byID[2]}},
	})
	rules := w.rulesOf(web, false)
	equal(w, "descriptions by id", []string{str(rules[byID[1]].Description), str(rules[byID[2]].Description)}, []string{"by id", "(absent)"})
	must(w, w.ec2.UpdateSecurityGroupRuleDescriptionsEgress, &ec2.UpdateSecurityGroupRuleDescriptionsEgressInput{
		GroupId: &web, IpPermissions: []types.IpPermission{{IpProtocol: new("-1"), IpRanges: []types.IpRange{{CidrIp: new("0.0.0.0/0"), Description: new("everywhere")}}}},
	})
	equal(w, "an outbound description", *w.theGroup(web).IpPermissionsEgress[0].IpRanges[0].Description, "everywhere")
	refused(w, w.ec2.UpdateSecurityGroupRuleDescriptionsIngress, &ec2.UpdateSecurityGroupRuleDescriptionsIngressInput{
		GroupId: &web, IpPermissions: []types.IpPermission{tcp(1, 1, "192.0.2.0/24")},
	}, "InvalidPermission.NotFound", "~The specified rule does not exist in this security group.*")

	// Revoke by id and by permission with host bits set, and what was revoked.
	out := must(w, w.ec2.RevokeSecurityGroupIngress, &ec2.RevokeSecurityGroupIngressInput{GroupId: &web, SecurityGroupRuleIds: []string{byID[4]}})
	equal(w, "revoked by id", out.RevokedSecurityGroupRules, []types.RevokedSecurityGroupRule{{
		SecurityGroupRuleId: &byID[4], GroupId: &web, IsEgress: new(false), IpProtocol: new("-1"), FromPort: new(int32(-1)), ToPort: new(int32(-1)),
		ReferencedGroupId: &lb, Description: new("balancer"),
	}})
	if out.UnknownIpPermissions == nil {
		w.Error("the list of unknown permissions should be there, empty")
	}
	revoke := &ec2.RevokeSecurityGroupIngressInput{GroupId: &web, IpPermissions: []types.IpPermission{tcp(443, 443, "198.51.100.3/24")}}
	out = must(w, w.ec2.RevokeSecurityGroupIngress, revoke)
	equal(w, "revoked by permission", *out.RevokedSecurityGroupRules[0].SecurityGroupRuleId, byID[1])
	refused(w, w.ec2.RevokeSecurityGroupIngress, revoke, "InvalidPermission.NotFound", "The specified rule does not exist in this security group.")

	// Outbound: the default rule goes with ports 0 to 0, as Terraform sends it.
	must(w, w.ec2.RevokeSecurityGroupEgress, &ec2.RevokeSecurityGroupEgressInput{GroupId: &web, IpPermissions: []types.IpPermission{{
		IpProtocol: new("-1"), FromPort: new(int32(0)), ToPort: new(int32(0)), IpRanges: []types.IpRange{{CidrIp: new("0.0.0.0/0")}},
	}}})
	egress := must(w, w.ec2.AuthorizeSecurityGroupEgress, &ec2.AuthorizeSecurityGroupEgressInput{GroupId: &web, IpPermissions: []types.IpPermission{{
		IpProtocol: new("icmp"), FromPort: new(int32(8)), ToPort: new(int32(-1)), IpRanges: []types.IpRange{{CidrIp: new("10.0.0.0/8")}},
	}, {IpProtocol: new("50"), IpRanges: []types.IpRange{{CidrIp: new("10.0.0.0/8")}}}, {IpProtocol: new("58"), Ipv6Ranges: []types.Ipv6Range{{CidrIpv6: new("::/0")}}}}}).SecurityGroupRules
	var words []string
	for _, r := range egress {
		words = append(words, *r.IpProtocol)
		if !*r.IsEgress {
			w.Error("an outbound rule that is inbound")
		}
	}
	equal(w, "protocols", words, []string{"icmp", "50", "icmpv6"})
	if got := len(w.rulesOf(web, true)); got != 3 {
		w.Errorf("%d outbound rules, want 3", got)
	}

	// The flat form of one rule, as old scripts send it.
	flat := must(w, w.ec2.AuthorizeSecurityGroupIngress, &ec2.AuthorizeSecurityGroupIngressInput{
		GroupId: &lb, IpProtocol: new("tcp"), FromPort: new(int32(22)), ToPort: new(int32(22)), CidrIp: new("192.0.2.0/24"),
	}).SecurityGroupRules
	if len(flat) != 1 || *flat[0].CidrIpv4 != "192.0.2.0/24" || *flat[0].FromPort != 22 {
		w.Errorf("the flat form gives %s", show(tree2(flat)))
	}
	must(w, w.ec2.RevokeSecurityGroupIngress, &ec2.RevokeSecurityGroupIngressInput{
		GroupId: &lb, IpProtocol: new("tcp"), FromPort: new(int32(22)), ToPort: new(int32(22)), CidrIp: new("192.0.2.0/24"),
	})
	equal(w, "rules after the flat revoke", len(w.rulesOf(lb, false)), 0)
}

// testGroupsAcrossVPCs: one group in two VPCs.
func testGroupsAcrossVPCs(w *world) {
	home, away := w.vpc("10.3.0.0/16"), w.vpc("10.4.0.0/16")
	id, stays := w.group("shared", home), w.group("stays", home)
	associate := &ec2.AssociateSecurityGroupVpcInput{GroupId: &id, VpcId: &away}
	if s := must(w, w.ec2.AssociateSecurityGroupVpc, associate).State; s != types.SecurityGroupVpcAssociationStateAssociating && s != types.SecurityGroupVpcAssociationStateAssociated {
		w.Errorf("state %s", s)
	}
	ask := &ec2.DescribeSecurityGroupVpcAssociationsInput{Filters: filters("group-id", id)}
	if err := ec2.NewSecurityGroupVpcAssociationAssociatedWaiter(w.ec2).Wait(w.ctx, ask, 30*time.Second); err != nil {
		w.Error(err)
	}
	equal(w, "associations", must(w, w.ec2.DescribeSecurityGroupVpcAssociations, ask).SecurityGroupVpcAssociations, []types.SecurityGroupVpcAssociation{{
		GroupId: &id, VpcId: &away, VpcOwnerId: new(account), GroupOwnerId: new(account), State: types.SecurityGroupVpcAssociationStateAssociated,
	}})

	usable := func(vpc string) (ids []string) {
		for _, g := range must(w, w.ec2.GetSecurityGroupsForVpc, &ec2.GetSecurityGroupsForVpcInput{VpcId: &vpc, Filters: filters("group-name", "s*")}).SecurityGroupForVpcs {
			if *g.PrimaryVpcId != home || *g.OwnerId != account {
				w.Errorf("a group for a VPC: %s", show(tree2(g)))
			}
			ids = append(ids, *g.GroupId)
		}
		slices.Sort(ids)
		return ids
	}
	both := []string{id, stays}
	slices.Sort(both)
	equal(w, "groups for the home VPC", usable(home), both)
	equal(w, "groups for the other VPC", usable(away), []string{id})

	subnet := w.subnet(away, "10.4.1.0/24")
	eni := must(w, w.ec2.CreateNetworkInterface, &ec2.CreateNetworkInterfaceInput{SubnetId: &subnet, Groups: []string{id}}).NetworkInterface
	refused(w, w.ec2.CreateNetworkInterface, &ec2.CreateNetworkInterfaceInput{SubnetId: &subnet, Groups: []string{stays}},
		"InvalidParameter", "You have specified two resources that belong to different networks.")
	leave := &ec2.DisassociateSecurityGroupVpcInput{GroupId: &id, VpcId: &away}
	refused(w, w.ec2.DisassociateSecurityGroupVpc, leave, "DependencyViolation", "~.*"+*eni.NetworkInterfaceId+".*")
	refused(w, w.ec2.DeleteSecurityGroup, &ec2.DeleteSecurityGroupInput{GroupId: &id}, "DependencyViolation", "~resource "+id+" has a dependent object.*")
	must(w, w.ec2.DeleteNetworkInterface, &ec2.DeleteNetworkInterfaceInput{NetworkInterfaceId: eni.NetworkInterfaceId})
	must(w, w.ec2.DisassociateSecurityGroupVpc, leave)
	if err := ec2.NewSecurityGroupVpcAssociationDisassociatedWaiter(w.ec2).Wait(w.ctx, ask, 30*time.Second); err != nil {
		w.Error(err)
	}
	equal(w, "groups for the other VPC", usable(away), nil)
	refused(w, w.ec2.AssociateSecurityGroupVpc, &ec2.AssociateSecurityGroupVpcInput{GroupId: &id, VpcId: new(w.defaultVPC())}, "InvalidParameterValue", "~.*")

	// Nothing refers to the group from outside, and no rule is stale.
	references := must(w, w.ec2.DescribeSecurityGroupReferences, &ec2.DescribeSecurityGroupReferencesInput{GroupId: []string{id}}).SecurityGroupReferenceSet
	equal(w, "references", len(references), 0)
	refused(w, w.ec2.DescribeSecurityGroupReferences, &ec2.DescribeSecurityGroupReferencesInput{GroupId: []string{"sg-0123456789abcdef0"}},
		"InvalidGroup.NotFound", "The security group 'sg-0123456789abcdef0' does not exist")
	stale := must(w, w.ec2.DescribeStaleSecurityGroups, &ec2.DescribeStaleSecurityGroupsInput{VpcId: &home}).StaleSecurityGroupSet
	equal(w, "stale groups", len(stale), 0)
	refused(w, w.ec2.DescribeStaleSecurityGroups, &ec2.DescribeStaleSecurityGroupsInput{VpcId: new("vpc-0123456789abcdef0")},
		"InvalidVpcID.NotFound", "The vpc ID 'vpc-0123456789abcdef0' does not exist")
	must(w, w.ec2.DeleteSecurityGroup, &ec2.DeleteSecurityGroupInput{GroupId: &id})
}
