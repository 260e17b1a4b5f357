package ec2

import (
	"moat/action"
	"moat/fault"
)

var DescribeNetworkInterfaceAttribute = action.Read[DescribeNetworkInterfaceAttributeInput, DescribeNetworkInterfaceAttributeOutput]{
	Name: "DescribeNetworkInterfaceAttribute",
	Doc:  "Shows one attribute of a network interface.",

	Read: func(c *action.Call, in *DescribeNetworkInterfaceAttributeInput) (*DescribeNetworkInterfaceAttributeOutput, error) {
		if err := needInterfaceID(in.NetworkInterfaceId); err != nil {
			return nil, err
		}
		if in.Attribute == "" {
			return nil, fault.MissingParameter.With("attribute")
		}
		out := &DescribeNetworkInterfaceAttributeOutput{NetworkInterfaceId: in.NetworkInterfaceId}
		i, err := interfaceOf(c, in.NetworkInterfaceId)
		if err != nil {
			return nil, err
		}
		switch in.Attribute {
		case "description":
			out.Description = &AttributeValue{&i.Description}
		case "groupSet":
			out.Groups = groupIdentifiers(c, i.Groups)
		case "sourceDestCheck":
			out.SourceDestCheck = &AttributeBooleanValue{&i.SourceDestCheck}
		case "attachment":
			out.Attachment = attachmentShape(i)
		case "associatePublicIpAddress":
			out.AssociatePublicIpAddress = &i.PublicIPOnAttach
		default:
			return nil, fault.InvalidParameterValue.With(in.Attribute, "attribute", "Unknown network interface attribute.")
		}
		return out, nil
	},
}

// DescribeNetworkInterfaceAttributeInput is what DescribeNetworkInterfaceAttribute takes.
type DescribeNetworkInterfaceAttributeInput struct {
	DryRun             bool
	NetworkInterfaceId string // required
	Attribute          string
}

// DescribeNetworkInterfaceAttributeOutput is what DescribeNetworkInterfaceAttribute gives.
type DescribeNetworkInterfaceAttributeOutput struct {
	Attachment               *NetworkInterfaceAttachment
	Description              *AttributeValue
	Groups                   []GroupIdentifier `out:"groupSet"`
	NetworkInterfaceId       string
	SourceDestCheck          *AttributeBooleanValue
	AssociatePublicIpAddress *bool
}
