package ec2

import (
	"moat/action"
	"moat/state"
)

// MonitorInstances sets what is shown of monitoring.
var MonitorInstances = action.Write[MonitorInstancesInput, MonitorInstancesOutput]{
	Name: "MonitorInstances",
	Doc:  "Turns detailed monitoring of instances on, which is kept and shown: Moat measures no machines.",

	Plan: func(tx *state.Txn, in *MonitorInstancesInput) (*MonitorInstancesOutput, error) {
		all, err := instancesNamed(tx, in.InstanceIds)
		if err != nil {
			return nil, err
		}
		out := &MonitorInstancesOutput{}
		for _, i := range all {
			now := "enabled"
			if !i.Monitoring {
				c := *i
				c.Monitoring = true
				state.Instances.Put(tx, &c)
				now = "pending"
			}
			out.InstanceMonitorings = append(out.InstanceMonitorings, InstanceMonitoring{InstanceId: string(i.ID), Monitoring: &Monitoring{State: now}})
		}
		return out, nil
	},
}

// MonitorInstancesInput is what MonitorInstances takes.
type MonitorInstancesInput struct {
	InstanceIds []string `in:"InstanceId"` // required
	DryRun      bool
}

// MonitorInstancesOutput is what MonitorInstances gives.
type MonitorInstancesOutput struct {
	InstanceMonitorings []InstanceMonitoring `out:"instancesSet"`
}
