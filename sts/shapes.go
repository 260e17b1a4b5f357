package sts

import "time"

// The shapes that several actions share, as the service model has them.

// AssumedRoleUser is the shape of that name.
type AssumedRoleUser struct {
	AssumedRoleId string
	Arn           string
}

// Credentials is the shape of that name.
type Credentials struct {
	AccessKeyId     string
	SecretAccessKey string
	SessionToken    string
	Expiration      time.Time
}

// PolicyDescriptorType is the shape of that name.
type PolicyDescriptorType struct {
	Arn string `in:"arn" valid:"min=20,max=2048"`
}

// ProvidedContext is the shape of that name.
type ProvidedContext struct {
	ProviderArn      string `valid:"min=20,max=2048"`
	ContextAssertion string `valid:"min=4,max=2048"`
}

// Tag is the shape of that name.
type Tag struct {
	Key   string `valid:"required,min=1,max=128" pattern:"[\\pL\\pZ\\pN_.:/=+\\-@]+"`
	Value string `valid:"max=256" pattern:"[\\pL\\pZ\\pN_.:/=+\\-@]*"`
}
