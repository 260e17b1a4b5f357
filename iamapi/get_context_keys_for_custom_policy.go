package iamapi

import (
	"moat/action"
	"moat/iam"
)

// GetContextKeysForCustomPolicy lists the condition keys that given policies ask for.
var GetContextKeysForCustomPolicy = action.Read[GetContextKeysForCustomPolicyInput, GetContextKeysForCustomPolicyOutput]{
	Name: "GetContextKeysForCustomPolicy",
	Doc:  `Lists the condition keys that given policies ask for.`,
	Read: func(_ *action.Call, in *GetContextKeysForCustomPolicyInput) (*GetContextKeysForCustomPolicyOutput, error) {
		keys, err := contextKeys(in.PolicyInputList, &iam.Policies{})
		return &GetContextKeysForCustomPolicyOutput{ContextKeyNames: keys}, err
	},
}

// GetContextKeysForCustomPolicyInput is what GetContextKeysForCustomPolicy takes.
type GetContextKeysForCustomPolicyInput struct {
	PolicyInputList []string `valid:"required,min=1,max=131072" pattern:"[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+"`
}

// GetContextKeysForCustomPolicyOutput is what GetContextKeysForCustomPolicy gives.
type GetContextKeysForCustomPolicyOutput struct {
	ContextKeyNames []string `out:"ContextKeyNames,always"`
}
