package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
)

// ModifyVpcAttribute sets one attribute of a VPC.
var ModifyVpcAttribute = action.Write[ModifyVpcAttributeInput, ModifyVpcAttributeOutput]{
	Name: "ModifyVpcAttribute",
	Doc:  `Sets one attribute of a VPC.`,
	Plan: func(tx *state.Txn, in *ModifyVpcAttributeInput) (*ModifyVpcAttributeOutput, error) {
		if in.VpcId == "" {
			return nil, fault.MissingParameter.With("vpcId")
		}
		if err := oneAttribute(
			attribute{"enableDnsHostnames", isSet(in.EnableDnsHostnames)},
			attribute{"enableDnsSupport", isSet(in.EnableDnsSupport)},
			attribute{"enableNetworkAddressUsageMetrics", isSet(in.EnableNetworkAddressUsageMetrics)},
		); err != nil {
			return nil, err
		}
		old, err := vpcOf(tx, in.VpcId)
		if err != nil {
			return nil, err
		}
		v := *old
		switch {
		case isSet(in.EnableDnsSupport):
			v.EnableDNSSupport = *in.EnableDnsSupport.Value
		case isSet(in.EnableNetworkAddressUsageMetrics):
			v.EnableAddressUsageMetrics = *in.EnableNetworkAddressUsageMetrics.Value
		case *in.EnableDnsHostnames.Value && !v.EnableDNSSupport:
			return nil, fault.InvalidParameterValue.With("true", "enableDnsHostnames", "You can only enable DNS hostnames if you've enabled DNS support.")
		default:
			v.EnableDNSHostnames = *in.EnableDnsHostnames.Value
		}
		state.VPCs.Put(tx, &v)
		return &ModifyVpcAttributeOutput{Return: true}, nil
	},
}

// ModifyVpcAttributeInput is what ModifyVpcAttribute takes.
type ModifyVpcAttributeInput struct {
	EnableDnsHostnames               *AttributeBooleanValue
	EnableDnsSupport                 *AttributeBooleanValue
	VpcId                            string // required
	EnableNetworkAddressUsageMetrics *AttributeBooleanValue
}

// ModifyVpcAttributeOutput is what ModifyVpcAttribute gives.
type ModifyVpcAttributeOutput struct {
	Return bool
}
