package ec2

import (
	"moat/action"
	"moat/vpc"
)

// DescribeInstanceCreditSpecifications lists the credit options of burstable
// instances.
var DescribeInstanceCreditSpecifications = action.Describe[DescribeInstanceCreditSpecificationsInput, DescribeInstanceCreditSpecificationsOutput, *vpc.Instance, InstanceCreditSpecification]{
	Name: "DescribeInstanceCreditSpecifications",
	Doc:  "Lists the option for CPU credits of burstable instances: of those named, or else of those that are unlimited.",
	List: "instanceCreditSpecificationSet",

	IDs: func(c *action.Call, in *DescribeInstanceCreditSpecificationsInput) ([]*vpc.Instance, bool, error) {
		rows, ok, err := shownInstances(c, in.InstanceIds)
		var burstable []*vpc.Instance
		for _, i := range rows {
			if i.CPUCredits != "" {
				burstable = append(burstable, i)
			}
		}
		return burstable, ok, err
	},
	From: func(c *action.Call, _ *DescribeInstanceCreditSpecificationsInput, id string) seq[*vpc.Instance] {
		return func(yield func(*vpc.Instance) bool) {
			for i := range instancesFrom(c, id) {
				if i.CPUCredits == "unlimited" && !yield(i) {
					return
				}
			}
		}
	},
	ID:      func(i *vpc.Instance) string { return string(i.ID) },
	Page:    instancePage,
	Filters: []action.Match[*vpc.Instance]{action.On("instance-id", func(i *vpc.Instance) string { return string(i.ID) })},
	Shape: func(_ *action.Call, i *vpc.Instance) InstanceCreditSpecification {
		return InstanceCreditSpecification{InstanceId: string(i.ID), CpuCredits: i.CPUCredits}
	},
}

// DescribeInstanceCreditSpecificationsInput is what DescribeInstanceCreditSpecifications takes.
type DescribeInstanceCreditSpecificationsInput struct {
	DryRun      bool
	Filters     []Filter `in:"Filter"`
	InstanceIds []string `in:"InstanceId"`
	MaxResults  *int32
	NextToken   string
}

// DescribeInstanceCreditSpecificationsOutput is what DescribeInstanceCreditSpecifications gives.
type DescribeInstanceCreditSpecificationsOutput struct {
	InstanceCreditSpecifications []InstanceCreditSpecification `out:"instanceCreditSpecificationSet"`
	NextToken                    string
}
