package ec2

import (
	"fmt"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// TerminateInstances ends instances for good.
var TerminateInstances = action.Write[TerminateInstancesInput, TerminateInstancesOutput]{
	Name: "TerminateInstances",
	Doc:  "Terminates instances. Their interfaces and volumes go too where they are marked to; one that a device carries stays with the device.",

	Plan: func(tx *state.Txn, in *TerminateInstancesInput) (*TerminateInstancesOutput, error) {
		all, err := instancesNamed(tx, in.InstanceIds)
		if err != nil {
			return nil, err
		}
		out := &TerminateInstancesOutput{TerminatingInstances: []InstanceStateChange{}}
		for _, i := range all {
			if i.State == vpc.Terminated {
				out.TerminatingInstances = append(out.TerminatingInstances, stateChange(i, "terminated"))
				continue
			}
			if i.DisableTermination {
				return nil, fault.OperationNotPermitted.With(fmt.Sprintf("The instance '%s' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again.", i.ID))
			}
			terminate(tx, i)
			out.TerminatingInstances = append(out.TerminatingInstances, stateChange(i, "shutting-down"))
		}
		return out, nil
	},
}

// terminate ends one instance.
func terminate(tx *state.Txn, i *vpc.Instance) {
	for _, eni := range interfacesOn(tx, i.ID) {
		if eni.Attachment.DeleteOnTermination && eni.Attachment.Device == nil {
			state.Interfaces.Delete(tx, eni.ID)
		} else {
			release(tx, eni)
		}
	}
	var disks []*vpc.Volume
	for v := range state.Volumes.By(tx, state.VolumesByInstance, string(i.ID)) {
		disks = append(disks, v)
	}
	for _, v := range disks {
		if v.DeleteOnTermination {
			state.Volumes.Delete(tx, v.ID)
			continue
		}
		c := *v
		c.Instance, c.Device, c.DeleteOnTermination = "", "", false
		state.Volumes.Put(tx, &c)
	}
	c := *i
	c.State, c.Ended = vpc.Terminated, tx.Now
	state.Instances.Put(tx, &c)
}

// TerminateInstancesInput is what TerminateInstances takes.
type TerminateInstancesInput struct {
	InstanceIds    []string `in:"InstanceId"` // required
	Force          *bool
	SkipOsShutdown *bool
	DryRun         bool
}

// TerminateInstancesOutput is what TerminateInstances gives.
type TerminateInstancesOutput struct {
	TerminatingInstances []InstanceStateChange `out:"instancesSet"`
}
