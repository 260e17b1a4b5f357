package ec2

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
