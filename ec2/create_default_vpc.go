package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
)

// CreateDefaultVpc makes the default VPC anew after it was deleted.
var CreateDefaultVpc = action.Write[CreateDefaultVpcInput, CreateDefaultVpcOutput]{
	Name: "CreateDefaultVpc",
	Doc:  `Creates a default VPC, 172.31.0.0/16, with a default subnet in each Availability Zone.`,
	Plan: func(tx *state.Txn, in *CreateDefaultVpcInput) (*CreateDefaultVpcOutput, error) {
		others := state.VPCs.Len(tx)
		v, err := NewDefaultVPC(tx)
		if err != nil {
			return nil, err
		}
		if others >= tx.Quotas.VPCsPerRegion {
			return nil, fault.VpcLimitExceeded.With()
		}
		return &CreateDefaultVpcOutput{Vpc: newVPCShape(v)}, nil
	},
}

// CreateDefaultVpcInput is what CreateDefaultVpc takes.
type CreateDefaultVpcInput struct {
	DryRun bool
}

// CreateDefaultVpcOutput is what CreateDefaultVpc gives.
type CreateDefaultVpcOutput struct {
	Vpc *Vpc
}
