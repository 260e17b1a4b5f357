package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// CreateManagedPrefixList answers create-in-progress, as AWS does; the list is
// there already, and its next description says create-complete.
var CreateManagedPrefixList = action.Write[CreateManagedPrefixListInput, CreateManagedPrefixListOutput]{
	Name: "CreateManagedPrefixList",
	Doc:  "Creates a prefix list: a named set of address ranges that rules can refer to.",

	Plan: func(tx *state.Txn, in *CreateManagedPrefixListInput) (*CreateManagedPrefixListOutput, error) {
		switch {
		case in.PrefixListName == "":
			return nil, fault.MissingParameter.With("PrefixListName")
		case in.MaxEntries == nil:
			return nil, fault.MissingParameter.With("MaxEntries")
		case in.AddressFamily == "":
			return nil, fault.MissingParameter.With("AddressFamily")
		case in.AddressFamily != vpc.FamilyIPv4 && in.AddressFamily != vpc.FamilyIPv6:
			return nil, fault.InvalidParameterValue.With(in.AddressFamily, "AddressFamily", "Valid values are IPv4 and IPv6.")
		}
		if err := vpc.CheckPrefixListName(in.PrefixListName); err != nil {
			return nil, err
		}
		if err := vpc.CheckPrefixListSize(*in.MaxEntries, tx.Quotas.PrefixListEntries); err != nil {
			return nil, err
		}
		if err := checkEntryCount(len(in.Entries)); err != nil {
			return nil, err
		}
		add, err := parseEntries(in.AddressFamily, in.Entries)
		if err != nil {
			return nil, err
		}
		entries, err := vpc.ChangeEntries(nil, add, nil)
		if err != nil {
			return nil, err
		}
		if len(entries) > int(*in.MaxEntries) {
			return nil, fault.PrefixListMaxEntriesExceeded.With(*in.MaxEntries)
		}
		tags, err := taggedWith(tx, in.TagSpecifications, "prefix-list")
		if err != nil {
			return nil, err
		}
		if state.PrefixLists.Len(tx) >= tx.Quotas.PrefixListsPerRegion {
			return nil, fault.PrefixListLimitExceeded.With()
		}
		l := &vpc.PrefixList{
			ID: vpc.PrefixListID(tx.NewID(vpc.PrefixListPrefix)), Owner: tx.Account,
			Name: in.PrefixListName, Family: in.AddressFamily, MaxEntries: *in.MaxEntries,
			State: vpc.PrefixListCreated, Version: 1, Entries: entries, Tags: tags,
		}
		state.PrefixLists.Put(tx, l)
		return &CreateManagedPrefixListOutput{changing(tx.Region, l, l.Name, "create-in-progress")}, nil
	},

	Created: func(out *CreateManagedPrefixListOutput) string { return out.PrefixList.PrefixListId },
	Replay: func(tx *state.Txn, _ *CreateManagedPrefixListInput, id string) (*CreateManagedPrefixListOutput, error) {
		l, err := prefixListByID(tx, id)
		if err != nil {
			return nil, err
		}
		return &CreateManagedPrefixListOutput{ptr(prefixListShape(tx.Region, l))}, nil
	},
}

// CreateManagedPrefixListInput is what CreateManagedPrefixList takes.
type CreateManagedPrefixListInput struct {
	DryRun            bool
	PrefixListName    string               // required
	Entries           []AddPrefixListEntry `in:"Entry"`
	MaxEntries        *int32               // required
	TagSpecifications []TagSpecification   `in:"TagSpecification"`
	AddressFamily     string               // required
	ClientToken       string
}

// CreateManagedPrefixListOutput is what CreateManagedPrefixList gives.
type CreateManagedPrefixListOutput struct {
	PrefixList *ManagedPrefixList
}
