package ec2

import (
	"time"

	"moat/action"
	"moat/state"
	"moat/vpc"
)

// Expire forgets the client tokens and the terminated instances of a space that
// have passed their time, a bounded number at once.
func Expire(tx *state.Txn) error {
	var old []string
	for t := range state.ClientTokens.All(tx) {
		if tokenExpired(t.Used, tx.Now) {
			if old = append(old, t.Key); len(old) == 100 {
				break
			}
		}
	}
	for _, key := range old {
		state.ClientTokens.Delete(tx, key)
	}
	var gone []vpc.InstanceID
	for i := range state.Instances.All(tx) {
		if !i.Shown(tx.Now) {
			if gone = append(gone, i.ID); len(gone) == 100 {
				break
			}
		}
	}
	for _, id := range gone {
		state.Instances.Delete(tx, id)
	}
	return nil
}

// HasExpired reports whether Expire has work to do.
func HasExpired(s *state.Space, now time.Time) bool {
	for i := range state.Instances.All(s) {
		if !i.Shown(now) {
			return true
		}
	}
	for t := range state.ClientTokens.All(s) {
		if tokenExpired(t.Used, now) {
			return true
		}
	}
	return false
}

func tokenExpired(used, now time.Time) bool { return now.Sub(used) >= action.TokenLife }

// ForgetPeerings removes the peerings of a space that have ended and are no
// longer told of, a bounded number at once.
func ForgetPeerings(tx *state.Txn) error {
	var old []vpc.PeeringID
	for p := range state.Peerings.All(tx) {
		if !p.SeenBy(tx.Account, tx.Now) {
			if old = append(old, p.ID); len(old) == 50 {
				break
			}
		}
	}
	for _, id := range old {
		state.Peerings.Delete(tx, id)
	}
	return nil
}

// HasForgottenPeerings reports whether ForgetPeerings has work to do.
func HasForgottenPeerings(s *state.Space, now time.Time) bool {
	for p := range state.Peerings.All(s) {
		if !p.SeenBy(s.Account, now) {
			return true
		}
	}
	return false
}
