package ec2_test

import (
	"fmt"
	"strings"
	"testing"

	"moat/ec2"
	"moat/ec2/ec2test"
	"moat/state"
	"moat/vpc"
)

// routesOf gives the routes of a table as lines "destination -> target state".
func routesOf(w *ec2test.World, table string) string {
	xml := w.Must("DescribeRouteTables", "RouteTableId.1", table)
	var out []string
	for _, item := range ec2test.Text(ec2test.One(xml, "routeSet"), "item") {
		to := ec2test.One(item, "gatewayId") + ec2test.One(item, "networkInterfaceId") + ec2test.One(item, "vpcPeeringConnectionId")
		from := ec2test.One(item, "destinationCidrBlock") + ec2test.One(item, "destinationIpv6CidrBlock") + ec2test.One(item, "destinationPrefixListId")
		out = append(out, fmt.Sprintf("%s -> %s %s", from, to, ec2test.One(item, "state")))
	}
	return strings.Join(out, "; ")
}

func mainTableOf(w *ec2test.World, id string) *vpc.RouteTableAssociation {
	return state.MainTable(w.Space(), vpc.VPCID(id))
}

func TestInternetGatewayGoesThroughItsLife(t *testing.T) {
	w := ec2test.New(t)
	id := makeVPC(w, "CidrBlock", "10.0.0.0/16")
	xml := w.Must("CreateInternetGateway", "TagSpecification.1.ResourceType", "internet-gateway",
		"TagSpecification.1.Tag.1.Key", "Name", "TagSpecification.1.Tag.1.Value", "door")
	igw := ec2test.One(xml, "internetGatewayId")
	wantElement(t, "created", xml, "ownerId", "123456789012")
	wantElement(t, "created", xml, "value", "door")
	if !strings.Contains(xml, "<attachmentSet/>") {
		t.Errorf("a new gateway is attached: %s", xml)
	}
	wantSaid(t, w.Refused("Gateway.NotAttached", "DetachInternetGateway", "InternetGatewayId", igw, "VpcId", id),
		"resource "+igw+" is not attached to network "+id)
	w.Refused("DryRunOperation", "AttachInternetGateway", "InternetGatewayId", igw, "VpcId", id, "DryRun", "true")
	wantElement(t, "attach", w.Must("AttachInternetGateway", "InternetGatewayId", igw, "VpcId", id), "return", "true")
	xml = w.Must("DescribeInternetGateways", "Filter.1.Name", "attachment.vpc-id", "Filter.1.Value.1", id)
	wantElement(t, "attached", xml, "internetGatewayId", igw)
	wantElement(t, "attached", xml, "state", "available")
	wantElement(t, "attached", xml, "vpcId", id)
	wantElement(t, "by tag", w.Must("DescribeInternetGateways", "Filter.1.Name", "tag:Name", "Filter.1.Value.1", "door"), "internetGatewayId", igw)
	wantElement(t, "by another tag", w.Must("DescribeInternetGateways", "Filter.1.Name", "tag:Name", "Filter.1.Value.1", "wall"), "internetGatewayId")
	wantSaid(t, w.Refused("InvalidParameterValue", "DescribeInternetGateways", "Filter.1.Name", "vpc-id", "Filter.1.Value.1", id), "The filter 'vpc-id' is invalid")

	wantSaid(t, w.Refused("Resource.AlreadyAssociated", "AttachInternetGateway", "InternetGatewayId", igw, "VpcId", id),
		"resource "+igw+" is already attached to network "+id)
	other := ec2test.One(w.Must("CreateInternetGateway"), "internetGatewayId")
	wantSaid(t, w.Refused("InvalidParameterValue", "AttachInternetGateway", "InternetGatewayId", other, "VpcId", id),
		"Network "+id+" already has an internet gateway attached")
	wantSaid(t, w.Refused("DependencyViolation", "DeleteInternetGateway", "InternetGatewayId", igw),
		"The internetGateway '"+igw+"' has dependencies and cannot be deleted. (held by attachment to "+id+")")
	wantSaid(t, w.Refused("DependencyViolation", "DeleteVpc", "VpcId", id),
		"The vpc '"+id+"' has dependencies and cannot be deleted. (held by internet gateway "+igw+")")
	w.Must("DetachInternetGateway", "InternetGatewayId", igw, "VpcId", id)
	w.Must("DeleteInternetGateway", "InternetGatewayId", igw)
	wantSaid(t, w.Refused("InvalidInternetGatewayID.NotFound", "DescribeInternetGateways", "InternetGatewayId.1", igw),
		"The internetGateway ID '"+igw+"' does not exist")
	w.Refused("InvalidInternetGatewayId.Malformed", "DeleteInternetGateway", "InternetGatewayId", "igw-x")
	w.Refused("MissingParameter", "DeleteInternetGateway")
	w.Must("DeleteVpc", "VpcId", id)

	for range 3 {
		w.Must("CreateInternetGateway")
	}
	w.Refused("InternetGatewayLimitExceeded", "CreateInternetGateway")
}

func TestVPCBeginsWithTableAndACL(t *testing.T) {
	w := ec2test.New(t)
	id := makeVPC(w, "CidrBlock", "10.0.0.0/16")
	// What Terraform asks for to read an aws_vpc.
	xml := w.Must("DescribeRouteTables", "Filter.1.Name", "association.main", "Filter.1.Value.1", "true", "Filter.2.Name", "vpc-id", "Filter.2.Value.1", id)
	wantElement(t, "main table", xml, "main", "true")
	wantElement(t, "main table", xml, "origin", "CreateRouteTable")
	table := ec2test.Text(xml, "routeTableId")[0]
	eq(t, "routes", routesOf(w, table), "10.0.0.0/16 -> local active")
	xml = w.Must("DescribeNetworkAcls", "Filter.1.Name", "default", "Filter.1.Value.1", "true", "Filter.2.Name", "vpc-id", "Filter.2.Value.1", id)
	wantElement(t, "default ACL", xml, "ruleNumber", "100", "32767", "100", "32767")
	wantElement(t, "default ACL", xml, "ruleAction", "allow", "deny", "allow", "deny")
	wantElement(t, "default ACL", xml, "egress", "false", "false", "true", "true")
	wantElement(t, "default ACL", xml, "protocol", "-1", "-1", "-1", "-1")
	wantElement(t, "default ACL", xml, "default", "true")

	s := makeSubnet(w, "VpcId", id, "CidrBlock", "10.0.1.0/24")
	xml = w.Must("DescribeNetworkAcls", "Filter.1.Name", "association.subnet-id", "Filter.1.Value.1", s)
	wantElement(t, "of a new subnet", xml, "subnetId", s)
	wantElement(t, "of a new subnet", xml, "default", "true")
	w.Must("DeleteSubnet", "SubnetId", s)
	if n := state.NetworkACLAssociations.Len(w.Space()); n != 6 {
		t.Errorf("%d associations, want those of the default subnets", n)
	}

	w.Must("AssociateVpcCidrBlock", "VpcId", id, "AmazonProvidedIpv6CidrBlock", "true")
	xml = w.Must("DescribeNetworkAcls", "Filter.1.Name", "vpc-id", "Filter.1.Value.1", id)
	wantElement(t, "with IPv6", xml, "ruleNumber", "100", "101", "32767", "32768", "100", "101", "32767", "32768")
	if r := routesOf(w, table); !strings.Contains(r, "/56 -> local active") {
		t.Errorf("IPv6 has no local route: %s", r)
	}

	tables, acls := state.RouteTables.Len(w.Space()), state.NetworkACLs.Len(w.Space())
	w.Must("DeleteVpc", "VpcId", id)
	if state.RouteTables.Len(w.Space()) != tables-1 || state.NetworkACLs.Len(w.Space()) != acls-1 || state.RouteTableAssociations.Len(w.Space()) != 1 {
		t.Error("a deleted VPC leaves its table, its ACL or an association behind")
	}
}

func TestDefaultVPCIsOpenToTheInternet(t *testing.T) {
	w := ec2test.New(t)
	v := state.DefaultVPC(w.Space())
	igw := ec2test.One(w.Must("DescribeInternetGateways", "Filter.1.Name", "attachment.vpc-id", "Filter.1.Value.1", string(v.ID)), "internetGatewayId")
	eq(t, "routes", routesOf(w, string(mainTableOf(w, string(v.ID)).Table)), "172.31.0.0/16 -> local active; 0.0.0.0/0 -> "+igw+" active")
	xml := w.Must("DescribeDhcpOptions")
	wantElement(t, "options", xml, "dhcpOptionsId", v.DHCPOptions)
	wantElement(t, "options", xml, "key", "domain-name", "domain-name-servers")
	if !strings.Contains(xml, "<value>ec2.internal</value>") || !strings.Contains(xml, "<value>AmazonProvidedDNS</value>") {
		t.Errorf("options: %s", xml)
	}
}

func TestRoutes(t *testing.T) {
	w := ec2test.New(t)
	id := makeVPC(w, "CidrBlock", "10.0.0.0/16")
	igw := ec2test.One(w.Must("CreateInternetGateway"), "internetGatewayId")
	xml := w.Must("CreateRouteTable", "VpcId", id, "ClientToken", "once")
	table := ec2test.One(xml, "routeTableId")
	wantElement(t, "again", w.Must("CreateRouteTable", "VpcId", id, "ClientToken", "once"), "routeTableId", table)
	if !strings.Contains(xml, "<associationSet/>") || !strings.Contains(xml, "<propagatingVgwSet/>") {
		t.Errorf("a new table is used: %s", xml)
	}
	add := func(params ...string) []string { return append([]string{"RouteTableId", table}, params...) }
	wantSaid(t, w.Refused("InvalidParameterValue", "CreateRoute", add("DestinationCidrBlock", "0.0.0.0/0", "GatewayId", igw)...),
		"route table "+table+" and network gateway "+igw+" belong to different networks")
	w.Must("AttachInternetGateway", "InternetGatewayId", igw, "VpcId", id)
	wantElement(t, "route", w.Must("CreateRoute", add("DestinationCidrBlock", "0.0.0.0/0", "GatewayId", igw)...), "return", "true")
	// Host bits are cleared, as by the service.
	w.Must("CreateRoute", add("DestinationCidrBlock", "192.168.5.1/16", "GatewayId", igw)...)
	w.Must("CreateRoute", add("DestinationIpv6CidrBlock", "::/0", "GatewayId", igw)...)
	list := newList(t, w, 3)
	w.Must("CreateRoute", add("DestinationPrefixListId", list, "GatewayId", igw)...)
	eq(t, "routes", routesOf(w, table), "10.0.0.0/16 -> local active; 0.0.0.0/0 -> "+igw+" active; 192.168.0.0/16 -> "+igw+" active; ::/0 -> "+igw+" active; "+list+" -> "+igw+" active")

	wantSaid(t, w.Refused("RouteAlreadyExists", "CreateRoute", add("DestinationCidrBlock", "0.0.0.0/0", "GatewayId", igw)...), "The route identified by 0.0.0.0/0 already exists.")
	w.Refused("RouteAlreadyExists", "CreateRoute", add("DestinationCidrBlock", "10.0.0.0/16", "GatewayId", igw)...)
	wantSaid(t, w.Refused("InvalidParameterValue", "CreateRoute", add("DestinationCidrBlock", "10.0.7.0/24", "GatewayId", igw)...),
		"The destination CIDR block 10.0.7.0/24 is equal to or more specific than one of this VPC's CIDR blocks. This route can target only an interface or an instance.")
	w.Refused("InvalidParameterCombination", "CreateRoute", add("DestinationCidrBlock", "9.0.0.0/8")...)
	w.Refused("InvalidParameterCombination", "CreateRoute", add("DestinationCidrBlock", "9.0.0.0/8", "GatewayId", igw, "NatGatewayId", "nat-1")...)
	w.Refused("InvalidParameterCombination", "CreateRoute", add("DestinationCidrBlock", "9.0.0.0/8", "DestinationIpv6CidrBlock", "::/0", "GatewayId", igw)...)
	w.Refused("MissingParameter", "CreateRoute", add("GatewayId", igw)...)
	w.Refused("InvalidParameterValue", "CreateRoute", add("DestinationCidrBlock", "9.0.0.0", "GatewayId", igw)...)
	wantSaid(t, w.Refused("InvalidGatewayID.NotFound", "CreateRoute", add("DestinationCidrBlock", "9.0.0.0/8", "GatewayId", "nat-0b08ff466280436f1")...),
		"The gateway ID 'nat-0b08ff466280436f1' does not exist")
	w.Refused("NatGatewayNotFound", "CreateRoute", add("DestinationCidrBlock", "9.0.0.0/8", "NatGatewayId", "nat-0b08ff466280436f1")...)
	w.Refused("InvalidPrefixListID.NotFound", "CreateRoute", add("DestinationPrefixListId", "pl-0123456789abcdef0", "GatewayId", igw)...)
	w.Refused("InvalidInstanceID.NotFound", "CreateRoute", add("DestinationCidrBlock", "9.0.0.0/8", "InstanceId", "i-0123456789abcdef0")...)
	w.Refused("InvalidRouteTableID.NotFound", "CreateRoute", "RouteTableId", "rtb-0123456789abcdef0", "DestinationCidrBlock", "9.0.0.0/8", "GatewayId", igw)
	w.Refused("InvalidRouteTableId.Malformed", "CreateRoute", "RouteTableId", "rtb-1", "DestinationCidrBlock", "9.0.0.0/8", "GatewayId", igw)

	// To an interface: a route has to lead somewhere to be active.
	s := makeSubnet(w, "VpcId", id, "CidrBlock", "10.0.1.0/24")
	eni := ec2test.One(w.Must("CreateNetworkInterface", "SubnetId", s), "networkInterfaceId")
	w.Must("ReplaceRoute", add("DestinationCidrBlock", "192.168.0.0/16", "NetworkInterfaceId", eni)...)
	w.Must("CreateRoute", add("DestinationCidrBlock", "10.0.7.0/24", "NetworkInterfaceId", eni)...)
	w.Must("ReplaceRoute", add("DestinationCidrBlock", "10.0.0.0/16", "NetworkInterfaceId", eni)...)
	if r := routesOf(w, table); !strings.HasPrefix(r, "10.0.0.0/16 -> "+eni+" blackhole; ") || !strings.Contains(r, "192.168.0.0/16 -> "+eni+" blackhole") {
		t.Errorf("routes to an interface that is not attached: %s", r)
	}
	w.Stage(func(tx *state.Txn) error {
		i := *state.Interfaces.Get(tx, vpc.InterfaceID(eni))
		i.Attachment = &vpc.Attachment{ID: "eni-attach-1", Instance: "i-0123456789abcdef0", InstanceOwner: "123456789012"}
		state.Interfaces.Put(tx, &i)
		return nil
	})
	xml = w.Must("DescribeRouteTables", "Filter.1.Name", "route.instance-id", "Filter.1.Value.1", "i-0123456789abcdef0")
	wantElement(t, "by instance", xml, "routeTableId", table)
	wantElement(t, "by instance", xml, "instanceOwnerId", "123456789012", "123456789012", "123456789012")
	w.Must("CreateRoute", add("DestinationCidrBlock", "9.0.0.0/8", "InstanceId", "i-0123456789abcdef0")...)
	if r := routesOf(w, table); !strings.Contains(r, "9.0.0.0/8 -> "+eni+" active") {
		t.Errorf("by instance: %s", r)
	}
	w.Must("ReplaceRoute", add("DestinationCidrBlock", "10.0.0.0/16", "LocalTarget", "true")...)
	w.Refused("InvalidParameterValue", "ReplaceRoute", add("DestinationCidrBlock", "9.0.0.0/8", "LocalTarget", "true")...)
	if r := routesOf(w, table); !strings.HasPrefix(r, "10.0.0.0/16 -> local active; ") {
		t.Errorf("back to local: %s", r)
	}
	wantSaid(t, w.Refused("InvalidParameterValue", "ReplaceRoute", add("DestinationCidrBlock", "8.0.0.0/8", "GatewayId", igw)...),
		"There is no route defined for '8.0.0.0/8' in the route table. Use CreateRoute instead.")

	// What is detached leaves a blackhole.
	w.Must("DetachInternetGateway", "InternetGatewayId", igw, "VpcId", id)
	wantElement(t, "blackholes", w.Must("DescribeRouteTables", "Filter.1.Name", "route.state", "Filter.1.Value.1", "blackhole"), "routeTableId", table)
	if r := routesOf(w, table); !strings.Contains(r, "0.0.0.0/0 -> "+igw+" blackhole") {
		t.Errorf("detached: %s", r)
	}

	for _, d := range []string{"0.0.0.0/0", "192.168.0.0/16", "10.0.7.0/24", "9.0.0.0/8"} {
		w.Must("DeleteRoute", add("DestinationCidrBlock", d)...)
	}
	w.Must("DeleteRoute", add("DestinationIpv6CidrBlock", "::/0")...)
	w.Must("DeleteRoute", add("DestinationPrefixListId", list)...)
	wantSaid(t, w.Refused("InvalidRoute.NotFound", "DeleteRoute", add("DestinationCidrBlock", "0.0.0.0/0")...),
		"no route with destination-cidr-block 0.0.0.0/0 in route table "+table)
	wantSaid(t, w.Refused("InvalidParameterValue", "DeleteRoute", add("DestinationCidrBlock", "10.0.0.0/16")...),
		"cannot remove local route 10.0.0.0/16 in route table "+table)
	eq(t, "what is left", routesOf(w, table), "10.0.0.0/16 -> local active")

	w.Quotas.RoutesPerTable = 3
	w.Must("AttachInternetGateway", "InternetGatewayId", igw, "VpcId", id)
	w.Must("CreateRoute", add("DestinationCidrBlock", "0.0.0.0/0", "GatewayId", igw)...)
	wantSaid(t, w.Refused("RouteLimitExceeded", "CreateRoute", add("DestinationPrefixListId", list, "GatewayId", igw)...), "The maximum number of routes has been reached.")
	w.Must("CreateRoute", add("DestinationCidrBlock", "9.0.0.0/8", "GatewayId", igw)...)
}

func TestRouteTableAssociations(t *testing.T) {
	w := ec2test.New(t)
	id := makeVPC(w, "CidrBlock", "10.0.0.0/16")
	s := makeSubnet(w, "VpcId", id, "CidrBlock", "10.0.1.0/24")
	main := mainTableOf(w, id)
	a := ec2test.One(w.Must("CreateRouteTable", "VpcId", id), "routeTableId")
	b := ec2test.One(w.Must("CreateRouteTable", "VpcId", id), "routeTableId")
	xml := w.Must("AssociateRouteTable", "RouteTableId", a, "SubnetId", s)
	wantElement(t, "associated", xml, "state", "associated")
	assoc := ec2test.One(xml, "associationId")
	wantElement(t, "once more", w.Must("AssociateRouteTable", "RouteTableId", a, "SubnetId", s), "associationId", assoc)
	wantSaid(t, w.Refused("Resource.AlreadyAssociated", "AssociateRouteTable", "RouteTableId", b, "SubnetId", s),
		"the specified association for route table "+b+" conflicts with an existing association")
	w.Refused("MissingParameter", "AssociateRouteTable", "RouteTableId", a)
	elsewhere := state.DefaultVPC(w.Space())
	var far string
	for s := range state.Subnets.By(w.Space(), state.SubnetsByVPC, string(elsewhere.ID)) {
		far = string(s.ID)
	}
	wantSaid(t, w.Refused("InvalidParameterValue", "AssociateRouteTable", "RouteTableId", a, "SubnetId", far),
		"Route table "+a+" and subnet "+far+" belong to different networks")
	xml = w.Must("DescribeRouteTables", "Filter.1.Name", "association.subnet-id", "Filter.1.Value.1", s)
	wantElement(t, "by subnet", xml, "subnetId", s)
	wantElement(t, "by association", w.Must("DescribeRouteTables", "Filter.1.Name", "association.route-table-association-id", "Filter.1.Value.1", assoc), "subnetId", s)
	wantSaid(t, w.Refused("DependencyViolation", "DeleteRouteTable", "RouteTableId", a),
		"The routeTable '"+a+"' has dependencies and cannot be deleted. (held by subnet "+s+")")

	next := ec2test.One(w.Must("ReplaceRouteTableAssociation", "AssociationId", assoc, "RouteTableId", b), "newAssociationId")
	wantSaid(t, w.Refused("InvalidAssociationID.NotFound", "DisassociateRouteTable", "AssociationId", assoc), "The association ID '"+assoc+"' does not exist")
	w.Must("DeleteRouteTable", "RouteTableId", a)
	w.Must("DisassociateRouteTable", "AssociationId", next)
	w.Must("AssociateRouteTable", "RouteTableId", b, "SubnetId", s)
	w.Must("DeleteSubnet", "SubnetId", s) // its association goes with it

	// The main association can be moved, not ended.
	wantSaid(t, w.Refused("InvalidParameterValue", "DisassociateRouteTable", "AssociationId", string(main.ID)),
		"cannot disassociate the main route table association "+string(main.ID))
	wantSaid(t, w.Refused("DependencyViolation", "DeleteRouteTable", "RouteTableId", string(main.Table)),
		"The routeTable '"+string(main.Table)+"' has dependencies and cannot be deleted. (held by main route table of "+id+")")
	w.Refused("InvalidParameterValue", "ReplaceRouteTableAssociation", "AssociationId", string(main.ID), "RouteTableId", string(mainTableOf(w, string(elsewhere.ID)).Table))
	w.Must("ReplaceRouteTableAssociation", "AssociationId", string(main.ID), "RouteTableId", b)
	eq(t, "main table", string(mainTableOf(w, id).Table), b)
	w.Refused("DependencyViolation", "DeleteVpc", "VpcId", id) // the table that was the main one
	w.Must("DeleteRouteTable", "RouteTableId", string(main.Table))
	w.Must("DeleteVpc", "VpcId", id)

	// A gateway may have a table, until it is detached.
	v := string(elsewhere.ID)
	igw := ec2test.One(w.Must("DescribeInternetGateways"), "internetGatewayId")
	c := ec2test.One(w.Must("CreateRouteTable", "VpcId", v), "routeTableId")
	w.Must("AssociateRouteTable", "RouteTableId", c, "GatewayId", igw)
	wantElement(t, "by gateway", w.Must("DescribeRouteTables", "Filter.1.Name", "association.gateway-id", "Filter.1.Value.1", igw), "main", "false")
	w.Must("DetachInternetGateway", "InternetGatewayId", igw, "VpcId", v)
	w.Must("DeleteRouteTable", "RouteTableId", c)

	w.Refused("InvalidParameterValue", "DescribeRouteTables", "MaxResults", "101")
	w.Quotas.RouteTablesPerVPC = 1
	w.Refused("RouteTableLimitExceeded", "CreateRouteTable", "VpcId", v)
}

func TestNetworkACLs(t *testing.T) {
	w := ec2test.New(t)
	id := makeVPC(w, "CidrBlock", "10.0.0.0/16")
	s := makeSubnet(w, "VpcId", id, "CidrBlock", "10.0.1.0/24")
	def := string(state.DefaultACL(w.Space(), vpc.VPCID(id)).ID)
	xml := w.Must("CreateNetworkAcl", "VpcId", id, "TagSpecification.1.ResourceType", "network-acl",
		"TagSpecification.1.Tag.1.Key", "Name", "TagSpecification.1.Tag.1.Value", "strict")
	acl := ec2test.One(xml, "networkAclId")
	wantElement(t, "created", xml, "default", "false")
	wantElement(t, "created", xml, "ruleNumber", "32767", "32767")
	wantElement(t, "created", xml, "ruleAction", "deny", "deny")

	entry := func(number, egress string, more ...string) []string {
		return append([]string{"NetworkAclId", acl, "RuleNumber", number, "Egress", egress}, more...)
	}
	https := []string{"Protocol", "tcp", "RuleAction", "allow", "CidrBlock", "10.0.0.1/8", "PortRange.From", "443", "PortRange.To", "444"}
	w.Must("CreateNetworkAclEntry", entry("200", "false", https...)...)
	w.Must("CreateNetworkAclEntry", entry("100", "false", "Protocol", "1", "RuleAction", "deny", "CidrBlock", "0.0.0.0/0", "Icmp.Type", "8", "Icmp.Code", "-1")...)
	w.Must("CreateNetworkAclEntry", entry("200", "true", "Protocol", "-1", "RuleAction", "allow", "Ipv6CidrBlock", "::/0")...)
	xml = w.Must("DescribeNetworkAcls", "NetworkAclId.1", acl)
	wantElement(t, "entries", xml, "ruleNumber", "100", "200", "32767", "200", "32767")
	wantElement(t, "entries", xml, "protocol", "1", "6", "-1", "-1", "-1")
	wantElement(t, "entries", xml, "cidrBlock", "0.0.0.0/0", "10.0.0.0/8", "0.0.0.0/0", "0.0.0.0/0")
	wantElement(t, "entries", xml, "portRange", "<from>443</from><to>444</to>")
	wantElement(t, "entries", xml, "icmpTypeCode", "<code>-1</code><type>8</type>")
	for filter, value := range map[string]string{
		"entry.cidr": "10.0.0.0/8", "entry.protocol": "tcp", "entry.port-range.from": "443", "entry.icmp.type": "8",
		"entry.ipv6-cidr": "::/0", "tag:Name": "strict",
	} {
		wantElement(t, filter, w.Must("DescribeNetworkAcls", "Filter.1.Name", filter, "Filter.1.Value.1", value), "networkAclId", acl)
	}
	wantElement(t, "next port", w.Must("DescribeNetworkAcls", "Filter.1.Name", "entry.port-range.from", "Filter.1.Value.1", "442"), "networkAclId")

	wantSaid(t, w.Refused("NetworkAclEntryAlreadyExists", "CreateNetworkAclEntry", entry("200", "false", https...)...),
		"The network acl entry identified by 200 already exists.")
	w.Must("ReplaceNetworkAclEntry", entry("200", "false", "Protocol", "17", "RuleAction", "deny", "CidrBlock", "10.0.0.0/8", "PortRange.From", "0", "PortRange.To", "65535")...)
	w.Refused("InvalidNetworkAclEntry.NotFound", "ReplaceNetworkAclEntry", entry("201", "false", https...)...)
	w.Refused("InvalidParameterValue", "CreateNetworkAclEntry", entry("32767", "false", https...)...)
	w.Refused("InvalidParameterValue", "CreateNetworkAclEntry", entry("0", "false", https...)...)
	w.Refused("InvalidParameterValue", "CreateNetworkAclEntry", entry("5", "false", "Protocol", "nope", "RuleAction", "allow", "CidrBlock", "10.0.0.0/8")...)
	w.Refused("InvalidParameterValue", "CreateNetworkAclEntry", entry("5", "false", "Protocol", "6", "RuleAction", "pass", "CidrBlock", "10.0.0.0/8")...)
	w.Refused("MissingParameter", "CreateNetworkAclEntry", entry("5", "false", "Protocol", "6", "RuleAction", "allow", "CidrBlock", "10.0.0.0/8")...)
	w.Refused("MissingParameter", "CreateNetworkAclEntry", entry("5", "false", "Protocol", "6", "RuleAction", "allow")...)
	w.Refused("MissingParameter", "CreateNetworkAclEntry", "NetworkAclId", acl, "RuleNumber", "5", "Protocol", "6", "RuleAction", "allow", "CidrBlock", "10.0.0.0/8")
	w.Must("DeleteNetworkAclEntry", entry("200", "false")...)
	w.Refused("InvalidNetworkAclEntry.NotFound", "DeleteNetworkAclEntry", entry("200", "false")...)

	use := ec2test.One(w.Must("DescribeNetworkAcls", "Filter.1.Name", "association.subnet-id", "Filter.1.Value.1", s), "networkAclAssociationId")
	next := ec2test.One(w.Must("ReplaceNetworkAclAssociation", "AssociationId", use, "NetworkAclId", acl), "newAssociationId")
	wantElement(t, "of the subnet", w.Must("DescribeNetworkAcls", "Filter.1.Name", "association.association-id", "Filter.1.Value.1", next), "subnetId", s)
	w.Refused("InvalidAssociationID.NotFound", "ReplaceNetworkAclAssociation", "AssociationId", use, "NetworkAclId", acl)
	far := string(state.DefaultACL(w.Space(), state.DefaultVPC(w.Space()).ID).ID)
	w.Refused("InvalidParameterValue", "ReplaceNetworkAclAssociation", "AssociationId", next, "NetworkAclId", far)
	wantSaid(t, w.Refused("DependencyViolation", "DeleteNetworkAcl", "NetworkAclId", acl),
		"The networkAcl '"+acl+"' has dependencies and cannot be deleted. (held by subnet "+s+")")
	w.Refused("DependencyViolation", "DeleteVpc", "VpcId", id)
	w.Must("ReplaceNetworkAclAssociation", "AssociationId", next, "NetworkAclId", def)
	w.Must("DeleteNetworkAcl", "NetworkAclId", acl)
	wantSaid(t, w.Refused("InvalidParameterValue", "DeleteNetworkAcl", "NetworkAclId", def), "cannot delete default network ACL "+def)
	w.Refused("InvalidNetworkAclID.NotFound", "DeleteNetworkAcl", "NetworkAclId", acl)

	// A direction that was changed is not opened to IPv6.
	w.Must("DeleteNetworkAclEntry", "NetworkAclId", def, "RuleNumber", "100", "Egress", "false")
	w.Must("AssociateVpcCidrBlock", "VpcId", id, "AmazonProvidedIpv6CidrBlock", "true")
	wantElement(t, "with IPv6", w.Must("DescribeNetworkAcls", "NetworkAclId.1", def), "ruleNumber", "32767", "32768", "100", "101", "32767", "32768")

	w.Quotas.ACLsPerVPC = 1
	w.Refused("NetworkAclLimitExceeded", "CreateNetworkAcl", "VpcId", id)
	w.Quotas.ACLEntries = 3
	acl = def
	w.Must("CreateNetworkAclEntry", entry("7", "false", https...)...)
	w.Must("CreateNetworkAclEntry", entry("8", "false", https...)...)
	w.Refused("NetworkAclEntryLimitExceeded", "CreateNetworkAclEntry", entry("9", "false", https...)...)
	w.Must("CreateNetworkAclEntry", entry("9", "true", https...)...)
}

func TestDHCPOptions(t *testing.T) {
	w := ec2test.New(t)
	v := state.DefaultVPC(w.Space())
	xml := w.Must("CreateDhcpOptions", "DhcpConfiguration.1.Key", "domain-name", "DhcpConfiguration.1.Value.1", "example.com",
		"DhcpConfiguration.2.Key", "domain-name-servers", "DhcpConfiguration.2.Value.1", "10.2.5.1", "DhcpConfiguration.2.Value.2", "AmazonProvidedDNS")
	id := ec2test.One(xml, "dhcpOptionsId")
	wantElement(t, "created", xml, "key", "domain-name", "domain-name-servers")
	w.Must("AssociateDhcpOptions", "DhcpOptionsId", id, "VpcId", string(v.ID))
	wantElement(t, "VPC", w.Must("DescribeVpcs", "Filter.1.Name", "dhcp-options-id", "Filter.1.Value.1", id), "vpcId", string(v.ID))
	wantSaid(t, w.Refused("DependencyViolation", "DeleteDhcpOptions", "DhcpOptionsId", id),
		"The dhcpOptions '"+id+"' has dependencies and cannot be deleted. (held by VPC "+string(v.ID)+")")
	wantElement(t, "by key", w.Must("DescribeDhcpOptions", "Filter.1.Name", "value", "Filter.1.Value.1", "example.*"), "dhcpOptionsId", id)
	w.Must("AssociateDhcpOptions", "DhcpOptionsId", "default", "VpcId", string(v.ID))
	wantElement(t, "none", w.Must("DescribeVpcs"), "dhcpOptionsId", "default")
	w.Must("DeleteDhcpOptions", "DhcpOptionsId", id)
	wantSaid(t, w.Refused("InvalidDhcpOptionID.NotFound", "AssociateDhcpOptions", "DhcpOptionsId", id, "VpcId", string(v.ID)),
		"The dhcpOption ID '"+id+"' does not exist")
	w.Refused("InvalidDhcpOptionsId.Malformed", "DescribeDhcpOptions", "DhcpOptionsId.1", "dopt-1")
	w.Refused("MissingParameter", "CreateDhcpOptions")
	w.Refused("InvalidParameterValue", "CreateDhcpOptions", "DhcpConfiguration.1.Key", "color", "DhcpConfiguration.1.Value.1", "red")
	w.Refused("InvalidParameterValue", "CreateDhcpOptions", "DhcpConfiguration.1.Key", "ntp-servers", "DhcpConfiguration.1.Value.1", "time")
	w.Refused("InvalidParameterValue", "CreateDhcpOptions", "DhcpConfiguration.1.Key", "netbios-node-type", "DhcpConfiguration.1.Value.1", "3")

	// The region's own set comes back with the next VPC, should somebody have
	// deleted it.
	w.Must("DeleteDhcpOptions", "DhcpOptionsId", vpc.DefaultDHCPOptions("us-east-1", "123456789012"))
	xml = w.Must("CreateVpc", "CidrBlock", "10.0.0.0/16")
	w.Must("DescribeDhcpOptions", "DhcpOptionsId.1", ec2test.One(xml, "dhcpOptionsId"))
}

// A store of a moat that knew no more than VPCs, subnets and groups gets the
// rest, in as many calls as it takes, and nothing twice.
func TestFurnishCompletesAnEarlierStore(t *testing.T) {
	w := ec2test.New(t)
	w.Quotas = vpc.NoQuotas()
	other := makeVPC(w, "CidrBlock", "10.0.0.0/16")
	for i := range 100 {
		makeSubnet(w, "VpcId", other, "CidrBlock", fmt.Sprintf("10.0.%d.0/24", i))
	}
	w.Stage(func(tx *state.Txn) error {
		eachID(tx, state.InternetGateways, state.InternetGateways.Delete)
		eachID(tx, state.RouteTables, state.RouteTables.Delete)
		eachID(tx, state.RouteTableAssociations, state.RouteTableAssociations.Delete)
		eachID(tx, state.NetworkACLs, state.NetworkACLs.Delete)
		eachID(tx, state.NetworkACLAssociations, state.NetworkACLAssociations.Delete)
		eachID(tx, state.DHCPOptions, state.DHCPOptions.Delete)
		state.Spaces.Put(tx, &vpc.Space{Created: tx.Now, Furnished: 1})
		return nil
	})
	calls := 0
	for ; !ec2.Furnished(w.Space()); calls++ {
		if calls > 20 {
			t.Fatal("the store never gets complete")
		}
		w.Stage(func(tx *state.Txn) error {
			err := ec2.Furnish(tx)
			if n := len(tx.Changes()); n > 60 {
				t.Errorf("%d rows change in one call", n)
			}
			return err
		})
	}
	if calls < 3 {
		t.Errorf("%d calls for more than a hundred rows", calls)
	}
	sp := w.Space()
	if a, b, c, d := state.RouteTables.Len(sp), state.NetworkACLs.Len(sp), state.NetworkACLAssociations.Len(sp), state.InternetGateways.Len(sp); a != 2 || b != 2 || c != 106 || d != 1 {
		t.Errorf("%d tables, %d ACLs, %d associations, %d gateways; want 2, 2, 106, 1", a, b, c, d)
	}
	v := string(state.DefaultVPC(sp).ID)
	if r := routesOf(w, string(mainTableOf(w, v).Table)); !strings.Contains(r, "0.0.0.0/0 -> igw-") {
		t.Errorf("the default VPC has no way out: %s", r)
	}
	if r := routesOf(w, string(mainTableOf(w, other).Table)); r != "10.0.0.0/16 -> local active" {
		t.Errorf("another VPC: %s", r)
	}
	w.Must("DescribeDhcpOptions", "DhcpOptionsId.1", state.DefaultVPC(sp).DHCPOptions)
}

func eachID[K ~string, T any](tx *state.Txn, k *state.Kind[K, T], f func(*state.Txn, K)) {
	var ids []K
	for row := range k.All(tx) {
		ids = append(ids, k.Key(row))
	}
	for _, id := range ids {
		f(tx, id)
	}
}

func TestGatewayEndpoints(t *testing.T) {
	w := ec2test.New(t)
	id := makeVPC(w, "CidrBlock", "10.0.0.0/16")
	table := string(mainTableOf(w, id).Table)
	const s3 = "com.amazonaws.us-east-1.s3"
	list := ec2test.One(w.Must("DescribePrefixLists", "Filter.1.Name", "prefix-list-name", "Filter.1.Value.1", s3), "prefixListId")
	xml := w.Must("CreateVpcEndpoint", "VpcId", id, "ServiceName", s3, "RouteTableId.1", table,
		"TagSpecification.1.ResourceType", "vpc-endpoint", "TagSpecification.1.Tag.1.Key", "Name", "TagSpecification.1.Tag.1.Value", "store")
	e := ec2test.One(xml, "vpcEndpointId")
	wantElement(t, "created", xml, "state", "available")
	wantElement(t, "created", xml, "vpcEndpointType", "Gateway")
	eq(t, "routes", routesOf(w, table), "10.0.0.0/16 -> local active; "+list+" -> "+e+" active")
	wantElement(t, "by tag", w.Must("DescribeVpcEndpoints", "Filter.1.Name", "tag:Name", "Filter.1.Value.1", "store"), "vpcEndpointId", e)
	wantElement(t, "by another type", w.Must("DescribeVpcEndpoints", "Filter.1.Name", "vpc-endpoint-type", "Filter.1.Value.1", "Interface"), "vpcEndpointId")
	wantSaid(t, w.Refused("RouteAlreadyExists", "CreateVpcEndpoint", "VpcId", id, "ServiceName", s3, "RouteTableId.1", table),
		"route table "+table+" already has a route with destination-prefix-list-id "+list)
	w.Refused("InvalidParameterValue", "DeleteRoute", "RouteTableId", table, "DestinationPrefixListId", list)
	w.Refused("DependencyViolation", "DeleteVpc", "VpcId", id)
	wantSaid(t, w.Refused("InvalidServiceName", "CreateVpcEndpoint", "VpcId", id, "ServiceName", "com.amazonaws.us-east-1.moon"),
		"The Vpc Endpoint Service 'com.amazonaws.us-east-1.moon' does not exist")
	w.Refused("InvalidParameter", "CreateVpcEndpoint", "VpcId", id, "ServiceName", s3, "VpcEndpointType", "Interface")
	w.Refused("InvalidPolicyDocument", "CreateVpcEndpoint", "VpcId", id, "ServiceName", s3, "PolicyDocument", "{")
	far := string(mainTableOf(w, string(state.DefaultVPC(w.Space()).ID)).Table)
	w.Refused("InvalidParameter", "ModifyVpcEndpoint", "VpcEndpointId", e, "AddRouteTableId.1", far)
	w.Must("ModifyVpcEndpoint", "VpcEndpointId", e, "RemoveRouteTableId.1", table, "PolicyDocument", `{"Statement":[]}`)
	eq(t, "routes", routesOf(w, table), "10.0.0.0/16 -> local active")
	wantElement(t, "policy", w.Must("DescribeVpcEndpoints", "VpcEndpointId.1", e), "policyDocument", `{"Statement":[]}`)
	xml = w.Must("DeleteVpcEndpoints", "VpcEndpointId.1", e, "VpcEndpointId.2", "vpce-0123456789abcdef0")
	wantElement(t, "what is not there", xml, "resourceId", "vpce-0123456789abcdef0")
	w.Refused("InvalidVpcEndpointId.NotFound", "DescribeVpcEndpoints", "VpcEndpointId.1", e)
	w.Must("DeleteVpc", "VpcId", id)

	xml = w.Must("DescribeVpcEndpointServices", "Filter.1.Name", "service-type", "Filter.1.Value.1", "Gateway")
	wantElement(t, "services", xml, "serviceName", "com.amazonaws.us-east-1.dynamodb", s3)
	wantElement(t, "one", w.Must("DescribeVpcEndpointServices", "ServiceName.1", s3), "serviceName", s3)
	w.Refused("InvalidParameterValue", "DescribeVpcEndpointServices", "Filter.1.Name", "color", "Filter.1.Value.1", "red")
	w.Quotas.EndpointsPerRegion = 0
	w.Refused("VpcEndpointLimitExceeded", "CreateVpcEndpoint", "VpcId", string(state.DefaultVPC(w.Space()).ID), "ServiceName", s3)
}
