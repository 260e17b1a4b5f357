package ec2

import (
	"moat/action"
	"moat/fault"
)

// DescribeInstanceAttribute shows one attribute of an instance.
var DescribeInstanceAttribute = action.Read[DescribeInstanceAttributeInput, DescribeInstanceAttributeOutput]{
	Name: "DescribeInstanceAttribute",
	Doc:  "Shows one attribute of an instance.",

	Read: func(c *action.Call, in *DescribeInstanceAttributeInput) (*DescribeInstanceAttributeOutput, error) {
		switch {
		case in.InstanceId == "":
			return nil, fault.MissingParameter.With("InstanceId")
		case in.Attribute == "":
			return nil, fault.MissingParameter.With("attribute")
		}
		all, _, err := shownInstances(c, []string{in.InstanceId})
		if err != nil {
			return nil, err
		}
		i := all[0]
		s := instanceShape(c, c.Region, i)
		text := func(v string) *AttributeValue { return &AttributeValue{Value: ptr(v)} }
		truth := func(v bool) *AttributeBooleanValue { return &AttributeBooleanValue{Value: ptr(v)} }
		out := &DescribeInstanceAttributeOutput{InstanceId: in.InstanceId}
		switch in.Attribute {
		case "instanceType":
			out.InstanceType = text(i.Type)
		case "kernel":
			out.KernelId = &AttributeValue{}
		case "ramdisk":
			out.RamdiskId = &AttributeValue{}
		case "userData":
			if out.UserData = (&AttributeValue{}); i.UserData != "" {
				out.UserData = text(i.UserData)
			}
		case "disableApiTermination":
			out.DisableApiTermination = truth(i.DisableTermination)
		case "disableApiStop":
			out.DisableApiStop = truth(i.DisableStop)
		case "instanceInitiatedShutdownBehavior":
			out.InstanceInitiatedShutdownBehavior = text(i.ShutdownBehavior)
		case "rootDeviceName":
			out.RootDeviceName = text(i.RootDevice)
		case "blockDeviceMapping":
			if out.BlockDeviceMappings = s.BlockDeviceMappings; s.BlockDeviceMappings == nil {
				out.BlockDeviceMappings = []InstanceBlockDeviceMapping{}
			}
		case "productCodes":
			out.ProductCodes = []ProductCode{}
		case "sourceDestCheck":
			if n := interfacesOn(c, i.ID); len(n) > 1 {
				return nil, fault.InvalidInstanceIDAmbiguous.With(i.ID)
			}
			out.SourceDestCheck = truth(s.SourceDestCheck != nil && *s.SourceDestCheck)
		case "groupSet":
			if out.Groups = s.SecurityGroups; s.SecurityGroups == nil {
				out.Groups = []GroupIdentifier{}
			}
		case "ebsOptimized":
			out.EbsOptimized = truth(i.EBSOptimized)
		case "sriovNetSupport":
			out.SriovNetSupport = &AttributeValue{}
		case "enaSupport":
			out.EnaSupport = truth(true)
		case "enclaveOptions":
			out.EnclaveOptions = &EnclaveOptions{Enabled: ptr(i.Enclave)}
		default:
			return nil, fault.InvalidParameterValue.With(in.Attribute, "attribute", "Unknown attribute.")
		}
		return out, nil
	},
}

// DescribeInstanceAttributeInput is what DescribeInstanceAttribute takes.
type DescribeInstanceAttributeInput struct {
	DryRun     bool
	InstanceId string // required
	Attribute  string // required
}

// DescribeInstanceAttributeOutput is what DescribeInstanceAttribute gives.
type DescribeInstanceAttributeOutput struct {
	BlockDeviceMappings               []InstanceBlockDeviceMapping `out:"blockDeviceMapping"`
	DisableApiTermination             *AttributeBooleanValue
	EnaSupport                        *AttributeBooleanValue
	EnclaveOptions                    *EnclaveOptions
	EbsOptimized                      *AttributeBooleanValue
	InstanceId                        string
	InstanceInitiatedShutdownBehavior *AttributeValue
	InstanceType                      *AttributeValue
	KernelId                          *AttributeValue `out:"kernel"`
	ProductCodes                      []ProductCode
	RamdiskId                         *AttributeValue `out:"ramdisk"`
	RootDeviceName                    *AttributeValue
	SourceDestCheck                   *AttributeBooleanValue
	SriovNetSupport                   *AttributeValue
	UserData                          *AttributeValue
	DisableApiStop                    *AttributeBooleanValue
	Groups                            []GroupIdentifier `out:"groupSet"`
}
