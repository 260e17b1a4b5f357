package iam

// Policies are what applies to one principal.
type Policies struct {
	// Identity are the policies of the user and of the user's groups, inline
	// and managed; for a session those of its role.
	Identity []*Policy
	// Boundary limits what Identity allows; nil for no boundary.
	Boundary *Policy
	// Session are the policies that a session was made with; what one of them
	// allows is allowed. None does not limit.
	Session []*Policy
}

// A Request is one action on one resource.
type Request struct {
	Principal *Principal
	Action    string // "ec2:CreateSecurityGroup"
	Resource  string // an ARN, or "*" for an action that names none
	Context   Context
}

// A Context gives the values of a request's condition keys. The key comes in
// lower case; ok is false for one that the request does not have.
type Context interface {
	Values(key string) (values []string, ok bool)
}

// A ContextMap is a Context of given values. Its keys are in lower case.
type ContextMap map[string][]string

// Values gives the values of a key.
func (m ContextMap) Values(key string) ([]string, bool) { v, ok := m[key]; return v, ok }

// A Part is a kind of policy that takes part in a decision.
type Part uint8

// The parts.
const (
	IdentityPart Part = iota
	BoundaryPart
	SessionPart
	TrustPart
)

// A Decision is the answer to a request. The zero value denies: no policy
// allows it.
type Decision struct {
	Allowed bool
	// Explicit tells that a statement denies; Statement and Policy say which.
	// Otherwise Part is the kind of policy that does not allow.
	Explicit  bool
	Part      Part
	Policy    *Policy    // that denies or, if it is allowed, allows
	Statement *Statement // in Policy
}

// Decide says whether the policies of a principal allow a request: the root of
// an account may do everything, a Deny of any policy wins, and otherwise each
// part that is there must allow. Policies nil is none. IAM user guide, "Policy
// evaluation logic".
func Decide(p *Policies, r *Request) Decision {
	return Decision{Allowed: r.Principal.IsRoot()}
}

// DecideTrust says whether a role's trust policy lets the principal of a
// request assume it. Named tells that it does so by naming the principal
// itself rather than its account, so that no identity policy is needed.
func DecideTrust(trust *Policy, r *Request) (d Decision, named bool) {
	return Decision{Part: TrustPart}, false
}
