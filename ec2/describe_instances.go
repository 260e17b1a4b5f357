package ec2

import (
	"moat/action"
	"moat/vpc"
)

// DescribeInstances lists instances by the calls that launched them.
var DescribeInstances = action.Describe[DescribeInstancesInput, DescribeInstancesOutput, *vpc.Instance, Reservation]{
	Name: "DescribeInstances",
	Doc:  "Lists instances, by id or by filter, under the reservations that they were launched in. A terminated one is shown for an hour.",
	List: "reservationSet",

	// No service manages instances here, so IncludeManagedResources has none to
	// include.
	IDs: func(c *action.Call, in *DescribeInstancesInput) ([]*vpc.Instance, bool, error) {
		return shownInstances(c, in.InstanceIds)
	},
	From: func(c *action.Call, _ *DescribeInstancesInput, id string) seq[*vpc.Instance] {
		return instancesFrom(c, id)
	},
	ID:   func(i *vpc.Instance) string { return string(i.ID) },
	Page: instancePage,

	Filters: instanceFilters,
	Tags:    taggedInstances,

	// Instances come in the order of their ids; a reservation stands where its
	// first instance is, and again on the next page if it has more there.
	Gather: func(c *action.Call, rows []*vpc.Instance) []Reservation {
		var out []Reservation
		at := map[string]int{}
		for _, i := range rows {
			n, ok := at[i.Reservation]
			if !ok {
				n = len(out)
				at[i.Reservation] = n
				out = append(out, Reservation{ReservationId: i.Reservation, OwnerId: string(i.Owner)})
			}
			out[n].Instances = append(out[n].Instances, instanceShape(c, c.Region, i))
		}
		return out
	},
}

// DescribeInstancesInput is what DescribeInstances takes.
type DescribeInstancesInput struct {
	InstanceIds             []string `in:"InstanceId"`
	IncludeManagedResources *bool
	DryRun                  bool
	Filters                 []Filter `in:"Filter"`
	NextToken               string
	MaxResults              *int32
}

// DescribeInstancesOutput is what DescribeInstances gives.
type DescribeInstancesOutput struct {
	NextToken    string
	Reservations []Reservation `out:"reservationSet"`
}
