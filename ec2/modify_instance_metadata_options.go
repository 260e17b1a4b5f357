package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// ModifyInstanceMetadataOptions changes what the metadata service would do.
var ModifyInstanceMetadataOptions = action.Write[ModifyInstanceMetadataOptionsInput, ModifyInstanceMetadataOptionsOutput]{
	Name: "ModifyInstanceMetadataOptions",
	Doc:  "Changes the options of the instance metadata service, which are kept and shown: Moat runs no such service.",

	Plan: func(tx *state.Txn, in *ModifyInstanceMetadataOptionsInput) (*ModifyInstanceMetadataOptionsOutput, error) {
		old, err := instanceOf(tx, in.InstanceId)
		if err != nil {
			return nil, err
		}
		if old.State == vpc.Terminated {
			return nil, fault.IncorrectInstanceState.With("The instance '" + in.InstanceId + "' is not in a state from which it can be modified.")
		}
		i := *old
		if err := i.Metadata.Set(in.HttpTokens, in.HttpPutResponseHopLimit, in.HttpEndpoint, in.HttpProtocolIpv6, in.InstanceMetadataTags); err != nil {
			return nil, err
		}
		state.Instances.Put(tx, &i)
		return &ModifyInstanceMetadataOptionsOutput{InstanceId: in.InstanceId, InstanceMetadataOptions: metadataShape(&i.Metadata, "pending")}, nil
	},
}

// ModifyInstanceMetadataOptionsInput is what ModifyInstanceMetadataOptions takes.
type ModifyInstanceMetadataOptionsInput struct {
	InstanceId              string // required
	HttpTokens              string
	HttpPutResponseHopLimit *int32
	HttpEndpoint            string
	DryRun                  bool
	HttpProtocolIpv6        string
	InstanceMetadataTags    string
}

// ModifyInstanceMetadataOptionsOutput is what ModifyInstanceMetadataOptions gives.
type ModifyInstanceMetadataOptionsOutput struct {
	InstanceId              string
	InstanceMetadataOptions *InstanceMetadataOptionsResponse
}
