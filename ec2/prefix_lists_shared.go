package ec2

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"moat/action"
	"moat/fault"
	"moat/flow"
	"moat/state"
	"moat/vpc"
)

// prefixListByID gives the prefix list with an id that a request names: one of
// the account's, or one that AWS manages in the region.
func prefixListByID(r state.Reader, id string) (*vpc.PrefixList, error) {
	if err := checkPrefixList(id); err != nil {
		return nil, err
	}
	if l := findPrefixList(r, id); l != nil {
		return l, nil
	}
	return nil, fault.InvalidPrefixListNotFound.With(id)
}

// findPrefixList is prefixListByID without its refusals: nil for no list.
func findPrefixList(r state.Reader, id string) *vpc.PrefixList {
	if l := state.PrefixLists.Get(r, vpc.PrefixListID(id)); l != nil {
		return l
	}
	return vpc.AWSPrefixList(regionOf(r), vpc.PrefixListID(id))
}

func regionOf(r state.Reader) string {
	switch r := r.(type) {
	case *state.Txn:
		return r.Region
	case *action.Call:
		return r.Region
	case *state.Space:
		return r.Region
	}
	panic(fmt.Sprintf("ec2: %T reads no space", r))
}

// checkListID refuses an id that a request must have, for its form.
func checkListID(id string) error {
	if id == "" {
		return fault.MissingParameter.With("PrefixListId")
	}
	return checkPrefixList(id)
}

// changeableList gives the list that a request wants to change. Those of AWS
// cannot be: VPC user guide, "AWS-managed prefix lists".
func changeableList(tx *state.Txn, id string) (*vpc.PrefixList, error) {
	l, err := prefixListByID(tx, id)
	if err != nil {
		return nil, err
	}
	return l, notOfAWS(l)
}

func notOfAWS(l *vpc.PrefixList) error {
	if l.IsAWS() {
		return fault.OperationNotPermitted.Say("The prefix list '%s' is managed by AWS and does not permit this operation.", l.ID)
	}
	return nil
}

// checkVersion refuses a number that no version has.
func checkVersion(n *int64) error {
	if n != nil && *n < 1 {
		return fault.InvalidParameterValue.Say("The specified value for version is not valid. The value must be greater than (1).")
	}
	return nil
}

// entriesAt gives the entries of a version of a list that is still kept.
func entriesAt(r state.Reader, l *vpc.PrefixList, version int64) ([]vpc.PrefixListEntry, error) {
	if version == l.Version {
		return l.Entries, nil
	}
	if v := state.PrefixListVersions.Get(r, state.PrefixListVersionKey(l.ID, version)); v != nil {
		return v.Entries, nil
	}
	return nil, fault.InvalidParameterValue.Say("The version (%d) of the prefix list (%s) does not exist.", version, l.ID)
}

// parseEntries reads the entries that a request adds to a list of a family.
func parseEntries(family string, in []AddPrefixListEntry) ([]vpc.PrefixListEntry, error) {
	var out []vpc.PrefixListEntry
	for _, e := range in {
		p, err := vpc.ParsePrefixListEntry(family, e.Cidr, e.Description)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

func parseRemovals(family string, in []RemovePrefixListEntry) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, e := range in {
		p, err := vpc.ParsePrefixListCIDR(family, e.Cidr)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// checkEntryCount refuses more changed entries than a call may have.
func checkEntryCount(n int) error {
	if n > vpc.MaxEntryChanges {
		return fault.InvalidParameterValue.Say("The number of entries per request cannot exceeds limit (%d).", vpc.MaxEntryChanges)
	}
	return nil
}

// nextVersion gives the next version of a list, which the caller puts, and
// keeps the one before. Of the versions, the current one included, only so
// many are kept: VPC user guide, "Amazon VPC quotas", managed prefix lists.
func nextVersion(tx *state.Txn, l *vpc.PrefixList, entries []vpc.PrefixListEntry, st string) *vpc.PrefixList {
	state.PrefixListVersions.Put(tx, &vpc.PrefixListVersion{List: l.ID, Number: l.Version, Entries: l.Entries})
	next := *l
	next.Version, next.Entries, next.State, next.StateMessage = l.Version+1, entries, st, ""
	forgetVersions(tx, l.ID, next.Version-int64(tx.Quotas.PrefixListVersions))
	return &next
}

// forgetVersions deletes the kept versions of a list up to a number.
func forgetVersions(tx *state.Txn, id vpc.PrefixListID, upTo int64) {
	var gone []string
	for v := range state.PrefixListVersions.By(tx, state.PrefixListVersionsByList, string(id)) {
		if v.Number > upTo {
			break
		}
		gone = append(gone, state.PrefixListVersionKey(id, v.Number))
	}
	for _, key := range gone {
		state.PrefixListVersions.Delete(tx, key)
	}
}

// rulesNaming tells which rules name a list.
func rulesNaming(r state.Reader, id vpc.PrefixListID) (rules []string) {
	for g := range state.Groups.By(r, state.GroupsByRef, string(id)) {
		for i := range g.Rules {
			if g.Rules[i].Peer.Ref == string(id) {
				rules = append(rules, fmt.Sprintf("rule %s of group %s", g.Rules[i].ID, g.ID))
			}
		}
	}
	return rules
}

// cannotHold gives the groups, ten at most, that would exceed their quota of
// rules if the list had another size.
func cannotHold(tx *state.Txn, l *vpc.PrefixList, size int32) (ids []string) {
	resized := *l
	resized.MaxEntries = size
	weigh := func(this *vpc.PrefixList) func(vpc.PrefixListID) int {
		return func(id vpc.PrefixListID) int {
			switch other := findPrefixList(tx, string(id)); {
			case id == this.ID:
				return vpc.PrefixListWeight(this)
			case other != nil:
				return vpc.PrefixListWeight(other)
			}
			return 0
		}
	}
	before, after, limit := weigh(l), weigh(&resized), tx.Quotas.RulesEach()
	for g := range state.Groups.By(tx, state.GroupsByRef, string(l.ID)) {
		for _, d := range []flow.Direction{flow.Ingress, flow.Egress} {
			// The weight counts in both families, so one tells whether it grew.
			was, _ := vpc.CountRules(g.Rules, d, before)
			v4, v6 := vpc.CountRules(g.Rules, d, after)
			if v4 > was && max(v4, v6) > limit {
				ids = append(ids, string(g.ID))
				break
			}
		}
		if len(ids) == 10 {
			break
		}
	}
	return ids
}

// prefixListShape shows a list as it is stored.
func prefixListShape(region string, l *vpc.PrefixList) ManagedPrefixList {
	s := ManagedPrefixList{
		PrefixListId: string(l.ID), AddressFamily: l.Family, State: l.State, StateMessage: l.StateMessage,
		PrefixListArn: l.ARN(region), PrefixListName: l.Name, Tags: tagShapes(l.Tags), OwnerId: string(l.Owner),
	}
	if !l.IsAWS() {
		s.MaxEntries, s.Version = ptr(l.MaxEntries), ptr(l.Version)
	}
	return s
}

// changing shows a list as the answer to a change does: AWS makes the change
// later, so that size and version are still those of before. Moat has made it
// when it answers, and the next description shows it.
func changing(region string, before *vpc.PrefixList, name, st string) *ManagedPrefixList {
	s := prefixListShape(region, before)
	s.PrefixListName, s.State, s.StateMessage = name, st, ""
	return &s
}

// namedLists gives the lists that a request names by their ids.
func namedLists(r state.Reader, ids []string, offered func(*vpc.PrefixList) bool) (rows []*vpc.PrefixList, ok bool, err error) {
	for _, id := range ids {
		if err := checkPrefixList(id); err != nil {
			return nil, false, err
		}
	}
	for _, id := range ids {
		l := findPrefixList(r, id)
		if l == nil || !offered(l) {
			return nil, false, fault.InvalidPrefixListNotFound.With(id)
		}
		rows = append(rows, l)
	}
	return rows, len(ids) > 0, nil
}

// listsFrom gives the account's lists and AWS's, in the order of ids.
func listsFrom(c *action.Call, id string) seq[*vpc.PrefixList] {
	return func(yield func(*vpc.PrefixList) bool) {
		aws := slices.DeleteFunc(vpc.AWSPrefixLists(c.Region), func(l *vpc.PrefixList) bool { return string(l.ID) < id })
		for own := range state.PrefixLists.From(c, vpc.PrefixListID(id)) {
			for ; len(aws) > 0 && aws[0].ID < own.ID; aws = aws[1:] {
				if !yield(aws[0]) {
					return
				}
			}
			if !yield(own) {
				return
			}
		}
		for _, l := range aws {
			if !yield(l) {
				return
			}
		}
	}
}

// The filters that both listings have.
var (
	listIDFilter = action.On("prefix-list-id", func(l *vpc.PrefixList) string { return string(l.ID) }).
			Indexed(func(c *action.Call, id string) seq[*vpc.PrefixList] {
			return func(yield func(*vpc.PrefixList) bool) {
				if l := findPrefixList(c, id); l != nil {
					yield(l)
				}
			}
		})
	listNameFilter = action.On("prefix-list-name", func(l *vpc.PrefixList) string { return l.Name }).
			Indexed(func(c *action.Call, name string) seq[*vpc.PrefixList] {
			// No list of an account has a name such as AWS's have.
			if strings.HasPrefix(name, "com.amazonaws") {
				return slices.Values(vpc.AWSPrefixLists(c.Region))
			}
			return state.PrefixLists.By(c, state.PrefixListsByName, name)
		})
)
