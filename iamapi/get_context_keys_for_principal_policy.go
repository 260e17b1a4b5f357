package iamapi

import (
	"moat/action"
)

// GetContextKeysForPrincipalPolicy lists the condition keys that the policies of a user, group or role ask for.
var GetContextKeysForPrincipalPolicy = action.Read[GetContextKeysForPrincipalPolicyInput, GetContextKeysForPrincipalPolicyOutput]{
	Name: "GetContextKeysForPrincipalPolicy",
	Doc:  `Lists the condition keys that the policies of a user, group or role ask for.`,
	Read: func(c *action.Call, in *GetContextKeysForPrincipalPolicyInput) (*GetContextKeysForPrincipalPolicyOutput, error) {
		source, err := sourceOf(c, in.PolicySourceArn, nil)
		if err != nil {
			return nil, err
		}
		keys, err := contextKeys(in.PolicyInputList, source.policies)
		return &GetContextKeysForPrincipalPolicyOutput{ContextKeyNames: keys}, err
	},
}

// GetContextKeysForPrincipalPolicyInput is what GetContextKeysForPrincipalPolicy takes.
type GetContextKeysForPrincipalPolicyInput struct {
	PolicySourceArn string   `valid:"required,min=20,max=2048"`
	PolicyInputList []string `valid:"min=1,max=131072" pattern:"[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+"`
}

// GetContextKeysForPrincipalPolicyOutput is what GetContextKeysForPrincipalPolicy gives.
type GetContextKeysForPrincipalPolicyOutput struct {
	ContextKeyNames []string `out:"ContextKeyNames,always"`
}
