package iamapi

import (
	"moat/action"
	"moat/state"
)

// ListAccountAliases tells the account's alias.
var ListAccountAliases = action.Read[ListAccountAliasesInput, ListAccountAliasesOutput]{
	Name: "ListAccountAliases",
	Doc:  `Tells the account's alias.`,
	Read: func(c *action.Call, _ *ListAccountAliasesInput) (*ListAccountAliasesOutput, error) {
		out := &ListAccountAliasesOutput{}
		if a := state.Accounts.Get(c, "account"); a != nil && a.Alias != "" {
			out.AccountAliases = []string{a.Alias}
		}
		return out, nil
	},
}

// ListAccountAliasesInput is what ListAccountAliases takes.
type ListAccountAliasesInput struct {
	Marker   string `valid:"min=1,max=320" pattern:"[\\u0020-\\u00FF]+"`
	MaxItems *int32 `valid:"min=1,max=1000"`
}

// ListAccountAliasesOutput is what ListAccountAliases gives.
type ListAccountAliasesOutput struct {
	AccountAliases []string `out:"AccountAliases,always"`
	IsTruncated    bool
	Marker         string
}
