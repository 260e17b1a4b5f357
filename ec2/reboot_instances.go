package ec2

import (
	"fmt"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// RebootInstances changes nothing that anybody could see.
var RebootInstances = action.Write[RebootInstancesInput, RebootInstancesOutput]{
	Name: "RebootInstances",
	Doc:  "Reboots instances, of which nothing is to be seen: an instance is a record.",

	Plan: func(tx *state.Txn, in *RebootInstancesInput) (*RebootInstancesOutput, error) {
		all, err := instancesNamed(tx, in.InstanceIds)
		if err != nil {
			return nil, err
		}
		for _, i := range all {
			if i.State != vpc.Running {
				return nil, fault.IncorrectInstanceState.With(fmt.Sprintf("The instance '%s' is not in the 'running' state.", i.ID))
			}
		}
		return &RebootInstancesOutput{Return: true}, nil
	},
}

// RebootInstancesInput is what RebootInstances takes.
type RebootInstancesInput struct {
	InstanceIds []string `in:"InstanceId"` // required
	DryRun      bool
}

// RebootInstancesOutput is what RebootInstances gives.
type RebootInstancesOutput struct {
	Return bool
}
