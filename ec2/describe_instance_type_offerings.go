package ec2

import (
	"moat/action"
	"moat/vpc"
)

// An offering is a type at a location.
type offering struct {
	kind     *vpc.InstanceType
	location string
	by       string // region, availability-zone or availability-zone-id
}

// DescribeInstanceTypeOfferings lists where the types can be had: everywhere.
var DescribeInstanceTypeOfferings = action.Describe[DescribeInstanceTypeOfferingsInput, DescribeInstanceTypeOfferingsOutput, offering, InstanceTypeOffering]{
	Name: "DescribeInstanceTypeOfferings",
	Doc:  "Lists the machine types by region or by zone. Every zone has all of them.",
	List: "instanceTypeOfferingSet",

	Check: func(_ *action.Call, in *DescribeInstanceTypeOfferingsInput) error {
		if in.LocationType == "" {
			return nil
		}
		return oneOf("locationType", in.LocationType, "region", "availability-zone", "availability-zone-id")
	},
	From: func(c *action.Call, in *DescribeInstanceTypeOfferingsInput, from string) seq[offering] {
		by, places := in.LocationType, []string{c.Region}
		if by == "" {
			by = "region"
		}
		if by != "region" {
			places = nil
			for _, z := range vpc.Zones(c.Region) {
				if by == "availability-zone" {
					places = append(places, z.Name)
				} else {
					places = append(places, z.ID)
				}
			}
		}
		return func(yield func(offering) bool) {
			for _, t := range vpc.InstanceTypes() {
				for _, p := range places {
					if o := (offering{t, p, by}); o.id() >= from && !yield(o) {
						return
					}
				}
			}
		}
	},
	ID: offering.id,
	Filters: []action.Match[offering]{
		action.On("instance-type", func(o offering) string { return o.kind.Name }),
		action.On("location", func(o offering) string { return o.location }),
	},
	Shape: func(_ *action.Call, o offering) InstanceTypeOffering {
		return InstanceTypeOffering{InstanceType: o.kind.Name, LocationType: o.by, Location: o.location}
	},
}

func (o offering) id() string { return o.kind.Name + " " + o.location }

// DescribeInstanceTypeOfferingsInput is what DescribeInstanceTypeOfferings takes.
type DescribeInstanceTypeOfferingsInput struct {
	DryRun       bool
	LocationType string
	Filters      []Filter `in:"Filter"`
	MaxResults   *int32
	NextToken    string
}

// DescribeInstanceTypeOfferingsOutput is what DescribeInstanceTypeOfferings gives.
type DescribeInstanceTypeOfferingsOutput struct {
	InstanceTypeOfferings []InstanceTypeOffering `out:"instanceTypeOfferingSet"`
	NextToken             string
}
