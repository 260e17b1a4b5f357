package vpc

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"moat/fault"
)

// dhcpKeys are the options that a set may have: EC2 API reference,
// CreateDhcpOptions.
var dhcpKeys = []string{
	"domain-name-servers", "domain-name", "ntp-servers", "netbios-name-servers", "netbios-node-type",
	"ipv6-address-preferred-lease-time",
}

// AmazonDNS stands for the resolver of the VPC among the name servers.
const AmazonDNS = "AmazonProvidedDNS"

// CheckDHCPOptions refuses a set of options that EC2 does not know or whose
// values it does not take.
func CheckDHCPOptions(options []DHCPOption) error {
	if len(options) == 0 {
		return fault.MissingParameter.With("dhcpConfiguration")
	}
	seen := map[string]bool{}
	for _, o := range options {
		switch {
		case o.Key == "":
			return fault.MissingParameter.With("dhcpConfiguration.key")
		case !slices.Contains(dhcpKeys, o.Key):
			return fault.InvalidParameterValue.Say("Value (%s) for parameter name is invalid. Unknown DHCP option", o.Key)
		case seen[o.Key]:
			return fault.InvalidParameterValue.Say("Value (%s) for parameter name is invalid. The option is given twice.", o.Key)
		case len(o.Values) == 0:
			return fault.MissingParameter.With("dhcpConfiguration.value")
		}
		seen[o.Key] = true
		if err := checkDHCPValues(o); err != nil {
			return err
		}
	}
	return nil
}

func checkDHCPValues(o DHCPOption) error {
	bad := func(v, why string) error { return fault.InvalidParameterValue.With(v, o.Key, why) }
	one := o.Key == "domain-name" || o.Key == "netbios-node-type" || o.Key == "ipv6-address-preferred-lease-time"
	switch {
	case one && len(o.Values) > 1:
		return bad(strings.Join(o.Values, ", "), "The option takes one value.")
	case len(o.Values) > 4:
		return bad(strings.Join(o.Values, ", "), "The option takes at most four values.")
	}
	for _, v := range o.Values {
		switch o.Key {
		case "domain-name-servers", "ntp-servers", "netbios-name-servers":
			if _, err := netip.ParseAddr(v); err != nil && !(o.Key == "domain-name-servers" && v == AmazonDNS) {
				return bad(v, "This is not a valid IP address.")
			}
		case "domain-name":
			if v == "" {
				return bad(v, "A domain name cannot be empty.")
			}
		case "netbios-node-type":
			if !slices.Contains([]string{"1", "2", "4", "8"}, v) {
				return bad(v, "The node type must be 1, 2, 4 or 8.")
			}
		case "ipv6-address-preferred-lease-time":
			if n, err := strconv.ParseUint(v, 10, 32); err != nil || n < 140 || n > 2147483647 {
				return bad(v, "The lease time must be from 140 to 2147483647 seconds.")
			}
		}
	}
	return nil
}

// NewDefaultDHCPOptions gives the set with which a region of an account begins:
// VPC user guide, "Default DHCP option set".
func NewDefaultDHCPOptions(region string, account AccountID) *DHCPOptions {
	domain := region + ".compute.internal"
	if region == "us-east-1" {
		domain = "ec2.internal"
	}
	return &DHCPOptions{
		ID: DHCPOptionsID(DefaultDHCPOptions(region, account)), Owner: account,
		Options: []DHCPOption{{"domain-name", []string{domain}}, {"domain-name-servers", []string{AmazonDNS}}},
	}
}
