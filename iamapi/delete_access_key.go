package iamapi

import (
	"moat/action"
	"moat/state"
)

// DeleteAccessKey deletes an access key. Who signs with it is refused at once, on every server.
var DeleteAccessKey = action.Write[DeleteAccessKeyInput, DeleteAccessKeyOutput]{
	Name: "DeleteAccessKey",
	Doc:  `Deletes an access key. Who signs with it is refused at once, on every server.`,
	Plan: func(tx *state.Txn, in *DeleteAccessKeyInput) (*DeleteAccessKeyOutput, error) {
		k, err := keyOf(tx, in.UserName, in.AccessKeyId)
		if err != nil {
			return nil, err
		}
		state.AccessKeys.Delete(tx.In(state.Scope{}), k.ID)
		state.KeyUses.Delete(tx.In(state.Scope{}), k.ID)
		return &DeleteAccessKeyOutput{}, nil
	},
}

// DeleteAccessKeyInput is what DeleteAccessKey takes.
type DeleteAccessKeyInput struct {
	UserName    string `valid:"min=1,max=128" pattern:"[\\w+=,.@-]+"`
	AccessKeyId string `valid:"required,min=16,max=128" pattern:"[\\w]+"`
}

// DeleteAccessKeyOutput is what DeleteAccessKey gives.
type DeleteAccessKeyOutput struct {
}
