package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
)

var ResetNetworkInterfaceAttribute = action.Write[ResetNetworkInterfaceAttributeInput, ResetNetworkInterfaceAttributeOutput]{
	Name: "ResetNetworkInterfaceAttribute",
	Doc:  "Turns the source/destination check of a network interface on again.",

	Plan: func(tx *state.Txn, in *ResetNetworkInterfaceAttributeInput) (*ResetNetworkInterfaceAttributeOutput, error) {
		if err := needInterfaceID(in.NetworkInterfaceId); err != nil {
			return nil, err
		}
		if in.SourceDestCheck == "" {
			return nil, fault.InvalidParameterCombination.Say("No attributes specified.")
		}
		old, err := interfaceOf(tx, in.NetworkInterfaceId)
		if err != nil {
			return nil, err
		}
		// Whatever the parameter's value is, the attribute's becomes true.
		i := *old
		i.SourceDestCheck = true
		state.Interfaces.Put(tx, &i)
		return &ResetNetworkInterfaceAttributeOutput{Return: true}, nil
	},
}

// ResetNetworkInterfaceAttributeInput is what ResetNetworkInterfaceAttribute takes.
type ResetNetworkInterfaceAttributeInput struct {
	DryRun             bool
	NetworkInterfaceId string // required
	SourceDestCheck    string
}

// ResetNetworkInterfaceAttributeOutput is what ResetNetworkInterfaceAttribute gives.
type ResetNetworkInterfaceAttributeOutput struct {
	Return bool
}
