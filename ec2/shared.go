package ec2

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"moat/action"
	"moat/fault"
	"moat/flow"
	"moat/state"
	"moat/vpc"
)

func ptr[T any](v T) *T { return &v }

// tagShapes gives tags as a reply shows them; never nil, so that an empty set
// is shown.
func tagShapes(tags vpc.Tags) []Tag {
	out := make([]Tag, 0, len(tags))
	for _, t := range tags {
		out = append(out, Tag{Key: t.Key, Value: ptr(t.Value)})
	}
	return out
}

// taggedWith gives the tags that a request specifies for a new resource of the
// given type. Errors: recorded answers of the service, "Tag specification …".
func taggedWith(tx *state.Txn, specs []TagSpecification, resource string) (vpc.Tags, error) {
	m, err := taggedWithEach(tx, specs, resource)
	return m[resource], err
}

// taggedWithEach is taggedWith for an action that creates resources of several
// types; the result is by type.
func taggedWithEach(tx *state.Txn, specs []TagSpecification, resources ...string) (map[string]vpc.Tags, error) {
	out := map[string]vpc.Tags{}
	for _, s := range specs {
		if s.ResourceType == "" {
			return nil, fault.InvalidParameterValue.Say("Tag specification resource type must have a value")
		}
		if !slices.Contains(resources, s.ResourceType) {
			return nil, fault.InvalidParameterValue.Say("'%s' is not a valid taggable resource type for this operation.", s.ResourceType)
		}
		if len(s.Tags) == 0 {
			return nil, fault.InvalidParameterValue.Say("Tag specification must have at least one tag")
		}
		if _, twice := out[s.ResourceType]; twice {
			return nil, fault.InvalidParameterValue.Say("Duplicate resource type '%s' in tag specifications", s.ResourceType)
		}
		for _, t := range s.Tags {
			if strings.HasPrefix(strings.ToLower(t.Key), "aws:") {
				return nil, fault.InvalidParameterValue.Say("Tag keys starting with 'aws:' are reserved for internal use")
			}
			if t.Value == nil {
				return nil, fault.InvalidParameterValue.Say("Tag value cannot be null. Use empty string instead.")
			}
		}
		tags, err := mergeTags(tx, nil, s.Tags)
		if err != nil {
			return nil, err
		}
		out[s.ResourceType] = tags
	}
	return out, nil
}

// mergeTags gives old with more set on top, sorted; a missing value is empty.
func mergeTags(tx *state.Txn, old vpc.Tags, more []Tag) (vpc.Tags, error) {
	byKey := map[string]string{}
	for _, t := range old {
		byKey[t.Key] = t.Value
	}
	seen := map[string]bool{}
	for _, t := range more {
		switch {
		case t.Key == "":
			return nil, fault.InvalidParameterValue.Say("Value ( '' ) for parameter Tag key is invalid. Tag key cannot be null or empty.")
		case utf8.RuneCountInString(t.Key) > 128:
			return nil, fault.InvalidParameterValue.Say("Value ( %s ) for parameter Tag key is invalid. Tag key exceeds the maximum length of 128 characters", t.Key)
		case strings.HasPrefix(strings.ToLower(t.Key), "aws:"):
			return nil, fault.InvalidParameterValue.Say("Value ( %s ) for parameter key is invalid. Tag keys starting with 'aws:' are reserved for internal use", t.Key)
		case t.Value != nil && utf8.RuneCountInString(*t.Value) > 256:
			return nil, fault.InvalidParameterValue.Say("Value ( %s ) for parameter Tag value is invalid. Tag value exceeds the maximum length of 256 characters", *t.Value)
		case !representable(t.Key):
			return nil, fault.InvalidParameterValue.Say("Value ( %s ) for parameter Tag key is invalid. Tag key contains invalid characters", t.Key)
		case t.Value != nil && !representable(*t.Value):
			return nil, fault.InvalidParameterValue.Say("Value ( %s ) for parameter Tag value is invalid. Tag value contains invalid characters", *t.Value)
		case seen[t.Key]:
			return nil, fault.InvalidParameterValue.Say("Duplicate tag key '%s' specified.", t.Key)
		}
		seen[t.Key] = true
		byKey[t.Key] = ""
		if t.Value != nil {
			byKey[t.Key] = *t.Value
		}
	}
	if len(byKey) > tx.Quotas.TagsPerResource {
		return nil, fault.TagLimitExceeded.With()
	}
	out := make(vpc.Tags, 0, len(byKey))
	for k, v := range byKey {
		out = append(out, vpc.Tag{Key: k, Value: v})
	}
	slices.SortFunc(out, func(a, b vpc.Tag) int { return strings.Compare(a.Key, b.Key) })
	return out, nil
}

// representable reports whether XML 1.0 has every character of s: what a reply
// cannot show nobody could name again.
func representable(s string) bool {
	for _, r := range s {
		if r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff || r == utf8.RuneError {
			return false
		}
	}
	return true
}

// taggedRows gives the tag filters over rows of a kind.
func taggedRows[K ~string, T any](k *state.Kind[K, T], of func(*T) vpc.Tags) *action.Tags[*T] {
	return &action.Tags[*T]{
		Of:   of,
		Find: func(c *action.Call, key, value string) seq[*T] { return k.ByTag(c, key, value) },
	}
}

// findBy gives an index of a kind as a filter's Find.
func findBy[K ~string, T any](k *state.Kind[K, T], ix *state.Index[T]) func(*action.Call, string) seq[*T] {
	return func(c *action.Call, value string) seq[*T] { return k.By(c, ix, value) }
}

// findID gives the look-up by id as a filter's Find.
func findID[K ~string, T any](k *state.Kind[K, T]) func(*action.Call, string) seq[*T] {
	return func(c *action.Call, value string) seq[*T] {
		return func(yield func(*T) bool) {
			if r := k.Get(c, K(value)); r != nil {
				yield(r)
			}
		}
	}
}

// fromKind gives the rows of a kind as a Describe's From.
func fromKind[In any, K ~string, T any](k *state.Kind[K, T]) func(*action.Call, *In, string) seq[*T] {
	return func(c *action.Call, _ *In, id string) seq[*T] { return k.From(c, K(id)) }
}

// named gives the rows with the ids that a request names, as a Describe's IDs:
// first every id is checked for its form, then for its existence, and one bad
// id fails the call.
func named[K ~string, T any](r state.Reader, k *state.Kind[K, T], ids []string, check func(id string) error, missing fault.Kind) (rows []*T, ok bool, err error) {
	if len(ids) == 0 {
		return nil, false, nil
	}
	for _, id := range ids {
		if err := check(id); err != nil {
			return nil, false, err
		}
	}
	for _, id := range ids {
		row := k.Get(r, K(id))
		if row == nil {
			return nil, false, missing.With(id)
		}
		rows = append(rows, row)
	}
	return rows, true, nil
}

// wellFormed gives a check of ids of one prefix; malformed takes the id.
func wellFormed(prefix string, malformed fault.Kind) func(string) error {
	return func(id string) error {
		if !vpc.WellFormed(prefix, id) {
			return malformed.With(id)
		}
		return nil
	}
}

// The checks of ids.
var (
	checkVPCID       = wellFormed(vpc.VPCPrefix, fault.InvalidVpcIDMalformed)
	checkSubnetID    = wellFormed(vpc.SubnetPrefix, fault.InvalidSubnetIDMalformed)
	checkInterfaceID = wellFormed(vpc.InterfacePrefix, fault.InvalidNetworkInterfaceMalformed)
	checkPrefixList  = wellFormed(vpc.PrefixListPrefix, fault.InvalidPrefixListIdMalformed)
)

// checkGroupID refuses what is not a group's id, in the two forms that EC2 has.
func checkGroupID(id string) error {
	switch {
	case id == "":
		return fault.InvalidGroupIdMalformed.Say("The security-group ID '' is malformed")
	case !strings.HasPrefix(id, "sg-"):
		return fault.InvalidGroupIdMalformed.Say("Invalid id: \"%s\" (expecting \"sg-...\")", id)
	case !vpc.WellFormed(vpc.GroupPrefix, id):
		return fault.InvalidGroupIdMalformed.With(id)
	}
	return nil
}

// vpcOf gives the VPC that a request names by a required parameter.
func vpcOf(r state.Reader, id string) (*vpc.VPC, error) {
	if id == "" {
		return nil, fault.MissingParameter.With("vpcId")
	}
	if err := checkVPCID(id); err != nil {
		return nil, err
	}
	v := state.VPCs.Get(r, vpc.VPCID(id))
	if v == nil {
		return nil, fault.InvalidVpcIDNotFound.With(id)
	}
	return v, nil
}

// subnetOf gives the subnet that a request names by a required parameter.
func subnetOf(r state.Reader, id string) (*vpc.Subnet, error) {
	if id == "" {
		return nil, fault.MissingParameter.With("subnetId")
	}
	if err := checkSubnetID(id); err != nil {
		return nil, err
	}
	s := state.Subnets.Get(r, vpc.SubnetID(id))
	if s == nil {
		return nil, fault.InvalidSubnetIDNotFound.With(id)
	}
	return s, nil
}

// interfaceOf gives the interface that a request names by a required parameter.
func interfaceOf(r state.Reader, id string) (*vpc.Interface, error) {
	if id == "" {
		return nil, fault.MissingParameter.With("networkInterfaceId")
	}
	if err := checkInterfaceID(id); err != nil {
		return nil, err
	}
	i := state.Interfaces.Get(r, vpc.InterfaceID(id))
	if i == nil {
		return nil, fault.InvalidNetworkInterfaceNotFound.With(id)
	}
	return i, nil
}

// groupByID gives the group with an id that a request names.
func groupByID(r state.Reader, id string) (*vpc.SecurityGroup, error) {
	if err := checkGroupID(id); err != nil {
		return nil, err
	}
	g := state.Groups.Get(r, vpc.GroupID(id))
	if g == nil {
		return nil, fault.InvalidGroupNotFound.With(id)
	}
	return g, nil
}

// newDefaultGroup puts the group that every VPC begins with: all traffic from
// itself in, all traffic out. VPC user guide, "Default security groups".
func newDefaultGroup(tx *state.Txn, v *vpc.VPC) *vpc.SecurityGroup {
	g := &vpc.SecurityGroup{
		ID: vpc.GroupID(tx.NewID(vpc.GroupPrefix)), Owner: tx.Account, VPC: v.ID,
		Name: "default", Description: "default VPC security group",
	}
	addRule(tx, g, vpc.Rule{Protocol: flow.AllProtocols, Ports: flow.NoPorts, Peer: vpc.Peer{Ref: string(g.ID)}})
	addOpenEgress(tx, g, v)
	state.Groups.Put(tx, g)
	return g
}

// addOpenEgress adds the egress rules of a new group to g, which is not yet
// put: everything to 0.0.0.0/0, and to ::/0 when the VPC has an IPv6 block.
func addOpenEgress(tx *state.Txn, g *vpc.SecurityGroup, v *vpc.VPC) {
	addRule(tx, g, vpc.Rule{Direction: flow.Egress, Protocol: flow.AllProtocols, Ports: flow.NoPorts, Peer: vpc.Peer{CIDR: everyIPv4}})
	if v.HasIPv6() {
		addRule(tx, g, vpc.Rule{Direction: flow.Egress, Protocol: flow.AllProtocols, Ports: flow.NoPorts, Peer: vpc.Peer{CIDR: everyIPv6}})
	}
}

// addRule appends a rule with a new id to g, which nobody else sees yet.
func addRule(tx *state.Txn, g *vpc.SecurityGroup, r vpc.Rule) *vpc.Rule {
	r.ID = tx.NewRuleID(g)
	g.Rules = append(g.Rules, r)
	return &g.Rules[len(g.Rules)-1]
}

// holders says what depends on a resource, for the end of a
// DependencyViolation: AWS's sentence first, then what AWS does not tell.
func holders(sentence string, by []string) string {
	if len(by) == 0 {
		return sentence
	}
	const show = 10
	more := ""
	if len(by) > show {
		more = fmt.Sprintf(" and %d more", len(by)-show)
		by = by[:show]
	}
	return sentence + " (held by " + strings.Join(by, ", ") + more + ")"
}
