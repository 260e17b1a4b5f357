package ec2

import "moat/action"

// AttributeBooleanValue: in a request and in a reply.
type AttributeBooleanValue struct {
	Value *bool
}

// AttributeValue: in a request and in a reply.
type AttributeValue struct {
	Value *string
}

// Filter: in a request.
type Filter = action.Filter

// OperatorResponse: in a reply.
type OperatorResponse struct {
	Managed         bool
	Principal       string
	HiddenByDefault bool
}

// Tag: in a request and in a reply.
type Tag struct {
	Key   string
	Value *string
}

// TagDescription: in a reply.
type TagDescription struct {
	Key          string
	ResourceId   string
	ResourceType string
	Value        *string
}

// TagSpecification: in a request.
type TagSpecification struct {
	ResourceType string
	Tags         []Tag `in:"Tag"`
}
