package ec2

import (
	"fmt"

	"moat/action"
	"moat/fault"
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
