package iamapi

import (
	"moat/action"
	"moat/fault"
	"moat/iam"
)

// SimulateCustomPolicy tells what given policies would say of actions.
var SimulateCustomPolicy = action.Read[SimulateCustomPolicyInput, SimulateCustomPolicyOutput]{
	Name: "SimulateCustomPolicy",
	Doc:  `Tells what given policies would say of actions.`,
	Read: func(c *action.Call, in *SimulateCustomPolicyInput) (*SimulateCustomPolicyOutput, error) {
		if len(in.PolicyInputList) == 0 {
			return nil, fault.InvalidInput.With("PolicyInputList must have a policy.")
		}
		if len(in.OrderedOrganizationPolicyInputList) > 0 {
			return nil, fault.InvalidInput.With("There is no organization here: leave OrderedOrganizationPolicyInputList out.")
		}
		q := simulation{
			caller: iam.Principal{Type: iam.TypeUser, Account: c.Account}, actions: in.ActionNames, resources: in.ResourceArns, entries: in.ContextEntries,
			add: in.PolicyInputList, boundary: in.PermissionsBoundaryPolicyInputList, resourcePolicy: in.ResourcePolicy, callerARN: in.CallerArn,
		}
		results, more, next, err := q.run(c, in.Marker, in.MaxItems)
		return &SimulateCustomPolicyOutput{EvaluationResults: results, IsTruncated: more, Marker: next}, err
	},
}

// SimulateCustomPolicyInput is what SimulateCustomPolicy takes.
type SimulateCustomPolicyInput struct {
	PolicyInputList                    []string `valid:"required,min=1,max=131072" pattern:"[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+"`
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
	OrderedOrganizationPolicyInputList []OrderedOrganizationPolicyType
}

// SimulateCustomPolicyOutput is what SimulateCustomPolicy gives.
type SimulateCustomPolicyOutput struct {
	EvaluationResults []EvaluationResult `out:"EvaluationResults,always"`
	IsTruncated       bool
	Marker            string
}
