package iamapi

import (
	"moat/action"
	"moat/fault"
	"moat/iam"
	"moat/state"
	"moat/vpc"
)

// mustNameUser is the refusal of a call that leaves the user out, by who is none.
func mustNameUser() error {
	return fault.ValidationError.Say("Must specify userName when calling with non-User credentials")
}

// keyOwner finds out whose keys a call is about: the user that is named, or
// else the caller's own, of which a root has some too. User is the unique id,
// "" for the root.
func keyOwner(r state.Reader, caller iam.Principal, account vpc.AccountID, name string) (_ vpc.AccountID, user, shown string, err error) {
	if name == "" {
		switch caller.Type {
		case iam.TypeRoot:
			return account, "", "", nil
		case iam.TypeUser:
			return account, caller.ID, caller.Name, nil
		}
		return "", "", "", mustNameUser()
	}
	u, err := userOf(r, name)
	if err != nil {
		return "", "", "", err
	}
	return account, u.ID, u.Name, nil
}

// keyOf finds a key of the user that is named, or of the caller.
func keyOf(tx *state.Txn, name, id string) (*iam.AccessKey, error) {
	account, user, _, err := keyOwner(tx, tx.Caller, tx.Account, name)
	if err != nil {
		return nil, err
	}
	k := state.AccessKeys.Get(tx.In(state.Scope{}), id)
	if k == nil || k.Account != account || k.User != user {
		return nil, fault.NoSuchAccessKey.With(id)
	}
	return k, nil
}

// keysOf counts the keys of an owner, no further than limit: a user's unique
// id, or an account for its root.
func keysOf(tx *state.Txn, owner string, limit int) int {
	return state.AccessKeys.Count(tx.In(state.Scope{}), state.AccessKeysByUser, owner, limit)
}

func keyStatus(k *iam.AccessKey) string {
	if k.Inactive {
		return "Inactive"
	}
	return "Active"
}

// lastUse gives the last use of a key or a role that is known: what was
// stored, or what the server saw since.
func lastUse(c *action.Call, id string) *iam.KeyUse {
	stored := state.KeyUses.Get(c.View.In(state.Scope{}), id)
	if c.KeyUse != nil {
		if seen := c.KeyUse(id); seen != nil && (stored == nil || seen.At.After(stored.At)) {
			return seen
		}
	}
	return stored
}
