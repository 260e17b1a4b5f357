package ec2

import (
	"moat/action"
	"moat/state"
	"moat/vpc"
)

// CreateDhcpOptions makes a set of DHCP options.
var CreateDhcpOptions = action.Write[CreateDhcpOptionsInput, CreateDhcpOptionsOutput]{
	Name: "CreateDhcpOptions",
	Doc:  `Creates a set of DHCP options, to be associated with VPCs. Moat keeps and describes them, and serves no DHCP.`,
	Plan: func(tx *state.Txn, in *CreateDhcpOptionsInput) (*CreateDhcpOptionsOutput, error) {
		var options []vpc.DHCPOption
		for _, o := range in.DhcpConfigurations {
			options = append(options, vpc.DHCPOption{Key: o.Key, Values: o.Values})
		}
		if err := vpc.CheckDHCPOptions(options); err != nil {
			return nil, err
		}
		tags, err := taggedWith(tx, in.TagSpecifications, "dhcp-options")
		if err != nil {
			return nil, err
		}
		d := &vpc.DHCPOptions{ID: vpc.DHCPOptionsID(tx.NewID(vpc.DHCPOptionsPrefix)), Owner: tx.Account, Options: options, Tags: tags}
		state.DHCPOptions.Put(tx, d)
		return &CreateDhcpOptionsOutput{DhcpOptions: dhcpOptionsShape(d)}, nil
	},
}

// CreateDhcpOptionsInput is what CreateDhcpOptions takes.
type CreateDhcpOptionsInput struct {
	DhcpConfigurations []NewDhcpConfiguration `in:"DhcpConfiguration"` // required
	TagSpecifications  []TagSpecification     `in:"TagSpecification"`
	DryRun             bool
}

// CreateDhcpOptionsOutput is what CreateDhcpOptions gives.
type CreateDhcpOptionsOutput struct {
	DhcpOptions *DhcpOptions
}
