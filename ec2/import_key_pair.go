package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// ImportKeyPair keeps a public key.
var ImportKeyPair = action.Write[ImportKeyPairInput, ImportKeyPairOutput]{
	Name: "ImportKeyPair",
	Doc:  "Imports the public half of a key pair of RSA or ED25519.",

	Plan: func(tx *state.Txn, in *ImportKeyPairInput) (*ImportKeyPairOutput, error) {
		if in.KeyName != "" && len(in.PublicKeyMaterial) == 0 {
			return nil, fault.MissingParameter.With("PublicKeyMaterial")
		}
		k, err := newKeyPair(tx, in.KeyName, in.TagSpecifications)
		if err != nil {
			return nil, err
		}
		public, err := vpc.ParseSSHKey(string(in.PublicKeyMaterial))
		if err != nil {
			return nil, err
		}
		k.Type, k.Public, k.Fingerprint = public.Type, public.Line(k.Name), public.ImportedFingerprint()
		state.KeyPairs.Put(tx, k)
		return &ImportKeyPairOutput{KeyPairId: string(k.ID), KeyName: k.Name, KeyFingerprint: k.Fingerprint, Tags: tagsIfAny(k.Tags)}, nil
	},
}

// ImportKeyPairInput is what ImportKeyPair takes.
type ImportKeyPairInput struct {
	TagSpecifications []TagSpecification `in:"TagSpecification"`
	DryRun            bool
	KeyName           string // required
	PublicKeyMaterial []byte // required
}

// ImportKeyPairOutput is what ImportKeyPair gives.
type ImportKeyPairOutput struct {
	KeyFingerprint string
	KeyName        string
	KeyPairId      string
	Tags           []Tag `out:"tagSet"`
}
