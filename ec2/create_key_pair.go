package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// CreateKeyPair makes a key pair and keeps its public half.
var CreateKeyPair = action.Write[CreateKeyPairInput, CreateKeyPairOutput]{
	Name: "CreateKeyPair",
	Doc:  "Creates a key pair of RSA or ED25519. The private half is in the answer, and kept nowhere.",

	Secret: func(in *CreateKeyPairInput, s action.Secrets) (err error) {
		if kind := in.kind(); kind == "rsa" || kind == "ed25519" {
			in.Made, err = s.KeyPair(kind)
		}
		return err
	},

	Plan: func(tx *state.Txn, in *CreateKeyPairInput) (*CreateKeyPairOutput, error) {
		if err := oneOf("keyType", in.kind(), "rsa", "ed25519"); err != nil {
			return nil, err
		}
		switch in.KeyFormat {
		case "", "pem":
		case "ppk":
			return nil, fault.UnsupportedOperation.With("Keys are given as PEM only: puttygen makes a ppk file of one.")
		default:
			return nil, oneOf("keyFormat", in.KeyFormat, "pem", "ppk")
		}
		k, err := newKeyPair(tx, in.KeyName, in.TagSpecifications)
		if err != nil {
			return nil, err
		}
		out := &CreateKeyPairOutput{KeyPairId: string(k.ID), KeyName: k.Name, Tags: tagsIfAny(k.Tags)}
		if in.Made == nil {
			return out, nil // of a dry run
		}
		public, err := vpc.ReadSSHKey(in.Made.Public)
		if err != nil {
			return nil, err
		}
		k.Type, k.Public, k.Fingerprint = public.Type, public.Line(k.Name), public.CreatedFingerprint(in.Made.PKCS8)
		state.KeyPairs.Put(tx, k)
		out.KeyFingerprint, out.KeyMaterial = k.Fingerprint, in.Made.Private
		return out, nil
	},
}

func (in *CreateKeyPairInput) kind() string {
	if in.KeyType == "" {
		return "rsa"
	}
	return in.KeyType
}

// CreateKeyPairInput is what CreateKeyPair takes.
type CreateKeyPairInput struct {
	KeyName           string // required
	KeyType           string
	TagSpecifications []TagSpecification `in:"TagSpecification"`
	KeyFormat         string
	DryRun            bool
	// Made is the key, which the request does not have.
	Made *action.KeyPair `in:"-" out:"-"`
}

// CreateKeyPairOutput is what CreateKeyPair gives.
type CreateKeyPairOutput struct {
	KeyPairId      string
	Tags           []Tag `out:"tagSet"`
	KeyName        string
	KeyFingerprint string
	KeyMaterial    string
}
