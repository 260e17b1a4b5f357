package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// DetachInternetGateway takes an internet gateway from its VPC. Routes that
// lead to it stay, and lead nowhere.
var DetachInternetGateway = action.Write[DetachInternetGatewayInput, DetachInternetGatewayOutput]{
	Name: "DetachInternetGateway",
	Doc:  `Detaches an internet gateway from its VPC. Public addresses there must be gone before.`,
	Plan: func(tx *state.Txn, in *DetachInternetGatewayInput) (*DetachInternetGatewayOutput, error) {
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
		if old.VPC != v.ID {
			return nil, fault.GatewayNotAttached.With(old.ID, v.ID)
		}
		if by := publicAddresses(tx, v.ID); len(by) > 0 {
			return nil, fault.DependencyViolation.With(holders("Network "+in.VpcId+" has some mapped public address(es). Please unmap those public address(es) before detaching the gateway.", by))
		}
		g := *old
		g.VPC = ""
		state.InternetGateways.Put(tx, &g)
		deleteUses(tx, string(g.ID))
		return &DetachInternetGatewayOutput{Return: true}, nil
	},
}

// publicAddresses names the public addresses that interfaces of a VPC have.
func publicAddresses(r state.Reader, id vpc.VPCID) (by []string) {
	for i := range state.Interfaces.By(r, state.InterfacesByVPC, string(id)) {
		for _, p := range i.Public {
			by = append(by, p.Address.String()+" of network interface "+string(i.ID))
		}
	}
	return by
}

// DetachInternetGatewayInput is what DetachInternetGateway takes.
type DetachInternetGatewayInput struct {
	DryRun            bool
	InternetGatewayId string // required
	VpcId             string // required
}

// DetachInternetGatewayOutput is what DetachInternetGateway gives.
type DetachInternetGatewayOutput struct {
	Return bool
}
