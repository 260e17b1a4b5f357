// Package iam knows principals and the keys they sign with. Policies join it
// when there are users other than the root of an account.
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

// A Principal is who makes a request.
type Principal struct {
	Account vpc.AccountID
	// ID is the unique id: the account for its root.
	ID          string
	ARN         string
	AccessKeyID string
}

// Root gives the root principal of an account.
func Root(account vpc.AccountID, partition, accessKeyID string) Principal {
	return Principal{
		Account:     account,
		ID:          string(account),
		ARN:         "arn:" + partition + ":iam::" + string(account) + ":root",
		AccessKeyID: accessKeyID,
	}
}
