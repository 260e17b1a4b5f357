package iamapi

import (
	"moat/action"
	"moat/fault"
	"moat/state"
)

// GetAccessKeyLastUsed tells whose an access key is, and when and for what it was used last.
var GetAccessKeyLastUsed = action.Read[GetAccessKeyLastUsedInput, GetAccessKeyLastUsedOutput]{
	Name: "GetAccessKeyLastUsed",
	Doc:  `Tells whose an access key is, and when and for what it was used last.`,
	Read: func(c *action.Call, in *GetAccessKeyLastUsedInput) (*GetAccessKeyLastUsedOutput, error) {
		keys := c.View.In(state.Scope{})
		k := state.AccessKeys.Get(keys, in.AccessKeyId)
		if k == nil || k.Account != c.Account {
			return nil, fault.NoSuchAccessKey.With(in.AccessKeyId)
		}
		out := &GetAccessKeyLastUsedOutput{AccessKeyLastUsed: &AccessKeyLastUsed{ServiceName: "N/A", Region: "N/A"}}
		if u := state.Users.First(c, state.UsersByID, k.User); u != nil && k.User != "" {
			out.UserName = u.Name
		}
		if use := lastUse(c, k.ID); use != nil {
			out.AccessKeyLastUsed = &AccessKeyLastUsed{LastUsedDate: use.At, ServiceName: use.Service, Region: use.Region}
		}
		return out, nil
	},
}

// GetAccessKeyLastUsedInput is what GetAccessKeyLastUsed takes.
type GetAccessKeyLastUsedInput struct {
	AccessKeyId string `valid:"required,min=16,max=128" pattern:"[\\w]+"`
}

// GetAccessKeyLastUsedOutput is what GetAccessKeyLastUsed gives.
type GetAccessKeyLastUsedOutput struct {
	UserName          string
	AccessKeyLastUsed *AccessKeyLastUsed
}
