package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
)

// ResetInstanceAttribute gives an attribute its first value again.
var ResetInstanceAttribute = action.Write[ResetInstanceAttributeInput, ResetInstanceAttributeOutput]{
	Name: "ResetInstanceAttribute",
	Doc:  "Turns the source/destination check of an instance's only interface on again.",

	Plan: func(tx *state.Txn, in *ResetInstanceAttributeInput) (*ResetInstanceAttributeOutput, error) {
		i, err := instanceOf(tx, in.InstanceId)
		if err != nil {
			return nil, err
		}
		switch in.Attribute {
		case "":
			return nil, fault.MissingParameter.With("attribute")
		case "sourceDestCheck":
			eni, err := onlyInterface(tx, i)
			if err != nil {
				return nil, err
			}
			eni.SourceDestCheck = true
			state.Interfaces.Put(tx, eni)
			return &ResetInstanceAttributeOutput{Return: true}, nil
		}
		return nil, fault.InvalidParameterValue.With(in.Attribute, "attribute", "It cannot be reset.")
	},
}

// ResetInstanceAttributeInput is what ResetInstanceAttribute takes.
type ResetInstanceAttributeInput struct {
	DryRun     bool
	InstanceId string // required
	Attribute  string // required
}

// ResetInstanceAttributeOutput is what ResetInstanceAttribute gives.
type ResetInstanceAttributeOutput struct {
	Return bool
}
