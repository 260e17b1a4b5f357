package iamapi

// The shapes that several actions share, as the service model has them.

// ContextEntry is the shape of that name.
type ContextEntry struct {
	ContextKeyName   string `valid:"min=5,max=256"`
	ContextKeyValues []string
	ContextKeyType   string `valid:"enum=string|stringList|numeric|numericList|boolean|booleanList|ip|ipList|binary|binaryList|date|dateList"`
}

// EvaluationResult is the shape of that name.
type EvaluationResult struct {
	EvalActionName                    string
	EvalResourceName                  string
	EvalDecision                      string
	MatchedStatements                 []Statement
	MissingContextValues              []string
	OrganizationsDecisionDetail       *OrganizationsDecisionDetail
	PermissionsBoundaryDecisionDetail *PermissionsBoundaryDecisionDetail
	EvalDecisionDetails               []DecisionDetail `out:"EvalDecisionDetails,map"`
	ResourceSpecificResults           []ResourceSpecificResult
}

// OrganizationsDecisionDetail is the shape of that name.
type OrganizationsDecisionDetail struct {
	AllowedByOrganizations bool
}

// PermissionsBoundaryDecisionDetail is the shape of that name.
type PermissionsBoundaryDecisionDetail struct {
	AllowedByPermissionsBoundary bool
}

// Position is the shape of that name.
type Position struct {
	Line   int32
	Column int32
}

// ResourceSpecificResult is the shape of that name.
type ResourceSpecificResult struct {
	EvalResourceName                  string
	EvalResourceDecision              string
	MatchedStatements                 []Statement
	MissingContextValues              []string
	EvalDecisionDetails               []DecisionDetail `out:"EvalDecisionDetails,map"`
	PermissionsBoundaryDecisionDetail *PermissionsBoundaryDecisionDetail
}

// Statement is the shape of that name.
type Statement struct {
	SourcePolicyId   string
	SourcePolicyType string
	StartPosition    *Position
	EndPosition      *Position
}

// A DecisionDetail is what one kind of policy decides, of several.
type DecisionDetail struct {
	Key   string `out:"key"`
	Value string `out:"value"`
}

// PolicyIdentifier names policies that a simulation leaves out, by one of its
// members: the kind, the ARN, or the inline policy and whose it is.
type PolicyIdentifier struct {
	PolicyType             string `valid:"enum=inline|aws-managed|user-managed|permission-boundary|scp|rcp"`
	PolicyArn              string `valid:"min=20,max=2048"`
	InlinePolicyIdentifier *InlinePolicyIdentifierType
}

// InlinePolicyIdentifierType is the shape of that name.
type InlinePolicyIdentifierType struct {
	PolicyName     string `valid:"required,min=1,max=128" pattern:"[\\w+=,.@-]+"`
	AttachmentType string `valid:"required,enum=user|group|role"`
	AttachmentName string `valid:"required,min=1,max=128"`
}

// OrderedOrganizationPolicyType is the shape of that name.
type OrderedOrganizationPolicyType struct {
	ServiceControlPolicyInputList []string `valid:"min=1,max=131072"`
}
