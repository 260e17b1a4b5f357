package ec2

// ModifyVpcAttributeInput is what ModifyVpcAttribute takes.
type ModifyVpcAttributeInput struct {
	EnableDnsHostnames               *AttributeBooleanValue
	EnableDnsSupport                 *AttributeBooleanValue
	VpcId                            string // required
	EnableNetworkAddressUsageMetrics *AttributeBooleanValue
}

// ModifyVpcAttributeOutput is what ModifyVpcAttribute gives.
type ModifyVpcAttributeOutput struct {
	Return bool
}
