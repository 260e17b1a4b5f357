package ec2

import (
	"moat/action"
	"moat/flow"
	"moat/state"
)

// AuthorizeSecurityGroupIngress adds inbound rules to a group.
var AuthorizeSecurityGroupIngress = action.Write[AuthorizeSecurityGroupIngressInput, AuthorizeSecurityGroupIngressOutput]{
	Name: "AuthorizeSecurityGroupIngress",
	Doc:  "Adds inbound rules to a security group. All the rules are added or none is.",

	Plan: func(tx *state.Txn, in *AuthorizeSecurityGroupIngressInput) (*AuthorizeSecurityGroupIngressOutput, error) {
		g, err := groupOf(tx, in.GroupId, in.GroupName)
		if err != nil {
			return nil, err
		}
		rules, err := authorize(tx, g, flow.Ingress, in.rules(), in.TagSpecifications)
		if err != nil {
			return nil, err
		}
		return &AuthorizeSecurityGroupIngressOutput{Return: true, SecurityGroupRules: rules}, nil
	},
}

func (in *AuthorizeSecurityGroupIngressInput) rules() rulesAsked {
	return rulesAsked{
		Permissions: in.IpPermissions, IpProtocol: in.IpProtocol, FromPort: in.FromPort, ToPort: in.ToPort, CidrIp: in.CidrIp,
		SourceGroup: in.SourceSecurityGroupName, SourceOwner: in.SourceSecurityGroupOwnerId,
	}
}

// AuthorizeSecurityGroupIngressInput is what AuthorizeSecurityGroupIngress takes.
type AuthorizeSecurityGroupIngressInput struct {
	CidrIp                     string
	FromPort                   *int32
	GroupId                    *string
	GroupName                  string
	IpPermissions              []IpPermission
	IpProtocol                 string
	SourceSecurityGroupName    string
	SourceSecurityGroupOwnerId string
	ToPort                     *int32
	TagSpecifications          []TagSpecification `in:"TagSpecification"`
	DryRun                     bool
}

// AuthorizeSecurityGroupIngressOutput is what AuthorizeSecurityGroupIngress gives.
type AuthorizeSecurityGroupIngressOutput struct {
	Return             bool
	SecurityGroupRules []SecurityGroupRule `out:"securityGroupRuleSet"`
}
