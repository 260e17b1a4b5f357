package ec2

import (
	"fmt"

	"moat/action"
	"moat/fault"
	"moat/vpc"
)

var GetManagedPrefixListEntries = action.Read[GetManagedPrefixListEntriesInput, GetManagedPrefixListEntriesOutput]{
	Name: "GetManagedPrefixListEntries",
	Doc:  "Lists the entries of a prefix list, now or at an earlier version.",

	Read: func(c *action.Call, in *GetManagedPrefixListEntriesInput) (*GetManagedPrefixListEntriesOutput, error) {
		if err := checkListID(in.PrefixListId); err != nil {
			return nil, err
		}
		if err := checkVersion(in.TargetVersion); err != nil {
			return nil, err
		}
		l := findPrefixList(c, in.PrefixListId)
		if l == nil {
			return nil, fault.InvalidPrefixListNotFound.Say("The prefix list (%s) does not exist.", in.PrefixListId)
		}
		entries := l.Entries
		if in.TargetVersion != nil {
			var err error
			if entries, err = entriesAt(c, l, *in.TargetVersion); err != nil {
				return nil, err
			}
		}
		page, next, err := action.Paged("GetManagedPrefixListEntries", action.Page{Min: 1, Max: 100, Default: 100}, in, entries, entryKey)
		if err != nil {
			return nil, err
		}
		out := &GetManagedPrefixListEntriesOutput{Entries: []PrefixListEntry{}, NextToken: next}
		for _, e := range page {
			out.Entries = append(out.Entries, PrefixListEntry{Cidr: e.CIDR.String(), Description: e.Description})
		}
		return out, nil
	},
}

// entryKey gives a text that sorts as the entries of a list do.
func entryKey(e vpc.PrefixListEntry) string {
	return fmt.Sprintf("%x/%03d", e.CIDR.Addr().As16(), e.CIDR.Bits())
}

// GetManagedPrefixListEntriesInput is what GetManagedPrefixListEntries takes.
type GetManagedPrefixListEntriesInput struct {
	DryRun        bool
	PrefixListId  string // required
	TargetVersion *int64
	MaxResults    *int32
	NextToken     string
}

// GetManagedPrefixListEntriesOutput is what GetManagedPrefixListEntries gives.
type GetManagedPrefixListEntriesOutput struct {
	Entries   []PrefixListEntry `out:"entrySet"`
	NextToken string
}
