package ec2

// ModifySubnetAttributeInput is what ModifySubnetAttribute takes.
type ModifySubnetAttributeInput struct {
	AssignIpv6AddressOnCreation             *AttributeBooleanValue
	MapPublicIpOnLaunch                     *AttributeBooleanValue
	SubnetId                                string // required
	MapCustomerOwnedIpOnLaunch              *AttributeBooleanValue
	CustomerOwnedIpv4Pool                   string
	EnableDns64                             *AttributeBooleanValue
	PrivateDnsHostnameTypeOnLaunch          string
	EnableResourceNameDnsARecordOnLaunch    *AttributeBooleanValue
	EnableResourceNameDnsAAAARecordOnLaunch *AttributeBooleanValue
	EnableLniAtDeviceIndex                  *int32
	DisableLniAtDeviceIndex                 *AttributeBooleanValue
}

// ModifySubnetAttributeOutput is what ModifySubnetAttribute gives.
type ModifySubnetAttributeOutput struct {
	Return bool
}
