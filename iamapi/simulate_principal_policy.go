package iamapi

import (
	"moat/action"
)

// SimulatePrincipalPolicy tells what the policies of a user, group or role say of actions, and which statements say it.
var SimulatePrincipalPolicy = action.Read[SimulatePrincipalPolicyInput, SimulatePrincipalPolicyOutput]{
	Name: "SimulatePrincipalPolicy",
	Doc:  `Tells what the policies of a user, group or role say of actions, and which statements say it.`,
	Read: func(c *action.Call, in *SimulatePrincipalPolicyInput) (*SimulatePrincipalPolicyOutput, error) {
		without, err := exclusionsOf(in.PolicyExclusionList)
		if err != nil {
			return nil, err
		}
		source, err := sourceOf(c, in.PolicySourceArn, without)
		if err != nil {
			return nil, err
		}
		q := simulation{
			policies: source.policies, caller: source.principal, actions: in.ActionNames, resources: in.ResourceArns, entries: in.ContextEntries,
			add: in.PolicyInputList, boundary: in.PermissionsBoundaryPolicyInputList, resourcePolicy: in.ResourcePolicy, callerARN: in.CallerArn,
		}
		results, more, next, err := q.run(c, in.Marker, in.MaxItems)
		return &SimulatePrincipalPolicyOutput{EvaluationResults: results, IsTruncated: more, Marker: next}, err
	},
}

// SimulatePrincipalPolicyInput is what SimulatePrincipalPolicy takes.
type SimulatePrincipalPolicyInput struct {
	PolicySourceArn                    string   `valid:"required,min=20,max=2048"`
	PolicyInputList                    []string `valid:"min=1,max=131072" pattern:"[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+"`
	PermissionsBoundaryPolicyInputList []string `valid:"min=1,max=131072" pattern:"[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+"`
	ActionNames                        []string `valid:"required,min=3,max=128"`
	ResourceArns                       []string `valid:"min=1,max=2048"`
	ResourcePolicy                     string   `valid:"min=1,max=131072" pattern:"[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+"`
	ResourceOwner                      string   `valid:"min=1,max=2048"`
	CallerArn                          string   `valid:"min=1,max=2048"`
	ContextEntries                     []ContextEntry
	ResourceHandlingOption             string `valid:"min=1,max=64"`
	MaxItems                           *int32 `valid:"min=1,max=1000"`
	Marker                             string `valid:"min=1,max=320" pattern:"[\\u0020-\\u00FF]+"`
	PolicyExclusionList                []PolicyIdentifier
}

// SimulatePrincipalPolicyOutput is what SimulatePrincipalPolicy gives.
type SimulatePrincipalPolicyOutput struct {
	EvaluationResults []EvaluationResult `out:"EvaluationResults,always"`
	IsTruncated       bool
	Marker            string
}
