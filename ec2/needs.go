package ec2

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"moat/iam"
	"moat/state"
	"moat/vpc"
)

// needTable says which permissions an action needs: on which resources it is
// evaluated, with which condition keys. It is the one place that knows; an
// action that is not here is denied to everybody but root. Service
// authorization reference, "Actions, resources, and condition keys for Amazon
// EC2", with which a test compares it: testdata/authorization.txt.
//
// A line is the action and its terms:
//
//	none               no resource: policies must name "*"
//	+TYPE              a resource that the call creates: TYPE/*, with the tags
//	                   that its tag specification of TYPE gives
//	TYPE=FIELD,FIELD   resources whose ids the input's fields hold; TYPE/* when
//	                   they are empty
//	TYPE?=FIELD        the same, and nothing when they are empty
//	attribute          ec2:Attribute and ec2:Attribute/NAME: what the input sets,
//	                   on the resources of the terms before it
//	rules              the call may add rules to groups: see iam.Need
//
// and words of functions below. A call that gives tags to what it creates
// needs ec2:CreateTags on it too.
const needTable = `
CreateSecurityGroup                         +security-group default-vpc
DeleteSecurityGroup                         group
AuthorizeSecurityGroupIngress               group ?security-group-rule rules
AuthorizeSecurityGroupEgress                group ?security-group-rule rules
RevokeSecurityGroupIngress                  group
RevokeSecurityGroupEgress                   group
ModifySecurityGroupRules                    group security-group-rule=SecurityGroupRules.SecurityGroupRuleId security-group?=SecurityGroupRules.SecurityGroupRule.ReferencedGroupId prefix-list?=SecurityGroupRules.SecurityGroupRule.PrefixListId rules
UpdateSecurityGroupRuleDescriptionsIngress  group
UpdateSecurityGroupRuleDescriptionsEgress   group
AssociateSecurityGroupVpc                   security-group=GroupId vpc=VpcId
DisassociateSecurityGroupVpc                security-group=GroupId vpc=VpcId
DescribeSecurityGroupReferences             security-group=GroupId
GetSecurityGroupsForVpc                     vpc=VpcId
DescribeSecurityGroups                      none
DescribeSecurityGroupRules                  none
DescribeStaleSecurityGroups                 none
DescribeSecurityGroupVpcAssociations        none

CreateManagedPrefixList                     +prefix-list
ModifyManagedPrefixList                     prefix-list=PrefixListId attribute rules
DeleteManagedPrefixList                     prefix-list=PrefixListId
RestoreManagedPrefixListVersion             prefix-list=PrefixListId rules
GetManagedPrefixListEntries                 prefix-list=PrefixListId
GetManagedPrefixListAssociations            prefix-list=PrefixListId
DescribeManagedPrefixLists                  none
DescribePrefixLists                         none

CreateTags                                  tags
DeleteTags                                  tags
DescribeTags                                none

CreateVpc                                   +vpc
DeleteVpc                                   vpc=VpcId
ModifyVpcAttribute                          vpc=VpcId attribute
DescribeVpcAttribute                        vpc=VpcId
AssociateVpcCidrBlock                       vpc=VpcId
DisassociateVpcCidrBlock                    vpc=AssociationId
DescribeVpcs                                none
CreateDefaultVpc                            none
CreateDefaultSubnet                         none

CreateSubnet                                +subnet vpc=VpcId
DeleteSubnet                                subnet=SubnetId
ModifySubnetAttribute                       subnet=SubnetId attribute
AssociateSubnetCidrBlock                    subnet=SubnetId
DisassociateSubnetCidrBlock                 subnet=AssociationId
DescribeSubnets                             none

DescribeAvailabilityZones                   none
DescribeRegions                             none
DescribeAccountAttributes                   none

CreateNetworkInterface                      +network-interface subnet=SubnetId groups-of-new=Groups
DeleteNetworkInterface                      network-interface=NetworkInterfaceId
ModifyNetworkInterfaceAttribute             network-interface=NetworkInterfaceId attribute security-group?=Groups subnet?=AssociatedSubnetIds attached-instance
ResetNetworkInterfaceAttribute              network-interface=NetworkInterfaceId
AssignPrivateIpAddresses                    network-interface=NetworkInterfaceId
UnassignPrivateIpAddresses                  network-interface=NetworkInterfaceId
AssignIpv6Addresses                         network-interface=NetworkInterfaceId
UnassignIpv6Addresses                       network-interface=NetworkInterfaceId
AttachNetworkInterface                      instance=InstanceId network-interface=NetworkInterfaceId
DetachNetworkInterface                      attachment=AttachmentId
DescribeNetworkInterfaces                   none
DescribeNetworkInterfaceAttribute           none

RunInstances                                image=ImageId +instance +network-interface +volume subnet=SubnetId,NetworkInterfaces.SubnetId groups-of-new=SecurityGroupIds,NetworkInterfaces.Groups network-interface?=NetworkInterfaces.NetworkInterfaceId key-pair?=KeyName launch-template?=LaunchTemplate.LaunchTemplateId,LaunchTemplate.LaunchTemplateName pass-role
StartInstances                              instance=InstanceIds
StopInstances                               instance=InstanceIds
RebootInstances                             instance=InstanceIds
TerminateInstances                          instance=InstanceIds
MonitorInstances                            instance=InstanceIds
UnmonitorInstances                          instance=InstanceIds
ModifyInstanceAttribute                     instance=InstanceId attribute security-group?=Groups volume?=BlockDeviceMappings.Ebs.VolumeId
ResetInstanceAttribute                      instance=InstanceId
DescribeInstanceAttribute                   instance=InstanceId
ModifyInstanceMetadataOptions               instance=InstanceId attribute
ModifyInstanceMaintenanceOptions            instance=InstanceId attribute
ModifyInstanceCreditSpecification           instance=InstanceCreditSpecifications.InstanceId attribute
DescribeInstances                           none
DescribeInstanceStatus                      none
DescribeInstanceTypes                       none
DescribeInstanceTypeOfferings               none
DescribeInstanceCreditSpecifications        none
DescribeImages                              none
DeleteVolume                                volume=VolumeId
DescribeVolumes                             none
CreateKeyPair                               +key-pair
ImportKeyPair                               +key-pair
DeleteKeyPair                               key-pair=KeyName,KeyPairId
DescribeKeyPairs                            none
AllocateAddress                             +elastic-ip
ReleaseAddress                              elastic-ip=AllocationId,PublicIp
AssociateAddress                            elastic-ip=AllocationId,PublicIp instance?=InstanceId network-interface?=NetworkInterfaceId
DisassociateAddress                         elastic-ip=AssociationId,PublicIp interface-of=AssociationId,PublicIp
DescribeAddresses                           none
DescribeAddressesAttribute                  none

CreateVpcPeeringConnection                  vpc=VpcId +vpc-peering-connection
AcceptVpcPeeringConnection                  vpc-peering-connection=VpcPeeringConnectionId accepter-vpc
RejectVpcPeeringConnection                  vpc-peering-connection=VpcPeeringConnectionId
DeleteVpcPeeringConnection                  vpc-peering-connection=VpcPeeringConnectionId
ModifyVpcPeeringConnectionOptions           vpc-peering-connection=VpcPeeringConnectionId attribute
DescribeVpcPeeringConnections               none
CreateInternetGateway                       +internet-gateway
AttachInternetGateway                       internet-gateway=InternetGatewayId vpc=VpcId
DetachInternetGateway                       internet-gateway=InternetGatewayId vpc=VpcId
DeleteInternetGateway                       internet-gateway=InternetGatewayId
DescribeInternetGateways                    none
CreateRouteTable                            +route-table vpc=VpcId
DeleteRouteTable                            route-table=RouteTableId
AssociateRouteTable                         route-table=RouteTableId subnet?=SubnetId internet-gateway?=GatewayId
DisassociateRouteTable                      route-table=AssociationId subnet-of=AssociationId
ReplaceRouteTableAssociation                route-table=RouteTableId subnet-of=AssociationId
CreateRoute                                 route-table=RouteTableId
ReplaceRoute                                route-table=RouteTableId
DeleteRoute                                 route-table=RouteTableId
DescribeRouteTables                         none
CreateNetworkAcl                            +network-acl vpc=VpcId
DeleteNetworkAcl                            network-acl=NetworkAclId
CreateNetworkAclEntry                       network-acl=NetworkAclId
ReplaceNetworkAclEntry                      network-acl=NetworkAclId
DeleteNetworkAclEntry                       network-acl=NetworkAclId
ReplaceNetworkAclAssociation                network-acl=NetworkAclId subnet-of=AssociationId
DescribeNetworkAcls                         none
CreateDhcpOptions                           +dhcp-options
AssociateDhcpOptions                        dhcp-options=DhcpOptionsId vpc=VpcId
DeleteDhcpOptions                           dhcp-options=DhcpOptionsId
DescribeDhcpOptions                         none
CreateVpcEndpoint                           +vpc-endpoint vpc=VpcId subnet?=SubnetIds security-group?=SecurityGroupIds route-table?=RouteTableIds
ModifyVpcEndpoint                           vpc-endpoint=VpcEndpointId attribute subnet?=AddSubnetIds,RemoveSubnetIds security-group?=AddSecurityGroupIds,RemoveSecurityGroupIds route-table?=AddRouteTableIds,RemoveRouteTableIds
DeleteVpcEndpoints                          vpc-endpoint=VpcEndpointIds
DescribeVpcEndpoints                        none
DescribeVpcEndpointServices                 none
DescribeVpcClassicLink                      none
DescribeVpcClassicLinkDnsSupport            none
`

// A term is a word of the table, taken apart.
type term struct {
	word     string // the type, or a function's name
	new      bool
	ifTagged bool
	optional bool
	fields   [][]string // paths of names
}

var needs = parseNeeds(needTable)

// unnamed has the needs of the actions that name no resource, which are most
// calls: made once.
var unnamed = func() map[string][]iam.Need {
	out := map[string][]iam.Need{}
	for name, terms := range needs {
		if len(terms) == 1 && terms[0].word == "none" {
			out[name] = []iam.Need{{Action: "ec2:" + name, Resource: "*"}}
		}
	}
	return out
}()

func parseNeeds(table string) map[string][]term {
	out := map[string][]term{}
	for line := range strings.Lines(table) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		var terms []term
		for _, w := range words[1:] {
			word, fields, _ := strings.Cut(w, "=")
			var t term
			t.word, t.optional = strings.CutSuffix(word, "?")
			t.word, t.new = strings.CutPrefix(t.word, "+")
			t.word, t.ifTagged = strings.CutPrefix(t.word, "?")
			for f := range strings.SplitSeq(fields, ",") {
				if f != "" {
					t.fields = append(t.fields, strings.Split(f, "."))
				}
			}
			terms = append(terms, t)
		}
		if out[words[0]] != nil {
			panic("ec2: two lines of the table are about " + words[0])
		}
		out[words[0]] = terms
	}
	return out
}

// A Place gives what a scope holds, in a view or in a transaction.
type Place func(state.Scope) state.Reader

// Needs gives the permissions that a call of an action needs; ok is false for
// an action of which the table says nothing. What the call names and does not
// exist is needed all the same, by the name that was given. The list is not for
// changing.
func Needs(name string, at Place, scope state.Scope, in any) (list []iam.Need, ok bool) {
	if list, ok := unnamed[name]; ok {
		return list, true
	}
	terms, ok := needs[name]
	if !ok {
		return nil, false
	}
	n := &needing{at: at, scope: scope, r: at(scope), name: name, action: "ec2:" + name, in: reflect.ValueOf(in).Elem()}
	n.specs = n.tagSpecifications()
	rules := false
	for _, t := range terms {
		switch t.word {
		case "rules":
			rules = true
		default:
			n.term(&t)
		}
	}
	for i := range n.list {
		n.list[i].Rules = rules && n.list[i].Action == n.action
	}
	return n.list, true
}

// needing collects the needs of one call.
type needing struct {
	at           Place
	scope        state.Scope
	r            state.Reader
	name, action string
	in           reflect.Value
	specs        []TagSpecification
	list         []iam.Need
}

func (n *needing) add(need iam.Need) {
	for i := range n.list {
		if n.list[i].Action == need.Action && n.list[i].Resource == need.Resource {
			return
		}
	}
	n.list = append(n.list, need)
}

func (n *needing) term(t *term) {
	switch t.word {
	case "none":
		n.add(iam.Need{Action: n.action, Resource: "*"})
	case "attribute":
		n.attributes()
	case "group":
		n.group()
	case "default-vpc":
		id := n.text("VpcId")
		if v := state.DefaultVPC(n.r); id == "" && v != nil {
			id = string(v.ID)
		}
		n.named("vpc", id)
	case "tags":
		n.tagging()
	case "groups-of-new":
		n.groupsOfNew(t)
	case "attachment":
		n.attachment(n.text("AttachmentId"))
	case "pass-role":
		n.passRole()
	case "accepter-vpc":
		id := ""
		if p := state.Peerings.Get(n.r, vpc.PeeringID(n.text("VpcPeeringConnectionId"))); p != nil {
			id = string(p.Accepter.VPC)
		}
		n.named("vpc", id)
	case "subnet-of":
		n.associated(n.text("AssociationId"))
	case "interface-of":
		for _, id := range n.texts(t) {
			if i, _ := interfaceWith(n.r, id); i != nil {
				n.named("network-interface", string(i.ID))
			}
		}
	case "attached-instance":
		i := state.Interfaces.Get(n.r, vpc.InterfaceID(n.text("NetworkInterfaceId")))
		if i != nil && i.Attachment != nil && i.Attachment.Instance != "" && n.text("Attachment.AttachmentId") != "" {
			n.named("instance", i.Attachment.Instance)
		}
	default:
		switch {
		case t.new || t.ifTagged:
			tags := n.tagsFor(t.word)
			if in, ok := n.in.Addr().Interface().(*RunInstancesInput); ok && t.word == "volume" {
				n.volumes(in, tags)
			} else if t.new || len(tags) > 0 {
				n.create(t.word, tags)
			}
		default:
			ids := n.texts(t)
			for _, id := range ids {
				n.named(t.word, id)
			}
			if len(ids) == 0 && !t.optional {
				n.named(t.word, "")
			}
		}
	}
}

// create adds the needs for a new resource: the action's own, and that for
// tagging it.
func (n *needing) create(resource string, tags []vpc.Tag) {
	need := iam.Need{Action: n.action, Resource: n.arn(resource, "*"), RequestTags: tags}
	if key := idKeys[resource]; key != "" && resource != "elastic-ip" {
		need.Keys = []iam.Key{{Name: key, Values: []string{"*"}}}
	}
	need.Keys = append(need.Keys, n.keysOfNew(resource)...)
	n.add(need)
	if len(tags) > 0 {
		n.add(iam.Need{
			Action: "ec2:CreateTags", Resource: n.arn(resource, "*"), RequestTags: tags,
			Keys: []iam.Key{{Name: "ec2:createaction", Values: []string{n.name}}},
		})
	}
}

func (n *needing) arn(resource, id string) string {
	account := n.scope.Account
	if resource == "image" || resource == "snapshot" {
		account = ""
	}
	return vpc.ARN(n.scope.Region, account, resource, id)
}

// idKeys are the keys that hold a resource's plain id.
var idKeys = map[string]string{
	"security-group": "ec2:securitygroupid", "vpc": "ec2:vpcid", "subnet": "ec2:subnetid", "network-interface": "ec2:networkinterfaceid",
	"instance": "ec2:instanceid", "vpc-peering-connection": "ec2:vpcpeeringconnectionid", "internet-gateway": "ec2:internetgatewayid",
	"route-table": "ec2:routetableid", "network-acl": "ec2:networkaclid", "dhcp-options": "ec2:dhcpoptionsid", "volume": "ec2:volumeid",
	"elastic-ip": "ec2:allocationid", "image": "ec2:imageid",
}

// peeringKeys gives the keys of a peering: the ARNs of its two VPCs.
func peeringKeys(requester, accepter *vpc.PeeringSide) []iam.Key {
	arn := func(s *vpc.PeeringSide) []string { return []string{vpc.ARN(s.Region, s.Owner, "vpc", string(s.VPC))} }
	return []iam.Key{{Name: "ec2:requestervpc", Values: arn(requester)}, {Name: "ec2:acceptervpc", Values: arn(accepter)}}
}

// keysOfNew gives the keys of what a call makes, as far as the call says them or
// they follow from it.
func (n *needing) keysOfNew(resource string) (keys []iam.Key) {
	one := func(name, value string) {
		if value != "" {
			keys = append(keys, iam.Key{Name: name, Values: []string{value}})
		}
	}
	switch in := n.in.Addr().Interface().(type) {
	case *CreateVpcPeeringConnectionInput:
		return peeringKeys(&vpc.PeeringSide{Owner: n.scope.Account, Region: n.scope.Region, VPC: vpc.VPCID(in.VpcId)},
			&vpc.PeeringSide{Owner: vpc.AccountID(cmp.Or(in.PeerOwnerId, string(n.scope.Account))), Region: cmp.Or(in.PeerRegion, n.scope.Region), VPC: vpc.VPCID(in.PeerVpcId)})
	case *CreateKeyPairInput:
		one("ec2:keypairtype", cmp.Or(in.KeyType, "rsa"))
	case *CreateVpcEndpointInput:
		if resource == "vpc-endpoint" {
			one("ec2:vpceservicename", in.ServiceName)
			one("ec2:vpceserviceregion", cmp.Or(in.ServiceRegion, n.scope.Region))
		}
	case *RunInstancesInput:
		return n.keysOfLaunch(in, resource)
	}
	return keys
}

// keysOfLaunch gives the keys of an instance that is launched, and of its
// interface.
func (n *needing) keysOfLaunch(in *RunInstancesInput, resource string) (keys []iam.Key) {
	one := func(name, value string) {
		if value != "" {
			keys = append(keys, iam.Key{Name: name, Values: []string{value}})
		}
	}
	subnet := state.Subnets.Get(n.r, vpc.SubnetID(cmp.Or(in.SubnetId, n.text("NetworkInterfaces.SubnetId"))))
	if subnet != nil {
		one("ec2:availabilityzone", subnet.AvailabilityZone)
	}
	switch resource {
	case "volume":
		return nil // see volumes
	case "network-interface":
		if subnet != nil {
			one("ec2:subnet", n.arn("subnet", string(subnet.ID)))
			one("ec2:vpc", n.arn("vpc", string(subnet.VPC)))
		}
		for _, i := range in.NetworkInterfaces {
			if i.AssociatePublicIpAddress != nil {
				one("ec2:associatepublicipaddress", fmt.Sprint(*i.AssociatePublicIpAddress))
				break
			}
		}
	case "instance":
		if subnet != nil {
			z, _ := vpc.ZoneNamed(n.scope.Region, subnet.AvailabilityZone)
			one("ec2:availabilityzoneid", z.ID)
		}
		one("ec2:instancetype", cmp.Or(in.InstanceType, "m1.small"))
		one("ec2:instancemarkettype", "on-demand")
		one("ec2:ebsoptimized", fmt.Sprint(in.EbsOptimized != nil && *in.EbsOptimized))
		one("ec2:rootdevicetype", "ebs")
		tenancy := ""
		if in.Placement != nil {
			tenancy = in.Placement.Tenancy
		}
		one("ec2:tenancy", cmp.Or(tenancy, "default"))
		if p := in.IamInstanceProfile; p != nil {
			arn := p.Arn
			if arn == "" {
				arn = iam.ARN(vpc.Partition(n.scope.Region), n.scope.Account, "instance-profile", "/", p.Name)
			}
			one("ec2:instanceprofile", arn)
		}
		if m := in.MetadataOptions; m != nil {
			one("ec2:metadatahttpendpoint", m.HttpEndpoint)
			one("ec2:metadatahttptokens", m.HttpTokens)
			if m.HttpPutResponseHopLimit != nil {
				one("ec2:metadatahttpputresponsehoplimit", fmt.Sprint(*m.HttpPutResponseHopLimit))
			}
			one("ec2:instancemetadatatags", m.InstanceMetadataTags)
		}
		if m := in.MaintenanceOptions; m != nil {
			one("ec2:instanceautorecovery", m.AutoRecovery)
		}
	}
	return keys
}

// volumes adds the needs for the volumes of an instance that is launched, each
// with its own keys: the image's, as the call changes it, and those that it adds.
// What the call says wrongly is refused when it is planned.
func (n *needing) volumes(in *RunInstancesInput, tags []vpc.Tag) {
	root := vpc.Volume{Type: "gp2"}
	for _, i := range vpc.Images(n.scope.Region) {
		if i.ID == in.ImageId {
			root = vpc.Volume{Device: i.RootDevice, Size: i.Size, Type: i.VolumeType, Snapshot: i.Snapshot}
		}
	}
	all := []vpc.Volume{root}
	for _, m := range in.BlockDeviceMappings {
		if m.Ebs == nil {
			continue
		}
		v := &all[0]
		if m.DeviceName != root.Device {
			all = append(all, vpc.Volume{Device: m.DeviceName, Type: "gp2", Snapshot: m.Ebs.SnapshotId})
			v = &all[len(all)-1]
		}
		if err := readVolume(v, m.Ebs); err != nil {
			continue
		}
	}
	var zone string
	if s := state.Subnets.Get(n.r, vpc.SubnetID(cmp.Or(in.SubnetId, n.text("NetworkInterfaces.SubnetId")))); s != nil {
		zone = s.AvailabilityZone
	}
	n.create("volume", tags)
	first := slices.IndexFunc(n.list, func(need iam.Need) bool { return need.Action == n.action && need.Resource == n.arn("volume", "*") })
	for i := range all {
		perform(&all[i])
		all[i].AvailabilityZone = zone
		need := n.list[first]
		need.Keys = append(slices.Clip(need.Keys), n.volumeKeys(&all[i])...)
		if i == 0 {
			n.list[first] = need
		} else {
			need.Keys = append([]iam.Key{{Name: "ec2:volumeid", Values: []string{"*"}}}, n.volumeKeys(&all[i])...)
			n.list = append(n.list, need)
		}
	}
}

// volumeKeys gives the keys of a volume.
func (n *needing) volumeKeys(v *vpc.Volume) (keys []iam.Key) {
	one := func(name, value string) {
		if value != "" {
			keys = append(keys, iam.Key{Name: name, Values: []string{value}})
		}
	}
	one("ec2:availabilityzone", v.AvailabilityZone)
	z, _ := vpc.ZoneNamed(n.scope.Region, v.AvailabilityZone)
	one("ec2:availabilityzoneid", z.ID)
	one("ec2:encrypted", fmt.Sprint(v.Encrypted))
	one("ec2:volumetype", v.Type)
	one("ec2:volumesize", fmt.Sprint(v.Size))
	one("ec2:volumeiops", fmt.Sprint(v.IOPS))
	one("ec2:volumethroughput", fmt.Sprint(v.Throughput))
	if v.Snapshot != "" {
		one("ec2:parentsnapshot", "arn:"+vpc.Partition(n.scope.Region)+":ec2:"+n.scope.Region+"::snapshot/"+v.Snapshot)
	}
	return keys
}

// associated adds the subnet or the gateway that an association is of.
func (n *needing) associated(id string) {
	if a := state.RouteTableAssociations.Get(n.r, vpc.AssociationID(id)); a != nil {
		if a.Subnet != "" {
			n.named("subnet", string(a.Subnet))
		}
		if a.Gateway != "" {
			n.named("internet-gateway", string(a.Gateway))
		}
	}
	if a := state.NetworkACLAssociations.Get(n.r, vpc.AssociationID(id)); a != nil {
		n.named("subnet", string(a.Subnet))
	} else if n.name == "ReplaceNetworkAclAssociation" {
		n.named("subnet", "")
	}
}

// named adds the need for a resource by its id; without one it is any.
func (n *needing) named(resource, id string) {
	if id == "" {
		n.add(iam.Need{Action: n.action, Resource: n.arn(resource, "*")})
		return
	}
	n.add(n.resource(n.action, resource, id))
}

// resource gives a need on an existing resource with its keys.
func (n *needing) resource(action, resource, id string) iam.Need {
	need := iam.Need{Action: action, Resource: n.arn(resource, id)}
	one := func(name, value string) {
		if value != "" {
			need.Keys = append(need.Keys, iam.Key{Name: name, Values: []string{value}})
		}
	}
	zone := func(name string) {
		one("ec2:availabilityzone", name)
		z, _ := vpc.ZoneNamed(n.scope.Region, name)
		one("ec2:availabilityzoneid", z.ID)
	}
	inVPC := func(v vpc.VPCID) { one("ec2:vpc", n.arn("vpc", string(v))) }
	switch resource {
	case "security-group":
		if g := state.Groups.Get(n.r, vpc.GroupID(id)); g != nil {
			need.Tags = g.Tags
			inVPC(g.VPC)
		}
	case "security-group-rule":
		if g, i := state.RuleByID(n.r, vpc.RuleID(id)); g != nil {
			need.Tags = g.Rules[i].Tags
		}
	case "prefix-list":
		if l := findPrefixList(n.r, id); l != nil {
			need.Tags, need.Resource = l.Tags, l.ARN(n.scope.Region)
		}
	case "vpc":
		v := state.VPCs.Get(n.r, vpc.VPCID(id))
		if v == nil {
			for v = range state.VPCs.By(n.r, state.VPCsByAssociation, id) {
				break
			}
		}
		if v != nil {
			id = string(v.ID)
			need.Tags, need.Resource = v.Tags, n.arn("vpc", id)
			one("ec2:tenancy", v.Tenancy)
		}
	case "subnet":
		s := state.Subnets.Get(n.r, vpc.SubnetID(id))
		if s == nil {
			for s = range state.Subnets.By(n.r, state.SubnetsByAssociation, id) {
				break
			}
		}
		if s != nil {
			id = string(s.ID)
			need.Tags, need.Resource = s.Tags, n.arn("subnet", id)
			zone(s.AvailabilityZone)
			inVPC(s.VPC)
		}
	case "network-interface":
		if i := state.Interfaces.Get(n.r, vpc.InterfaceID(id)); i != nil {
			need.Tags = i.Tags
			one("ec2:availabilityzone", i.AvailabilityZone)
			one("ec2:subnet", n.arn("subnet", string(i.Subnet)))
			inVPC(i.VPC)
		}
	case "key-pair":
		k := state.KeyPairs.Get(n.r, vpc.KeyPairID(id))
		if k == nil {
			k = keyPairNamed(n.r, id)
		}
		if k != nil {
			// The ARN has the name, whichever the call gives.
			need.Tags, need.Resource = k.Tags, n.arn(resource, k.Name)
			one("ec2:keypairname", k.Name)
			one("ec2:keypairtype", k.Type)
		}
	case "elastic-ip":
		a := state.Addresses.Get(n.r, vpc.AllocationID(id))
		if _, p := interfaceWith(n.r, id); a == nil && p.Allocation != "" {
			a = state.Addresses.Get(n.r, p.Allocation)
		}
		if a == nil {
			a, _ = addressOf(n.r, "", id)
		}
		if a != nil {
			id = string(a.ID)
			need.Tags, need.Resource = a.Tags, n.arn(resource, id)
			one("ec2:publicipaddress", a.Address.String())
			one("ec2:domain", "vpc")
		}
	case "route-table":
		if a := state.RouteTableAssociations.Get(n.r, vpc.AssociationID(id)); a != nil {
			id = string(a.Table)
			need.Resource = n.arn(resource, id)
		}
		if t := state.RouteTables.Get(n.r, vpc.RouteTableID(id)); t != nil {
			need.Tags = t.Tags
			inVPC(t.VPC)
		}
	case "network-acl":
		if a := state.NetworkACLs.Get(n.r, vpc.NetworkACLID(id)); a != nil {
			need.Tags = a.Tags
			inVPC(a.VPC)
		}
	case "vpc-peering-connection":
		if p := state.Peerings.Get(n.r, vpc.PeeringID(id)); p != nil {
			need.Tags = p.Tags
			need.Keys = append(need.Keys, peeringKeys(&p.Requester, &p.Accepter)...)
		}
	case "vpc-endpoint":
		if e := state.Endpoints.Get(n.r, vpc.EndpointID(id)); e != nil {
			need.Tags = e.Tags
			one("ec2:vpceservicename", e.Service)
			one("ec2:vpceserviceregion", n.scope.Region)
		}
	case "instance":
		if i := state.Instances.Get(n.r, vpc.InstanceID(id)); i != nil {
			need.Tags = i.Tags
			zone(i.AvailabilityZone)
			one("ec2:instancetype", i.Type)
			one("ec2:instanceprofile", i.Profile)
			one("ec2:instancemarkettype", "on-demand")
			one("ec2:instanceautorecovery", i.AutoRecovery)
			one("ec2:instancemetadatatags", i.Metadata.Tags)
			one("ec2:metadatahttpendpoint", i.Metadata.Endpoint)
			one("ec2:metadatahttptokens", i.Metadata.Tokens)
			one("ec2:metadatahttpputresponsehoplimit", fmt.Sprint(i.Metadata.HopLimit))
			one("ec2:ebsoptimized", fmt.Sprint(i.EBSOptimized))
			one("ec2:rootdevicetype", "ebs")
			one("ec2:tenancy", cmp.Or(i.Tenancy, "default"))
		}
	case "volume":
		if v := state.Volumes.Get(n.r, vpc.VolumeID(id)); v != nil {
			need.Tags, need.Keys = v.Tags, n.volumeKeys(v)
		}
	case "image":
		for _, i := range vpc.Images(n.scope.Region) {
			if i.ID == id {
				one("ec2:owner", string(i.Owner))
				one("ec2:public", "true")
				one("ec2:imagetype", "machine")
				one("ec2:rootdevicetype", "ebs")
			}
		}
	default:
		if t, ok := findTaggable(n.r, id); ok {
			need.Tags = t.tags
		}
	}
	if key := idKeys[resource]; key != "" {
		one(key, id)
	}
	return need
}

// group adds the group that the input names by id, or by its name in the
// default VPC.
func (n *needing) group() {
	id := n.text("GroupId")
	if name := n.text("GroupName"); id == "" && name != "" {
		if g, err := groupNamed(n.r, name); err == nil {
			id = string(g.ID)
		}
	}
	n.named("security-group", id)
}

// groupsOfNew adds the groups that a new interface gets: those named, by id or
// by name, or else the default group of its VPC.
func (n *needing) groupsOfNew(t *term) {
	ids := n.texts(t)
	for _, name := range n.texts(&term{fields: [][]string{{"SecurityGroups"}}}) {
		if g, err := groupNamed(n.r, name); err == nil {
			ids = append(ids, string(g.ID))
		} else {
			n.named("security-group", "")
		}
	}
	if len(ids) == 0 {
		var in vpc.VPCID
		if s := state.Subnets.Get(n.r, vpc.SubnetID(n.text("SubnetId"))); s != nil {
			in = s.VPC
		} else if v := state.DefaultVPC(n.r); v != nil {
			in = v.ID
		}
		if g := state.DefaultGroup(n.r, in); g != nil {
			ids = []string{string(g.ID)}
		}
	}
	for _, id := range ids {
		n.named("security-group", id)
	}
}

// attachment adds the interface with an attachment, and its instance.
func (n *needing) attachment(id string) {
	for i := range state.Interfaces.By(n.r, state.InterfacesByAttachment, id) {
		n.named("network-interface", string(i.ID))
		if i.Attachment.Instance != "" {
			n.named("instance", i.Attachment.Instance)
		}
		return
	}
	n.named("network-interface", "")
}

// tagging adds what CreateTags and DeleteTags name, each with the tags of the
// request.
func (n *needing) tagging() {
	var given []vpc.Tag
	var keys []string
	var ids []string
	switch in := n.in.Addr().Interface().(type) {
	case *CreateTagsInput:
		ids, given = in.Resources, requestTags(in.Tags)
	case *DeleteTagsInput:
		ids = in.Resources
		for _, t := range in.Tags {
			if t.Value == nil {
				keys = append(keys, t.Key)
			} else {
				given = append(given, vpc.Tag{Key: t.Key, Value: *t.Value})
			}
		}
	}
	for _, id := range ids {
		need := n.resource(n.action, typeOfID(id), id)
		need.RequestTags, need.TagKeys = given, keys
		n.add(need)
		if n.name == "DeleteTags" && len(given)+len(keys) == 0 {
			// It takes all tags away. What AWS does is not documented: whoever may not
			// remove one of them, or may not remove them together, may not do that.
			var all []string
			for _, t := range need.Tags {
				all = append(all, t.Key)
			}
			for i := range all {
				need.TagKeys = all[i : i+1]
				n.list = append(n.list, need)
			}
			need.TagKeys = all
			n.list = append(n.list, need)
		}
	}
	if len(ids) == 0 {
		n.add(iam.Need{Action: n.action, Resource: "*", RequestTags: given, TagKeys: keys})
	}
}

// typeOfID gives the type of the resource that an id is of.
func typeOfID(id string) string {
	kind, prefix, _ := kindOfID(id)
	switch {
	case prefix == vpc.RulePrefix:
		return ruleType
	case kind != nil:
		return kind.ResourceType()
	}
	return prefix
}

// passRole adds the right to give away the role of an instance profile.
func (n *needing) passRole() {
	name := n.text("IamInstanceProfile.Name")
	if arn := n.text("IamInstanceProfile.Arn"); name == "" && arn != "" {
		name = arn[strings.LastIndexByte(arn, '/')+1:]
	}
	if name == "" {
		return
	}
	need := iam.Need{Action: "iam:PassRole", Resource: "arn:" + vpc.Partition(n.scope.Region) + ":iam::" + string(n.scope.Account) + ":role/*"}
	global := n.at(state.Scope{Account: n.scope.Account})
	if p := state.InstanceProfiles.Get(global, strings.ToLower(name)); p != nil {
		for r := range state.Roles.By(global, state.RolesByID, p.Role) {
			need.Resource = strings.TrimSuffix(need.Resource, "/*") + r.Path + r.Name
			need.Tags = r.Tags
		}
	}
	need.Keys = []iam.Key{{Name: "iam:passedtoservice", Values: []string{"ec2.amazonaws.com"}}}
	n.add(need)
}

// tagSpecifications gives those of the input, if it has any.
func (n *needing) tagSpecifications() []TagSpecification {
	if f := n.in.FieldByName("TagSpecifications"); f.IsValid() {
		s, _ := f.Interface().([]TagSpecification)
		return s
	}
	return nil
}

func (n *needing) tagsFor(resource string) []vpc.Tag {
	for _, s := range n.specs {
		if s.ResourceType == resource {
			return requestTags(s.Tags)
		}
	}
	return nil
}

func requestTags(tags []Tag) []vpc.Tag {
	out := make([]vpc.Tag, len(tags))
	for i, t := range tags {
		out[i].Key = t.Key
		if t.Value != nil {
			out[i].Value = *t.Value
		}
	}
	return out
}

// attributes adds to the needs so far what the input sets. Members that say which
// resource is meant are no attributes.
func (n *needing) attributes() {
	var names []string
	var keys []iam.Key
	t := n.in.Type()
	for i := range t.NumField() {
		name := t.Field(i).Name
		if name == "DryRun" || strings.HasSuffix(name, "Id") || name == "Attribute" || name == "CurrentVersion" {
			continue
		}
		value, set := attributeValue(n.in.Field(i))
		if !set {
			continue
		}
		names = append(names, name)
		if value != "" {
			keys = append(keys, iam.Key{Name: "ec2:attribute/" + strings.ToLower(name), Values: []string{value}})
		}
	}
	if len(names) > 0 {
		slices.Sort(names)
		keys = append(keys, iam.Key{Name: "ec2:attribute", Values: names})
	}
	for i := range n.list {
		n.list[i].Keys = append(n.list[i].Keys, keys...)
	}
}

// attributeValue gives what a member is set to; a list and a structure have no
// text.
func attributeValue(v reflect.Value) (text string, set bool) {
	if v.IsZero() {
		return "", false
	}
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if v.Kind() == reflect.Struct && v.NumField() == 1 && v.Type().Field(0).Name == "Value" {
		if v = v.Field(0); v.IsZero() {
			return "", true
		}
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.String, reflect.Bool, reflect.Int32, reflect.Int64:
		return fmt.Sprint(v.Interface()), true
	}
	return "", true
}

// text gives the text of a field by its path, empty if there is none.
func (n *needing) text(path string) string {
	if all := n.texts(&term{fields: [][]string{strings.Split(path, ".")}}); len(all) > 0 {
		return all[0]
	}
	return ""
}

// texts gives the texts that the fields of a term hold.
func (n *needing) texts(t *term) []string {
	var out []string
	for _, path := range t.fields {
		collect(n.in, path, &out)
	}
	return out
}

func collect(v reflect.Value, path []string, out *[]string) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			collect(v.Elem(), path, out)
		}
	case reflect.Slice:
		for i := range v.Len() {
			collect(v.Index(i), path, out)
		}
	case reflect.Struct:
		if len(path) > 0 {
			if f := v.FieldByName(path[0]); f.IsValid() {
				collect(f, path[1:], out)
			}
		}
	case reflect.String:
		if s := v.String(); s != "" && len(path) == 0 {
			*out = append(*out, s)
		}
	}
}
