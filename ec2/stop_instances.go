package ec2

import (
	"fmt"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// StopInstances stops instances, which can be started again.
var StopInstances = action.Write[StopInstancesInput, StopInstancesOutput]{
	Name: "StopInstances",
	Doc:  "Stops instances. They keep their interfaces; a public address that came with the launch goes.",

	Plan: func(tx *state.Txn, in *StopInstancesInput) (*StopInstancesOutput, error) {
		all, err := instancesNamed(tx, in.InstanceIds)
		if err != nil {
			return nil, err
		}
		out := &StopInstancesOutput{StoppingInstances: []InstanceStateChange{}}
		for _, i := range all {
			switch {
			case i.State == vpc.Terminated:
				return nil, fault.IncorrectInstanceState.With(fmt.Sprintf("This instance '%s' is not in a state from which it can be stopped.", i.ID))
			case i.State == vpc.Stopped:
				out.StoppingInstances = append(out.StoppingInstances, stateChange(i, "stopped"))
				continue
			case i.DisableStop:
				return nil, fault.OperationNotPermitted.With(fmt.Sprintf("The instance '%s' may not be stopped. Modify its 'disableApiStop' instance attribute and try again.", i.ID))
			case in.Hibernate != nil && *in.Hibernate && !i.Hibernation:
				return nil, fault.UnsupportedHibernation.With(fmt.Sprintf("The instance '%s' is not configured for hibernation.", i.ID))
			}
			for _, eni := range interfacesOn(tx, i.ID) {
				if left := eni.WithoutPublic(vpc.PublicAddress.Launched); len(left) != len(eni.Public) {
					c := *eni
					c.Public = left
					state.Interfaces.Put(tx, &c)
				}
			}
			c := *i
			c.State, c.Ended = vpc.Stopped, tx.Now
			state.Instances.Put(tx, &c)
			out.StoppingInstances = append(out.StoppingInstances, stateChange(i, "stopping"))
		}
		return out, nil
	},
}

// StopInstancesInput is what StopInstances takes.
type StopInstancesInput struct {
	InstanceIds    []string `in:"InstanceId"` // required
	Hibernate      *bool
	SkipOsShutdown *bool
	DryRun         bool
	Force          *bool
}

// StopInstancesOutput is what StopInstances gives.
type StopInstancesOutput struct {
	StoppingInstances []InstanceStateChange `out:"instancesSet"`
}
