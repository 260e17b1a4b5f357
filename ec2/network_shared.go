package ec2

import (
	"slices"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// The checks of ids of what stands around subnets.
var (
	checkInternetGatewayID = wellFormed(vpc.InternetGatewayPrefix, fault.InvalidInternetGatewayMalformed)
	checkRouteTableID      = wellFormed(vpc.RouteTablePrefix, fault.InvalidRouteTableMalformed)
	checkNetworkACLID      = wellFormed(vpc.NetworkACLPrefix, fault.InvalidNetworkACLMalformed)
	checkDHCPOptionsID     = wellFormed(vpc.DHCPOptionsPrefix, fault.InvalidDHCPOptionsMalformed)
	checkEndpointID        = wellFormed(vpc.EndpointPrefix, fault.InvalidVpcEndpointMalformed)
	checkPeeringID         = wellFormed(vpc.PeeringPrefix, fault.InvalidPeeringMalformed)
)

// required gives the row that a request names by a parameter that it must have.
func required[K ~string, T any](r state.Reader, k *state.Kind[K, T], parameter, id string, check func(string) error, missing fault.Kind) (*T, error) {
	if id == "" {
		return nil, fault.MissingParameter.With(parameter)
	}
	if err := check(id); err != nil {
		return nil, err
	}
	row := k.Get(r, K(id))
	if row == nil {
		return nil, missing.With(id)
	}
	return row, nil
}

func internetGatewayOf(r state.Reader, id string) (*vpc.InternetGateway, error) {
	return required(r, state.InternetGateways, "internetGatewayId", id, checkInternetGatewayID, fault.InvalidInternetGatewayNotFound)
}

func routeTableOf(r state.Reader, id string) (*vpc.RouteTable, error) {
	return required(r, state.RouteTables, "routeTableId", id, checkRouteTableID, fault.InvalidRouteTableNotFound)
}

func networkACLOf(r state.Reader, id string) (*vpc.NetworkACL, error) {
	return required(r, state.NetworkACLs, "networkAclId", id, checkNetworkACLID, fault.InvalidNetworkACLNotFound)
}

func dhcpOptionsOf(r state.Reader, id string) (*vpc.DHCPOptions, error) {
	return required(r, state.DHCPOptions, "dhcpOptionsId", id, checkDHCPOptionsID, fault.InvalidDHCPOptionsNotFound)
}

// allGiven refuses a request that leaves out a parameter which it must have:
// names and values in pairs. It comes before any look at their form.
func allGiven(pairs ...string) error {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			return fault.MissingParameter.With(pairs[i])
		}
	}
	return nil
}

// furnishVPC gives a VPC what every one begins with beside its default group:
// a main route table, a default network ACL that its subnets have, and in a
// space that lacks them the region's DHCP options. What is there already stays.
func furnishVPC(tx *state.Txn, v *vpc.VPC) *vpc.RouteTable {
	if state.DHCPOptions.Get(tx, vpc.DHCPOptionsID(v.DHCPOptions)) == nil && v.DHCPOptions == vpc.DefaultDHCPOptions(tx.Region, tx.Account) {
		state.DHCPOptions.Put(tx, vpc.NewDefaultDHCPOptions(tx.Region, tx.Account))
	}
	if state.DefaultACL(tx, v.ID) == nil {
		state.NetworkACLs.Put(tx, &vpc.NetworkACL{
			ID: vpc.NetworkACLID(tx.NewID(vpc.NetworkACLPrefix)), Owner: v.Owner, VPC: v.ID, Default: true,
			Entries: vpc.DefaultACLEntries(v.HasIPv6()),
		})
	}
	if a := state.MainTable(tx, v.ID); a != nil {
		return state.RouteTables.Get(tx, a.Table)
	}
	t := &vpc.RouteTable{ID: vpc.RouteTableID(tx.NewID(vpc.RouteTablePrefix)), Owner: v.Owner, VPC: v.ID}
	state.RouteTables.Put(tx, t)
	state.RouteTableAssociations.Put(tx, &vpc.RouteTableAssociation{
		ID: vpc.AssociationID(tx.NewID(vpc.RouteTableAssociationPrefix)), Table: t.ID, VPC: v.ID, Main: true,
	})
	return t
}

// openToInternet gives a default VPC its internet gateway, and its main table
// a route there. VPC user guide, "Default VPC components".
func openToInternet(tx *state.Txn, v *vpc.VPC, main *vpc.RouteTable) {
	for range state.InternetGateways.By(tx, state.InternetGatewaysByVPC, string(v.ID)) {
		return
	}
	g := &vpc.InternetGateway{ID: vpc.InternetGatewayID(tx.NewID(vpc.InternetGatewayPrefix)), Owner: v.Owner, VPC: v.ID}
	state.InternetGateways.Put(tx, g)
	everywhere := vpc.RouteKey{Range: everyIPv4}
	if main.FindRoute(everywhere) >= 0 {
		return
	}
	t := *main
	t.Routes = append(append([]vpc.Route(nil), t.Routes...), vpc.Route{Destination: everywhere.Range, Target: string(g.ID)})
	state.RouteTables.Put(tx, &t)
}

// putSubnet puts a new subnet, which has the default network ACL of its VPC
// from the start.
func putSubnet(tx *state.Txn, s *vpc.Subnet) {
	state.Subnets.Put(tx, s)
	coverSubnet(tx, s)
}

func coverSubnet(tx *state.Txn, s *vpc.Subnet) {
	if state.NetworkACLAssociations.Count(tx, state.NetworkACLAssociationsBySubnet, string(s.ID), 1) > 0 {
		return
	}
	if acl := state.DefaultACL(tx, s.VPC); acl != nil {
		state.NetworkACLAssociations.Put(tx, &vpc.NetworkACLAssociation{
			ID: vpc.AssociationID(tx.NewID(vpc.NetworkACLAssociationPrefix)), ACL: acl.ID, Subnet: s.ID,
		})
	}
}

// clearSubnet removes what binds a subnet that is deleted to its route table
// and its network ACL.
func clearSubnet(tx *state.Txn, id vpc.SubnetID) {
	deleteUses(tx, string(id))
	for _, a := range slices.Collect(state.NetworkACLAssociations.By(tx, state.NetworkACLAssociationsBySubnet, string(id))) {
		state.NetworkACLAssociations.Delete(tx, a.ID)
	}
}

// deleteUses ends the use of route tables by a subnet or a gateway.
func deleteUses(tx *state.Txn, user string) {
	for _, a := range slices.Collect(state.RouteTableAssociations.By(tx, state.RouteTableAssociationsByUser, user)) {
		state.RouteTableAssociations.Delete(tx, a.ID)
	}
}

// clearVPC removes what a VPC that is deleted began with.
func clearVPC(tx *state.Txn, id vpc.VPCID) {
	if g := state.DefaultGroup(tx, id); g != nil {
		state.Groups.Delete(tx, g.ID)
	}
	if a := state.DefaultACL(tx, id); a != nil {
		state.NetworkACLs.Delete(tx, a.ID)
	}
	if a := state.MainTable(tx, id); a != nil {
		state.RouteTableAssociations.Delete(tx, a.ID)
		state.RouteTables.Delete(tx, a.Table)
	}
}

// onAttached gives a filter on what a row alone does not tell, several values
// of it.
func onAttached[Row any](name string, each func(c *action.Call, r Row, yield func(string))) action.Match[Row] {
	return action.Match[Row]{Name: name, Values: each}
}
