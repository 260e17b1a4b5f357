package sts

import (
	"moat/action"
	"moat/fault"
	"moat/state"
)

// GetAccessKeyInfo tells which account an access key belongs to.
var GetAccessKeyInfo = action.Read[GetAccessKeyInfoInput, GetAccessKeyInfoOutput]{
	Name: "GetAccessKeyInfo",
	Doc:  `Tells which account an access key belongs to.`,
	Read: func(c *action.Call, in *GetAccessKeyInfoInput) (*GetAccessKeyInfoOutput, error) {
		k := state.AccessKeys.Get(c.View.In(state.Scope{}), in.AccessKeyId)
		if k == nil {
			return nil, fault.ValidationError.With("The access key " + in.AccessKeyId + " does not exist.")
		}
		return &GetAccessKeyInfoOutput{Account: string(k.Account)}, nil
	},
}

// GetAccessKeyInfoInput is what GetAccessKeyInfo takes.
type GetAccessKeyInfoInput struct {
	AccessKeyId string `valid:"required,min=16,max=128" pattern:"[\\w]*"`
}

// GetAccessKeyInfoOutput is what GetAccessKeyInfo gives.
type GetAccessKeyInfoOutput struct {
	Account string
}
