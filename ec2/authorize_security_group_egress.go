package ec2

import (
	"moat/action"
	"moat/flow"
	"moat/state"
)

// AuthorizeSecurityGroupEgress adds outbound rules to a group.
var AuthorizeSecurityGroupEgress = action.Write[AuthorizeSecurityGroupEgressInput, AuthorizeSecurityGroupEgressOutput]{
	Name: "AuthorizeSecurityGroupEgress",
	Doc:  "Adds outbound rules to a security group. All the rules are added or none is.",

	Plan: func(tx *state.Txn, in *AuthorizeSecurityGroupEgressInput) (*AuthorizeSecurityGroupEgressOutput, error) {
		g, err := groupRequired(tx, in.GroupId)
		if err != nil {
			return nil, err
		}
		rules, err := authorize(tx, g, flow.Egress, in.rules(), in.TagSpecifications)
		if err != nil {
			return nil, err
		}
		return &AuthorizeSecurityGroupEgressOutput{Return: true, SecurityGroupRules: rules}, nil
	},
}

func (in *AuthorizeSecurityGroupEgressInput) rules() rulesAsked {
	return rulesAsked{
		Permissions: in.IpPermissions, IpProtocol: in.IpProtocol, FromPort: in.FromPort, ToPort: in.ToPort, CidrIp: in.CidrIp,
		SourceGroup: in.SourceSecurityGroupName, SourceOwner: in.SourceSecurityGroupOwnerId,
	}
}

// AuthorizeSecurityGroupEgressInput is what AuthorizeSecurityGroupEgress takes.
type AuthorizeSecurityGroupEgressInput struct {
	TagSpecifications          []TagSpecification `in:"TagSpecification"`
	DryRun                     bool
	GroupId                    *string // required
	SourceSecurityGroupName    string
	SourceSecurityGroupOwnerId string
	IpProtocol                 string
	FromPort                   *int32
	ToPort                     *int32
	CidrIp                     string
	IpPermissions              []IpPermission
}

// AuthorizeSecurityGroupEgressOutput is what AuthorizeSecurityGroupEgress gives.
type AuthorizeSecurityGroupEgressOutput struct {
	Return             bool
	SecurityGroupRules []SecurityGroupRule `out:"securityGroupRuleSet"`
}
