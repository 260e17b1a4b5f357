package ec2

import (
	"moat/action"
	"moat/flow"
	"moat/state"
)

// UpdateSecurityGroupRuleDescriptionsIngress describes inbound rules anew.
var UpdateSecurityGroupRuleDescriptionsIngress = action.Write[UpdateSecurityGroupRuleDescriptionsIngressInput, UpdateSecurityGroupRuleDescriptionsIngressOutput]{
	Name: "UpdateSecurityGroupRuleDescriptionsIngress",
	Doc:  "Replaces the descriptions of inbound rules, or removes them. All the rules named have to exist.",

	Plan: func(tx *state.Txn, in *UpdateSecurityGroupRuleDescriptionsIngressInput) (*UpdateSecurityGroupRuleDescriptionsIngressOutput, error) {
		g, err := groupOf(tx, in.GroupId, in.GroupName)
		if err != nil {
			return nil, err
		}
		if err := describeRules(tx, g, flow.Ingress, in.IpPermissions, in.SecurityGroupRuleDescriptions); err != nil {
			return nil, err
		}
		return &UpdateSecurityGroupRuleDescriptionsIngressOutput{Return: true}, nil
	},
}

// UpdateSecurityGroupRuleDescriptionsIngressInput is what UpdateSecurityGroupRuleDescriptionsIngress takes.
type UpdateSecurityGroupRuleDescriptionsIngressInput struct {
	DryRun                        bool
	GroupId                       *string
	GroupName                     string
	IpPermissions                 []IpPermission
	SecurityGroupRuleDescriptions []SecurityGroupRuleDescription `in:"SecurityGroupRuleDescription"`
}

// UpdateSecurityGroupRuleDescriptionsIngressOutput is what UpdateSecurityGroupRuleDescriptionsIngress gives.
type UpdateSecurityGroupRuleDescriptionsIngressOutput struct {
	Return bool
}
