package iamapi

import (
	"moat/action"
	"moat/iam"
)

// GetUser tells of a user, or of whoever calls.
var GetUser = action.Read[GetUserInput, GetUserOutput]{
	Name: "GetUser",
	Doc:  `Tells of a user, or of whoever calls.`,
	Read: func(c *action.Call, in *GetUserInput) (*GetUserOutput, error) {
		if in.UserName == "" {
			switch c.Caller.Type {
			case iam.TypeRoot:
				return &GetUserOutput{User: &User{UserId: c.Caller.ID, Arn: c.Caller.ARN}}, nil
			case iam.TypeUser:
				in.UserName = c.Caller.Name
			default:
				return nil, mustNameUser()
			}
		}
		u, err := userOf(c, in.UserName)
		if err != nil {
			return nil, err
		}
		return &GetUserOutput{User: wholeUserShape(namesOf(c), u)}, nil
	},
}

// GetUserInput is what GetUser takes.
type GetUserInput struct {
	UserName string `valid:"min=1,max=128" pattern:"[\\w+=,.@-]+"`
}

// GetUserOutput is what GetUser gives.
type GetUserOutput struct {
	User *User
}
