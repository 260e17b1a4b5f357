package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
)

// DeleteDhcpOptions removes a set of DHCP options that no VPC has.
var DeleteDhcpOptions = action.Write[DeleteDhcpOptionsInput, DeleteDhcpOptionsOutput]{
	Name: "DeleteDhcpOptions",
	Doc:  `Deletes a set of DHCP options that no VPC has.`,
	Plan: func(tx *state.Txn, in *DeleteDhcpOptionsInput) (*DeleteDhcpOptionsOutput, error) {
		d, err := dhcpOptionsOf(tx, in.DhcpOptionsId)
		if err != nil {
			return nil, err
		}
		var by []string
		for v := range state.VPCs.By(tx, state.VPCsByDHCPOptions, in.DhcpOptionsId) {
			by = append(by, "VPC "+string(v.ID))
		}
		if len(by) > 0 {
			return nil, fault.DependencyViolation.With(holders("The dhcpOptions '"+in.DhcpOptionsId+"' has dependencies and cannot be deleted.", by))
		}
		state.DHCPOptions.Delete(tx, d.ID)
		return &DeleteDhcpOptionsOutput{Return: true}, nil
	},
}

// DeleteDhcpOptionsInput is what DeleteDhcpOptions takes.
type DeleteDhcpOptionsInput struct {
	DhcpOptionsId string // required
	DryRun        bool
}

// DeleteDhcpOptionsOutput is what DeleteDhcpOptions gives.
type DeleteDhcpOptionsOutput struct {
	Return bool
}
