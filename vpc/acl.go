package vpc

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"moat/fault"
)

// The numbers that entries of a network ACL have: VPC user guide, "Network ACL
// rules". The last ones belong to EC2: they deny what no other decides.
const (
	maxACLNumber    = 32766
	LastACLNumber   = 32767 // of IPv4
	LastACLNumber6  = 32768 // of IPv6
	firstACLNumber  = 100   // of a default ACL
	firstACLNumber6 = 101
)

// AllProtocols is the number by which network ACLs mean every protocol.
const AllProtocols int16 = -1

// An AskedACLEntry is an entry as a request has it.
type AskedACLEntry struct {
	Number             *int32
	Egress             *bool
	Protocol, Action   string
	CIDR4, CIDR6       string
	From, To           *int32
	ICMPType, ICMPCode *int32
}

// Parse reads an entry. Ports are kept for TCP and UDP, type and code for ICMP,
// as EC2 does: whatever else is given means nothing.
func (a AskedACLEntry) Parse() (ACLEntry, error) {
	e := ACLEntry{From: -1, To: -1}
	switch {
	case a.Number == nil:
		return e, fault.MissingParameter.With("ruleNumber")
	case a.Protocol == "":
		return e, fault.MissingParameter.With("protocol")
	case a.Action == "":
		return e, fault.MissingParameter.With("ruleAction")
	case a.Egress == nil:
		return e, fault.MissingParameter.With("egress")
	case a.CIDR4 == "" && a.CIDR6 == "":
		return e, fault.MissingParameter.With("cidrBlock")
	case a.CIDR4 != "" && a.CIDR6 != "":
		return e, fault.InvalidParameterCombination.With("cidrBlock", "ipv6CidrBlock")
	}
	e.Number, e.Egress = *a.Number, *a.Egress
	if err := CheckACLNumber(e.Number); err != nil {
		return e, err
	}
	switch strings.ToLower(a.Action) {
	case "allow":
		e.Allow = true
	case "deny":
	default:
		return e, fault.InvalidParameterValue.With(a.Action, "ruleAction", "Use allow or deny.")
	}
	var err error
	if e.Protocol, err = parseACLProtocol(a.Protocol); err != nil {
		return e, err
	}
	if a.CIDR4 != "" {
		e.CIDR, err = ParseCIDR4("cidrBlock", a.CIDR4)
	} else {
		e.CIDR, err = ParseCIDR6("ipv6CidrBlock", a.CIDR6)
	}
	if err != nil {
		return e, err
	}
	switch e.Protocol {
	case 6, 17:
		if a.From == nil || a.To == nil {
			return e, fault.MissingParameter.With("portRange")
		}
		if *a.From < 0 || *a.To > 65535 || *a.From > *a.To {
			return e, fault.InvalidParameterValue.Say("Invalid value '%d-%d' for portRange. The range must be within 0-65535 and begin before it ends.", *a.From, *a.To)
		}
		e.From, e.To = *a.From, *a.To
	case 1, 58:
		if a.ICMPType == nil || a.ICMPCode == nil {
			return e, fault.MissingParameter.With("icmpTypeCode")
		}
		if *a.ICMPType < -1 || *a.ICMPType > 255 || *a.ICMPCode < -1 || *a.ICMPCode > 255 {
			return e, fault.InvalidParameterValue.Say("Invalid value '%d/%d' for icmpTypeCode. Type and code must be within -1-255.", *a.ICMPType, *a.ICMPCode)
		}
		e.From, e.To = *a.ICMPType, *a.ICMPCode
	}
	return e, nil
}

// CheckACLNumber refuses a number that an entry cannot have.
func CheckACLNumber(n int32) error {
	if n < 1 || n > maxACLNumber {
		return fault.InvalidParameterValue.With(strconv.Itoa(int(n)), "ruleNumber", fmt.Sprintf("The rule number must be between 1 and %d.", maxACLNumber))
	}
	return nil
}

func parseACLProtocol(s string) (int16, error) {
	switch strings.ToLower(s) {
	case "all", "-1":
		return AllProtocols, nil
	case "icmp":
		return 1, nil
	case "tcp":
		return 6, nil
	case "udp":
		return 17, nil
	case "icmpv6", "ipv6-icmp":
		return 58, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > 255 {
		return 0, fault.InvalidParameterValue.With(s, "protocol", "Use a protocol number from 0 to 255, or -1 for all protocols.")
	}
	return int16(n), nil
}

// compareACLEntries orders entries by direction, inbound first, and by number.
func compareACLEntries(a, b ACLEntry) int {
	switch {
	case a.Egress == b.Egress:
		return cmp.Compare(a.Number, b.Number)
	case a.Egress:
		return 1
	}
	return -1
}

// FindEntry gives the place of an entry, or where it belongs.
func (a *NetworkACL) FindEntry(egress bool, number int32) (at int, found bool) {
	return slices.BinarySearchFunc(a.Entries, ACLEntry{Egress: egress, Number: number}, compareACLEntries)
}

// CountEntries counts the entries of one direction and one address family.
func (a *NetworkACL) CountEntries(egress, ipv6 bool) (n int) {
	for _, e := range a.Entries {
		if e.Egress == egress && e.CIDR.Addr().Is6() == ipv6 {
			n++
		}
	}
	return n
}

// DefaultACLEntries are those with which a default ACL begins: everything may
// pass. VPC user guide, "Default network ACL".
func DefaultACLEntries(ipv6 bool) []ACLEntry {
	var out []ACLEntry
	for _, egress := range []bool{false, true} {
		out = append(out, openACLEntry(egress, false))
		if ipv6 {
			out = append(out, openACLEntry(egress, true))
		}
	}
	return out
}

func openACLEntry(egress, ipv6 bool) ACLEntry {
	e := ACLEntry{
		Number: firstACLNumber, Egress: egress, Allow: true, Protocol: AllProtocols,
		CIDR: netip.PrefixFrom(netip.IPv4Unspecified(), 0), From: -1, To: -1,
	}
	if ipv6 {
		e.Number, e.CIDR = firstACLNumber6, netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	return e
}

// OpenACLForIPv6 gives the entries of a default ACL whose VPC has just got
// IPv6: a direction that nobody changed lets all of it pass too. VPC user
// guide, "Default network ACL".
func OpenACLForIPv6(entries []ACLEntry) []ACLEntry {
	out := slices.Clone(entries)
	for _, egress := range []bool{false, true} {
		var there []ACLEntry
		for _, e := range entries {
			if e.Egress == egress {
				there = append(there, e)
			}
		}
		if len(there) == 1 && there[0] == openACLEntry(egress, false) {
			out = append(out, openACLEntry(egress, true))
		}
	}
	slices.SortFunc(out, compareACLEntries)
	return out
}

// AllEntries gives the ACL's entries with those that EC2 puts last, for a VPC
// with or without IPv6.
func (a *NetworkACL) AllEntries(ipv6 bool) []ACLEntry {
	out := slices.Clone(a.Entries)
	for _, egress := range []bool{false, true} {
		last := ACLEntry{
			Number: LastACLNumber, Egress: egress, Protocol: AllProtocols,
			CIDR: netip.PrefixFrom(netip.IPv4Unspecified(), 0), From: -1, To: -1,
		}
		out = append(out, last)
		if ipv6 {
			last.Number, last.CIDR = LastACLNumber6, netip.PrefixFrom(netip.IPv6Unspecified(), 0)
			out = append(out, last)
		}
	}
	slices.SortFunc(out, compareACLEntries)
	return out
}
