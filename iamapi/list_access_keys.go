package iamapi

import (
	"moat/action"
	"moat/iam"
	"moat/state"
)

// ListAccessKeys lists the access keys of a user.
var ListAccessKeys = action.Read[ListAccessKeysInput, ListAccessKeysOutput]{
	Name: "ListAccessKeys",
	Doc:  `Lists the access keys of a user.`,
	Read: func(c *action.Call, in *ListAccessKeysInput) (*ListAccessKeysOutput, error) {
		_, user, name, err := keyOwner(c, c.Caller, c.Account, in.UserName)
		if err != nil {
			return nil, err
		}
		owner := user
		if user == "" {
			owner = string(c.Account)
		}
		rows := state.AccessKeys.By(c.View.In(state.Scope{}), state.AccessKeysByUser, owner)
		keys, more, next, err := page(rows, state.AccessKeys.Key, in.Marker, in.MaxItems, func(k *iam.AccessKey) (AccessKeyMetadata, bool) {
			return AccessKeyMetadata{UserName: name, AccessKeyId: k.ID, Status: keyStatus(k), CreateDate: k.Created}, true
		})
		return &ListAccessKeysOutput{AccessKeyMetadata: keys, IsTruncated: more, Marker: next}, err
	},
}

// ListAccessKeysInput is what ListAccessKeys takes.
type ListAccessKeysInput struct {
	UserName string `valid:"min=1,max=128" pattern:"[\\w+=,.@-]+"`
	Marker   string `valid:"min=1,max=320" pattern:"[\\u0020-\\u00FF]+"`
	MaxItems *int32 `valid:"min=1,max=1000"`
}

// ListAccessKeysOutput is what ListAccessKeys gives.
type ListAccessKeysOutput struct {
	AccessKeyMetadata []AccessKeyMetadata `out:"AccessKeyMetadata,always"`
	IsTruncated       bool
	Marker            string
}
