package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// CreateInternetGateway makes an internet gateway that is attached to nothing.
var CreateInternetGateway = action.Write[CreateInternetGatewayInput, CreateInternetGatewayOutput]{
	Name: "CreateInternetGateway",
	Doc:  `Creates an internet gateway, to be attached to a VPC.`,
	Plan: func(tx *state.Txn, in *CreateInternetGatewayInput) (*CreateInternetGatewayOutput, error) {
		tags, err := taggedWith(tx, in.TagSpecifications, "internet-gateway")
		if err != nil {
			return nil, err
		}
		if state.InternetGateways.Len(tx) >= tx.Quotas.InternetGatewaysPerRegion {
			return nil, fault.InternetGatewayLimitExceeded.With()
		}
		g := &vpc.InternetGateway{ID: vpc.InternetGatewayID(tx.NewID(vpc.InternetGatewayPrefix)), Owner: tx.Account, Tags: tags}
		state.InternetGateways.Put(tx, g)
		return &CreateInternetGatewayOutput{InternetGateway: internetGatewayShape(g)}, nil
	},
}

// CreateInternetGatewayInput is what CreateInternetGateway takes.
type CreateInternetGatewayInput struct {
	TagSpecifications []TagSpecification `in:"TagSpecification"`
	DryRun            bool
}

// CreateInternetGatewayOutput is what CreateInternetGateway gives.
type CreateInternetGatewayOutput struct {
	InternetGateway *InternetGateway
}
