package sts

import (
	"moat/action"
	"moat/fault"
)

// DecodeAuthorizationMessage tells what the encoded message of a refusal says: who asked for what, and which statement refused it.
var DecodeAuthorizationMessage = action.Read[DecodeAuthorizationMessageInput, DecodeAuthorizationMessageOutput]{
	Name: "DecodeAuthorizationMessage",
	Doc:  `Tells what the encoded message of a refusal says: who asked for what, and which statement refused it.`,
	Read: func(c *action.Call, in *DecodeAuthorizationMessageInput) (*DecodeAuthorizationMessageOutput, error) {
		message, ok := c.Message(in.EncodedMessage)
		if !ok {
			return nil, fault.InvalidAuthorizationMessage.With()
		}
		return &DecodeAuthorizationMessageOutput{DecodedMessage: message}, nil
	},
}

// DecodeAuthorizationMessageInput is what DecodeAuthorizationMessage takes.
type DecodeAuthorizationMessageInput struct {
	EncodedMessage string `valid:"required,min=1,max=10240"`
}

// DecodeAuthorizationMessageOutput is what DecodeAuthorizationMessage gives.
type DecodeAuthorizationMessageOutput struct {
	DecodedMessage string
}
