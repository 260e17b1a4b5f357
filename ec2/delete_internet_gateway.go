package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
)

// DeleteInternetGateway removes an internet gateway that is attached to nothing.
var DeleteInternetGateway = action.Write[DeleteInternetGatewayInput, DeleteInternetGatewayOutput]{
	Name: "DeleteInternetGateway",
	Doc:  `Deletes an internet gateway. It must be detached before.`,
	Plan: func(tx *state.Txn, in *DeleteInternetGatewayInput) (*DeleteInternetGatewayOutput, error) {
		g, err := internetGatewayOf(tx, in.InternetGatewayId)
		if err != nil {
			return nil, err
		}
		if g.VPC != "" {
			return nil, fault.DependencyViolation.With(holders("The internetGateway '"+in.InternetGatewayId+"' has dependencies and cannot be deleted.",
				[]string{"attachment to " + string(g.VPC)}))
		}
		state.InternetGateways.Delete(tx, g.ID)
		return &DeleteInternetGatewayOutput{Return: true}, nil
	},
}

// DeleteInternetGatewayInput is what DeleteInternetGateway takes.
type DeleteInternetGatewayInput struct {
	DryRun            bool
	InternetGatewayId string // required
}

// DeleteInternetGatewayOutput is what DeleteInternetGateway gives.
type DeleteInternetGatewayOutput struct {
	Return bool
}
