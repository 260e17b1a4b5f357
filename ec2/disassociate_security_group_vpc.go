package ec2

import (
	"fmt"

	"moat/action"
	"moat/fault"
	"moat/state"
)

// DisassociateSecurityGroupVpc ends what AssociateSecurityGroupVpc began.
var DisassociateSecurityGroupVpc = action.Write[DisassociateSecurityGroupVpcInput, DisassociateSecurityGroupVpcOutput]{
	Name: "DisassociateSecurityGroupVpc",
	Doc:  "Ends the association of a security group with another VPC. Refused while an interface there has the group; rules that needed the association become stale.",

	// The association is gone when the answer is given, which says
	// disassociating as EC2's does; clients take its absence for the end.
	Plan: func(tx *state.Txn, in *DisassociateSecurityGroupVpcInput) (*DisassociateSecurityGroupVpcOutput, error) {
		g, v, err := associatePair(tx, in.GroupId, in.VpcId)
		if err != nil {
			return nil, err
		}
		if !associated(tx, g.ID, v.ID) {
			return nil, fault.InvalidGroupNotFound.Say("The security group '%s' is not associated with VPC '%s'", g.ID, v.ID)
		}
		var by []string
		for i := range state.Interfaces.By(tx, state.InterfacesByGroup, string(g.ID)) {
			if i.VPC == v.ID {
				by = append(by, "network interface "+string(i.ID))
			}
		}
		if len(by) > 0 {
			return nil, fault.DependencyViolation.With(holders(fmt.Sprintf("resource %s has a dependent object", g.ID), by))
		}
		state.GroupAssociations.Delete(tx, state.GroupAssociationKey(g.ID, v.ID))
		return &DisassociateSecurityGroupVpcOutput{State: "disassociating"}, nil
	},
}

// DisassociateSecurityGroupVpcInput is what DisassociateSecurityGroupVpc takes.
type DisassociateSecurityGroupVpcInput struct {
	GroupId *string // required
	VpcId   string  // required
	DryRun  bool
}

// DisassociateSecurityGroupVpcOutput is what DisassociateSecurityGroupVpc gives.
type DisassociateSecurityGroupVpcOutput struct {
	State string
}
