package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// DeleteVpc removes a VPC in which nothing is left but what it began with.
var DeleteVpc = action.Write[DeleteVpcInput, DeleteVpcOutput]{
	Name: "DeleteVpc",
	Doc:  `Deletes a VPC with its default security group, main route table and default network ACL. Whatever else is in it must be gone before.`,
	Plan: func(tx *state.Txn, in *DeleteVpcInput) (*DeleteVpcOutput, error) {
		v, err := vpcOf(tx, in.VpcId)
		if err != nil {
			return nil, err
		}
		if by := vpcHolders(tx, v); len(by) > 0 {
			return nil, fault.DependencyViolation.With(holders("The vpc '"+in.VpcId+"' has dependencies and cannot be deleted.", by))
		}
		clearVPC(tx, v.ID)
		state.VPCs.Delete(tx, v.ID)
		return &DeleteVpcOutput{Return: true}, nil
	},
}

// vpcHolders names what keeps a VPC from being deleted.
func vpcHolders(r state.Reader, v *vpc.VPC) (by []string) {
	id := string(v.ID)
	for s := range state.Subnets.By(r, state.SubnetsByVPC, id) {
		by = append(by, "subnet "+string(s.ID))
	}
	for i := range state.Interfaces.By(r, state.InterfacesByVPC, id) {
		by = append(by, "network interface "+string(i.ID))
	}
	for g := range state.Groups.By(r, state.GroupsByVPC, id) {
		if !g.IsDefault() {
			by = append(by, "security group "+string(g.ID))
			continue
		}
		for user := range state.Groups.By(r, state.GroupsByRef, string(g.ID)) {
			if user.VPC != v.ID {
				by = append(by, "rules of security group "+string(user.ID)+" that refer to "+string(g.ID))
			}
		}
	}
	for g := range state.InternetGateways.By(r, state.InternetGatewaysByVPC, id) {
		by = append(by, "internet gateway "+string(g.ID))
	}
	main := state.MainTable(r, v.ID)
	for t := range state.RouteTables.By(r, state.RouteTablesByVPC, id) {
		if main == nil || t.ID != main.Table {
			by = append(by, "route table "+string(t.ID))
		}
	}
	for a := range state.NetworkACLs.By(r, state.NetworkACLsByVPC, id) {
		if !a.Default {
			by = append(by, "network ACL "+string(a.ID))
		}
	}
	for e := range state.Endpoints.By(r, state.EndpointsByVPC, id) {
		by = append(by, "VPC endpoint "+string(e.ID))
	}
	for p := range state.Peerings.By(r, state.PeeringsByVPC, id) {
		if p.Usable(nowOf(r)) {
			by = append(by, "VPC peering connection "+string(p.ID))
		}
	}
	for a := range state.GroupAssociations.By(r, state.GroupAssociationsByVPC, id) {
		by = append(by, "association with security group "+string(a.Group))
	}
	return by
}

// DeleteVpcInput is what DeleteVpc takes.
type DeleteVpcInput struct {
	VpcId  string // required
	DryRun bool
}

// DeleteVpcOutput is what DeleteVpc gives.
type DeleteVpcOutput struct {
	Return bool
}
