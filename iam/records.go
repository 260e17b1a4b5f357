package iam

import (
	"time"

	"moat/vpc"
)

// The records below live in the space of an account and no region: IAM is the
// same everywhere. Like those of package vpc they are values, copied to be
// changed, and the numbers of their fields are never reused. ARNs of policies
// are kept in the partition "aws" and shown in the caller's.

// An AccessKey signs requests as a principal.
type AccessKey struct {
	ID string `cbor:"1,keyasint"`
	// Secret is how keys were stored before there was encryption, and how
	// tests make them; a server seals it when it starts.
	Secret  string        `cbor:"2,keyasint,omitempty"`
	Account vpc.AccountID `cbor:"3,keyasint"`
	// User is the unique id of the user, empty for the root of the account.
	User    string    `cbor:"4,keyasint,omitempty"`
	Created time.Time `cbor:"5,keyasint"`
	// Sealed is the secret as package seal keeps it, under the key's id.
	Sealed   []byte `cbor:"6,keyasint,omitempty"`
	Inactive bool   `cbor:"7,keyasint,omitempty"`
}

// A KeyUse says when a key or a role was used last.
type KeyUse struct {
	ID      string    `cbor:"1,keyasint"`
	At      time.Time `cbor:"2,keyasint"`
	Service string    `cbor:"3,keyasint"`
	Region  string    `cbor:"4,keyasint"`
}

// A User is a person or a program with keys of its own.
type User struct {
	Name    string    `cbor:"1,keyasint"`
	ID      string    `cbor:"2,keyasint"` // AIDA…, never used again
	Path    string    `cbor:"3,keyasint"`
	Created time.Time `cbor:"4,keyasint"`
	// Boundary is the ARN of the permissions boundary.
	Boundary string   `cbor:"5,keyasint,omitempty"`
	Tags     vpc.Tags `cbor:"6,keyasint,omitempty"`
	// Groups are the unique ids of groups, in the order of joining.
	Groups   []string       `cbor:"7,keyasint,omitempty"`
	Inline   []InlinePolicy `cbor:"8,keyasint,omitempty"` // sorted by name
	Attached []string       `cbor:"9,keyasint,omitempty"` // ARNs, in the order of attaching
}

// A Group gives its users policies.
type Group struct {
	Name     string         `cbor:"1,keyasint"`
	ID       string         `cbor:"2,keyasint"` // AGPA…
	Path     string         `cbor:"3,keyasint"`
	Created  time.Time      `cbor:"4,keyasint"`
	Inline   []InlinePolicy `cbor:"5,keyasint,omitempty"`
	Attached []string       `cbor:"6,keyasint,omitempty"`
}

// A Role is assumed by those whom its trust policy names.
type Role struct {
	Name        string    `cbor:"1,keyasint"`
	ID          string    `cbor:"2,keyasint"` // AROA…
	Path        string    `cbor:"3,keyasint"`
	Created     time.Time `cbor:"4,keyasint"`
	Description string    `cbor:"5,keyasint,omitempty"`
	Trust       Text      `cbor:"6,keyasint"`
	// MaxSession is the longest session, in seconds.
	MaxSession int32          `cbor:"7,keyasint"`
	Boundary   string         `cbor:"8,keyasint,omitempty"`
	Tags       vpc.Tags       `cbor:"9,keyasint,omitempty"`
	Inline     []InlinePolicy `cbor:"10,keyasint,omitempty"`
	Attached   []string       `cbor:"11,keyasint,omitempty"`
}

// An InlinePolicy is part of a user, group or role.
type InlinePolicy struct {
	Name     string `cbor:"1,keyasint"`
	Document Text   `cbor:"2,keyasint"`
}

// A ManagedPolicy is a policy of an account's own, which can be attached.
type ManagedPolicy struct {
	Name        string    `cbor:"1,keyasint"`
	ID          string    `cbor:"2,keyasint"` // ANPA…
	Path        string    `cbor:"3,keyasint"`
	Created     time.Time `cbor:"4,keyasint"`
	Updated     time.Time `cbor:"5,keyasint"`
	Description string    `cbor:"6,keyasint,omitempty"`
	Tags        vpc.Tags  `cbor:"7,keyasint,omitempty"`
	// Default is the number of the version that counts, Last that of the
	// newest that ever was: numbers are not used again.
	Default  int32           `cbor:"8,keyasint"`
	Last     int32           `cbor:"9,keyasint"`
	Versions []PolicyVersion `cbor:"10,keyasint"` // by number
}

// A PolicyVersion is one text of a managed policy.
type PolicyVersion struct {
	Number   int32     `cbor:"1,keyasint"`
	Document Text      `cbor:"2,keyasint"`
	Created  time.Time `cbor:"3,keyasint"`
}

// Version gives the version with a number, or nil.
func (p *ManagedPolicy) Version(number int32) *PolicyVersion {
	for i := range p.Versions {
		if p.Versions[i].Number == number {
			return &p.Versions[i]
		}
	}
	return nil
}

// An InstanceProfile holds a role for instances.
type InstanceProfile struct {
	Name    string    `cbor:"1,keyasint"`
	ID      string    `cbor:"2,keyasint"` // AIPA…
	Path    string    `cbor:"3,keyasint"`
	Created time.Time `cbor:"4,keyasint"`
	Role    string    `cbor:"5,keyasint,omitempty"` // unique id
	Tags    vpc.Tags  `cbor:"6,keyasint,omitempty"`
}

// An Account is what an account itself is told.
type Account struct {
	Alias string `cbor:"1,keyasint,omitempty"`
}
