package ec2

import (
	"time"

	"moat/action"
	"moat/state"
)

// ExpireClientTokens forgets the client tokens of a space that have passed
// their time, a bounded number at once.
func ExpireClientTokens(tx *state.Txn) error {
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
	return nil
}

// HasExpiredClientTokens reports whether ExpireClientTokens has work to do.
func HasExpiredClientTokens(s *state.Space, now time.Time) bool {
	for t := range state.ClientTokens.All(s) {
		if tokenExpired(t.Used, now) {
			return true
		}
	}
	return false
}

func tokenExpired(used, now time.Time) bool { return now.Sub(used) >= action.TokenLife }
