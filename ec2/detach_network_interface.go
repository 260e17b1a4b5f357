package ec2

import (
	"fmt"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// DetachNetworkInterface takes an interface off its instance.
var DetachNetworkInterface = action.Write[DetachNetworkInterfaceInput, DetachNetworkInterfaceOutput]{
	Name: "DetachNetworkInterface",
	Doc:  "Detaches a network interface from its instance. A device of a host that carries it goes on to do so, under the same rules.",

	// Force makes no difference: nothing has to agree.
	Plan: func(tx *state.Txn, in *DetachNetworkInterfaceInput) (*DetachNetworkInterfaceOutput, error) {
		if in.AttachmentId == "" {
			return nil, fault.MissingParameter.With("attachmentId")
		}
		if !vpc.WellFormed(vpc.AttachmentPrefix, in.AttachmentId) {
			return nil, fault.InvalidAttachmentMalformed.With(in.AttachmentId)
		}
		var eni *vpc.Interface
		for i := range state.Interfaces.By(tx, state.InterfacesByAttachment, in.AttachmentId) {
			eni = i
		}
		switch {
		case eni == nil:
			return nil, fault.InvalidAttachmentNotFound.With(in.AttachmentId)
		case eni.Attachment.Instance == "":
			d := eni.Attachment.Device
			return nil, fault.OperationNotPermitted.With(fmt.Sprintf("Network interface %s is carried by device %s of host %s and belongs to no instance: the operator of the host detaches it (moat detach %s).", eni.ID, d.Name, d.Host, eni.ID))
		case eni.Attachment.DeviceIndex == 0 && eni.Attachment.CardIndex == 0:
			return nil, fault.OperationNotPermitted.With("The network interface at device index 0 and networkCard index 0 cannot be detached.")
		}
		release(tx, eni)
		return &DetachNetworkInterfaceOutput{Return: true}, nil
	},
}

// DetachNetworkInterfaceInput is what DetachNetworkInterface takes.
type DetachNetworkInterfaceInput struct {
	DryRun       bool
	AttachmentId string // required
	Force        *bool
}

// DetachNetworkInterfaceOutput is what DetachNetworkInterface gives.
type DetachNetworkInterfaceOutput struct {
	Return bool
}
