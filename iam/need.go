package iam

import (
	"strings"

	"moat/vpc"
)

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
	// Rules tells that the call may add rules to security groups: it needs the
	// permission for each that it adds or widens.
	Rules bool
}

// A Key is a condition key, its name in lower case, with its values.
type Key struct {
	Name   string
	Values []string
}

// Values gives the values of a condition key of the need.
func (n *Need) Values(key string) ([]string, bool) {
	for i := range n.Keys {
		if n.Keys[i].Name == key {
			return n.Keys[i].Values, true
		}
	}
	if key == "aws:tagkeys" {
		if len(n.RequestTags)+len(n.TagKeys) == 0 {
			return nil, false
		}
		keys := append([]string(nil), n.TagKeys...)
		for _, t := range n.RequestTags {
			keys = append(keys, t.Key)
		}
		return keys, true
	}
	name, tag, ok := strings.Cut(key, "/")
	if !ok {
		return nil, false
	}
	tags := n.Tags
	switch {
	case name == "aws:requesttag":
		tags = n.RequestTags
	case !strings.HasSuffix(name, ":resourcetag"):
		return nil, false
	}
	for i := range tags {
		if strings.EqualFold(tags[i].Key, tag) {
			return []string{tags[i].Value}, true
		}
	}
	return nil, false
}
