package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
)

// DisassociateRouteTable ends a use of a route table; a subnet uses the main
// one from then on.
var DisassociateRouteTable = action.Write[DisassociateRouteTableInput, DisassociateRouteTableOutput]{
	Name: "DisassociateRouteTable",
	Doc:  `Ends an association of a route table. The main one cannot be ended, only replaced.`,
	Plan: func(tx *state.Txn, in *DisassociateRouteTableInput) (*DisassociateRouteTableOutput, error) {
		a, err := tableAssociationOf(tx, in.AssociationId)
		if err != nil {
			return nil, err
		}
		if a.Main {
			return nil, fault.InvalidParameterValue.Say("cannot disassociate the main route table association %s", a.ID)
		}
		state.RouteTableAssociations.Delete(tx, a.ID)
		return &DisassociateRouteTableOutput{Return: true}, nil
	},
}

// DisassociateRouteTableInput is what DisassociateRouteTable takes.
type DisassociateRouteTableInput struct {
	DryRun        bool
	AssociationId string // required
}

// DisassociateRouteTableOutput is what DisassociateRouteTable gives.
type DisassociateRouteTableOutput struct {
	Return bool
}
