package iamapi

import (
	"moat/action"
	"moat/fault"
	"moat/state"
)

// DeletePolicy deletes a managed policy that nobody has and that has no versions but its default one.
var DeletePolicy = action.Write[DeletePolicyInput, DeletePolicyOutput]{
	Name: "DeletePolicy",
	Doc:  `Deletes a managed policy that nobody has and that has no versions but its default one.`,
	Plan: func(tx *state.Txn, in *DeletePolicyInput) (*DeletePolicyOutput, error) {
		p, err := ownPolicy(tx, in.PolicyArn)
		if err != nil {
			return nil, err
		}
		if attached, boundaries := holdersOf(tx, in.PolicyArn); attached > 0 || boundaries > 0 {
			return nil, fault.DeleteConflict.With("Cannot delete a policy attached to entities.")
		}
		if len(p.Versions) > 1 {
			return nil, fault.DeleteConflict.With("This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.")
		}
		state.ManagedPolicies.Delete(tx, state.ManagedPolicies.Key(p))
		return &DeletePolicyOutput{}, nil
	},
}

// DeletePolicyInput is what DeletePolicy takes.
type DeletePolicyInput struct {
	PolicyArn string `valid:"required,min=20,max=2048"`
}

// DeletePolicyOutput is what DeletePolicy gives.
type DeletePolicyOutput struct {
}
