package ec2

import (
	"strings"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// ModifySubnetAttribute sets one attribute of a subnet.
var ModifySubnetAttribute = action.Write[ModifySubnetAttributeInput, ModifySubnetAttributeOutput]{
	Name: "ModifySubnetAttribute",
	Doc:  `Sets one attribute of a subnet.`,
	Plan: func(tx *state.Txn, in *ModifySubnetAttributeInput) (*ModifySubnetAttributeOutput, error) {
		if in.SubnetId == "" {
			return nil, fault.MissingParameter.With("subnetId")
		}
		if err := oneAttribute(
			attribute{"assignIpv6AddressOnCreation", isSet(in.AssignIpv6AddressOnCreation)},
			attribute{"mapPublicIpOnLaunch", isSet(in.MapPublicIpOnLaunch)},
			// The pool is part of this one.
			attribute{"mapCustomerOwnedIpOnLaunch", isSet(in.MapCustomerOwnedIpOnLaunch) || in.CustomerOwnedIpv4Pool != ""},
			attribute{"enableDns64", isSet(in.EnableDns64)},
			attribute{"privateDnsHostnameTypeOnLaunch", in.PrivateDnsHostnameTypeOnLaunch != ""},
			attribute{"enableResourceNameDnsARecordOnLaunch", isSet(in.EnableResourceNameDnsARecordOnLaunch)},
			attribute{"enableResourceNameDnsAAAARecordOnLaunch", isSet(in.EnableResourceNameDnsAAAARecordOnLaunch)},
			attribute{"enableLniAtDeviceIndex", in.EnableLniAtDeviceIndex != nil},
			attribute{"disableLniAtDeviceIndex", isSet(in.DisableLniAtDeviceIndex)},
		); err != nil {
			return nil, err
		}
		old, err := subnetOf(tx, in.SubnetId)
		if err != nil {
			return nil, err
		}
		s := *old
		if err := modifySubnet(&s, in); err != nil {
			return nil, err
		}
		state.Subnets.Put(tx, &s)
		return &ModifySubnetAttributeOutput{Return: true}, nil
	},
}

// modifySubnet sets the one attribute that the request has on a copy.
func modifySubnet(s *vpc.Subnet, in *ModifySubnetAttributeInput) error {
	switch {
	case isSet(in.AssignIpv6AddressOnCreation):
		return setWithIPv6(s, &s.AssignIPv6, in.AssignIpv6AddressOnCreation, "assign-ipv6-address-on-creation")
	case isSet(in.EnableDns64):
		return setWithIPv6(s, &s.EnableDNS64, in.EnableDns64, "enable-dns64")
	case isSet(in.EnableResourceNameDnsAAAARecordOnLaunch):
		return setWithIPv6(s, &s.DNSAAAA, in.EnableResourceNameDnsAAAARecordOnLaunch, "enable-resource-name-dns-aaaa-record-on-launch")
	case isSet(in.EnableResourceNameDnsARecordOnLaunch):
		return setWithIPv4(s, &s.DNSARecord, in.EnableResourceNameDnsARecordOnLaunch, "enable-resource-name-dns-a-record-on-launch")
	case isSet(in.MapPublicIpOnLaunch):
		return setWithIPv4(s, &s.MapPublicIP, in.MapPublicIpOnLaunch, "map-public-ip-on-launch")
	case in.PrivateDnsHostnameTypeOnLaunch != "":
		switch t := in.PrivateDnsHostnameTypeOnLaunch; {
		case t != "ip-name" && t != "resource-name":
			return fault.InvalidParameterValue.With(t, "privateDnsHostnameTypeOnLaunch", "Use ip-name or resource-name.")
		case t == "ip-name" && s.IPv6Native:
			return fault.InvalidParameterValue.With(t, "privateDnsHostnameTypeOnLaunch", "An IPv6 only subnet must use resource-name.")
		default:
			s.HostnameType = t
		}
	case in.EnableLniAtDeviceIndex != nil:
		if *in.EnableLniAtDeviceIndex < 1 {
			return fault.InvalidParameterValue.Say("Value (%d) for parameter enableLniAtDeviceIndex is invalid. A local network interface cannot be the primary network interface (eth0).", *in.EnableLniAtDeviceIndex)
		}
		s.LNIDeviceIndex = *in.EnableLniAtDeviceIndex
	case isSet(in.DisableLniAtDeviceIndex):
		if *in.DisableLniAtDeviceIndex.Value {
			s.LNIDeviceIndex = 0
		}
	case isSet(in.MapCustomerOwnedIpOnLaunch) && *in.MapCustomerOwnedIpOnLaunch.Value && in.CustomerOwnedIpv4Pool == "":
		return fault.InvalidParameterDependency.With("mapCustomerOwnedIpOnLaunch", "customerOwnedIpv4Pool")
	case in.CustomerOwnedIpv4Pool != "":
		// Pools of the customer's own addresses belong to Outposts.
		return fault.InvalidPoolNotFound.With(in.CustomerOwnedIpv4Pool)
	}
	return nil
}

// setWithIPv6 sets a flag that only a subnet with an IPv6 block can have.
func setWithIPv6(s *vpc.Subnet, flag *bool, to *AttributeBooleanValue, name string) error {
	if *to.Value && !s.HasIPv6() {
		return fault.InvalidParameterValue.Say("Invalid value 'true' for %s. Cannot set %s to true unless the subnet (%s) has an IPv6 CIDR block associated with it.", name, name, s.ID)
	}
	*flag = *to.Value
	return nil
}

// setWithIPv4 sets a flag that only a subnet with an IPv4 block can have.
func setWithIPv4(s *vpc.Subnet, flag *bool, to *AttributeBooleanValue, name string) error {
	if *to.Value && !s.CIDR.IsValid() {
		return fault.InvalidParameterValue.Say("Invalid value 'true' for %s. Cannot set %s to true unless the subnet (%s) has an IPv4 CIDR block associated with it.", name, name, s.ID)
	}
	*flag = *to.Value
	return nil
}

// An attribute is one of those that a call may set, and whether it does.
type attribute struct {
	name string
	set  bool
}

// oneAttribute refuses a call that sets none or several of the attributes.
func oneAttribute(all ...attribute) error {
	var set []string
	for _, a := range all {
		if a.set {
			set = append(set, a.name)
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

// isSet reports whether a request has a flag.
func isSet(v *AttributeBooleanValue) bool { return v != nil && v.Value != nil }

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
