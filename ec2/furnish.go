package ec2

import (
	"moat/state"
	"moat/vpc"
)

// Furnish gives a space what every AWS account begins with in a region: a
// default VPC. A space that was furnished before is left as it is.
func Furnish(tx *state.Txn) error {
	if state.Spaces.Get(tx, "space") != nil {
		return nil
	}
	state.Spaces.Put(tx, &vpc.Space{Created: tx.Now, Furnished: 1})
	_, err := NewDefaultVPC(tx)
	return err
}
