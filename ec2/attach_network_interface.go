package ec2

import (
	"fmt"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// AttachNetworkInterface adds an interface to an instance.
var AttachNetworkInterface = action.Write[AttachNetworkInterfaceInput, AttachNetworkInterfaceOutput]{
	Name: "AttachNetworkInterface",
	Doc:  "Attaches a network interface to an instance. Which device of a host carries it is for the host's operator to say.",

	Plan: func(tx *state.Txn, in *AttachNetworkInterfaceInput) (*AttachNetworkInterfaceOutput, error) {
		if err := needInterfaceID(in.NetworkInterfaceId); err != nil {
			return nil, err
		}
		switch {
		case in.InstanceId == "":
			return nil, fault.MissingParameter.With("instanceId")
		case in.DeviceIndex == nil:
			return nil, fault.MissingParameter.With("deviceIndex")
		case *in.DeviceIndex < 0:
			return nil, fault.InvalidParameterValue.Say("Value (%d) for parameter deviceIndex is invalid. It cannot be negative.", *in.DeviceIndex)
		case in.NetworkCardIndex != nil && *in.NetworkCardIndex != 0:
			return nil, fault.InvalidParameterValue.Say("Value (%d) for parameter networkCardIndex is invalid. The instance has one network card.", *in.NetworkCardIndex)
		}
		if err := checkInstanceID(in.InstanceId); err != nil {
			return nil, err
		}
		old, err := interfaceOf(tx, in.NetworkInterfaceId)
		if err != nil {
			return nil, err
		}
		i, err := instanceOf(tx, in.InstanceId)
		if err != nil {
			return nil, err
		}
		if err := attachableTo(tx, old, i, *in.DeviceIndex); err != nil {
			return nil, err
		}
		eni := *old
		attachTo(tx, &eni, i.ID, *in.DeviceIndex, 0)
		if in.EnaQueueCount != nil {
			eni.Attachment.ENAQueues = *in.EnaQueueCount
		}
		if e := in.EnaSrdSpecification; e != nil && e.EnaSrdEnabled != nil {
			eni.ENASrd = *e.EnaSrdEnabled
			eni.ENASrdUDP = eni.ENASrd && e.EnaSrdUdpSpecification != nil && e.EnaSrdUdpSpecification.EnaSrdUdpEnabled != nil && *e.EnaSrdUdpSpecification.EnaSrdUdpEnabled
		}
		state.Interfaces.Put(tx, &eni)
		return &AttachNetworkInterfaceOutput{AttachmentId: eni.Attachment.ID, NetworkCardIndex: ptr(int32(0))}, nil
	},
}

// attachableTo refuses an interface that an instance cannot have.
func attachableTo(tx *state.Txn, eni *vpc.Interface, i *vpc.Instance, index int32) error {
	if i.State == vpc.Terminated {
		return fault.IncorrectState.With(fmt.Sprintf("The instance '%s' is not in a state from which it can be modified: it is terminated.", i.ID))
	}
	if eni.Attachment != nil && eni.Attachment.Instance != "" {
		return fault.InvalidNetworkInterfaceInUse.With(eni.ID)
	}
	if eni.AvailabilityZone != i.AvailabilityZone {
		return fault.InvalidParameterCombination.Say("You may not attach a network interface to an instance if they are not in the same availability zone")
	}
	all := interfacesOn(tx, i.ID)
	for _, other := range all {
		if other.Attachment.DeviceIndex == index {
			return fault.InvalidParameterValue.Say("Instance '%s' already has an interface attached at device index '%d'.", i.ID, index)
		}
	}
	if t := vpc.InstanceTypeNamed(i.Type); t != nil && int32(len(all)) >= t.Interfaces {
		return fault.AttachmentLimitExceeded.With(len(all)+1, t.Name)
	}
	return nil
}

// AttachNetworkInterfaceInput is what AttachNetworkInterface takes.
type AttachNetworkInterfaceInput struct {
	NetworkCardIndex    *int32
	EnaSrdSpecification *EnaSrdSpecification
	EnaQueueCount       *int32
	DryRun              bool
	NetworkInterfaceId  string // required
	InstanceId          string // required
	DeviceIndex         *int32 // required
}

// AttachNetworkInterfaceOutput is what AttachNetworkInterface gives.
type AttachNetworkInterfaceOutput struct {
	AttachmentId     string
	NetworkCardIndex *int32
}
