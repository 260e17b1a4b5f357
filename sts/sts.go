// Package sts knows the actions of the Security Token Service that Moat serves.
package sts

import (
	"moat/action"
)

// Actions lists every action.
var Actions = []action.Action{GetCallerIdentity, AssumeRole, GetSessionToken, DecodeAuthorizationMessage, GetAccessKeyInfo}

// GetCallerIdentity tells who signed the request; nothing can deny it.
var GetCallerIdentity = action.Read[GetCallerIdentityInput, GetCallerIdentityOutput]{
	Name: "GetCallerIdentity",
	Doc:  "Tells whose credentials signed the call.",
	Read: func(c *action.Call, _ *GetCallerIdentityInput) (*GetCallerIdentityOutput, error) {
		return &GetCallerIdentityOutput{Arn: c.Caller.ARN, UserId: c.Caller.ID, Account: string(c.Caller.Account)}, nil
	},
}

// GetCallerIdentityInput is what GetCallerIdentity takes.
type GetCallerIdentityInput struct{}

// GetCallerIdentityOutput is what GetCallerIdentity gives, in the order of
// real answers.
type GetCallerIdentityOutput struct {
	Arn     string
	UserId  string
	Account string
}
