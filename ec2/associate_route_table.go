package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// AssociateRouteTable lets a subnet or an internet gateway use a route table.
var AssociateRouteTable = action.Write[AssociateRouteTableInput, AssociateRouteTableOutput]{
	Name: "AssociateRouteTable",
	Doc:  `Associates a route table with a subnet, or with an internet gateway of its VPC.`,
	Plan: func(tx *state.Txn, in *AssociateRouteTableInput) (*AssociateRouteTableOutput, error) {
		if in.RouteTableId == "" {
			return nil, fault.MissingParameter.With("routeTableId")
		}
		switch {
		case in.PublicIpv4Pool != "":
			return nil, fault.InvalidPoolNotFound.With(in.PublicIpv4Pool)
		case in.SubnetId == "" && in.GatewayId == "":
			return nil, fault.MissingParameter.With("subnetId or gatewayId")
		case in.SubnetId != "" && in.GatewayId != "":
			return nil, fault.InvalidParameterCombination.With("subnetId", "gatewayId")
		}
		a := vpc.RouteTableAssociation{Subnet: vpc.SubnetID(in.SubnetId), Gateway: vpc.InternetGatewayID(in.GatewayId)}
		user := in.SubnetId + in.GatewayId
		if in.SubnetId != "" {
			if err := checkSubnetID(in.SubnetId); err != nil {
				return nil, err
			}
		}
		t, err := routeTableOf(tx, in.RouteTableId)
		if err != nil {
			return nil, err
		}
		kind := "subnet"
		if in.SubnetId != "" {
			s, err := subnetOf(tx, in.SubnetId)
			if err != nil {
				return nil, err
			}
			a.VPC = s.VPC
		} else {
			g := state.InternetGateways.Get(tx, a.Gateway)
			if g == nil {
				return nil, fault.InvalidGatewayNotFound.With(in.GatewayId)
			}
			kind, a.VPC = "network gateway", g.VPC
		}
		if a.VPC != t.VPC {
			return nil, fault.InvalidParameterValue.Say("Route table %s and %s %s belong to different networks", t.ID, kind, user)
		}
		for old := range state.RouteTableAssociations.By(tx, state.RouteTableAssociationsByUser, user) {
			if old.Table != t.ID {
				return nil, fault.AssociationConflicts.With(t.ID)
			}
			// The same once more is no change.
			return &AssociateRouteTableOutput{AssociationId: string(old.ID), AssociationState: &RouteTableAssociationState{State: "associated"}}, nil
		}
		a.ID, a.Table = vpc.AssociationID(tx.NewID(vpc.RouteTableAssociationPrefix)), t.ID
		state.RouteTableAssociations.Put(tx, &a)
		return &AssociateRouteTableOutput{AssociationId: string(a.ID), AssociationState: &RouteTableAssociationState{State: "associated"}}, nil
	},
}

// tableAssociationOf gives the association that a request names.
func tableAssociationOf(r state.Reader, id string) (*vpc.RouteTableAssociation, error) {
	if id == "" {
		return nil, fault.MissingParameter.With("associationId")
	}
	a := state.RouteTableAssociations.Get(r, vpc.AssociationID(id))
	if a == nil {
		return nil, fault.InvalidAssociationNotFound.With(id)
	}
	return a, nil
}

// AssociateRouteTableInput is what AssociateRouteTable takes.
type AssociateRouteTableInput struct {
	GatewayId      string
	PublicIpv4Pool string
	DryRun         bool
	SubnetId       string
	RouteTableId   string // required
}

// AssociateRouteTableOutput is what AssociateRouteTable gives.
type AssociateRouteTableOutput struct {
	AssociationId    string
	AssociationState *RouteTableAssociationState
}
