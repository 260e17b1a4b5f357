package ec2

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// nowOf gives the moment at which a call is answered or planned.
func nowOf(r state.Reader) time.Time {
	switch r := r.(type) {
	case *state.Txn:
		return r.Now
	case *action.Call:
		return r.Now
	}
	panic(fmt.Sprintf("ec2: %T has no time", r))
}

// scopeOf gives the region and account in which a call is answered or planned.
func scopeOf(r state.Reader) state.Scope {
	switch r := r.(type) {
	case *state.Txn:
		return r.Scope
	case *action.Call:
		return r.Scope
	}
	panic(fmt.Sprintf("ec2: %T reads no space", r))
}

// A routeTarget is where a request wants a route to lead: the name of the
// parameter that says so, and its value.
type routeTarget struct{ parameter, id string }

// asked gives the one target that a request names.
func askedTarget(targets ...routeTarget) (routeTarget, error) {
	var got []routeTarget
	var names []string
	for _, t := range targets {
		names = append(names, t.parameter)
		if t.id != "" {
			got = append(got, t)
		}
	}
	if len(got) != 1 {
		return routeTarget{}, fault.InvalidParameterCombination.Say("The request must contain exactly one of %s", strings.Join(names, ", "))
	}
	return got[0], nil
}

// resolve gives the id that a route of t to the target is stored with. What
// Moat does not have does not exist.
func (a routeTarget) resolve(tx *state.Txn, t *vpc.RouteTable) (string, error) {
	elsewhere := func(kind, id string) error {
		return fault.InvalidParameterValue.Say("route table %s and %s %s belong to different networks", t.ID, kind, id)
	}
	switch a.parameter {
	case "gatewayId":
		g := state.InternetGateways.Get(tx, vpc.InternetGatewayID(a.id))
		if g == nil {
			if e := state.Endpoints.Get(tx, vpc.EndpointID(a.id)); e != nil {
				return "", fault.InvalidParameterValue.Say("The route to gateway endpoint %s cannot be made here; use ModifyVpcEndpoint to add the route table to the endpoint.", e.ID)
			}
			return "", fault.InvalidGatewayNotFound.With(a.id)
		}
		if g.VPC != t.VPC {
			return "", elsewhere("network gateway", a.id)
		}
	case "instanceId":
		attached := slices.Collect(state.Interfaces.By(tx, state.InterfacesByAttachment, a.id))
		switch {
		case len(attached) == 0:
			return "", fault.NoSuchInstance.With(a.id)
		case len(attached) > 1:
			return "", fault.InvalidInstanceWithMany.With(a.id)
		case attached[0].VPC != t.VPC:
			return "", elsewhere("instance", a.id)
		}
		return string(attached[0].ID), nil
	case "networkInterfaceId":
		i, err := interfaceOf(tx, a.id)
		if err != nil {
			return "", err
		}
		if i.VPC != t.VPC {
			return "", elsewhere("interface", a.id)
		}
	case "vpcPeeringConnectionId":
		p, err := peeringOf(tx, a.id)
		if err != nil {
			return "", err
		}
		if p.Requester.VPC != t.VPC && p.Accepter.VPC != t.VPC {
			return "", elsewhere("vpc peering connection", a.id)
		}
		if status := p.StatusAt(tx.Now); status != vpc.PeeringActive && status != vpc.PeeringPending {
			return "", fault.InvalidStateTransition.With(p.ID, status, vpc.PeeringActive)
		}
	case "natGatewayId":
		return "", fault.NatGatewayNotFound.With(a.id)
	case "transitGatewayId":
		return "", fault.InvalidTransitGateway.With(a.id)
	case "localGatewayId":
		return "", fault.InvalidLocalGateway.With(a.id)
	case "carrierGatewayId":
		return "", fault.InvalidCarrierGateway.With(a.id)
	case "vpcEndpointId":
		e, err := required(tx, state.Endpoints, a.parameter, a.id, checkEndpointID, fault.InvalidVpcEndpointNotFound)
		if err != nil {
			return "", err
		}
		return "", fault.InvalidParameterValue.Say("The endpoint %s is a gateway endpoint: use ModifyVpcEndpoint to add the route table to it.", e.ID)
	default: // egressOnlyInternetGatewayId, coreNetworkArn, odbNetworkArn
		return "", fault.InvalidGatewayNotFound.With(a.id)
	}
	return a.id, nil
}

// checkPlace refuses a target that a route to k cannot have in a table of v:
// what lies inside the VPC can only be led to an interface. VPC user guide,
// "Route priority", "More specific routes".
func (a routeTarget) checkPlace(v *vpc.VPC, k vpc.RouteKey) error {
	if a.parameter != "networkInterfaceId" && a.parameter != "instanceId" && (v.IsLocal(k) || v.Inside(k)) {
		return fault.InvalidParameterValue.Say("The destination CIDR block %s is equal to or more specific than one of this VPC's CIDR blocks. This route can target only an interface or an instance.", k)
	}
	return nil
}

// routeKeyOf gives what the route of a request is for; a prefix list has to
// exist.
func routeKeyOf(r state.Reader, cidr4, cidr6, list string) (vpc.RouteKey, error) {
	k, err := vpc.ParseRouteKey(cidr4, cidr6, list)
	if err != nil {
		return k, err
	}
	if k.PrefixList != "" && findPrefixList(r, list) == nil {
		return k, fault.InvalidPrefixListNotFound.With(list)
	}
	return k, nil
}

// countRoutes gives what a table counts against the quota of routes: a prefix
// list counts as many as it may have. VPC user guide, "Route tables" quotas.
func countRoutes(r state.Reader, routes []vpc.Route) (n int) {
	for _, route := range routes {
		if route.PrefixList == "" {
			n++
		} else if l := findPrefixList(r, string(route.PrefixList)); l != nil {
			n += vpc.PrefixListWeight(l)
		}
	}
	return n
}

// routeTableShape gives a table as it is described: first the local routes,
// then those that were made, then those of endpoints.
func routeTableShape(r state.Reader, t *vpc.RouteTable) *RouteTable {
	shape := &RouteTable{
		RouteTableId: string(t.ID), VpcId: string(t.VPC), OwnerId: string(t.Owner), Tags: tagShapes(t.Tags),
		PropagatingVgws: []PropagatingVgw{}, Associations: []RouteTableAssociation{}, Routes: routeShapes(r, t),
	}
	for a := range state.RouteTableAssociations.By(r, state.RouteTableAssociationsByTable, string(t.ID)) {
		shape.Associations = append(shape.Associations, RouteTableAssociation{
			Main: a.Main, RouteTableAssociationId: string(a.ID), RouteTableId: string(a.Table), SubnetId: string(a.Subnet),
			GatewayId: string(a.Gateway), AssociationState: &RouteTableAssociationState{State: "associated"},
		})
	}
	return shape
}

func routeShapes(r state.Reader, t *vpc.RouteTable) []Route {
	v := state.VPCs.Get(r, t.VPC)
	var local, made []Route
	for _, b := range v.Blocks {
		k := vpc.RouteKey{Range: b.CIDR}
		shape := Route{GatewayId: "local", State: "active"}
		if at := t.FindRoute(k); at >= 0 {
			shape = targetShape(r, t, t.Routes[at])
		}
		shape.DestinationCidrBlock, shape.DestinationIpv6CidrBlock, _ = keyShape(k)
		shape.Origin = "CreateRouteTable"
		local = append(local, shape)
	}
	for _, route := range t.Routes {
		if v.IsLocal(route.Key()) {
			continue
		}
		shape := targetShape(r, t, route)
		shape.DestinationCidrBlock, shape.DestinationIpv6CidrBlock, shape.DestinationPrefixListId = keyShape(route.Key())
		shape.Origin = "CreateRoute"
		made = append(made, shape)
	}
	for e := range state.Endpoints.By(r, state.EndpointsByTable, string(t.ID)) {
		for _, l := range vpc.EndpointPrefixLists(regionOf(r), e.Service) {
			made = append(made, Route{DestinationPrefixListId: string(l), GatewayId: string(e.ID), Origin: "CreateRoute", State: "active"})
		}
	}
	return append(local, made...)
}

func keyShape(k vpc.RouteKey) (cidr4, cidr6, list string) {
	switch {
	case k.PrefixList != "":
		return "", "", string(k.PrefixList)
	case k.Range.Addr().Is6():
		return "", k.Range.String(), ""
	}
	return k.Range.String(), "", ""
}

// targetShape gives where a route leads, and whether that is still there: a
// route to what is gone, detached or not active is a blackhole.
func targetShape(r state.Reader, t *vpc.RouteTable, route vpc.Route) Route {
	shape, active := Route{State: "blackhole"}, false
	switch {
	case route.IsGateway():
		g := state.InternetGateways.Get(r, vpc.InternetGatewayID(route.Target))
		shape.GatewayId, active = route.Target, g != nil && g.VPC == t.VPC
	case route.IsPeering():
		p := state.Peerings.Get(r, vpc.PeeringID(route.Target))
		shape.VpcPeeringConnectionId, active = route.Target, p != nil && p.StatusAt(nowOf(r)) == vpc.PeeringActive
	case route.IsInterface():
		shape.NetworkInterfaceId = route.Target
		if i := state.Interfaces.Get(r, vpc.InterfaceID(route.Target)); i != nil && i.Attachment != nil {
			shape.InstanceId, active = i.Attachment.Instance, true
			if shape.InstanceId != "" {
				shape.InstanceOwnerId = string(i.Attachment.InstanceOwner)
				on := state.Instances.Get(r, vpc.InstanceID(shape.InstanceId))
				active = on == nil || on.State == vpc.Running
			}
		}
	}
	if active {
		shape.State = "active"
	}
	return shape
}

// tableUsers names what uses a table, the main association apart.
func tableUsers(r state.Reader, t *vpc.RouteTable) (by []string, main bool) {
	for a := range state.RouteTableAssociations.By(r, state.RouteTableAssociationsByTable, string(t.ID)) {
		switch {
		case a.Main:
			main = true
			by = append(by, "main route table of "+string(a.VPC))
		case a.Subnet != "":
			by = append(by, "subnet "+string(a.Subnet))
		default:
			by = append(by, "internet gateway "+string(a.Gateway))
		}
	}
	for e := range state.Endpoints.By(r, state.EndpointsByTable, string(t.ID)) {
		by = append(by, "VPC endpoint "+string(e.ID))
	}
	return by, main
}
