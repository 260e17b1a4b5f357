package ec2

import (
	"fmt"
	"time"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// StartInstances starts instances that were stopped.
var StartInstances = action.Write[StartInstancesInput, StartInstancesOutput]{
	Name: "StartInstances",
	Doc:  "Starts instances that were stopped.",

	Plan: func(tx *state.Txn, in *StartInstancesInput) (*StartInstancesOutput, error) {
		all, err := instancesNamed(tx, in.InstanceIds)
		if err != nil {
			return nil, err
		}
		out := &StartInstancesOutput{StartingInstances: []InstanceStateChange{}}
		for _, i := range all {
			switch i.State {
			case vpc.Terminated:
				return nil, fault.IncorrectInstanceState.With(fmt.Sprintf("The instance '%s' is not in a state from which it can be started.", i.ID))
			case vpc.Running:
				out.StartingInstances = append(out.StartingInstances, stateChange(i, "running"))
				continue
			}
			c := *i
			c.State, c.Launched, c.Ended = vpc.Running, tx.Now, time.Time{}
			state.Instances.Put(tx, &c)
			if err := relaunchPublic(tx, i.ID); err != nil {
				return nil, err
			}
			out.StartingInstances = append(out.StartingInstances, stateChange(i, "pending"))
		}
		return out, nil
	},
}

// StartInstancesInput is what StartInstances takes.
type StartInstancesInput struct {
	InstanceIds    []string `in:"InstanceId"` // required
	AdditionalInfo string
	DryRun         bool
}

// StartInstancesOutput is what StartInstances gives.
type StartInstancesOutput struct {
	StartingInstances []InstanceStateChange `out:"instancesSet"`
}
