package ec2

import (
	"moat/action"
	"moat/state"
)

// noDHCPOptions is what a request and a VPC say for no set at all.
const noDHCPOptions = "default"

// AssociateDhcpOptions gives a VPC other DHCP options.
var AssociateDhcpOptions = action.Write[AssociateDhcpOptionsInput, AssociateDhcpOptionsOutput]{
	Name: "AssociateDhcpOptions",
	Doc:  `Associates a set of DHCP options with a VPC, or with the word default none.`,
	Plan: func(tx *state.Txn, in *AssociateDhcpOptionsInput) (*AssociateDhcpOptionsOutput, error) {
		if err := allGiven("dhcpOptionsId", in.DhcpOptionsId, "vpcId", in.VpcId); err != nil {
			return nil, err
		}
		if in.DhcpOptionsId != noDHCPOptions {
			if err := checkDHCPOptionsID(in.DhcpOptionsId); err != nil {
				return nil, err
			}
		}
		old, err := vpcOf(tx, in.VpcId)
		if err != nil {
			return nil, err
		}
		if in.DhcpOptionsId != noDHCPOptions {
			if _, err := dhcpOptionsOf(tx, in.DhcpOptionsId); err != nil {
				return nil, err
			}
		}
		if old.DHCPOptions != in.DhcpOptionsId {
			v := *old
			v.DHCPOptions = in.DhcpOptionsId
			state.VPCs.Put(tx, &v)
		}
		return &AssociateDhcpOptionsOutput{Return: true}, nil
	},
}

// AssociateDhcpOptionsInput is what AssociateDhcpOptions takes.
type AssociateDhcpOptionsInput struct {
	DhcpOptionsId string // required
	VpcId         string // required
	DryRun        bool
}

// AssociateDhcpOptionsOutput is what AssociateDhcpOptions gives.
type AssociateDhcpOptionsOutput struct {
	Return bool
}
