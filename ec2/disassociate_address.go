package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// DisassociateAddress takes an elastic address off what has it.
var DisassociateAddress = action.Write[DisassociateAddressInput, DisassociateAddressOutput]{
	Name: "DisassociateAddress",
	Doc:  "Ends the association of an elastic address. The address stays the account's.",

	Plan: func(tx *state.Txn, in *DisassociateAddressInput) (*DisassociateAddressOutput, error) {
		var eni *vpc.Interface
		var p vpc.PublicAddress
		switch {
		case in.AssociationId != "":
			if err := checkAddressAssociationID(in.AssociationId); err != nil {
				return nil, err
			}
			if eni, p = interfaceWith(tx, in.AssociationId); eni == nil {
				return nil, fault.InvalidAssociationNotFound.With(in.AssociationId)
			}
		case in.PublicIp != "":
			if _, err := addressOf(tx, "", in.PublicIp); err != nil {
				return nil, err
			}
			if eni, p = interfaceWith(tx, in.PublicIp); eni == nil {
				return &DisassociateAddressOutput{Return: true}, nil
			}
		default:
			return nil, fault.MissingParameter.With("AssociationId")
		}
		if err := disassociate(tx, eni, p); err != nil {
			return nil, err
		}
		return &DisassociateAddressOutput{Return: true}, nil
	},
}

// DisassociateAddressInput is what DisassociateAddress takes.
type DisassociateAddressInput struct {
	AssociationId string
	PublicIp      string
	DryRun        bool
}

// DisassociateAddressOutput is what DisassociateAddress gives.
type DisassociateAddressOutput struct {
	Return bool
}
