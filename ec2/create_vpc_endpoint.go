package ec2

import (
	"slices"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// CreateVpcEndpoint makes a gateway endpoint for a service.
var CreateVpcEndpoint = action.Write[CreateVpcEndpointInput, CreateVpcEndpointOutput]{
	Name: "CreateVpcEndpoint",
	Doc:  `Creates a gateway endpoint for a service in a VPC. The route tables named get routes to it from the prefix list of the service. Endpoints are kept and described; they lead no packet.`,
	Plan: func(tx *state.Txn, in *CreateVpcEndpointInput) (*CreateVpcEndpointOutput, error) {
		if err := allGiven("vpcId", in.VpcId, "serviceName", in.ServiceName); err != nil {
			return nil, err
		}
		if err := gatewayKindOnly(tx, in); err != nil {
			return nil, err
		}
		policy := in.PolicyDocument
		if policy == "" {
			policy = vpc.OpenEndpointPolicy
		} else if err := vpc.CheckEndpointPolicy(policy); err != nil {
			return nil, err
		}
		v, err := vpcOf(tx, in.VpcId)
		if err != nil {
			return nil, err
		}
		e := &vpc.Endpoint{
			ID: vpc.EndpointID(tx.NewID(vpc.EndpointPrefix)), Owner: tx.Account, VPC: v.ID, Service: in.ServiceName, Policy: policy, Created: tx.Now,
		}
		if e.Tables, err = endpointTables(tx, e, nil, in.RouteTableIds, nil); err != nil {
			return nil, err
		}
		if e.Tags, err = taggedWith(tx, in.TagSpecifications, "vpc-endpoint"); err != nil {
			return nil, err
		}
		if state.Endpoints.Len(tx) >= tx.Quotas.EndpointsPerRegion {
			return nil, fault.VpcEndpointLimitExceeded.With()
		}
		state.Endpoints.Put(tx, e)
		return &CreateVpcEndpointOutput{VpcEndpoint: endpointShape(tx.Region, e), ClientToken: in.ClientToken}, nil
	},
	Created: func(out *CreateVpcEndpointOutput) string { return out.VpcEndpoint.VpcEndpointId },
	Replay: func(tx *state.Txn, in *CreateVpcEndpointInput, id string) (*CreateVpcEndpointOutput, error) {
		e, err := endpointOf(tx, id)
		if err != nil {
			return nil, err
		}
		return &CreateVpcEndpointOutput{VpcEndpoint: endpointShape(tx.Region, e), ClientToken: in.ClientToken}, nil
	},
}

// gatewayKindOnly refuses endpoints of kinds that Moat does not have: interface
// endpoints would be addresses at which nobody answers.
func gatewayKindOnly(tx *state.Txn, in *CreateVpcEndpointInput) error {
	known := slices.Contains(vpc.EndpointServices(tx.Region), in.ServiceName)
	kind := in.VpcEndpointType
	if kind == "" {
		kind = "Gateway"
	}
	switch {
	case !slices.Contains([]string{"Gateway", "Interface", "GatewayLoadBalancer", "Resource", "ServiceNetwork"}, kind):
		return fault.InvalidParameterValue.With(kind, "vpcEndpointType", "Use Gateway.")
	case !known || in.ServiceRegion != "" && in.ServiceRegion != tx.Region:
		return fault.InvalidServiceName.With(in.ServiceName)
	case kind != "Gateway":
		return fault.InvalidParameter.Say("Endpoint type (%s) does not match available service types ([Gateway]).", kind)
	case len(in.SubnetIds)+len(in.SubnetConfigurations) > 0:
		return onlyInterfaceEndpoints("subnetIds")
	case len(in.SecurityGroupIds) > 0:
		return onlyInterfaceEndpoints("securityGroupIds")
	case isTrue(in.PrivateDnsEnabled):
		return onlyInterfaceEndpoints("privateDnsEnabled")
	case in.IpAddressType != "" && in.IpAddressType != "ipv4":
		return fault.InvalidParameter.Say("The IP address type (%s) is not supported by the service.", in.IpAddressType)
	}
	return nil
}

func onlyInterfaceEndpoints(parameter string) error {
	return fault.InvalidParameter.Say("The parameter %s is only supported for Interface type VPC Endpoints.", parameter)
}

func endpointOf(r state.Reader, id string) (*vpc.Endpoint, error) {
	return required(r, state.Endpoints, "vpcEndpointId", id, checkEndpointID, fault.InvalidVpcEndpointNotFound)
}

// endpointTables gives the route tables of an endpoint with some added and
// some removed, sorted. A table has one route from a prefix list.
func endpointTables(tx *state.Txn, e *vpc.Endpoint, old []vpc.RouteTableID, add, remove []string) ([]vpc.RouteTableID, error) {
	for _, id := range slices.Concat(add, remove) {
		if err := checkRouteTableID(id); err != nil {
			return nil, err
		}
	}
	out := slices.Clone(old)
	for _, id := range add {
		t, err := routeTableOf(tx, id)
		if err != nil {
			return nil, err
		}
		if t.VPC != e.VPC {
			return nil, fault.InvalidParameter.Say("Route table %s and VPC %s belong to different networks", t.ID, e.VPC)
		}
		if slices.Contains(out, t.ID) {
			continue
		}
		for _, l := range vpc.EndpointPrefixLists(tx.Region, e.Service) {
			if k := (vpc.RouteKey{PrefixList: l}); t.FindRoute(k) >= 0 || endpointRoute(tx, t, k) != nil {
				return nil, fault.RouteAlreadyExists.Say("route table %s already has a route with destination-prefix-list-id %s", t.ID, l)
			}
		}
		out = append(out, t.ID)
	}
	for _, id := range remove {
		at := slices.Index(out, vpc.RouteTableID(id))
		if at < 0 {
			return nil, fault.InvalidRouteTableNotFound.With(id)
		}
		out = slices.Delete(out, at, at+1)
	}
	slices.Sort(out)
	return out, nil
}

// endpointShape gives an endpoint as it is described.
func endpointShape(region string, e *vpc.Endpoint) *VpcEndpoint {
	shape := &VpcEndpoint{
		VpcEndpointId: string(e.ID), VpcEndpointType: "Gateway", VpcId: string(e.VPC), ServiceName: e.Service, State: "available",
		PolicyDocument: e.Policy, RouteTableIds: []string{}, SubnetIds: []string{}, Groups: []SecurityGroupIdentifier{},
		NetworkInterfaceIds: []string{}, DnsEntries: []DnsEntry{}, CreationTimestamp: e.Created, Tags: tagShapes(e.Tags),
		OwnerId: string(e.Owner), ServiceRegion: region,
	}
	for _, t := range e.Tables {
		shape.RouteTableIds = append(shape.RouteTableIds, string(t))
	}
	return shape
}

// CreateVpcEndpointInput is what CreateVpcEndpoint takes.
type CreateVpcEndpointInput struct {
	DryRun                   bool
	VpcEndpointType          string
	VpcId                    string // required
	ServiceName              string
	PolicyDocument           string
	RouteTableIds            []string `in:"RouteTableId"`
	SubnetIds                []string `in:"SubnetId"`
	SecurityGroupIds         []string `in:"SecurityGroupId"`
	IpAddressType            string
	DnsOptions               *DnsOptionsSpecification
	ClientToken              string
	PrivateDnsEnabled        *bool
	TagSpecifications        []TagSpecification    `in:"TagSpecification"`
	SubnetConfigurations     []SubnetConfiguration `in:"SubnetConfiguration"`
	ServiceNetworkArn        string
	ResourceConfigurationArn string
	ServiceRegion            string
}

// CreateVpcEndpointOutput is what CreateVpcEndpoint gives.
type CreateVpcEndpointOutput struct {
	VpcEndpoint *VpcEndpoint
	ClientToken string
}
