package ec2

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"strings"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// ruleType is how tags know security group rules, which live in their groups.
const ruleType = "security-group-rule"

// maxTaggedResources is how many resources one call may tag: API reference,
// CreateTags.
const maxTaggedResources = 1000

// idRefusals says, by the prefix of ids, how each type that can have tags
// refuses an id. Every kind with tags is in it.
var idRefusals = map[string]struct {
	check   func(id string) error
	missing fault.Kind
}{
	vpc.VPCPrefix:        {checkVPCID, fault.InvalidVpcIDNotFound},
	vpc.SubnetPrefix:     {checkSubnetID, fault.InvalidSubnetIDNotFound},
	vpc.GroupPrefix:      {checkGroupID, fault.InvalidGroupNotFound},
	vpc.RulePrefix:       {checkRuleID, fault.InvalidRuleNotFound},
	vpc.InterfacePrefix:  {checkInterfaceID, fault.InvalidNetworkInterfaceNotFound},
	vpc.PrefixListPrefix: {checkPrefixList, fault.InvalidPrefixListNotFound},

	vpc.InternetGatewayPrefix: {checkInternetGatewayID, fault.InvalidInternetGatewayNotFound},
	vpc.RouteTablePrefix:      {checkRouteTableID, fault.InvalidRouteTableNotFound},
	vpc.NetworkACLPrefix:      {checkNetworkACLID, fault.InvalidNetworkACLNotFound},
	vpc.DHCPOptionsPrefix:     {checkDHCPOptionsID, fault.InvalidDHCPOptionsNotFound},
	vpc.EndpointPrefix:        {checkEndpointID, fault.InvalidVpcEndpointNotFound},
	vpc.PeeringPrefix:         {checkPeeringID, fault.InvalidPeeringNotFound},
	vpc.InstancePrefix:        {checkInstanceID, fault.InvalidInstanceIDNotFound},
	vpc.VolumePrefix:          {wellFormed(vpc.VolumePrefix, fault.InvalidVolumeMalformed), fault.InvalidVolumeNotFound},
	vpc.KeyPairPrefix:         {wellFormed(vpc.KeyPairPrefix, fault.InvalidKeyPairMalformed), fault.InvalidKeyPairNotFound},
	vpc.AllocationPrefix:      {wellFormed(vpc.AllocationPrefix, fault.InvalidAllocationMalformed), fault.InvalidAllocationNotFound},
}

// A taggable is a resource with its tags.
type taggable struct {
	id   string
	tags vpc.Tags
	kind state.AnyKind      // nil for a rule
	in   *vpc.SecurityGroup // of a rule
}

// kindOfID gives the kind with ids such as id, and their prefix; ok is also
// true, with no kind, for a rule's id.
func kindOfID(id string) (kind state.AnyKind, prefix string, ok bool) {
	prefix, _, ok = strings.Cut(id, "-")
	if prefix == vpc.RulePrefix {
		return nil, prefix, ok
	}
	for _, k := range state.Kinds {
		if ok && k.IDPrefix() == prefix {
			return k, prefix, true
		}
	}
	return nil, prefix, false
}

// findTaggable gives the resource with an id; ok is false for none.
func findTaggable(r state.Reader, id string) (t taggable, ok bool) {
	kind, _, ok := kindOfID(id)
	if !ok {
		return taggable{}, false
	}
	if kind != nil {
		tags, ok := kind.TagsOf(r, id)
		return taggable{id: id, tags: tags, kind: kind}, ok
	}
	g, i := state.RuleByID(r, vpc.RuleID(id))
	if g == nil {
		return taggable{}, false
	}
	return taggable{id: id, tags: g.Rules[i].Tags, in: g}, true
}

// taggables gives the resources that a request names to change their tags,
// each once. First the form of every id is checked, then its existence.
func taggables(tx *state.Txn, ids []string) ([]taggable, error) {
	switch {
	case len(ids) == 0:
		return nil, fault.MissingParameter.With("resourceIdSet")
	case len(ids) > maxTaggedResources:
		return nil, fault.InvalidParameterValue.Say("The number of resources per request cannot exceed the limit (%d).", maxTaggedResources)
	}
	for _, id := range ids {
		_, prefix, ok := kindOfID(id)
		if !ok {
			return nil, fault.InvalidID.With(id)
		}
		if err := idRefusals[prefix].check(id); err != nil {
			return nil, err
		}
	}
	out, seen := make([]taggable, 0, len(ids)), make(map[string]bool, len(ids))
	for _, id := range ids {
		if seen[id] {
			continue
		}
		seen[id] = true
		t, ok := findTaggable(tx, id)
		if !ok {
			_, prefix, _ := kindOfID(id)
			if prefix == vpc.PrefixListPrefix { // one of AWS's may be seen, and not tagged
				if l := findPrefixList(tx, id); l != nil {
					return nil, notOfAWS(l)
				}
			}
			return nil, idRefusals[prefix].missing.With(id)
		}
		out = append(out, t)
	}
	return out, nil
}

// retag puts new tags on resources; equal ones are no change.
func retag(tx *state.Txn, resources []taggable, tags func(old vpc.Tags) (vpc.Tags, error)) error {
	rules := map[vpc.GroupID]map[vpc.RuleID]vpc.Tags{}
	for _, t := range resources {
		want, err := tags(t.tags)
		if err != nil {
			return err
		}
		switch {
		case slices.Equal(want, t.tags):
		case t.kind != nil:
			t.kind.SetTags(tx, t.id, want)
		default:
			if rules[t.in.ID] == nil {
				rules[t.in.ID] = map[vpc.RuleID]vpc.Tags{}
			}
			rules[t.in.ID][vpc.RuleID(t.id)] = want
		}
	}
	// After all groups, whose rows these change once more, and each once.
	for _, id := range slices.Sorted(maps.Keys(rules)) {
		g := *state.Groups.Get(tx, id)
		g.Rules = slices.Clone(g.Rules)
		for i := range g.Rules {
			if want, ok := rules[id][g.Rules[i].ID]; ok {
				g.Rules[i].Tags = want
			}
		}
		state.Groups.Put(tx, &g)
	}
	return nil
}

// A tagRow is one tag of one resource.
type tagRow struct {
	resource, kind string
	tag            vpc.Tag
}

// id sorts by resource, then by key.
func (t tagRow) id() string { return t.resource + "\x00" + t.tag.Key }

// A tagSource is one type of resource that can have tags.
type tagSource struct {
	prefix, kind string // prefix with its dash
	each         func(r state.Reader, from string) iter.Seq2[string, vpc.Tags]
	with         func(r state.Reader, key, value string) iter.Seq[string]
}

// tagSources has every type in the order of ids.
var tagSources = func() []tagSource {
	out := []tagSource{{vpc.RulePrefix + "-", ruleType, eachTaggedRule, ruleIDsByTag}}
	for _, k := range state.Kinds {
		if k.IDPrefix() != "" {
			out = append(out, tagSource{k.IDPrefix() + "-", k.ResourceType(), k.EachTagged, k.IDsByTag})
		}
	}
	slices.SortFunc(out, func(a, b tagSource) int { return cmp.Compare(a.prefix, b.prefix) })
	return out
}()

// tagsFrom gives the tags of the resources of the wanted types whose ids are
// at or after from, in order. A few before them may come too: those of rules of
// the same group.
func tagsFrom(r state.Reader, from string, wanted func(kind string) bool) seq[tagRow] {
	return func(yield func(tagRow) bool) {
		for _, s := range tagSources {
			start := ""
			if strings.HasPrefix(from, s.prefix) {
				start = from
			} else if from > s.prefix {
				continue
			}
			if !wanted(s.kind) {
				continue
			}
			for id, tags := range s.each(r, start) {
				for _, t := range tags {
					if !yield(tagRow{id, s.kind, t}) {
						return
					}
				}
			}
		}
	}
}

// tagsWith gives one tag of every resource that has it, in order.
func tagsWith(c *action.Call, key, value string) seq[tagRow] {
	return func(yield func(tagRow) bool) {
		for _, s := range tagSources {
			for id := range s.with(c, key, value) {
				if !yield(tagRow{id, s.kind, vpc.Tag{Key: key, Value: value}}) {
					return
				}
			}
		}
	}
}

// tagsOf gives the tags of one resource.
func tagsOf(c *action.Call, id string) seq[tagRow] {
	return func(yield func(tagRow) bool) {
		t, ok := findTaggable(c, id)
		if !ok {
			return
		}
		kind := ruleType
		if t.kind != nil {
			kind = t.kind.ResourceType()
		}
		for _, tag := range t.tags {
			if !yield(tagRow{id, kind, tag}) {
				return
			}
		}
	}
}

// eachTaggedRule gives id and tags of the rules that have tags, in the order of
// ids, from the first group on that can have a rule at or after from.
func eachTaggedRule(r state.Reader, from string) iter.Seq2[string, vpc.Tags] {
	tagged := func(yield func(*vpc.SecurityGroup) bool) {
		first := vpc.GroupID(firstGroup(from))
		for g := range state.Groups.By(r, state.GroupsByRuleTag, "") {
			if g.ID >= first && !yield(g) {
				return
			}
		}
	}
	return func(yield func(string, vpc.Tags) bool) {
		for row := range rulesOf(tagged) {
			if rule := row.rule(); len(rule.Tags) > 0 && !yield(string(rule.ID), rule.Tags) {
				return
			}
		}
	}
}

// ruleIDsByTag gives the ids of the rules that have a tag, in order.
func ruleIDsByTag(r state.Reader, key, value string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for row := range rulesOf(state.Groups.By(r, state.GroupsByRuleTag, state.TagKey(key, value))) {
			if rule := row.rule(); slices.Contains(rule.Tags, vpc.Tag{Key: key, Value: value}) && !yield(string(rule.ID)) {
				return
			}
		}
	}
}
