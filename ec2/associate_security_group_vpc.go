package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// AssociateSecurityGroupVpc makes a group usable in a second VPC.
var AssociateSecurityGroupVpc = action.Write[AssociateSecurityGroupVpcInput, AssociateSecurityGroupVpcOutput]{
	Name: "AssociateSecurityGroupVpc",
	Doc:  "Makes a security group usable in another VPC of the same region.",

	// The association is in force when the answer is given. The answer still
	// says associating, as EC2's does, because clients wait for the next state.
	Plan: func(tx *state.Txn, in *AssociateSecurityGroupVpcInput) (*AssociateSecurityGroupVpcOutput, error) {
		g, v, err := associatePair(tx, in.GroupId, in.VpcId)
		if err != nil {
			return nil, err
		}
		home := state.VPCs.Get(tx, g.VPC)
		switch {
		case g.IsDefault():
			return nil, fault.InvalidParameterValue.Say("The default security group '%s' cannot be associated with another VPC", g.ID)
		case g.VPC == v.ID:
			return nil, fault.InvalidParameterValue.Say("The security group '%s' was created in VPC '%s'", g.ID, v.ID)
		case home != nil && home.Default:
			return nil, fault.InvalidParameterValue.Say("The security group '%s' is in a default VPC and cannot be associated with another VPC", g.ID)
		case v.Default:
			return nil, fault.InvalidParameterValue.Say("Security groups cannot be associated with the default VPC '%s'", v.ID)
		case associated(tx, g.ID, v.ID):
			return nil, fault.InvalidParameterValue.Say("The security group '%s' is already associated with VPC '%s'", g.ID, v.ID)
		case nameTaken(tx, v.ID, g.Name):
			return nil, fault.InvalidGroupDuplicate.With(g.Name, v.ID)
		}
		state.GroupAssociations.Put(tx, &vpc.GroupAssociation{
			Group: g.ID, VPC: v.ID, GroupOwner: g.Owner, VPCOwner: v.Owner, State: "associated",
		})
		return &AssociateSecurityGroupVpcOutput{State: "associating"}, nil
	},
}

// associatePair gives the group and the VPC that a request names; both have to
// be named, well formed and there, in this order.
func associatePair(r state.Reader, group *string, id string) (*vpc.SecurityGroup, *vpc.VPC, error) {
	if group == nil {
		return nil, nil, fault.MissingParameter.With("groupId")
	}
	if id == "" {
		return nil, nil, fault.MissingParameter.With("vpcId")
	}
	if err := checkVPCID(id); err != nil {
		return nil, nil, err
	}
	g, err := groupByID(r, *group)
	if err != nil {
		return nil, nil, err
	}
	v, err := vpcOf(r, id)
	return g, v, err
}

// AssociateSecurityGroupVpcInput is what AssociateSecurityGroupVpc takes.
type AssociateSecurityGroupVpcInput struct {
	GroupId *string // required
	VpcId   string  // required
	DryRun  bool
}

// AssociateSecurityGroupVpcOutput is what AssociateSecurityGroupVpc gives.
type AssociateSecurityGroupVpcOutput struct {
	State string
}
