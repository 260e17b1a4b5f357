package ec2

import (
	"moat/action"
	"moat/state"
	"moat/vpc"
)

// DescribeSecurityGroupVpcAssociations lists what AssociateSecurityGroupVpc made.
var DescribeSecurityGroupVpcAssociations = action.Describe[DescribeSecurityGroupVpcAssociationsInput, DescribeSecurityGroupVpcAssociationsOutput, *vpc.GroupAssociation, SecurityGroupVpcAssociation]{
	Name: "DescribeSecurityGroupVpcAssociations",
	Doc:  "Lists associations of security groups with VPCs other than their own.",
	List: "securityGroupVpcAssociationSet",

	From: fromKind[DescribeSecurityGroupVpcAssociationsInput](state.GroupAssociations),
	ID:   func(a *vpc.GroupAssociation) string { return state.GroupAssociationKey(a.Group, a.VPC) },

	Filters: []action.Match[*vpc.GroupAssociation]{
		action.On("group-id", func(a *vpc.GroupAssociation) string { return string(a.Group) }).Indexed(findBy(state.GroupAssociations, state.GroupAssociationsByGroup)),
		action.On("group-owner-id", func(a *vpc.GroupAssociation) string { return string(a.GroupOwner) }),
		action.On("state", func(a *vpc.GroupAssociation) string { return a.State }),
		action.On("vpc-id", func(a *vpc.GroupAssociation) string { return string(a.VPC) }).Indexed(findBy(state.GroupAssociations, state.GroupAssociationsByVPC)),
		action.On("vpc-owner-id", func(a *vpc.GroupAssociation) string { return string(a.VPCOwner) }),
	},

	Shape: func(_ *action.Call, a *vpc.GroupAssociation) SecurityGroupVpcAssociation {
		return SecurityGroupVpcAssociation{
			GroupId: string(a.Group), VpcId: string(a.VPC), VpcOwnerId: string(a.VPCOwner),
			State: a.State, GroupOwnerId: string(a.GroupOwner),
		}
	},
	Key: func(a *vpc.GroupAssociation) any { return a },
}

// DescribeSecurityGroupVpcAssociationsInput is what DescribeSecurityGroupVpcAssociations takes.
type DescribeSecurityGroupVpcAssociationsInput struct {
	Filters    []Filter `in:"Filter"`
	NextToken  string
	MaxResults *int32
	DryRun     bool
}

// DescribeSecurityGroupVpcAssociationsOutput is what DescribeSecurityGroupVpcAssociations gives.
type DescribeSecurityGroupVpcAssociationsOutput struct {
	SecurityGroupVpcAssociations []SecurityGroupVpcAssociation `out:"securityGroupVpcAssociationSet"`
	NextToken                    string
}
