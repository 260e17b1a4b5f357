package ec2

// ResetNetworkInterfaceAttributeInput is what ResetNetworkInterfaceAttribute takes.
type ResetNetworkInterfaceAttributeInput struct {
	DryRun             bool
	NetworkInterfaceId string // required
	SourceDestCheck    string
}

// ResetNetworkInterfaceAttributeOutput is what ResetNetworkInterfaceAttribute gives.
type ResetNetworkInterfaceAttributeOutput struct {
	Return bool
}
