package ec2

import (
	"slices"

	"moat/action"
	"moat/state"
	"moat/vpc"
)

var GetManagedPrefixListAssociations = action.Read[GetManagedPrefixListAssociationsInput, GetManagedPrefixListAssociationsOutput]{
	Name: "GetManagedPrefixListAssociations",
	Doc:  "Lists the resources that refer to a prefix list of the account.",

	Read: func(c *action.Call, in *GetManagedPrefixListAssociationsInput) (*GetManagedPrefixListAssociationsOutput, error) {
		if err := checkListID(in.PrefixListId); err != nil {
			return nil, err
		}
		l, err := prefixListByID(c, in.PrefixListId)
		if err != nil {
			return nil, err
		}
		if err := notOfAWS(l); err != nil {
			return nil, err
		}
		groups := slices.Collect(state.Groups.By(c, state.GroupsByRef, string(l.ID)))
		page, next, err := action.Paged("GetManagedPrefixListAssociations", action.Page{Min: 5, Max: 255}, in, groups,
			func(g *vpc.SecurityGroup) string { return string(g.ID) })
		if err != nil {
			return nil, err
		}
		out := &GetManagedPrefixListAssociationsOutput{PrefixListAssociations: []PrefixListAssociation{}, NextToken: next}
		for _, g := range page {
			out.PrefixListAssociations = append(out.PrefixListAssociations, PrefixListAssociation{ResourceId: string(g.ID), ResourceOwner: string(g.Owner)})
		}
		return out, nil
	},
}

// GetManagedPrefixListAssociationsInput is what GetManagedPrefixListAssociations takes.
type GetManagedPrefixListAssociationsInput struct {
	DryRun       bool
	PrefixListId string // required
	MaxResults   *int32
	NextToken    string
}

// GetManagedPrefixListAssociationsOutput is what GetManagedPrefixListAssociations gives.
type GetManagedPrefixListAssociationsOutput struct {
	PrefixListAssociations []PrefixListAssociation `out:"prefixListAssociationSet"`
	NextToken              string
}
