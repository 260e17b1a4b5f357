package iam

import (
	"time"

	"moat/vpc"
)

// A PrincipalType is what a principal is, as aws:PrincipalType spells it.
type PrincipalType string

// The types. The zero value is nobody, who may do nothing.
const (
	TypeRoot    PrincipalType = "Account" // the root of an account
	TypeUser    PrincipalType = "User"
	TypeSession PrincipalType = "AssumedRole"
)

// A Principal is who makes a request.
type Principal struct {
	Account vpc.AccountID
	Type    PrincipalType
	// ID is the unique id: the account for its root, AIDA… for a user,
	// AROA…:SESSION for the session of a role.
	ID          string
	ARN         string
	AccessKeyID string
	// Name is a user's name; only users have aws:username.
	Name string
	// Role is the ARN of a session's role, which is what aws:PrincipalArn says.
	Role string
	// Tags are aws:PrincipalTag/…: those of the user, or of the role and the session.
	Tags vpc.Tags
	// Issued is when temporary credentials were made; zero for lasting ones.
	Issued time.Time
	// MFA tells that temporary credentials were made with a second factor.
	MFA bool
}

// Root gives the root principal of an account.
func Root(account vpc.AccountID, partition, accessKeyID string) Principal {
	return Principal{
		Account:     account,
		Type:        TypeRoot,
		ID:          string(account),
		ARN:         "arn:" + partition + ":iam::" + string(account) + ":root",
		AccessKeyID: accessKeyID,
	}
}

// IsRoot reports whether p is the root of its account, who may do everything
// in it.
func (p *Principal) IsRoot() bool { return p.Type == TypeRoot }
