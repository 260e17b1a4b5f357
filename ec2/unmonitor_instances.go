package ec2

import (
	"moat/action"
	"moat/state"
)

// UnmonitorInstances sets what is shown of monitoring.
var UnmonitorInstances = action.Write[UnmonitorInstancesInput, UnmonitorInstancesOutput]{
	Name: "UnmonitorInstances",
	Doc:  "Turns detailed monitoring of instances off.",

	Plan: func(tx *state.Txn, in *UnmonitorInstancesInput) (*UnmonitorInstancesOutput, error) {
		all, err := instancesNamed(tx, in.InstanceIds)
		if err != nil {
			return nil, err
		}
		out := &UnmonitorInstancesOutput{}
		for _, i := range all {
			now := "disabled"
			if i.Monitoring {
				c := *i
				c.Monitoring = false
				state.Instances.Put(tx, &c)
				now = "disabling"
			}
			out.InstanceMonitorings = append(out.InstanceMonitorings, InstanceMonitoring{InstanceId: string(i.ID), Monitoring: &Monitoring{State: now}})
		}
		return out, nil
	},
}

// UnmonitorInstancesInput is what UnmonitorInstances takes.
type UnmonitorInstancesInput struct {
	InstanceIds []string `in:"InstanceId"` // required
	DryRun      bool
}

// UnmonitorInstancesOutput is what UnmonitorInstances gives.
type UnmonitorInstancesOutput struct {
	InstanceMonitorings []InstanceMonitoring `out:"instancesSet"`
}
