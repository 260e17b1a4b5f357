package ec2

import (
	"moat/action"
	"moat/flow"
	"moat/state"
)

// UpdateSecurityGroupRuleDescriptionsEgress describes outbound rules anew.
var UpdateSecurityGroupRuleDescriptionsEgress = action.Write[UpdateSecurityGroupRuleDescriptionsEgressInput, UpdateSecurityGroupRuleDescriptionsEgressOutput]{
	Name: "UpdateSecurityGroupRuleDescriptionsEgress",
	Doc:  "Replaces the descriptions of outbound rules, or removes them. All the rules named have to exist.",

	Plan: func(tx *state.Txn, in *UpdateSecurityGroupRuleDescriptionsEgressInput) (*UpdateSecurityGroupRuleDescriptionsEgressOutput, error) {
		g, err := groupOf(tx, in.GroupId, in.GroupName)
		if err != nil {
			return nil, err
		}
		if err := describeRules(tx, g, flow.Egress, in.IpPermissions, in.SecurityGroupRuleDescriptions); err != nil {
			return nil, err
		}
		return &UpdateSecurityGroupRuleDescriptionsEgressOutput{Return: true}, nil
	},
}

// UpdateSecurityGroupRuleDescriptionsEgressInput is what UpdateSecurityGroupRuleDescriptionsEgress takes.
type UpdateSecurityGroupRuleDescriptionsEgressInput struct {
	DryRun                        bool
	GroupId                       *string
	GroupName                     string
	IpPermissions                 []IpPermission
	SecurityGroupRuleDescriptions []SecurityGroupRuleDescription `in:"SecurityGroupRuleDescription"`
}

// UpdateSecurityGroupRuleDescriptionsEgressOutput is what UpdateSecurityGroupRuleDescriptionsEgress gives.
type UpdateSecurityGroupRuleDescriptionsEgressOutput struct {
	Return bool
}
