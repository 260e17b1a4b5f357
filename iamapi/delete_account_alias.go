package iamapi

import (
	"moat/action"
	"moat/fault"
	"moat/state"
)

// DeleteAccountAlias takes the account's alias away.
var DeleteAccountAlias = action.Write[DeleteAccountAliasInput, DeleteAccountAliasOutput]{
	Name: "DeleteAccountAlias",
	Doc:  `Takes the account's alias away.`,
	Plan: func(tx *state.Txn, in *DeleteAccountAliasInput) (*DeleteAccountAliasOutput, error) {
		a := state.Accounts.Get(tx, "account")
		if a == nil || a.Alias != in.AccountAlias {
			return nil, fault.NoSuchEntity.With("The account alias " + in.AccountAlias + " cannot be found.")
		}
		c := *a
		c.Alias = ""
		state.Accounts.Put(tx, &c)
		return &DeleteAccountAliasOutput{}, nil
	},
}

// DeleteAccountAliasInput is what DeleteAccountAlias takes.
type DeleteAccountAliasInput struct {
	AccountAlias string `valid:"required,min=3,max=63" pattern:"[a-z0-9]+(-[a-z0-9]+)*"`
}

// DeleteAccountAliasOutput is what DeleteAccountAlias gives.
type DeleteAccountAliasOutput struct {
}
