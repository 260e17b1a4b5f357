// Package iam knows principals, the keys they sign with, and the policies that
// say what they may do. ParsePolicy reads a policy, Decide says whether a
// request is allowed and why not. Which actions exist, what each needs, and
// where policies are kept is the business of others.
package iam

import (
	"time"

	"moat/vpc"
)

// An AccessKey signs requests as a principal.
type AccessKey struct {
	ID      string        `cbor:"1,keyasint"`
	Secret  string        `cbor:"2,keyasint"`
	Account vpc.AccountID `cbor:"3,keyasint"`
	// User is empty for the root of the account.
	User    string    `cbor:"4,keyasint,omitempty"`
	Created time.Time `cbor:"5,keyasint"`
}
