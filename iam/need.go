package iam

import "moat/vpc"

// A Need is one permission that a call must have. A call has a list of them,
// and each must be allowed.
type Need struct {
	Action   string // "ec2:CreateSecurityGroup"
	Resource string // an ARN, or "*" for an action that names none
	// Tags are the resource's: aws:ResourceTag/… and SERVICE:ResourceTag/….
	Tags vpc.Tags
	// RequestTags are those that the call gives: aws:RequestTag/… and aws:TagKeys.
	RequestTags []vpc.Tag
	// TagKeys are those that the call names without values: aws:TagKeys.
	TagKeys []string
	// Keys are the other condition keys of the resource and the call.
	Keys []Key
}

// A Key is a condition key, its name in lower case, with its values.
type Key struct {
	Name   string
	Values []string
}
