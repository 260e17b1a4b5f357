// Package ec2 knows the EC2 actions that Moat serves, one file each: what an
// action takes and gives, and what it does to the state. HTTP and etcd are
// the business of others.
package ec2

import (
	"slices"

	"moat/action"
)

// Actions lists every action.
var Actions = slices.Concat(groupActions, prefixListActions, tagActions, vpcActions, subnetActions, placeActions, interfaceActions,
	gatewayActions, routeActions, networkACLActions, dhcpActions, peeringActions, endpointActions, instanceActions, keyPairActions, addressActions)

var groupActions = []action.Action{
	CreateSecurityGroup,
	DeleteSecurityGroup,
	DescribeSecurityGroups,
	AuthorizeSecurityGroupIngress,
	AuthorizeSecurityGroupEgress,
	RevokeSecurityGroupIngress,
	RevokeSecurityGroupEgress,
	DescribeSecurityGroupRules,
	ModifySecurityGroupRules,
	UpdateSecurityGroupRuleDescriptionsIngress,
	UpdateSecurityGroupRuleDescriptionsEgress,
	DescribeSecurityGroupReferences,
	DescribeStaleSecurityGroups,
	GetSecurityGroupsForVpc,
	AssociateSecurityGroupVpc,
	DisassociateSecurityGroupVpc,
	DescribeSecurityGroupVpcAssociations,
}

var prefixListActions = []action.Action{
	CreateManagedPrefixList, ModifyManagedPrefixList, DeleteManagedPrefixList, RestoreManagedPrefixListVersion,
	DescribeManagedPrefixLists, GetManagedPrefixListEntries, GetManagedPrefixListAssociations, DescribePrefixLists,
}

var tagActions = []action.Action{CreateTags, DeleteTags, DescribeTags}

var vpcActions = []action.Action{
	CreateVpc, CreateDefaultVpc, DescribeVpcs, DeleteVpc, DescribeVpcAttribute, ModifyVpcAttribute,
	AssociateVpcCidrBlock, DisassociateVpcCidrBlock,
}

var subnetActions = []action.Action{
	CreateSubnet, CreateDefaultSubnet, DescribeSubnets, DeleteSubnet, ModifySubnetAttribute,
	AssociateSubnetCidrBlock, DisassociateSubnetCidrBlock,
}

// placeActions tell where things can be: regions, zones, and the account.
var placeActions = []action.Action{DescribeAvailabilityZones, DescribeRegions, DescribeAccountAttributes}

var interfaceActions = []action.Action{
	CreateNetworkInterface, DescribeNetworkInterfaces, DeleteNetworkInterface,
	DescribeNetworkInterfaceAttribute, ModifyNetworkInterfaceAttribute, ResetNetworkInterfaceAttribute,
	AssignPrivateIpAddresses, UnassignPrivateIpAddresses, AssignIpv6Addresses, UnassignIpv6Addresses,
}

var gatewayActions = []action.Action{
	CreateInternetGateway, AttachInternetGateway, DetachInternetGateway, DeleteInternetGateway, DescribeInternetGateways,
}

var routeActions = []action.Action{
	CreateRouteTable, DeleteRouteTable, DescribeRouteTables, CreateRoute, ReplaceRoute, DeleteRoute,
	AssociateRouteTable, ReplaceRouteTableAssociation, DisassociateRouteTable,
}

var networkACLActions = []action.Action{
	CreateNetworkAcl, DeleteNetworkAcl, DescribeNetworkAcls, CreateNetworkAclEntry, ReplaceNetworkAclEntry,
	DeleteNetworkAclEntry, ReplaceNetworkAclAssociation,
}

var dhcpActions = []action.Action{CreateDhcpOptions, DeleteDhcpOptions, DescribeDhcpOptions, AssociateDhcpOptions}

var peeringActions = []action.Action{
	CreateVpcPeeringConnection, AcceptVpcPeeringConnection, RejectVpcPeeringConnection, DeleteVpcPeeringConnection,
	DescribeVpcPeeringConnections, ModifyVpcPeeringConnectionOptions,
	DescribeVpcClassicLink, DescribeVpcClassicLinkDnsSupport,
}

var endpointActions = []action.Action{
	CreateVpcEndpoint, ModifyVpcEndpoint, DeleteVpcEndpoints, DescribeVpcEndpoints, DescribeVpcEndpointServices,
}
