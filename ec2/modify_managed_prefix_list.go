package ec2

import (
	"strings"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// ModifyManagedPrefixList answers modify-in-progress, as AWS does; by then the
// change is made, or has failed. Only a change of entries makes a new version.
var ModifyManagedPrefixList = action.Write[ModifyManagedPrefixListInput, ModifyManagedPrefixListOutput]{
	Name: "ModifyManagedPrefixList",
	Doc:  "Adds and removes entries of a prefix list, renames it, or changes how many entries it may have.",

	Plan: func(tx *state.Txn, in *ModifyManagedPrefixListInput) (*ModifyManagedPrefixListOutput, error) {
		if err := checkListID(in.PrefixListId); err != nil {
			return nil, err
		}
		entries := len(in.AddEntries)+len(in.RemoveEntries) > 0
		switch {
		case entries && in.MaxEntries != nil:
			return nil, fault.InvalidParameterCombination.Say("You cannot modify the entries and the maximum entries for the prefix list in the same request.")
		case entries && in.CurrentVersion == nil:
			return nil, fault.MissingParameter.With("CurrentVersion")
		case !entries && in.MaxEntries == nil && in.PrefixListName == "" && in.IpamPrefixListResolverSyncEnabled == nil:
			return nil, fault.InvalidRequest.With()
		}
		if err := checkVersion(in.CurrentVersion); err != nil {
			return nil, err
		}
		if err := checkEntryCount(max(len(in.AddEntries), len(in.RemoveEntries))); err != nil {
			return nil, err
		}
		if err := vpc.CheckPrefixListName(in.PrefixListName); err != nil {
			return nil, err
		}
		if in.MaxEntries != nil {
			if err := vpc.CheckPrefixListSize(*in.MaxEntries, tx.Quotas.PrefixListEntries); err != nil {
				return nil, err
			}
		}
		l, err := changeableList(tx, in.PrefixListId)
		if err != nil {
			return nil, err
		}
		if in.CurrentVersion != nil && *in.CurrentVersion != l.Version {
			return nil, fault.PrefixListVersionMismatch.With()
		}
		if s := in.IpamPrefixListResolverSyncEnabled; s != nil && *s {
			// No list has a resolver: those belong to IPAM, which Moat has not.
			return nil, fault.InvalidParameterValue.With("true", "IpamPrefixListResolverSyncEnabled", "The prefix list has no IPAM prefix list resolver target.")
		}

		next := ptr(*l)
		next.State, next.StateMessage = vpc.PrefixListModified, ""
		if entries {
			changed, err := changeEntries(l, in)
			if err != nil {
				return nil, err
			}
			next = nextVersion(tx, l, changed, vpc.PrefixListModified)
		}
		if in.PrefixListName != "" {
			next.Name = in.PrefixListName
		}
		if in.MaxEntries != nil {
			size := *in.MaxEntries
			if int(size) < len(l.Entries) {
				return nil, fault.PrefixListMaxEntriesExceeded.With(size)
			}
			next.MaxEntries = size
			if size > l.MaxEntries {
				if ids := cannotHold(tx, l, size); len(ids) > 0 {
					next = ptr(*l)
					next.State = vpc.PrefixListModifyFailed
					next.StateMessage = "The following resources do not support the new maximum number of entries: " + strings.Join(ids, ", ")
				}
			}
		}
		state.PrefixLists.Put(tx, next)
		return &ModifyManagedPrefixListOutput{changing(tx.Region, l, next.Name, "modify-in-progress")}, nil
	},
}

// changeEntries gives the entries of a list after a request's changes.
func changeEntries(l *vpc.PrefixList, in *ModifyManagedPrefixListInput) ([]vpc.PrefixListEntry, error) {
	add, err := parseEntries(l.Family, in.AddEntries)
	if err != nil {
		return nil, err
	}
	remove, err := parseRemovals(l.Family, in.RemoveEntries)
	if err != nil {
		return nil, err
	}
	changed, err := vpc.ChangeEntries(l.Entries, add, remove)
	if err != nil {
		return nil, err
	}
	if len(changed) > int(l.MaxEntries) {
		return nil, fault.PrefixListMaxEntriesExceeded.With(l.MaxEntries)
	}
	return changed, nil
}

// ModifyManagedPrefixListInput is what ModifyManagedPrefixList takes.
type ModifyManagedPrefixListInput struct {
	DryRun                            bool
	PrefixListId                      string // required
	CurrentVersion                    *int64
	PrefixListName                    string
	AddEntries                        []AddPrefixListEntry    `in:"AddEntry"`
	RemoveEntries                     []RemovePrefixListEntry `in:"RemoveEntry"`
	MaxEntries                        *int32
	IpamPrefixListResolverSyncEnabled *bool
}

// ModifyManagedPrefixListOutput is what ModifyManagedPrefixList gives.
type ModifyManagedPrefixListOutput struct {
	PrefixList *ManagedPrefixList
}
