package ec2

import (
	"math"
	"slices"

	"moat/action"
	"moat/vpc"
)

// DescribePrefixLists is from before an account could have lists of its own,
// and does not show them.
var DescribePrefixLists = action.Describe[DescribePrefixListsInput, DescribePrefixListsOutput, *vpc.PrefixList, PrefixList]{
	Name: "DescribePrefixLists",
	Doc:  "Lists the prefix lists that AWS manages, with their address ranges.",
	List: "prefixListSet",

	IDs: func(c *action.Call, in *DescribePrefixListsInput) ([]*vpc.PrefixList, bool, error) {
		return namedLists(c, in.PrefixListIds, (*vpc.PrefixList).IsAWS)
	},
	From: func(c *action.Call, _ *DescribePrefixListsInput, _ string) seq[*vpc.PrefixList] {
		return slices.Values(vpc.AWSPrefixLists(c.Region))
	},
	ID: func(l *vpc.PrefixList) string { return string(l.ID) },
	Filters: []action.Match[*vpc.PrefixList]{
		action.On("prefix-list-id", func(l *vpc.PrefixList) string { return string(l.ID) }),
		action.On("prefix-list-name", func(l *vpc.PrefixList) string { return l.Name }),
	},
	Page: action.Page{Min: 1, Max: math.MaxInt32}, // EC2 names no bounds

	Shape: func(_ *action.Call, l *vpc.PrefixList) PrefixList {
		s := PrefixList{PrefixListId: string(l.ID), PrefixListName: l.Name, Cidrs: []string{}}
		for _, e := range l.Entries {
			s.Cidrs = append(s.Cidrs, e.CIDR.String())
		}
		return s
	},
}

// DescribePrefixListsInput is what DescribePrefixLists takes.
type DescribePrefixListsInput struct {
	DryRun        bool
	Filters       []Filter `in:"Filter"`
	MaxResults    *int32
	NextToken     string
	PrefixListIds []string `in:"PrefixListId"`
}

// DescribePrefixListsOutput is what DescribePrefixLists gives.
type DescribePrefixListsOutput struct {
	NextToken   string
	PrefixLists []PrefixList `out:"prefixListSet"`
}
