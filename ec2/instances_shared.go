package ec2

import (
	"cmp"
	"slices"
	"strings"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// instanceActions are about instances and their volumes.
var instanceActions = []action.Action{
	RunInstances, DescribeInstances, TerminateInstances, StartInstances, StopInstances, RebootInstances,
	AttachNetworkInterface, DetachNetworkInterface,
	DescribeInstanceStatus, DescribeInstanceAttribute, ModifyInstanceAttribute, ResetInstanceAttribute,
	ModifyInstanceMetadataOptions, ModifyInstanceMaintenanceOptions, ModifyInstanceCreditSpecification, DescribeInstanceCreditSpecifications,
	MonitorInstances, UnmonitorInstances, DescribeInstanceTypes, DescribeInstanceTypeOfferings, DescribeImages,
	DescribeVolumes, DeleteVolume,
}

var checkInstanceID = wellFormed(vpc.InstancePrefix, fault.InvalidInstanceIDMalformed)

// instanceOf gives the instance that a request names by a required parameter.
func instanceOf(tx *state.Txn, id string) (*vpc.Instance, error) {
	if id == "" {
		return nil, fault.MissingParameter.With("InstanceId")
	}
	all, err := instancesByID(tx, []string{id}, func(i *vpc.Instance) bool { return i.Shown(tx.Now) })
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// instancesByID gives the instances with the ids that a request lists, each
// once and in the order of the request; all that are missing are named in one
// refusal.
func instancesByID(r state.Reader, ids []string, shown func(*vpc.Instance) bool) ([]*vpc.Instance, error) {
	for _, id := range ids {
		if err := checkInstanceID(id); err != nil {
			return nil, err
		}
	}
	var out []*vpc.Instance
	var missing []string
	for _, id := range ids {
		i := state.Instances.Get(r, vpc.InstanceID(id))
		switch {
		case i == nil || !shown(i):
			missing = append(missing, id)
		case !slices.Contains(out, i):
			out = append(out, i)
		}
	}
	switch len(missing) {
	case 0:
		return out, nil
	case 1:
		return nil, fault.InvalidInstanceIDNotFound.With(missing[0])
	}
	return nil, fault.InvalidInstanceIDsNotFound.With(strings.Join(missing, ", "))
}

// instancesNamed gives the instances that a request has to name.
func instancesNamed(tx *state.Txn, ids []string) ([]*vpc.Instance, error) {
	if len(ids) == 0 {
		return nil, fault.MissingParameter.With("InstanceId")
	}
	return instancesByID(tx, ids, func(i *vpc.Instance) bool { return i.Shown(tx.Now) })
}

// interfacesOn gives the interfaces of an instance, the primary one first.
func interfacesOn(r state.Reader, id vpc.InstanceID) []*vpc.Interface {
	out := slices.Collect(state.Interfaces.By(r, state.InterfacesByAttachment, string(id)))
	slices.SortFunc(out, func(a, b *vpc.Interface) int {
		return cmp.Or(cmp.Compare(a.Attachment.CardIndex, b.Attachment.CardIndex), cmp.Compare(a.Attachment.DeviceIndex, b.Attachment.DeviceIndex))
	})
	return out
}

// codes are the numbers of the states, those that pass included.
var codes = map[string]int32{"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}

func instanceState(name string) *InstanceState {
	return &InstanceState{Code: ptr(codes[name]), Name: name}
}

// stateChange tells what a call did: EC2 answers with a state that passes, and
// the next look shows the one that lasts.
func stateChange(was *vpc.Instance, now string) InstanceStateChange {
	return InstanceStateChange{InstanceId: string(was.ID), PreviousState: instanceState(string(was.State)), CurrentState: instanceState(now)}
}

// A release takes an interface off its instance. What a device carries stays
// with it: who ends an instance over the API does not open the machine behind
// it, which the operator detaches.
func release(tx *state.Txn, i *vpc.Interface) {
	c := *i
	c.Public = i.WithoutPublic(vpc.PublicAddress.Launched)
	if i.Attachment.Device == nil {
		c.Attachment = nil
	} else {
		c.Attachment = &vpc.Attachment{ID: i.Attachment.ID, InstanceOwner: i.Owner, Attached: i.Attachment.Attached, Device: i.Attachment.Device}
	}
	state.Interfaces.Put(tx, &c)
}

// launchPublic gives an interface the public address that comes with a launch.
func launchPublic(tx *state.Txn, i *vpc.Interface) error {
	if len(i.Addresses) == 0 {
		return nil
	}
	if _, has := i.PublicFor(i.Addresses[0]); has {
		return nil
	}
	a, err := newPublicAddress(tx)
	if err != nil {
		return err
	}
	i.Public = append(slices.Clone(i.Public), vpc.PublicAddress{Private: i.Addresses[0], Address: a})
	return nil
}

// relaunchPublic gives the primary interface of an instance a public address
// again, if its launch asked for one and it is the only interface: EC2 user
// guide, "Amazon EC2 instance IP addressing".
func relaunchPublic(tx *state.Txn, id vpc.InstanceID) error {
	all := interfacesOn(tx, id)
	if len(all) != 1 || !all[0].PublicIPOnAttach {
		return nil
	}
	c := *all[0]
	if err := launchPublic(tx, &c); err != nil {
		return err
	}
	state.Interfaces.Put(tx, &c)
	return nil
}
