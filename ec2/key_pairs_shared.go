package ec2

import (
	"moat/state"
	"moat/vpc"
)

// keyPairNamed gives the key pair with a name, or nil.
func keyPairNamed(r state.Reader, name string) *vpc.KeyPair {
	for k := range state.KeyPairs.By(r, state.KeyPairsByName, name) {
		return k
	}
	return nil
}
