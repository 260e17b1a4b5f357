package ec2

import (
	"moat/action"
	"moat/state"
	"moat/vpc"
)

var DescribeManagedPrefixLists = action.Describe[DescribeManagedPrefixListsInput, DescribeManagedPrefixListsOutput, *vpc.PrefixList, ManagedPrefixList]{
	Name: "DescribeManagedPrefixLists",
	Doc:  "Lists the prefix lists of the account and those that AWS manages.",
	List: "prefixListSet",

	IDs: func(c *action.Call, in *DescribeManagedPrefixListsInput) ([]*vpc.PrefixList, bool, error) {
		return namedLists(c, in.PrefixListIds, func(*vpc.PrefixList) bool { return true })
	},
	From: func(c *action.Call, _ *DescribeManagedPrefixListsInput, id string) seq[*vpc.PrefixList] {
		return listsFrom(c, id)
	},
	ID: func(l *vpc.PrefixList) string { return string(l.ID) },
	Filters: []action.Match[*vpc.PrefixList]{
		action.On("owner-id", func(l *vpc.PrefixList) string { return string(l.Owner) }),
		listIDFilter,
		listNameFilter,
	},
	Tags: taggedRows(state.PrefixLists, func(l *vpc.PrefixList) vpc.Tags { return l.Tags }),
	Page: action.Page{Min: 1, Max: 100, Default: 100},

	Shape: func(c *action.Call, l *vpc.PrefixList) ManagedPrefixList { return prefixListShape(c.Region, l) },
	Key: func(l *vpc.PrefixList) any {
		if l.IsAWS() { // made anew for each call
			return string(l.ID) + " " + l.Name
		}
		return l
	},
}

// DescribeManagedPrefixListsInput is what DescribeManagedPrefixLists takes.
type DescribeManagedPrefixListsInput struct {
	DryRun        bool
	Filters       []Filter `in:"Filter"`
	MaxResults    *int32
	NextToken     string
	PrefixListIds []string `in:"PrefixListId"`
}

// DescribeManagedPrefixListsOutput is what DescribeManagedPrefixLists gives.
type DescribeManagedPrefixListsOutput struct {
	NextToken   string
	PrefixLists []ManagedPrefixList `out:"prefixListSet"`
}
