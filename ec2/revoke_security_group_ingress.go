package ec2

import (
	"moat/action"
	"moat/flow"
	"moat/state"
)

// RevokeSecurityGroupIngress removes inbound rules from a group.
var RevokeSecurityGroupIngress = action.Write[RevokeSecurityGroupIngressInput, RevokeSecurityGroupIngressOutput]{
	Name: "RevokeSecurityGroupIngress",
	Doc:  "Removes inbound rules from a security group, by rule id or by exactly what they allow.",

	Plan: func(tx *state.Txn, in *RevokeSecurityGroupIngressInput) (*RevokeSecurityGroupIngressOutput, error) {
		g, err := groupOf(tx, in.GroupId, in.GroupName)
		if err != nil {
			return nil, err
		}
		revoked, unknown, err := revoke(tx, g, flow.Ingress, in.SecurityGroupRuleIds, in.rules())
		if err != nil {
			return nil, err
		}
		return &RevokeSecurityGroupIngressOutput{Return: true, UnknownIpPermissions: unknown, RevokedSecurityGroupRules: revoked}, nil
	},
}

func (in *RevokeSecurityGroupIngressInput) rules() rulesAsked {
	return rulesAsked{
		Permissions: in.IpPermissions, IpProtocol: in.IpProtocol, FromPort: in.FromPort, ToPort: in.ToPort, CidrIp: in.CidrIp,
		SourceGroup: in.SourceSecurityGroupName, SourceOwner: in.SourceSecurityGroupOwnerId,
	}
}

// RevokeSecurityGroupIngressInput is what RevokeSecurityGroupIngress takes.
type RevokeSecurityGroupIngressInput struct {
	CidrIp                     string
	FromPort                   *int32
	GroupId                    *string
	GroupName                  string
	IpPermissions              []IpPermission
	IpProtocol                 string
	SourceSecurityGroupName    string
	SourceSecurityGroupOwnerId string
	ToPort                     *int32
	SecurityGroupRuleIds       []string `in:"SecurityGroupRuleId"`
	DryRun                     bool
}

// RevokeSecurityGroupIngressOutput is what RevokeSecurityGroupIngress gives.
type RevokeSecurityGroupIngressOutput struct {
	Return                    bool
	UnknownIpPermissions      []IpPermission             `out:"unknownIpPermissionSet,always"`
	RevokedSecurityGroupRules []RevokedSecurityGroupRule `out:"revokedSecurityGroupRuleSet"`
}
