package vpc

import (
	"strings"

	"moat/fault"
	"moat/flow"
)

// groupText is the set of characters of names and descriptions, as EC2 spells
// it in its refusals.
const groupText = "a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*"

// ParseGroupName gives the name under which a group is stored: trailing spaces
// are trimmed. API reference, CreateSecurityGroup.
func ParseGroupName(s string) (string, error) {
	name := strings.TrimRight(s, " ")
	switch {
	case name == "":
		return "", fault.MissingParameter.With("GroupName")
	case !isASCII(name):
		return "", fault.InvalidParameterValue.With(s, "GroupName", "Character sets beyond ASCII are not supported.")
	case strings.HasPrefix(name, "sg-"):
		return "", fault.InvalidParameterValue.With(s, "GroupName", "Group names may not be in the format sg-*.")
	case name == "default":
		return "", fault.InvalidParameterValue.Say("Cannot use reserved security group name: default")
	case !isGroupText(name):
		return "", fault.InvalidParameterValue.Say("Invalid security group name. Valid names are strings less than 256 characters from the following set:  " + groupText)
	}
	return name, nil
}

// CheckGroupDescription refuses what a group cannot be described with. The two
// spaces in the refusal are EC2's.
func CheckGroupDescription(s string) error {
	switch {
	case s == "":
		return fault.MissingParameter.With("GroupDescription")
	case !isASCII(s):
		return fault.InvalidParameterValue.With(s, "GroupDescription", "Character sets beyond ASCII are not supported.")
	case !isGroupText(s):
		return fault.InvalidParameterValue.Say("Invalid security group description. Valid descriptions are strings less than 256 characters from the following set:  " + groupText)
	}
	return nil
}

// CheckRuleDescription refuses what a rule cannot be described with; empty is
// no description.
func CheckRuleDescription(s string) error {
	if !isGroupText(s) {
		return fault.InvalidParameterValue.Say("Invalid rule description. Valid descriptions are strings less than 256 characters from the following set: " + groupText)
	}
	return nil
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// isGroupText reports whether s has at most 255 characters, all of groupText.
func isGroupText(s string) bool {
	if len(s) > 255 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && strings.IndexByte(". _-:/()#,@[]+=&;{}!$*", c) < 0 {
			return false
		}
	}
	return true
}

// RulesEach gives how many rules a group may have in each direction and
// address family. It times the groups of an interface never exceeds the third
// quota: VPC user guide, "Amazon VPC quotas", security groups.
func (q *Quotas) RulesEach() int {
	if q.RulesTimesGroups >= unlimited || q.GroupsPerInterface < 1 {
		return q.RulesPerGroup
	}
	return min(q.RulesPerGroup, q.RulesTimesGroups/q.GroupsPerInterface)
}

const unlimited = 1 << 30 // as in NoQuotas

// CountRules counts the rules of one direction against the quota, in each
// address family. A rule that refers to a group counts in both; one that
// refers to a prefix list counts as many as the list's weight, in both.
func CountRules(rules []Rule, d flow.Direction, weight func(PrefixListID) int) (v4, v6 int) {
	for i := range rules {
		r := &rules[i]
		if r.Direction != d {
			continue
		}
		if l, ok := r.Peer.PrefixList(); ok {
			n := weight(l)
			v4, v6 = v4+n, v6+n
			continue
		}
		if r.Peer.Ref != "" || r.Peer.CIDR.Addr().Is4() {
			v4++
		}
		if r.Peer.Ref != "" || r.Peer.CIDR.Addr().Is6() {
			v6++
		}
	}
	return v4, v6
}
