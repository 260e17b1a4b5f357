package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
)

var DeleteNetworkInterface = action.Write[DeleteNetworkInterfaceInput, DeleteNetworkInterfaceOutput]{
	Name: "DeleteNetworkInterface",
	Doc:  "Deletes a network interface that is not attached to anything.",

	Plan: func(tx *state.Txn, in *DeleteNetworkInterfaceInput) (*DeleteNetworkInterfaceOutput, error) {
		i, err := interfaceOf(tx, in.NetworkInterfaceId)
		if err != nil {
			return nil, err
		}
		if i.Attachment != nil {
			return nil, fault.InvalidParameterValue.Say("Network interface '%s' is currently in use.", i.ID)
		}
		state.Interfaces.Delete(tx, i.ID)
		return &DeleteNetworkInterfaceOutput{Return: true}, nil
	},
}

// DeleteNetworkInterfaceInput is what DeleteNetworkInterface takes.
type DeleteNetworkInterfaceInput struct {
	DryRun             bool
	NetworkInterfaceId string // required
}

// DeleteNetworkInterfaceOutput is what DeleteNetworkInterface gives.
type DeleteNetworkInterfaceOutput struct {
	Return bool
}
