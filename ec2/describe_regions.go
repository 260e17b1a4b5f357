package ec2

import (
	"slices"
	"strings"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// DescribeRegions lists the regions of the caller's partition.
var DescribeRegions = action.Describe[DescribeRegionsInput, DescribeRegionsOutput, vpc.Region, Region]{
	Name: "DescribeRegions",
	Doc:  `Lists the regions that are enabled for the account, or all.`,
	List: "regionInfo",
	IDs: func(c *action.Call, in *DescribeRegionsInput) (named []vpc.Region, ok bool, err error) {
		all := regionsSeenBy(c)
		for _, name := range in.RegionNames {
			i := slices.IndexFunc(all, func(r vpc.Region) bool { return r.Name == name })
			if i < 0 {
				return nil, false, fault.InvalidParameterValue.Say("Invalid region: [%s]", name)
			}
			named = append(named, all[i])
		}
		return named, len(named) > 0, nil
	},
	From: func(c *action.Call, in *DescribeRegionsInput, _ string) seq[vpc.Region] {
		all := regionsSeenBy(c)
		if in.AllRegions == nil || !*in.AllRegions {
			all = slices.DeleteFunc(all, func(r vpc.Region) bool { return optIn(c, r) == "not-opted-in" })
		}
		return slices.Values(all)
	},
	ID: func(r vpc.Region) string { return r.Name },
	Filters: []action.Match[vpc.Region]{
		action.On("endpoint", func(r vpc.Region) string { return r.Endpoint() }),
		{Name: "opt-in-status", Values: func(c *action.Call, r vpc.Region, yield func(string)) { yield(optIn(c, r)) }},
		action.On("region-name", func(r vpc.Region) string { return r.Name }),
	},
	Shape: func(c *action.Call, r vpc.Region) Region {
		shape := Region{OptInStatus: optIn(c, r), RegionName: r.Name, Endpoint: r.Endpoint()}
		if r.Country != "" {
			shape.Geography = []RegionGeography{{r.Country}}
		}
		return shape
	},
}

// regionsSeenBy gives the regions of the partition that the call came to, and
// the region itself, which may be one that AWS does not have.
func regionsSeenBy(c *action.Call) []vpc.Region {
	here := vpc.RegionNamed(c.Region)
	all := slices.DeleteFunc(vpc.Regions(), func(r vpc.Region) bool { return r.Partition() != here.Partition() })
	if i, ok := slices.BinarySearchFunc(all, here.Name, func(r vpc.Region, name string) int { return strings.Compare(r.Name, name) }); !ok {
		all = slices.Insert(all, i, here)
	}
	return all
}

// optIn gives the opt-in status of a region. Using a region that needs opting
// in is opting in.
func optIn(c *action.Call, r vpc.Region) string {
	switch {
	case !r.OptIn:
		return optInNotRequired
	case r.Name == c.Region || c.View.Used(state.Scope{Region: r.Name, Account: c.Account}):
		return "opted-in"
	}
	return "not-opted-in"
}

// DescribeRegionsInput is what DescribeRegions takes.
type DescribeRegionsInput struct {
	RegionNames []string `in:"RegionName"`
	AllRegions  *bool
	DryRun      bool
	Filters     []Filter `in:"Filter"`
}

// DescribeRegionsOutput is what DescribeRegions gives.
type DescribeRegionsOutput struct {
	Regions []Region `out:"regionInfo"`
}
