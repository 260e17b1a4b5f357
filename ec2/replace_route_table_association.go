package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// ReplaceRouteTableAssociation lets what uses a route table use another one;
// with the main association it makes another table the main one.
var ReplaceRouteTableAssociation = action.Write[ReplaceRouteTableAssociationInput, ReplaceRouteTableAssociationOutput]{
	Name: "ReplaceRouteTableAssociation",
	Doc:  `Replaces the route table of an association by another of the same VPC, also of the main one.`,
	Plan: func(tx *state.Txn, in *ReplaceRouteTableAssociationInput) (*ReplaceRouteTableAssociationOutput, error) {
		if err := allGiven("associationId", in.AssociationId, "routeTableId", in.RouteTableId); err != nil {
			return nil, err
		}
		if err := checkRouteTableID(in.RouteTableId); err != nil {
			return nil, err
		}
		old, err := tableAssociationOf(tx, in.AssociationId)
		if err != nil {
			return nil, err
		}
		t, err := routeTableOf(tx, in.RouteTableId)
		if err != nil {
			return nil, err
		}
		if t.VPC != old.VPC {
			return nil, fault.InvalidParameterValue.Say("Route table %s and association %s belong to different networks", t.ID, old.ID)
		}
		a := *old
		a.ID, a.Table = vpc.AssociationID(tx.NewID(vpc.RouteTableAssociationPrefix)), t.ID
		state.RouteTableAssociations.Delete(tx, old.ID)
		state.RouteTableAssociations.Put(tx, &a)
		return &ReplaceRouteTableAssociationOutput{
			NewAssociationId: string(a.ID), AssociationState: &RouteTableAssociationState{State: "associated"},
		}, nil
	},
}

// ReplaceRouteTableAssociationInput is what ReplaceRouteTableAssociation takes.
type ReplaceRouteTableAssociationInput struct {
	DryRun        bool
	AssociationId string // required
	RouteTableId  string // required
}

// ReplaceRouteTableAssociationOutput is what ReplaceRouteTableAssociation gives.
type ReplaceRouteTableAssociationOutput struct {
	NewAssociationId string
	AssociationState *RouteTableAssociationState
}
