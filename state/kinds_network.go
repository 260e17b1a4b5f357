package state

import "moat/vpc"

// The kinds around the subnets of a VPC, with their indexes.
var (
	InternetGateways = &Kind[vpc.InternetGatewayID, vpc.InternetGateway]{
		n: internetGateways, name: "igw", key: func(g *vpc.InternetGateway) vpc.InternetGatewayID { return g.ID },
		resource: "internet-gateway", idPrefix: vpc.InternetGatewayPrefix,
		tags:    func(g *vpc.InternetGateway) *vpc.Tags { return &g.Tags },
		indexes: []*Index[vpc.InternetGateway]{InternetGatewaysByVPC},
	}
	InternetGatewaysByVPC = &Index[vpc.InternetGateway]{0, func(g *vpc.InternetGateway, yield func(string)) {
		if g.VPC != "" {
			yield(string(g.VPC))
		}
	}}

	RouteTables = &Kind[vpc.RouteTableID, vpc.RouteTable]{
		n: routeTables, name: "rtb", key: func(t *vpc.RouteTable) vpc.RouteTableID { return t.ID },
		resource: "route-table", idPrefix: vpc.RouteTablePrefix,
		tags:    func(t *vpc.RouteTable) *vpc.Tags { return &t.Tags },
		indexes: []*Index[vpc.RouteTable]{RouteTablesByVPC, RouteTablesByTarget},
	}
	RouteTablesByVPC = &Index[vpc.RouteTable]{0, func(t *vpc.RouteTable, yield func(string)) { yield(string(t.VPC)) }}
	// RouteTablesByTarget finds the tables with a route that leads to a target
	// or begins at a prefix list.
	RouteTablesByTarget = &Index[vpc.RouteTable]{1, func(t *vpc.RouteTable, yield func(string)) {
		for _, r := range t.Routes {
			yield(r.Target)
			if r.PrefixList != "" {
				yield(string(r.PrefixList))
			}
		}
	}}

	RouteTableAssociations = &Kind[vpc.AssociationID, vpc.RouteTableAssociation]{
		n: routeTableAssociations, name: "rtbassoc", key: func(a *vpc.RouteTableAssociation) vpc.AssociationID { return a.ID },
		indexes: []*Index[vpc.RouteTableAssociation]{RouteTableAssociationsByTable, RouteTableAssociationsByUser},
	}
	RouteTableAssociationsByTable = &Index[vpc.RouteTableAssociation]{0, func(a *vpc.RouteTableAssociation, yield func(string)) { yield(string(a.Table)) }}
	// RouteTableAssociationsByUser has each association under the subnet or
	// gateway that uses the table; the main one under its VPC.
	RouteTableAssociationsByUser = &Index[vpc.RouteTableAssociation]{1, func(a *vpc.RouteTableAssociation, yield func(string)) {
		switch {
		case a.Main:
			yield(string(a.VPC))
		case a.Subnet != "":
			yield(string(a.Subnet))
		default:
			yield(string(a.Gateway))
		}
	}}

	NetworkACLs = &Kind[vpc.NetworkACLID, vpc.NetworkACL]{
		n: networkACLs, name: "acl", key: func(a *vpc.NetworkACL) vpc.NetworkACLID { return a.ID },
		resource: "network-acl", idPrefix: vpc.NetworkACLPrefix,
		tags:    func(a *vpc.NetworkACL) *vpc.Tags { return &a.Tags },
		indexes: []*Index[vpc.NetworkACL]{NetworkACLsByVPC, NetworkACLsByDefault},
	}
	NetworkACLsByVPC = &Index[vpc.NetworkACL]{0, func(a *vpc.NetworkACL, yield func(string)) { yield(string(a.VPC)) }}
	// NetworkACLsByDefault has a default ACL under its VPC.
	NetworkACLsByDefault = &Index[vpc.NetworkACL]{1, func(a *vpc.NetworkACL, yield func(string)) {
		if a.Default {
			yield(string(a.VPC))
		}
	}}

	NetworkACLAssociations = &Kind[vpc.AssociationID, vpc.NetworkACLAssociation]{
		n: networkACLAssociations, name: "aclassoc", key: func(a *vpc.NetworkACLAssociation) vpc.AssociationID { return a.ID },
		indexes: []*Index[vpc.NetworkACLAssociation]{NetworkACLAssociationsByACL, NetworkACLAssociationsBySubnet},
	}
	NetworkACLAssociationsByACL    = &Index[vpc.NetworkACLAssociation]{0, func(a *vpc.NetworkACLAssociation, yield func(string)) { yield(string(a.ACL)) }}
	NetworkACLAssociationsBySubnet = &Index[vpc.NetworkACLAssociation]{1, func(a *vpc.NetworkACLAssociation, yield func(string)) { yield(string(a.Subnet)) }}

	DHCPOptions = &Kind[vpc.DHCPOptionsID, vpc.DHCPOptions]{
		n: dhcpOptions, name: "dopt", key: func(d *vpc.DHCPOptions) vpc.DHCPOptionsID { return d.ID },
		resource: "dhcp-options", idPrefix: vpc.DHCPOptionsPrefix,
		tags: func(d *vpc.DHCPOptions) *vpc.Tags { return &d.Tags },
	}

	Endpoints = &Kind[vpc.EndpointID, vpc.Endpoint]{
		n: endpoints, name: "vpce", key: func(e *vpc.Endpoint) vpc.EndpointID { return e.ID },
		resource: "vpc-endpoint", idPrefix: vpc.EndpointPrefix,
		tags:    func(e *vpc.Endpoint) *vpc.Tags { return &e.Tags },
		indexes: []*Index[vpc.Endpoint]{EndpointsByVPC, EndpointsByTable},
	}
	EndpointsByVPC   = &Index[vpc.Endpoint]{0, func(e *vpc.Endpoint, yield func(string)) { yield(string(e.VPC)) }}
	EndpointsByTable = &Index[vpc.Endpoint]{1, func(e *vpc.Endpoint, yield func(string)) {
		for _, t := range e.Tables {
			yield(string(t))
		}
	}}

	Peerings = &Kind[vpc.PeeringID, vpc.Peering]{
		n: peerings, name: "pcx", key: func(p *vpc.Peering) vpc.PeeringID { return p.ID },
		resource: "vpc-peering-connection", idPrefix: vpc.PeeringPrefix,
		tags:    func(p *vpc.Peering) *vpc.Tags { return &p.Tags },
		indexes: []*Index[vpc.Peering]{PeeringsByVPC},
	}
	// PeeringsByVPC has a peering under both VPCs, also the one elsewhere.
	PeeringsByVPC = &Index[vpc.Peering]{0, func(p *vpc.Peering, yield func(string)) {
		yield(string(p.Requester.VPC))
		if p.Accepter.VPC != p.Requester.VPC {
			yield(string(p.Accepter.VPC))
		}
	}}
)

// MainTable gives the association of a VPC with its main route table, or nil.
func MainTable(r Reader, id vpc.VPCID) *vpc.RouteTableAssociation {
	for a := range RouteTableAssociations.By(r, RouteTableAssociationsByUser, string(id)) {
		return a
	}
	return nil
}

// DefaultACL gives the default network ACL of a VPC, or nil.
func DefaultACL(r Reader, id vpc.VPCID) *vpc.NetworkACL {
	for a := range NetworkACLs.By(r, NetworkACLsByDefault, string(id)) {
		return a
	}
	return nil
}
