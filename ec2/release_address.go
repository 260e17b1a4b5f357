package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
)

// ReleaseAddress gives an elastic address back.
var ReleaseAddress = action.Write[ReleaseAddressInput, ReleaseAddressOutput]{
	Name: "ReleaseAddress",
	Doc:  "Releases an elastic address that is associated with nothing.",

	Plan: func(tx *state.Txn, in *ReleaseAddressInput) (*ReleaseAddressOutput, error) {
		a, err := addressOf(tx, in.AllocationId, in.PublicIp)
		if err != nil {
			return nil, err
		}
		if in.NetworkBorderGroup != "" && in.NetworkBorderGroup != tx.Region {
			return nil, fault.InvalidParameterValue.With(in.NetworkBorderGroup, "networkBorderGroup", "The address is not of this network border group.")
		}
		if eni, _ := interfaceWith(tx, string(a.ID)); eni != nil {
			return nil, fault.InvalidIPAddressAddressInUse.With(holders("Address "+a.Address.String()+" is in use.", []string{"network interface " + string(eni.ID)}))
		}
		state.Addresses.Delete(tx, a.ID)
		return &ReleaseAddressOutput{Return: true}, nil
	},
}

// ReleaseAddressInput is what ReleaseAddress takes.
type ReleaseAddressInput struct {
	AllocationId       string
	PublicIp           string
	NetworkBorderGroup string
	DryRun             bool
}

// ReleaseAddressOutput is what ReleaseAddress gives.
type ReleaseAddressOutput struct {
	Return bool
}
