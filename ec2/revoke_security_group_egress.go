package ec2

import (
	"moat/action"
	"moat/flow"
	"moat/state"
)

// RevokeSecurityGroupEgress removes outbound rules from a group.
var RevokeSecurityGroupEgress = action.Write[RevokeSecurityGroupEgressInput, RevokeSecurityGroupEgressOutput]{
	Name: "RevokeSecurityGroupEgress",
	Doc:  "Removes outbound rules from a security group, by rule id or by exactly what they allow.",

	Plan: func(tx *state.Txn, in *RevokeSecurityGroupEgressInput) (*RevokeSecurityGroupEgressOutput, error) {
		g, err := groupRequired(tx, in.GroupId)
		if err != nil {
			return nil, err
		}
		revoked, unknown, err := revoke(tx, g, flow.Egress, in.SecurityGroupRuleIds, in.rules())
		if err != nil {
			return nil, err
		}
		return &RevokeSecurityGroupEgressOutput{Return: true, UnknownIpPermissions: unknown, RevokedSecurityGroupRules: revoked}, nil
	},
}

func (in *RevokeSecurityGroupEgressInput) rules() rulesAsked {
	return rulesAsked{
		Permissions: in.IpPermissions, IpProtocol: in.IpProtocol, FromPort: in.FromPort, ToPort: in.ToPort, CidrIp: in.CidrIp,
		SourceGroup: in.SourceSecurityGroupName, SourceOwner: in.SourceSecurityGroupOwnerId,
	}
}

// RevokeSecurityGroupEgressInput is what RevokeSecurityGroupEgress takes.
type RevokeSecurityGroupEgressInput struct {
	SecurityGroupRuleIds       []string `in:"SecurityGroupRuleId"`
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

// RevokeSecurityGroupEgressOutput is what RevokeSecurityGroupEgress gives.
type RevokeSecurityGroupEgressOutput struct {
	Return                    bool
	UnknownIpPermissions      []IpPermission             `out:"unknownIpPermissionSet,always"`
	RevokedSecurityGroupRules []RevokedSecurityGroupRule `out:"revokedSecurityGroupRuleSet"`
}
