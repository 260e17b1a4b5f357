package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// DeleteKeyPair forgets a public key. One that does not exist is no error:
// API reference, DeleteKeyPair.
var DeleteKeyPair = action.Write[DeleteKeyPairInput, DeleteKeyPairOutput]{
	Name: "DeleteKeyPair",
	Doc:  "Deletes a key pair, by name or by id. Instances that were launched with it keep its name.",

	Plan: func(tx *state.Txn, in *DeleteKeyPairInput) (*DeleteKeyPairOutput, error) {
		out := &DeleteKeyPairOutput{Return: ptr(true)}
		var k *vpc.KeyPair
		switch {
		case in.KeyName == "" && in.KeyPairId == "":
			return nil, fault.MissingParameter.With("KeyName or KeyPairId")
		case in.KeyName != "" && in.KeyPairId != "":
			return nil, fault.InvalidParameterCombination.With("keyName", "keyPairId")
		case in.KeyName != "":
			k = keyPairNamed(tx, in.KeyName)
		default:
			if err := checkKeyPairID(in.KeyPairId); err != nil {
				return nil, err
			}
			k = state.KeyPairs.Get(tx, vpc.KeyPairID(in.KeyPairId))
		}
		if k != nil {
			out.KeyPairId = string(k.ID)
			state.KeyPairs.Delete(tx, k.ID)
		}
		return out, nil
	},
}

// DeleteKeyPairInput is what DeleteKeyPair takes.
type DeleteKeyPairInput struct {
	KeyName   string
	KeyPairId string
	DryRun    bool
}

// DeleteKeyPairOutput is what DeleteKeyPair gives.
type DeleteKeyPairOutput struct {
	Return    *bool
	KeyPairId string
}
