package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// ModifyVpcEndpoint changes the policy and the route tables of an endpoint.
var ModifyVpcEndpoint = action.Write[ModifyVpcEndpointInput, ModifyVpcEndpointOutput]{
	Name: "ModifyVpcEndpoint",
	Doc:  `Changes the policy of a gateway endpoint, and the route tables that have routes to it.`,
	Plan: func(tx *state.Txn, in *ModifyVpcEndpointInput) (*ModifyVpcEndpointOutput, error) {
		switch {
		case in.VpcEndpointId == "":
			return nil, fault.MissingParameter.With("vpcEndpointId")
		case isTrue(in.ResetPolicy) && in.PolicyDocument != "":
			return nil, fault.InvalidParameterCombination.With("resetPolicy", "policyDocument")
		case len(in.AddSubnetIds)+len(in.RemoveSubnetIds)+len(in.SubnetConfigurations) > 0:
			return nil, onlyInterfaceEndpoints("subnetIds")
		case len(in.AddSecurityGroupIds)+len(in.RemoveSecurityGroupIds) > 0:
			return nil, onlyInterfaceEndpoints("securityGroupIds")
		case isTrue(in.PrivateDnsEnabled):
			return nil, onlyInterfaceEndpoints("privateDnsEnabled")
		case in.IpAddressType != "" && in.IpAddressType != "ipv4":
			return nil, fault.InvalidParameter.Say("The IP address type (%s) is not supported by the service.", in.IpAddressType)
		}
		if in.PolicyDocument != "" {
			if err := vpc.CheckEndpointPolicy(in.PolicyDocument); err != nil {
				return nil, err
			}
		}
		old, err := endpointOf(tx, in.VpcEndpointId)
		if err != nil {
			return nil, err
		}
		e := *old
		switch {
		case isTrue(in.ResetPolicy):
			e.Policy = vpc.OpenEndpointPolicy
		case in.PolicyDocument != "":
			e.Policy = in.PolicyDocument
		}
		if e.Tables, err = endpointTables(tx, &e, old.Tables, in.AddRouteTableIds, in.RemoveRouteTableIds); err != nil {
			return nil, err
		}
		state.Endpoints.Put(tx, &e)
		return &ModifyVpcEndpointOutput{Return: true}, nil
	},
}

// ModifyVpcEndpointInput is what ModifyVpcEndpoint takes.
type ModifyVpcEndpointInput struct {
	DryRun                 bool
	VpcEndpointId          string // required
	ResetPolicy            *bool
	PolicyDocument         string
	AddRouteTableIds       []string `in:"AddRouteTableId"`
	RemoveRouteTableIds    []string `in:"RemoveRouteTableId"`
	AddSubnetIds           []string `in:"AddSubnetId"`
	RemoveSubnetIds        []string `in:"RemoveSubnetId"`
	AddSecurityGroupIds    []string `in:"AddSecurityGroupId"`
	RemoveSecurityGroupIds []string `in:"RemoveSecurityGroupId"`
	IpAddressType          string
	DnsOptions             *DnsOptionsSpecification
	PrivateDnsEnabled      *bool
	SubnetConfigurations   []SubnetConfiguration `in:"SubnetConfiguration"`
}

// ModifyVpcEndpointOutput is what ModifyVpcEndpoint gives.
type ModifyVpcEndpointOutput struct {
	Return bool
}
