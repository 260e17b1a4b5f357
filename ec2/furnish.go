package ec2

import (
	"moat/state"
	"moat/vpc"
)

// furnishings is how many sets of beginnings a space has today; see
// vpc.Space.Furnished.
const furnishings = 2

// furnishBatch is about how many rows of an earlier store are completed at
// once: an external etcd takes transactions of a bounded size.
const furnishBatch = 40

// Furnished reports whether Furnish has nothing to do in a space.
func Furnished(s *state.Space) bool {
	row := state.Spaces.Get(s, "space")
	return row != nil && row.Furnished >= furnishings
}

// Furnish gives a space what every AWS account begins with in a region: a
// default VPC. A space that was furnished by an earlier moat gets what came
// since; where that is much it takes several calls, until Furnished. One that
// has all is left as it is.
func Furnish(tx *state.Txn) error {
	old := state.Spaces.Get(tx, "space")
	if old == nil {
		state.Spaces.Put(tx, &vpc.Space{Created: tx.Now, Furnished: furnishings})
		_, err := NewDefaultVPC(tx)
		return err
	}
	if old.Furnished >= furnishings || !furnishNetworks(tx) {
		return nil
	}
	s := *old
	s.Furnished = furnishings
	state.Spaces.Put(tx, &s)
	return nil
}

// furnishNetworks is the second set: each VPC gets its main route table and
// default network ACL, each subnet that ACL, and the default VPC an internet
// gateway. It reports whether that is all.
func furnishNetworks(tx *state.Txn) bool {
	full := func() bool { return len(tx.Changes()) >= furnishBatch }
	for v := range state.VPCs.All(tx) {
		if full() {
			return false
		}
		main := furnishVPC(tx, v)
		if v.Default {
			openToInternet(tx, v, main)
		}
	}
	for s := range state.Subnets.All(tx) {
		if full() {
			return false
		}
		coverSubnet(tx, s)
	}
	return true
}
