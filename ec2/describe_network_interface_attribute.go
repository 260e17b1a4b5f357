package ec2

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
	AssociatePublicIpAddress bool
}
