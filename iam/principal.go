package iam

import (
	"strings"
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
	// Session is what temporary credentials are good for; nil for lasting ones.
	Session *Session
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

// PolicyARN is the value of aws:PrincipalArn: of a session the role's.
func (p *Principal) PolicyARN() string {
	if p.Role != "" {
		return p.Role
	}
	return p.ARN
}

// Partition gives the partition that the principal calls in.
func (p *Principal) Partition() string {
	if _, rest, ok := strings.Cut(p.ARN, ":"); ok {
		if partition, _, ok := strings.Cut(rest, ":"); ok {
			return partition
		}
	}
	return "aws"
}

// ARN gives the ARN of a thing in IAM: resource is its type, path begins and
// ends with a slash.
func ARN(partition string, account vpc.AccountID, resource, path, name string) string {
	return "arn:" + partition + ":iam::" + string(account) + ":" + resource + path + name
}

// A Session is what temporary credentials are good for. It is sealed in the
// session token and stored nowhere.
type Session struct {
	AccessKeyID string        `cbor:"1,keyasint"`
	Secret      string        `cbor:"2,keyasint"`
	Account     vpc.AccountID `cbor:"3,keyasint"`
	Issued      time.Time     `cbor:"4,keyasint"`
	Expires     time.Time     `cbor:"5,keyasint"`
	// Key is the lasting access key that began it, maybe through other
	// sessions: with that key the session ends.
	Key string `cbor:"6,keyasint"`
	// User is the unique id of the user whose credentials these are, or Role
	// that of the role; both are empty for the root.
	User string `cbor:"7,keyasint,omitempty"`
	Role string `cbor:"8,keyasint,omitempty"`
	// Name is the session's, of a role only.
	Name string `cbor:"9,keyasint,omitempty"`
	// Policy and PolicyARNs are the session's own policies, which narrow what
	// the role may do.
	Policy     Text     `cbor:"10,keyasint"`
	PolicyARNs []string `cbor:"11,keyasint,omitempty"`
	Tags       vpc.Tags `cbor:"12,keyasint,omitempty"`
	// Transitive are the keys of tags that the next session in a chain gets.
	Transitive     []string `cbor:"13,keyasint,omitempty"`
	SourceIdentity string   `cbor:"14,keyasint,omitempty"`
	// Padding makes the token as long as its caller wants it.
	Padding []byte `cbor:"15,keyasint,omitempty"`
}

// Credentials are what a request was signed with: the id of a key and, for
// temporary ones, the session of their token.
type Credentials struct {
	AccessKeyID string
	Session     *Session
}
