package ec2

// DeleteNetworkInterfaceInput is what DeleteNetworkInterface takes.
type DeleteNetworkInterfaceInput struct {
	DryRun             bool
	NetworkInterfaceId string // required
}

// DeleteNetworkInterfaceOutput is what DeleteNetworkInterface gives.
type DeleteNetworkInterfaceOutput struct {
	Return bool
}
