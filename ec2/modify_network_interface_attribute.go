package ec2

import (
	"strings"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

var ModifyNetworkInterfaceAttribute = action.Write[ModifyNetworkInterfaceAttributeInput, ModifyNetworkInterfaceAttributeOutput]{
	Name: "ModifyNetworkInterfaceAttribute",
	Doc:  "Changes one attribute of a network interface; a list of security groups replaces those it had.",

	Plan: func(tx *state.Txn, in *ModifyNetworkInterfaceAttributeInput) (*ModifyNetworkInterfaceAttributeOutput, error) {
		if err := in.check(); err != nil {
			return nil, err
		}
		old, err := interfaceOf(tx, in.NetworkInterfaceId)
		if err != nil {
			return nil, err
		}
		i := *old
		if err := in.apply(tx, &i); err != nil {
			return nil, err
		}
		state.Interfaces.Put(tx, &i)
		return &ModifyNetworkInterfaceAttributeOutput{Return: true}, nil
	},
}

// check refuses what is wrong without a look at the interface.
func (in *ModifyNetworkInterfaceAttributeInput) check() error {
	if err := needInterfaceID(in.NetworkInterfaceId); err != nil {
		return err
	}
	for _, id := range in.Groups {
		if err := checkGroupID(id); err != nil {
			return err
		}
	}
	for _, id := range in.AssociatedSubnetIds {
		if err := checkSubnetID(id); err != nil {
			return err
		}
	}
	if a := in.Attachment; a != nil && a.AttachmentId != "" && !vpc.WellFormed(vpc.AttachmentPrefix, a.AttachmentId) {
		return fault.InvalidAttachmentMalformed.With(a.AttachmentId)
	}
	var set []string
	for _, p := range []given{
		{"attachment", in.Attachment != nil},
		{"description", in.Description != nil && in.Description.Value != nil},
		{"groupSet", len(in.Groups) > 0},
		{"sourceDestCheck", in.SourceDestCheck != nil && in.SourceDestCheck.Value != nil},
		{"connectionTrackingSpecification", in.ConnectionTrackingSpecification != nil},
		{"enaSrdSpecification", in.EnaSrdSpecification != nil},
		{"enablePrimaryIpv6", in.EnablePrimaryIpv6 != nil},
		{"associatePublicIpAddress", in.AssociatePublicIpAddress != nil},
		{"associatedSubnetIds", len(in.AssociatedSubnetIds) > 0},
	} {
		if p.is {
			set = append(set, p.name)
		}
	}
	switch len(set) {
	case 0:
		return fault.InvalidParameterCombination.Say("No attributes specified.")
	case 1:
		return nil
	}
	return fault.InvalidParameterCombination.Say("Fields for multiple attribute types specified: %s", strings.Join(set, ", "))
}

// apply changes the one attribute that the request names.
func (in *ModifyNetworkInterfaceAttributeInput) apply(tx *state.Txn, i *vpc.Interface) (err error) {
	switch {
	case in.Attachment != nil:
		return in.Attachment.apply(i)
	case in.Description != nil && in.Description.Value != nil:
		i.Description = *in.Description.Value
	case len(in.Groups) > 0:
		i.Groups, err = interfaceGroups(tx, i.VPC, in.Groups)
	case in.SourceDestCheck != nil && in.SourceDestCheck.Value != nil:
		i.SourceDestCheck = *in.SourceDestCheck.Value
	case in.ConnectionTrackingSpecification != nil:
		t := in.ConnectionTrackingSpecification
		i.Tracking, err = i.Tracking.With(t.TcpEstablishedTimeout, t.UdpStreamTimeout, t.UdpTimeout)
	case in.EnaSrdSpecification != nil:
		// Shown with the attachment, when there is one.
		if on := in.EnaSrdSpecification.EnaSrdEnabled; on != nil {
			i.ENASrd = *on
		}
		if u := in.EnaSrdSpecification.EnaSrdUdpSpecification; u != nil && u.EnaSrdUdpEnabled != nil {
			i.ENASrdUDP = *u.EnaSrdUdpEnabled
		}
		if i.ENASrdUDP && !i.ENASrd {
			return fault.InvalidParameterCombination.Say("ENA Express for UDP traffic cannot be enabled without ENA Express.")
		}
	case in.EnablePrimaryIpv6 != nil:
		switch {
		case i.PrimaryIPv6 && !*in.EnablePrimaryIpv6:
			return fault.OperationNotPermitted.With("A primary IPv6 address cannot be disabled once it has been enabled.")
		case *in.EnablePrimaryIpv6 && len(i.IPv6) == 0:
			return fault.InvalidParameterValue.Say("Network interface '%s' does not have an IPv6 address.", i.ID)
		}
		i.PrimaryIPv6 = *in.EnablePrimaryIpv6
	case in.AssociatePublicIpAddress != nil:
		i.PublicIPOnAttach = *in.AssociatePublicIpAddress
	case len(in.AssociatedSubnetIds) > 0:
		// Only interfaces that a service manages span subnets.
		return fault.UnsupportedOperation.With("Subnets cannot be associated with a network interface of this type.")
	}
	return err
}

// apply changes the attachment of i.
func (in *NetworkInterfaceAttachmentChanges) apply(i *vpc.Interface) error {
	if in.AttachmentId == "" {
		return fault.MissingParameter.With("attachment.attachmentId")
	}
	if i.Attachment == nil || i.Attachment.ID != in.AttachmentId {
		return fault.InvalidAttachmentNotFound.With(in.AttachmentId)
	}
	a := *i.Attachment
	reset := in.DefaultEnaQueueCount != nil && *in.DefaultEnaQueueCount
	switch {
	case in.DeleteOnTermination == nil && in.EnaQueueCount == nil && !reset:
		return fault.InvalidParameterCombination.Say("No attributes specified.")
	case in.EnaQueueCount != nil && reset:
		return fault.InvalidParameterCombination.With("enaQueueCount", "defaultEnaQueueCount")
	case in.EnaQueueCount != nil && *in.EnaQueueCount < 1:
		return fault.InvalidParameterValue.Say("Value (%d) for parameter enaQueueCount is invalid. There is at least one queue.", *in.EnaQueueCount)
	case in.EnaQueueCount != nil:
		a.ENAQueues = *in.EnaQueueCount
	case reset:
		a.ENAQueues = 0
	}
	if in.DeleteOnTermination != nil {
		a.DeleteOnTermination = *in.DeleteOnTermination
	}
	i.Attachment = &a
	return nil
}

// ModifyNetworkInterfaceAttributeInput is what ModifyNetworkInterfaceAttribute takes.
type ModifyNetworkInterfaceAttributeInput struct {
	EnaSrdSpecification             *EnaSrdSpecification
	EnablePrimaryIpv6               *bool
	ConnectionTrackingSpecification *ConnectionTrackingSpecificationRequest
	AssociatePublicIpAddress        *bool
	AssociatedSubnetIds             []string `in:"AssociatedSubnetId"`
	DryRun                          bool
	NetworkInterfaceId              string // required
	Description                     *AttributeValue
	SourceDestCheck                 *AttributeBooleanValue
	Groups                          []string `in:"SecurityGroupId"`
	Attachment                      *NetworkInterfaceAttachmentChanges
}

// ModifyNetworkInterfaceAttributeOutput is what ModifyNetworkInterfaceAttribute gives.
type ModifyNetworkInterfaceAttributeOutput struct {
	Return bool
}
