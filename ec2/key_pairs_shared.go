package ec2

import (
	"unicode/utf8"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

var keyPairActions = []action.Action{CreateKeyPair, ImportKeyPair, DescribeKeyPairs, DeleteKeyPair}

var checkKeyPairID = wellFormed(vpc.KeyPairPrefix, fault.InvalidKeyPairMalformed)

// keyPairNamed gives the key pair with a name, or nil.
func keyPairNamed(r state.Reader, name string) *vpc.KeyPair {
	for k := range state.KeyPairs.By(r, state.KeyPairsByName, name) {
		return k
	}
	return nil
}

// newKeyPair gives a key pair with a name that is free, not yet put.
func newKeyPair(tx *state.Txn, name string, specs []TagSpecification) (*vpc.KeyPair, error) {
	switch {
	case name == "":
		return nil, fault.MissingParameter.With("KeyName")
	case utf8.RuneCountInString(name) > 255 || !representable(name):
		return nil, fault.InvalidParameterValue.With(name, "keyName", "A name has at most 255 printable characters.")
	}
	tags, err := taggedWith(tx, specs, "key-pair")
	if err != nil {
		return nil, err
	}
	if keyPairNamed(tx, name) != nil {
		return nil, fault.InvalidKeyPairDuplicate.With()
	}
	return &vpc.KeyPair{
		ID: vpc.KeyPairID(tx.NewID(vpc.KeyPairPrefix)), Owner: tx.Account, Name: name, Created: tx.Now, Tags: tags,
	}, nil
}
