package iamapi

import (
	"moat/action"
	"moat/state"
)

// UpdateAccessKey makes an access key active or inactive. Who signs with an inactive one is refused at once, on every server.
var UpdateAccessKey = action.Write[UpdateAccessKeyInput, UpdateAccessKeyOutput]{
	Name: "UpdateAccessKey",
	Doc:  `Makes an access key active or inactive. Who signs with an inactive one is refused at once, on every server.`,
	Plan: func(tx *state.Txn, in *UpdateAccessKeyInput) (*UpdateAccessKeyOutput, error) {
		k, err := keyOf(tx, in.UserName, in.AccessKeyId)
		if err != nil {
			return nil, err
		}
		c := *k
		c.Inactive = in.Status != "Active"
		state.AccessKeys.Put(tx.In(state.Scope{}), &c)
		return &UpdateAccessKeyOutput{}, nil
	},
}

// UpdateAccessKeyInput is what UpdateAccessKey takes.
type UpdateAccessKeyInput struct {
	UserName    string `valid:"min=1,max=128" pattern:"[\\w+=,.@-]+"`
	AccessKeyId string `valid:"required,min=16,max=128" pattern:"[\\w]+"`
	Status      string `valid:"required,enum=Active|Inactive|Expired"`
}

// UpdateAccessKeyOutput is what UpdateAccessKey gives.
type UpdateAccessKeyOutput struct {
}
