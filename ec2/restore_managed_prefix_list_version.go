package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// RestoreManagedPrefixListVersion answers restore-in-progress, as AWS does; the
// list has its new version by then.
var RestoreManagedPrefixListVersion = action.Write[RestoreManagedPrefixListVersionInput, RestoreManagedPrefixListVersionOutput]{
	Name: "RestoreManagedPrefixListVersion",
	Doc:  "Gives a prefix list the entries of an earlier version, as a new version.",

	Plan: func(tx *state.Txn, in *RestoreManagedPrefixListVersionInput) (*RestoreManagedPrefixListVersionOutput, error) {
		if err := checkListID(in.PrefixListId); err != nil {
			return nil, err
		}
		switch {
		case in.PreviousVersion == nil:
			return nil, fault.MissingParameter.With("PreviousVersion")
		case in.CurrentVersion == nil:
			return nil, fault.MissingParameter.With("CurrentVersion")
		}
		for _, v := range []*int64{in.PreviousVersion, in.CurrentVersion} {
			if err := checkVersion(v); err != nil {
				return nil, err
			}
		}
		l, err := changeableList(tx, in.PrefixListId)
		if err != nil {
			return nil, err
		}
		if *in.CurrentVersion != l.Version {
			return nil, fault.PrefixListVersionMismatch.With()
		}
		entries, err := entriesAt(tx, l, *in.PreviousVersion)
		if err != nil {
			return nil, err
		}
		if len(entries) > int(l.MaxEntries) { // it was larger then
			return nil, fault.PrefixListMaxEntriesExceeded.With(l.MaxEntries)
		}
		state.PrefixLists.Put(tx, nextVersion(tx, l, entries, vpc.PrefixListRestored))
		return &RestoreManagedPrefixListVersionOutput{changing(tx.Region, l, l.Name, "restore-in-progress")}, nil
	},
}

// RestoreManagedPrefixListVersionInput is what RestoreManagedPrefixListVersion takes.
type RestoreManagedPrefixListVersionInput struct {
	DryRun          bool
	PrefixListId    string // required
	PreviousVersion *int64 // required
	CurrentVersion  *int64 // required
}

// RestoreManagedPrefixListVersionOutput is what RestoreManagedPrefixListVersion gives.
type RestoreManagedPrefixListVersionOutput struct {
	PrefixList *ManagedPrefixList
}
