package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
)

// DeleteRouteTable removes a route table that nothing uses.
var DeleteRouteTable = action.Write[DeleteRouteTableInput, DeleteRouteTableOutput]{
	Name: "DeleteRouteTable",
	Doc:  `Deletes a route table with its routes. Not the main one, and none that a subnet uses.`,
	Plan: func(tx *state.Txn, in *DeleteRouteTableInput) (*DeleteRouteTableOutput, error) {
		t, err := routeTableOf(tx, in.RouteTableId)
		if err != nil {
			return nil, err
		}
		if by, _ := tableUsers(tx, t); len(by) > 0 {
			return nil, fault.DependencyViolation.With(holders("The routeTable '"+in.RouteTableId+"' has dependencies and cannot be deleted.", by))
		}
		state.RouteTables.Delete(tx, t.ID)
		return &DeleteRouteTableOutput{Return: true}, nil
	},
}

// DeleteRouteTableInput is what DeleteRouteTable takes.
type DeleteRouteTableInput struct {
	DryRun       bool
	RouteTableId string // required
}

// DeleteRouteTableOutput is what DeleteRouteTable gives.
type DeleteRouteTableOutput struct {
	Return bool
}
