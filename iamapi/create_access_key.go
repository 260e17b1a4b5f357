package iamapi

import (
	"moat/action"
	"moat/fault"
	"moat/iam"
	"moat/state"
)

// CreateAccessKey makes an access key of a user. Its secret is told here, and never again.
var CreateAccessKey = action.Write[CreateAccessKeyInput, CreateAccessKeyOutput]{
	Name: "CreateAccessKey",
	Doc:  `Makes an access key of a user. Its secret is told here, and never again.`,
	Plan: func(tx *state.Txn, in *CreateAccessKeyInput) (*CreateAccessKeyOutput, error) {
		account, user, name, err := keyOwner(tx, tx.Caller, tx.Account, in.UserName)
		if err != nil {
			return nil, err
		}
		owner := user
		if user == "" {
			owner = string(account)
		}
		if keysOf(tx, owner, tx.Quotas.AccessKeysPerUser) >= tx.Quotas.AccessKeysPerUser {
			return nil, fault.LimitExceeded.With("AccessKeysPerUser", tx.Quotas.AccessKeysPerUser)
		}
		id, secret := NewAccessKey("AKIA", tx.Random)
		k := &iam.AccessKey{ID: id, Sealed: tx.Seal(id, secret), Account: account, User: user, Created: now(tx)}
		state.AccessKeys.Put(tx.In(state.Scope{}), k)
		return &CreateAccessKeyOutput{AccessKey: &AccessKey{
			UserName: name, AccessKeyId: id, Status: "Active", SecretAccessKey: secret, CreateDate: k.Created,
		}}, nil
	},
}

// CreateAccessKeyInput is what CreateAccessKey takes.
type CreateAccessKeyInput struct {
	UserName string `valid:"min=1,max=128" pattern:"[\\w+=,.@-]+"`
}

// CreateAccessKeyOutput is what CreateAccessKey gives.
type CreateAccessKeyOutput struct {
	AccessKey *AccessKey
}
