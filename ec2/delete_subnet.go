package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
)

// DeleteSubnet removes a subnet without interfaces.
var DeleteSubnet = action.Write[DeleteSubnetInput, DeleteSubnetOutput]{
	Name: "DeleteSubnet",
	Doc:  `Deletes a subnet. Its network interfaces must be gone before.`,
	Plan: func(tx *state.Txn, in *DeleteSubnetInput) (*DeleteSubnetOutput, error) {
		s, err := subnetOf(tx, in.SubnetId)
		if err != nil {
			return nil, err
		}
		var by []string
		for i := range state.Interfaces.By(tx, state.InterfacesBySubnet, in.SubnetId) {
			by = append(by, "network interface "+string(i.ID))
		}
		if len(by) > 0 {
			return nil, fault.DependencyViolation.With(holders("The subnet '"+in.SubnetId+"' has dependencies and cannot be deleted.", by))
		}
		clearSubnet(tx, s.ID)
		state.Subnets.Delete(tx, s.ID)
		return &DeleteSubnetOutput{Return: true}, nil
	},
}

// DeleteSubnetInput is what DeleteSubnet takes.
type DeleteSubnetInput struct {
	SubnetId string // required
	DryRun   bool
}

// DeleteSubnetOutput is what DeleteSubnet gives.
type DeleteSubnetOutput struct {
	Return bool
}
