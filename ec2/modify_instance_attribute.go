package ec2

import (
	"encoding/base64"
	"fmt"
	"slices"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// ModifyInstanceAttribute changes one attribute of an instance.
var ModifyInstanceAttribute = action.Write[ModifyInstanceAttributeInput, ModifyInstanceAttributeOutput]{
	Name: "ModifyInstanceAttribute",
	Doc:  "Changes one attribute of an instance; a list of security groups replaces those of its only interface.",

	Plan: func(tx *state.Txn, in *ModifyInstanceAttributeInput) (*ModifyInstanceAttributeOutput, error) {
		if in.InstanceId == "" {
			return nil, fault.MissingParameter.With("InstanceId")
		}
		if err := checkInstanceID(in.InstanceId); err != nil {
			return nil, err
		}
		for _, id := range in.Groups {
			if err := checkGroupID(id); err != nil {
				return nil, err
			}
		}
		if err := in.spellOut(); err != nil {
			return nil, err
		}
		old, err := instanceOf(tx, in.InstanceId)
		if err != nil {
			return nil, err
		}
		if old.State == vpc.Terminated {
			return nil, fault.IncorrectInstanceState.With(fmt.Sprintf("The instance '%s' is not in a state from which it can be modified.", old.ID))
		}
		i := *old
		if err := in.apply(tx, &i); err != nil {
			return nil, err
		}
		state.Instances.Put(tx, &i)
		return &ModifyInstanceAttributeOutput{Return: true}, nil
	},
}

// spellOut turns the pair Attribute and Value into the member that it means,
// and holds the request to one attribute.
func (in *ModifyInstanceAttributeInput) spellOut() error {
	if in.Attribute != "" && in.Value != "" {
		text := &AttributeValue{Value: &in.Value}
		truth := &AttributeBooleanValue{Value: ptr(in.Value == "true")}
		switch in.Attribute {
		case "instanceType":
			in.InstanceType = text
		case "kernel":
			in.Kernel = text
		case "ramdisk":
			in.Ramdisk = text
		case "userData":
			raw, err := base64.StdEncoding.DecodeString(in.Value)
			if err != nil {
				return fault.InvalidParameterValue.Say("Invalid BASE64 encoding of user data.")
			}
			in.UserData = &BlobAttributeValue{Value: raw}
		case "disableApiTermination":
			in.DisableApiTermination = truth
		case "disableApiStop":
			in.DisableApiStop = truth
		case "instanceInitiatedShutdownBehavior":
			in.InstanceInitiatedShutdownBehavior = text
		case "sourceDestCheck":
			in.SourceDestCheck = truth
		case "ebsOptimized":
			in.EbsOptimized = truth
		case "sriovNetSupport":
			in.SriovNetSupport = text
		case "enaSupport":
			in.EnaSupport = truth
		default:
			return fault.InvalidParameterValue.With(in.Attribute, "attribute", "Unknown attribute.")
		}
	}
	n := 0
	for _, is := range []bool{
		in.SourceDestCheck != nil, in.DisableApiStop != nil, len(in.BlockDeviceMappings) > 0, in.DisableApiTermination != nil, in.InstanceType != nil,
		in.Kernel != nil, in.Ramdisk != nil, in.UserData != nil, in.InstanceInitiatedShutdownBehavior != nil, len(in.Groups) > 0,
		in.EbsOptimized != nil, in.SriovNetSupport != nil, in.EnaSupport != nil, in.EnclaveOptions != nil,
	} {
		if is {
			n++
		}
	}
	switch n {
	case 0:
		return fault.InvalidParameterCombination.Say("No attributes specified.")
	case 1:
		return nil
	}
	return fault.InvalidParameterCombination.Say("Fields for multiple attribute types specified")
}

// apply changes the one attribute that the request names.
func (in *ModifyInstanceAttributeInput) apply(tx *state.Txn, i *vpc.Instance) error {
	truth := func(v *AttributeBooleanValue, to *bool) {
		if v.Value != nil {
			*to = *v.Value
		}
	}
	text := func(v *AttributeValue) string {
		if v.Value == nil {
			return ""
		}
		return *v.Value
	}
	stopped := func() error {
		if i.State != vpc.Stopped {
			return fault.IncorrectInstanceState.With(fmt.Sprintf("The instance '%s' is not in the 'stopped' state.", i.ID))
		}
		return nil
	}
	switch {
	case len(in.Groups) > 0:
		eni, err := onlyInterface(tx, i)
		if err != nil {
			return err
		}
		if eni.Groups, err = interfaceGroups(tx, eni.VPC, in.Groups); err != nil {
			return err
		}
		state.Interfaces.Put(tx, eni)
	case in.SourceDestCheck != nil:
		eni, err := onlyInterface(tx, i)
		if err != nil {
			return err
		}
		truth(in.SourceDestCheck, &eni.SourceDestCheck)
		state.Interfaces.Put(tx, eni)
	case in.DisableApiTermination != nil:
		truth(in.DisableApiTermination, &i.DisableTermination)
	case in.DisableApiStop != nil:
		truth(in.DisableApiStop, &i.DisableStop)
	case in.InstanceInitiatedShutdownBehavior != nil:
		b := text(in.InstanceInitiatedShutdownBehavior)
		if err := oneOf("instanceInitiatedShutdownBehavior", b, "stop", "terminate"); err != nil {
			return err
		}
		i.ShutdownBehavior = b
	case in.InstanceType != nil:
		return in.retype(tx, i, text(in.InstanceType), stopped)
	case in.UserData != nil:
		if err := stopped(); err != nil {
			return err
		}
		data := base64.StdEncoding.EncodeToString(in.UserData.Value)
		if err := checkUserData(data); err != nil {
			return err
		}
		i.UserData = data
	case in.EbsOptimized != nil:
		if err := stopped(); err != nil {
			return err
		}
		truth(in.EbsOptimized, &i.EBSOptimized)
	case in.EnclaveOptions != nil:
		if err := stopped(); err != nil {
			return err
		}
		if in.EnclaveOptions.Enabled != nil {
			i.Enclave = *in.EnclaveOptions.Enabled
		}
	case len(in.BlockDeviceMappings) > 0:
		return in.remap(tx, i)
	case in.EnaSupport != nil, in.SriovNetSupport != nil:
		return stopped() // Every type has what it has.
	default:
		return fault.InvalidParameterCombination.Say("Kernel and ramdisk cannot be specified for images of virtualization type hvm.")
	}
	return nil
}

// onlyInterface gives a copy of the one interface of an instance: who has more
// must say which.
func onlyInterface(tx *state.Txn, i *vpc.Instance) (*vpc.Interface, error) {
	all := interfacesOn(tx, i.ID)
	if len(all) != 1 {
		return nil, fault.InvalidInstanceIDAmbiguous.With(i.ID)
	}
	c := *all[0]
	return &c, nil
}

// retype gives a stopped instance another type.
func (in *ModifyInstanceAttributeInput) retype(tx *state.Txn, i *vpc.Instance, name string, stopped func() error) error {
	t := vpc.InstanceTypeNamed(name)
	switch {
	case t == nil:
		return fault.InvalidParameterValue.Say("Invalid value '%s' for InstanceType.", name)
	case !slices.Contains(t.Arch, i.Architecture):
		return fault.InvalidParameterValue.Say("The architecture of the instance type %s does not match the architecture '%s' of the instance's image.", name, i.Architecture)
	}
	if err := stopped(); err != nil {
		return err
	}
	if n := len(interfacesOn(tx, i.ID)); int32(n) > t.Interfaces {
		return fault.AttachmentLimitExceeded.With(n, name)
	}
	if i.Type = name; i.CPUCredits == "" || !t.Burstable {
		i.CPUCredits = t.Credits()
	}
	i.Cores, i.ThreadsPerCore = 0, 0
	return nil
}

// remap changes which volumes go with the instance.
func (in *ModifyInstanceAttributeInput) remap(tx *state.Txn, i *vpc.Instance) error {
	for _, m := range in.BlockDeviceMappings {
		var found *vpc.Volume
		for v := range state.Volumes.By(tx, state.VolumesByInstance, string(i.ID)) {
			if v.Device == m.DeviceName {
				found = v
			}
		}
		if found == nil {
			return fault.InvalidParameterValue.Say("No device is currently mapped at %s", m.DeviceName)
		}
		if m.Ebs == nil || m.Ebs.DeleteOnTermination == nil {
			continue
		}
		c := *found
		c.DeleteOnTermination = *m.Ebs.DeleteOnTermination
		state.Volumes.Put(tx, &c)
	}
	return nil
}

// ModifyInstanceAttributeInput is what ModifyInstanceAttribute takes.
type ModifyInstanceAttributeInput struct {
	SourceDestCheck                   *AttributeBooleanValue
	DisableApiStop                    *AttributeBooleanValue
	DryRun                            bool
	InstanceId                        string // required
	Attribute                         string
	Value                             string
	BlockDeviceMappings               []InstanceBlockDeviceMappingSpecification `in:"BlockDeviceMapping"`
	DisableApiTermination             *AttributeBooleanValue
	InstanceType                      *AttributeValue
	Kernel                            *AttributeValue
	Ramdisk                           *AttributeValue
	UserData                          *BlobAttributeValue
	InstanceInitiatedShutdownBehavior *AttributeValue
	Groups                            []string `in:"GroupId"`
	EbsOptimized                      *AttributeBooleanValue
	SriovNetSupport                   *AttributeValue
	EnaSupport                        *AttributeBooleanValue
	EnclaveOptions                    *EnclaveOptionsRequest
}

// ModifyInstanceAttributeOutput is what ModifyInstanceAttribute gives.
type ModifyInstanceAttributeOutput struct {
	Return bool
}
