package iamapi

import (
	"moat/action"
	"moat/iam"
	"moat/state"
)

// CreateAccountAlias gives the account an alias, in place of the one it had.
var CreateAccountAlias = action.Write[CreateAccountAliasInput, CreateAccountAliasOutput]{
	Name: "CreateAccountAlias",
	Doc:  `Gives the account an alias, in place of the one it had.`,
	Plan: func(tx *state.Txn, in *CreateAccountAliasInput) (*CreateAccountAliasOutput, error) {
		a := iam.Account{}
		if old := state.Accounts.Get(tx, "account"); old != nil {
			a = *old
		}
		a.Alias = in.AccountAlias
		state.Accounts.Put(tx, &a)
		return &CreateAccountAliasOutput{}, nil
	},
}

// CreateAccountAliasInput is what CreateAccountAlias takes.
type CreateAccountAliasInput struct {
	AccountAlias string `valid:"required,min=3,max=63" pattern:"[a-z0-9]+(-[a-z0-9]+)*"`
}

// CreateAccountAliasOutput is what CreateAccountAlias gives.
type CreateAccountAliasOutput struct {
}
