package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// DeleteVpc removes a VPC in which nothing is left but its default group.
var DeleteVpc = action.Write[DeleteVpcInput, DeleteVpcOutput]{
	Name: "DeleteVpc",
	Doc:  `Deletes a VPC and its default security group. Subnets and other groups must be gone before.`,
	Plan: func(tx *state.Txn, in *DeleteVpcInput) (*DeleteVpcOutput, error) {
		v, err := vpcOf(tx, in.VpcId)
		if err != nil {
			return nil, err
		}
		if by := vpcHolders(tx, v); len(by) > 0 {
			return nil, fault.DependencyViolation.With(holders("The vpc '"+in.VpcId+"' has dependencies and cannot be deleted.", by))
		}
		if g := state.DefaultGroup(tx, v.ID); g != nil {
			state.Groups.Delete(tx, g.ID)
		}
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
