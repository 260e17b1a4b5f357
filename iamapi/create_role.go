package iamapi

import (
	"strings"

	"moat/action"
	"moat/fault"
	"moat/iam"
	"moat/state"
)

// CreateRole creates a role, and says who may assume it.
var CreateRole = action.Write[CreateRoleInput, CreateRoleOutput]{
	Name: "CreateRole",
	Doc:  `Creates a role, and says who may assume it.`,
	Plan: func(tx *state.Txn, in *CreateRoleInput) (*CreateRoleOutput, error) {
		if state.Roles.Get(tx, strings.ToLower(in.RoleName)) != nil {
			return nil, fault.EntityAlreadyExists.With("Role", in.RoleName)
		}
		trust, err := trustDocument(tx, in.RoleName, in.AssumeRolePolicyDocument)
		if err != nil {
			return nil, err
		}
		r := &iam.Role{
			Name: in.RoleName, Path: pathOr(in.Path), Created: now(tx), Description: in.Description, Trust: trust, MaxSession: 3600,
		}
		if in.MaxSessionDuration != nil {
			r.MaxSession = *in.MaxSessionDuration
		}
		if r.Tags, err = mergeTags(tx, nil, in.Tags); err != nil {
			return nil, err
		}
		if r.Boundary, err = boundary(tx, in.PermissionsBoundary); err != nil {
			return nil, err
		}
		if state.Roles.Len(tx) >= tx.Quotas.RolesPerAccount {
			return nil, fault.LimitExceeded.With("RolesPerAccount", tx.Quotas.RolesPerAccount)
		}
		r.ID = newID(tx, "AROA")
		state.Roles.Put(tx, r)
		return &CreateRoleOutput{Role: wholeRoleShape(namesIn(tx), r)}, nil
	},
}

// CreateRoleInput is what CreateRole takes.
type CreateRoleInput struct {
	Path                     string `valid:"min=1,max=512" pattern:"(\\u002F)|(\\u002F[\\u0021-\\u007E]+\\u002F)"`
	RoleName                 string `valid:"required,min=1,max=64" pattern:"[\\w+=,.@-]+"`
	AssumeRolePolicyDocument string `valid:"required,min=1,max=131072" pattern:"[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+"`
	Description              string `valid:"max=1000" pattern:"[\\u0009\\u000A\\u000D\\u0020-\\u007E\\u00A1-\\u00FF]*"`
	MaxSessionDuration       *int32 `valid:"min=3600,max=43200"`
	PermissionsBoundary      string `valid:"min=20,max=2048"`
	Tags                     []Tag  `valid:"max=50"`
}

// CreateRoleOutput is what CreateRole gives.
type CreateRoleOutput struct {
	Role *Role
}
