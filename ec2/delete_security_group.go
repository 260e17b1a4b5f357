package ec2

import (
	"fmt"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// DeleteSecurityGroup deletes a group that nothing uses.
var DeleteSecurityGroup = action.Write[DeleteSecurityGroupInput, DeleteSecurityGroupOutput]{
	Name: "DeleteSecurityGroup",
	Doc:  "Deletes a security group with its rules. Refused for a VPC's default group and while anything uses the group.",

	Plan: func(tx *state.Txn, in *DeleteSecurityGroupInput) (*DeleteSecurityGroupOutput, error) {
		g, err := groupOf(tx, in.GroupId, in.GroupName)
		if err != nil {
			return nil, err
		}
		if g.IsDefault() {
			return nil, fault.CannotDelete.With(g.ID, g.Name)
		}
		if by := groupHolders(tx, g); len(by) > 0 {
			return nil, fault.DependencyViolation.With(holders(fmt.Sprintf("resource %s has a dependent object", g.ID), by))
		}
		state.Groups.Delete(tx, g.ID)
		return &DeleteSecurityGroupOutput{Return: true, GroupId: string(g.ID)}, nil
	},
}

// groupHolders names what keeps a group from being deleted: interfaces, rules
// of other groups of its VPC, associations. Rules of other VPCs do not; they
// become stale. API reference, DeleteSecurityGroup.
func groupHolders(r state.Reader, g *vpc.SecurityGroup) []string {
	var by []string
	for i := range state.Interfaces.By(r, state.InterfacesByGroup, string(g.ID)) {
		by = append(by, "network interface "+string(i.ID))
	}
	for o := range state.Groups.By(r, state.GroupsByRef, string(g.ID)) {
		if o.ID == g.ID || o.VPC != g.VPC {
			continue
		}
		for i := range o.Rules {
			if o.Rules[i].Peer.Ref == string(g.ID) {
				by = append(by, fmt.Sprintf("rule %s of group %s", o.Rules[i].ID, o.ID))
			}
		}
	}
	for a := range state.GroupAssociations.By(r, state.GroupAssociationsByGroup, string(g.ID)) {
		by = append(by, "association with "+string(a.VPC))
	}
	return by
}

// DeleteSecurityGroupInput is what DeleteSecurityGroup takes.
type DeleteSecurityGroupInput struct {
	GroupId   *string
	GroupName string
	DryRun    bool
}

// DeleteSecurityGroupOutput is what DeleteSecurityGroup gives.
type DeleteSecurityGroupOutput struct {
	Return  bool
	GroupId string
}
