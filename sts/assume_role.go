package sts

import (
	"moat/action"
)

// AssumeRole gives temporary credentials of a role to whom its trust policy lets assume it.
var AssumeRole = action.Read[AssumeRoleInput, AssumeRoleOutput]{
	Name: "AssumeRole",
	Doc:  `Gives temporary credentials of a role to whom its trust policy lets assume it.`,
	Read: func(c *action.Call, in *AssumeRoleInput) (*AssumeRoleOutput, error) {
		return assume(c, in)
	},
}

// AssumeRoleInput is what AssumeRole takes.
type AssumeRoleInput struct {
	RoleArn                 string `valid:"required,min=20,max=2048"`
	RoleSessionName         string `valid:"required,min=2,max=64" pattern:"[\\w+=,.@-]*"`
	PolicyArns              []PolicyDescriptorType
	Policy                  string            `valid:"min=1" pattern:"[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+"`
	DurationSeconds         *int32            `valid:"min=900,max=43200"`
	Tags                    []Tag             `valid:"max=50"`
	TransitiveTagKeys       []string          `valid:"min=1,max=128" pattern:"[\\pL\\pZ\\pN_.:/=+\\-@]+"`
	ExternalId              string            `valid:"min=2,max=1224" pattern:"[\\w+=,.@:\\/-]*"`
	SerialNumber            string            `valid:"min=9,max=256" pattern:"[\\w+=/:,.@-]*"`
	TokenCode               string            `valid:"min=6,max=6" pattern:"[\\d]*"`
	SourceIdentity          string            `valid:"min=2,max=64" pattern:"[\\w+=,.@-]*"`
	ProvidedContexts        []ProvidedContext `valid:"min=1,max=5"`
	MinimumSessionTokenSize *int32            `valid:"max=4096"`
}

// AssumeRoleOutput is what AssumeRole gives.
type AssumeRoleOutput struct {
	Credentials             *Credentials
	AssumedRoleUser         *AssumedRoleUser
	PackedPolicySize        *int32
	SourceIdentity          string
	SessionTokenSize        *int32
	SessionTokenUtilization *int32
}
