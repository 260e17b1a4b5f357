package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// CreateRouteTable makes a route table with the local routes of its VPC.
var CreateRouteTable = action.Write[CreateRouteTableInput, CreateRouteTableOutput]{
	Name: "CreateRouteTable",
	Doc:  `Creates a route table for a VPC. It has the VPC's local routes from the start.`,
	Plan: func(tx *state.Txn, in *CreateRouteTableInput) (*CreateRouteTableOutput, error) {
		v, err := vpcOf(tx, in.VpcId)
		if err != nil {
			return nil, err
		}
		tags, err := taggedWith(tx, in.TagSpecifications, "route-table")
		if err != nil {
			return nil, err
		}
		most := tx.Quotas.RouteTablesPerVPC
		if state.RouteTables.Count(tx, state.RouteTablesByVPC, in.VpcId, most) >= most {
			return nil, fault.RouteTableLimitExceeded.With()
		}
		t := &vpc.RouteTable{ID: vpc.RouteTableID(tx.NewID(vpc.RouteTablePrefix)), Owner: tx.Account, VPC: v.ID, Tags: tags}
		state.RouteTables.Put(tx, t)
		return &CreateRouteTableOutput{RouteTable: routeTableShape(tx, t), ClientToken: in.ClientToken}, nil
	},
	Created: func(out *CreateRouteTableOutput) string { return out.RouteTable.RouteTableId },
	Replay: func(tx *state.Txn, in *CreateRouteTableInput, id string) (*CreateRouteTableOutput, error) {
		t, err := routeTableOf(tx, id)
		if err != nil {
			return nil, err
		}
		return &CreateRouteTableOutput{RouteTable: routeTableShape(tx, t), ClientToken: in.ClientToken}, nil
	},
}

// CreateRouteTableInput is what CreateRouteTable takes.
type CreateRouteTableInput struct {
	TagSpecifications []TagSpecification `in:"TagSpecification"`
	ClientToken       string
	DryRun            bool
	VpcId             string // required
}

// CreateRouteTableOutput is what CreateRouteTable gives.
type CreateRouteTableOutput struct {
	RouteTable  *RouteTable
	ClientToken string
}
