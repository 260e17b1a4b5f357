package ec2

import (
	"slices"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// DisassociateVpcCidrBlock takes an address block from a VPC.
var DisassociateVpcCidrBlock = action.Write[DisassociateVpcCidrBlockInput, DisassociateVpcCidrBlockOutput]{
	Name: "DisassociateVpcCidrBlock",
	Doc:  `Disassociates an address block from a VPC: not the primary one, and none that a subnet lies in.`,
	Plan: func(tx *state.Txn, in *DisassociateVpcCidrBlockInput) (*DisassociateVpcCidrBlockOutput, error) {
		if in.AssociationId == "" {
			return nil, fault.MissingParameter.With("associationId")
		}
		var old *vpc.VPC
		for v := range state.VPCs.By(tx, state.VPCsByAssociation, in.AssociationId) {
			old = v
		}
		if old == nil {
			return nil, fault.InvalidCidrAssociation.With(in.AssociationId)
		}
		at := slices.IndexFunc(old.Blocks, func(b vpc.Block) bool { return string(b.Association) == in.AssociationId })
		b := old.Blocks[at]
		if at == 0 {
			return nil, fault.OperationNotPermitted.Say("The vpc CIDR block with association ID %s may not be disassociated. It is the primary IPv4 CIDR block of the VPC", in.AssociationId)
		}
		var by []string
		for s := range state.Subnets.By(tx, state.SubnetsByVPC, string(old.ID)) {
			if s.Conflicts(b.CIDR) {
				by = append(by, "subnet "+string(s.ID))
			}
		}
		if len(by) > 0 {
			return nil, fault.InvalidCidrBlockInUse.With(holders("The vpc "+string(old.ID)+" currently has a subnet within CIDR block "+b.CIDR.String(), by))
		}
		v := *old
		v.Blocks = slices.Delete(slices.Clone(v.Blocks), at, at+1)
		state.VPCs.Put(tx, &v)
		out := &DisassociateVpcCidrBlockOutput{VpcId: string(v.ID)}
		if b.CIDR.Addr().Is6() {
			out.Ipv6CidrBlockAssociation = vpcIPv6Shape(b, "disassociating")
		} else {
			out.CidrBlockAssociation = vpcIPv4Shape(b, "disassociating")
		}
		return out, nil
	},
}

// DisassociateVpcCidrBlockInput is what DisassociateVpcCidrBlock takes.
type DisassociateVpcCidrBlockInput struct {
	AssociationId string // required
}

// DisassociateVpcCidrBlockOutput is what DisassociateVpcCidrBlock gives.
type DisassociateVpcCidrBlockOutput struct {
	Ipv6CidrBlockAssociation *VpcIpv6CidrBlockAssociation
	CidrBlockAssociation     *VpcCidrBlockAssociation
	VpcId                    string
}
