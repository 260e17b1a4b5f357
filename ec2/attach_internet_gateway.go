package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
)

// AttachInternetGateway attaches an internet gateway to a VPC that has none.
var AttachInternetGateway = action.Write[AttachInternetGatewayInput, AttachInternetGatewayOutput]{
	Name: "AttachInternetGateway",
	Doc:  `Attaches an internet gateway to a VPC. A VPC has one at most.`,
	Plan: func(tx *state.Txn, in *AttachInternetGatewayInput) (*AttachInternetGatewayOutput, error) {
		if err := allGiven("internetGatewayId", in.InternetGatewayId, "vpcId", in.VpcId); err != nil {
			return nil, err
		}
		if err := checkVPCID(in.VpcId); err != nil {
			return nil, err
		}
		old, err := internetGatewayOf(tx, in.InternetGatewayId)
		if err != nil {
			return nil, err
		}
		v, err := vpcOf(tx, in.VpcId)
		if err != nil {
			return nil, err
		}
		if old.VPC != "" {
			return nil, fault.ResourceAlreadyAttached.With(old.ID, old.VPC)
		}
		if state.InternetGateways.Count(tx, state.InternetGatewaysByVPC, in.VpcId, 1) > 0 {
			return nil, fault.InvalidParameterValue.Say("Network %s already has an internet gateway attached", v.ID)
		}
		g := *old
		g.VPC = v.ID
		state.InternetGateways.Put(tx, &g)
		return &AttachInternetGatewayOutput{Return: true}, nil
	},
}

// AttachInternetGatewayInput is what AttachInternetGateway takes.
type AttachInternetGatewayInput struct {
	DryRun            bool
	InternetGatewayId string // required
	VpcId             string // required
}

// AttachInternetGatewayOutput is what AttachInternetGateway gives.
type AttachInternetGatewayOutput struct {
	Return bool
}
