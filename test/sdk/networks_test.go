package sdk

import (
	"reflect"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// testNetworks: what is around a VPC, called one after the other.
func testNetworks(w *world) {
	for _, in := range w.dryNetworks() {
		name := strings.TrimSuffix(reflect.TypeOf(in).Elem().Name(), "Input")
		results := reflect.ValueOf(w.ec2).MethodByName(name).Call([]reflect.Value{reflect.ValueOf(w.ctx), reflect.ValueOf(in)})
		if err, _ := results[1].Interface().(error); err != nil {
			w.Errorf("%s: %v", name, err)
		}
	}
	// EC2-Classic is gone: a refusal is all the answer there is.
	refused(w, w.ec2.DescribeVpcClassicLink, &ec2.DescribeVpcClassicLinkInput{}, "UnsupportedOperation", "~.+")
	refused(w, w.ec2.DescribeVpcClassicLinkDnsSupport, &ec2.DescribeVpcClassicLinkDnsSupportInput{}, "UnsupportedOperation", "~.+")
}

// dryNetworks gives inputs of what is around a VPC. Each would succeed now,
// and all do when called in this order.
func (w *world) dryNetworks() []any {
	w.Helper()
	home, far := w.vpc("10.26.0.0/16"), w.vpc("10.27.0.0/16")
	third, fourth := w.vpc("10.28.0.0/16"), w.vpc("10.29.0.0/16")
	subnet := w.subnet(home, "10.26.1.0/24")
	free := must(w, w.ec2.CreateInternetGateway, &ec2.CreateInternetGatewayInput{}).InternetGateway.InternetGatewayId
	loose := must(w, w.ec2.CreateInternetGateway, &ec2.CreateInternetGatewayInput{}).InternetGateway.InternetGatewayId
	used := must(w, w.ec2.CreateInternetGateway, &ec2.CreateInternetGatewayInput{}).InternetGateway.InternetGatewayId
	must(w, w.ec2.AttachInternetGateway, &ec2.AttachInternetGatewayInput{InternetGatewayId: used, VpcId: &home})

	table := must(w, w.ec2.CreateRouteTable, &ec2.CreateRouteTableInput{VpcId: &home}).RouteTable.RouteTableId
	other := must(w, w.ec2.CreateRouteTable, &ec2.CreateRouteTableInput{VpcId: &home}).RouteTable.RouteTableId
	must(w, w.ec2.CreateRoute, &ec2.CreateRouteInput{RouteTableId: table, DestinationCidrBlock: new("0.0.0.0/0"), GatewayId: used})
	association := must(w, w.ec2.AssociateRouteTable, &ec2.AssociateRouteTableInput{RouteTableId: table, SubnetId: &subnet}).AssociationId
	second, away := w.subnet(home, "10.26.2.0/24"), w.subnet(home, "10.26.3.0/24")
	ends := must(w, w.ec2.AssociateRouteTable, &ec2.AssociateRouteTableInput{RouteTableId: table, SubnetId: &away}).AssociationId
	empty := must(w, w.ec2.CreateRouteTable, &ec2.CreateRouteTableInput{VpcId: &home}).RouteTable.RouteTableId

	acl := must(w, w.ec2.CreateNetworkAcl, &ec2.CreateNetworkAclInput{VpcId: &home}).NetworkAcl.NetworkAclId
	entry := func(number int32) (*string, *int32, *string, types.RuleAction, *bool, *string) {
		return acl, &number, new("-1"), types.RuleActionAllow, new(false), new("10.0.0.0/8")
	}
	create := &ec2.CreateNetworkAclEntryInput{}
	create.NetworkAclId, create.RuleNumber, create.Protocol, create.RuleAction, create.Egress, create.CidrBlock = entry(10)
	must(w, w.ec2.CreateNetworkAclEntry, create)
	next := &ec2.CreateNetworkAclEntryInput{}
	next.NetworkAclId, next.RuleNumber, next.Protocol, next.RuleAction, next.Egress, next.CidrBlock = entry(20)
	replace := &ec2.ReplaceNetworkAclEntryInput{}
	replace.NetworkAclId, replace.RuleNumber, replace.Protocol, replace.RuleAction, replace.Egress, replace.CidrBlock = entry(10)
	var guarded *string
	for _, a := range must(w, w.ec2.DescribeNetworkAcls, &ec2.DescribeNetworkAclsInput{Filters: filters("association.subnet-id", subnet)}).NetworkAcls[0].Associations {
		if *a.SubnetId == subnet {
			guarded = a.NetworkAclAssociationId
		}
	}
	spare := must(w, w.ec2.CreateNetworkAcl, &ec2.CreateNetworkAclInput{VpcId: &home}).NetworkAcl.NetworkAclId

	names := []types.NewDhcpConfiguration{{Key: new("domain-name"), Values: []string{"example.com"}}}
	options := must(w, w.ec2.CreateDhcpOptions, &ec2.CreateDhcpOptionsInput{DhcpConfigurations: names}).DhcpOptions.DhcpOptionsId

	idle := must(w, w.ec2.CreateDhcpOptions, &ec2.CreateDhcpOptionsInput{DhcpConfigurations: names}).DhcpOptions.DhcpOptionsId

	peering := func(a, b string) *string {
		return must(w, w.ec2.CreateVpcPeeringConnection, &ec2.CreateVpcPeeringConnectionInput{VpcId: &a, PeerVpcId: &b}).VpcPeeringConnection.VpcPeeringConnectionId
	}
	pending, unwanted, active := peering(home, far), peering(home, fourth), peering(home, third)
	must(w, w.ec2.AcceptVpcPeeringConnection, &ec2.AcceptVpcPeeringConnectionInput{VpcPeeringConnectionId: active})

	service := new("com.amazonaws." + w.region + ".s3")
	endpoint := must(w, w.ec2.CreateVpcEndpoint, &ec2.CreateVpcEndpointInput{VpcId: &far, ServiceName: service}).VpcEndpoint.VpcEndpointId

	return []any{
		&ec2.CreateInternetGatewayInput{},
		&ec2.AttachInternetGatewayInput{InternetGatewayId: free, VpcId: &far},
		&ec2.DeleteInternetGatewayInput{InternetGatewayId: loose},
		&ec2.DescribeInternetGatewaysInput{},
		&ec2.CreateRouteTableInput{VpcId: &home},
		&ec2.DeleteRouteTableInput{RouteTableId: empty},
		&ec2.DescribeRouteTablesInput{},
		&ec2.CreateRouteInput{RouteTableId: table, DestinationCidrBlock: new("192.0.2.0/24"), GatewayId: used},
		&ec2.ReplaceRouteInput{RouteTableId: table, DestinationCidrBlock: new("0.0.0.0/0"), GatewayId: used},
		&ec2.DeleteRouteInput{RouteTableId: table, DestinationCidrBlock: new("0.0.0.0/0")},
		&ec2.AssociateRouteTableInput{RouteTableId: other, SubnetId: &second},
		&ec2.ReplaceRouteTableAssociationInput{AssociationId: association, RouteTableId: other},
		&ec2.DisassociateRouteTableInput{AssociationId: ends},
		&ec2.DetachInternetGatewayInput{InternetGatewayId: used, VpcId: &home},
		&ec2.CreateNetworkAclInput{VpcId: &home},
		&ec2.DeleteNetworkAclInput{NetworkAclId: spare},
		&ec2.DescribeNetworkAclsInput{},
		next,
		replace,
		&ec2.DeleteNetworkAclEntryInput{NetworkAclId: acl, RuleNumber: new(int32(10)), Egress: new(false)},
		&ec2.ReplaceNetworkAclAssociationInput{AssociationId: guarded, NetworkAclId: acl},
		&ec2.CreateDhcpOptionsInput{DhcpConfigurations: names},
		&ec2.DeleteDhcpOptionsInput{DhcpOptionsId: idle},
		&ec2.DescribeDhcpOptionsInput{},
		&ec2.AssociateDhcpOptionsInput{DhcpOptionsId: options, VpcId: &home},
		&ec2.CreateVpcPeeringConnectionInput{VpcId: &far, PeerVpcId: &third},
		&ec2.AcceptVpcPeeringConnectionInput{VpcPeeringConnectionId: pending},
		&ec2.RejectVpcPeeringConnectionInput{VpcPeeringConnectionId: unwanted},
		&ec2.DescribeVpcPeeringConnectionsInput{},
		&ec2.ModifyVpcPeeringConnectionOptionsInput{VpcPeeringConnectionId: active, RequesterPeeringConnectionOptions: &types.PeeringConnectionOptionsRequest{AllowDnsResolutionFromRemoteVpc: new(true)}},
		&ec2.DeleteVpcPeeringConnectionInput{VpcPeeringConnectionId: active},
		&ec2.CreateVpcEndpointInput{VpcId: &home, ServiceName: service},
		&ec2.ModifyVpcEndpointInput{VpcEndpointId: endpoint, ResetPolicy: new(true)},
		&ec2.DescribeVpcEndpointsInput{},
		&ec2.DeleteVpcEndpointsInput{VpcEndpointIds: []string{*endpoint}},
		&ec2.DescribeVpcEndpointServicesInput{},
	}
}
