package ec2

import (
	"fmt"
	"math"

	"moat/action"
	"moat/state"
	"moat/vpc"
)

// DeleteManagedPrefixList answers delete-in-progress, as AWS does, whatever
// comes of it: the list is gone, or stays as delete-failed because rules name
// it, and its state message says which.
var DeleteManagedPrefixList = action.Write[DeleteManagedPrefixListInput, DeleteManagedPrefixListOutput]{
	Name: "DeleteManagedPrefixList",
	Doc:  "Deletes a prefix list that no rule refers to.",

	Plan: func(tx *state.Txn, in *DeleteManagedPrefixListInput) (*DeleteManagedPrefixListOutput, error) {
		if err := checkListID(in.PrefixListId); err != nil {
			return nil, err
		}
		l, err := changeableList(tx, in.PrefixListId)
		if err != nil {
			return nil, err
		}
		if by := rulesNaming(tx, l.ID); len(by) > 0 {
			kept := *l
			kept.State = vpc.PrefixListDeleteFailed
			kept.StateMessage = holders(fmt.Sprintf("The prefix list %s is in use", l.ID), by)
			state.PrefixLists.Put(tx, &kept)
		} else {
			forgetVersions(tx, l.ID, math.MaxInt64)
			state.PrefixLists.Delete(tx, l.ID)
		}
		return &DeleteManagedPrefixListOutput{changing(tx.Region, l, l.Name, "delete-in-progress")}, nil
	},
}

// DeleteManagedPrefixListInput is what DeleteManagedPrefixList takes.
type DeleteManagedPrefixListInput struct {
	DryRun       bool
	PrefixListId string // required
}

// DeleteManagedPrefixListOutput is what DeleteManagedPrefixList gives.
type DeleteManagedPrefixListOutput struct {
	PrefixList *ManagedPrefixList
}
