package ec2

import (
	"moat/action"
	"moat/vpc"
)

// DescribeInstanceStatus tells of checks that a record always passes.
var DescribeInstanceStatus = action.Describe[DescribeInstanceStatusInput, DescribeInstanceStatusOutput, *vpc.Instance, InstanceStatus]{
	Name: "DescribeInstanceStatus",
	Doc:  "Lists the status of instances: of those that run, unless all are asked for.",
	List: "instanceStatusSet",

	IDs: func(c *action.Call, in *DescribeInstanceStatusInput) ([]*vpc.Instance, bool, error) {
		rows, ok, err := shownInstances(c, in.InstanceIds)
		if in.IncludeAllInstances == nil || !*in.IncludeAllInstances {
			rows = runningOf(rows)
		}
		return rows, ok, err
	},
	From: func(c *action.Call, in *DescribeInstanceStatusInput, id string) seq[*vpc.Instance] {
		all := in.IncludeAllInstances != nil && *in.IncludeAllInstances
		return func(yield func(*vpc.Instance) bool) {
			for i := range instancesFrom(c, id) {
				if (all || i.State == vpc.Running) && !yield(i) {
					return
				}
			}
		}
	},
	ID:   func(i *vpc.Instance) string { return string(i.ID) },
	Page: instancePage,

	Filters: []action.Match[*vpc.Instance]{
		action.On("availability-zone", func(i *vpc.Instance) string { return i.AvailabilityZone }),
		{Name: "availability-zone-id", Values: func(c *action.Call, i *vpc.Instance, yield func(string)) { yield(zoneIDOf(c, i.AvailabilityZone)) }},
		action.On("instance-state-name", func(i *vpc.Instance) string { return string(i.State) }),
		action.On("instance-state-code", func(i *vpc.Instance) string { return stateCode(i) }),
		action.On("instance-status.status", statusOf), action.On("instance-status.reachability", reachabilityOf),
		action.On("system-status.status", statusOf), action.On("system-status.reachability", reachabilityOf),
		action.On("attached-ebs-status.status", statusOf),
		action.OnBool("operator.managed", func(*vpc.Instance) bool { return false }), never[*vpc.Instance]("operator.principal"),
		never[*vpc.Instance]("event.code"), never[*vpc.Instance]("event.description"), never[*vpc.Instance]("event.instance-event-id"),
		never[*vpc.Instance]("event.not-after"), never[*vpc.Instance]("event.not-before"), never[*vpc.Instance]("event.not-before-deadline"),
	},
	Tags: &action.Tags[*vpc.Instance]{Of: func(i *vpc.Instance) vpc.Tags { return i.Tags }},

	Shape: func(c *action.Call, i *vpc.Instance) InstanceStatus {
		s := InstanceStatus{
			AvailabilityZone: i.AvailabilityZone, AvailabilityZoneId: zoneIDOf(c, i.AvailabilityZone), InstanceId: string(i.ID),
			InstanceState: instanceState(string(i.State)), Operator: &OperatorResponse{},
			InstanceStatus: statusSummary(i), SystemStatus: statusSummary(i),
		}
		e := EbsStatusSummary{Status: statusOf(i)}
		if r := reachabilityOf(i); r != "" {
			e.Details = []EbsStatusDetails{{Name: "reachability", Status: r}}
		}
		s.AttachedEbsStatus = &e
		return s
	},
}

func runningOf(all []*vpc.Instance) (out []*vpc.Instance) {
	for _, i := range all {
		if i.State == vpc.Running {
			out = append(out, i)
		}
	}
	return out
}

func statusOf(i *vpc.Instance) string {
	if i.State == vpc.Running {
		return "ok"
	}
	return "not-applicable"
}

func reachabilityOf(i *vpc.Instance) string {
	if i.State == vpc.Running {
		return "passed"
	}
	return ""
}

func statusSummary(i *vpc.Instance) *InstanceStatusSummary {
	s := &InstanceStatusSummary{Status: statusOf(i)}
	if r := reachabilityOf(i); r != "" {
		s.Details = []InstanceStatusDetails{{Name: "reachability", Status: r}}
	}
	return s
}

// DescribeInstanceStatusInput is what DescribeInstanceStatus takes.
type DescribeInstanceStatusInput struct {
	InstanceIds             []string `in:"InstanceId"`
	MaxResults              *int32
	NextToken               string
	IncludeManagedResources *bool
	DryRun                  bool
	Filters                 []Filter `in:"Filter"`
	IncludeAllInstances     *bool
}

// DescribeInstanceStatusOutput is what DescribeInstanceStatus gives.
type DescribeInstanceStatusOutput struct {
	InstanceStatuses []InstanceStatus `out:"instanceStatusSet"`
	NextToken        string
}
