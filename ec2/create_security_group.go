package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// CreateSecurityGroup creates a group that lets nothing in and everything out.
var CreateSecurityGroup = action.Write[CreateSecurityGroupInput, CreateSecurityGroupOutput]{
	Name: "CreateSecurityGroup",
	Doc:  "Creates a security group in a VPC, the default VPC if none is named. It lets nothing in and everything out.",

	Plan: func(tx *state.Txn, in *CreateSecurityGroupInput) (*CreateSecurityGroupOutput, error) {
		name, err := vpc.ParseGroupName(in.GroupName)
		if err != nil {
			return nil, err
		}
		if err := vpc.CheckGroupDescription(in.Description); err != nil {
			return nil, err
		}
		tags, err := taggedWith(tx, in.TagSpecifications, "security-group")
		if err != nil {
			return nil, err
		}
		v := state.DefaultVPC(tx)
		if in.VpcId != "" {
			if v, err = vpcOf(tx, in.VpcId); err != nil {
				return nil, err
			}
		}
		if v == nil {
			return nil, fault.VPCIdNotSpecified.With()
		}
		if nameTaken(tx, v.ID, name) {
			return nil, fault.InvalidGroupDuplicate.With(in.GroupName, v.ID)
		}
		if state.Groups.Len(tx) >= tx.Quotas.GroupsPerRegion {
			return nil, fault.SecurityGroupLimitExceeded.With(v.ID)
		}
		g := &vpc.SecurityGroup{
			ID: vpc.GroupID(tx.NewID(vpc.GroupPrefix)), Owner: tx.Account, VPC: v.ID,
			Name: name, Description: in.Description, Tags: tags,
		}
		addOpenEgress(tx, g, v)
		state.Groups.Put(tx, g)
		return &CreateSecurityGroupOutput{
			GroupId: string(g.ID), SecurityGroupArn: vpc.ARN(tx.Region, g.Owner, "security-group", string(g.ID)),
			Tags: tagShapes(tags), Return: true,
		}, nil
	},
}

// CreateSecurityGroupInput is what CreateSecurityGroup takes.
type CreateSecurityGroupInput struct {
	Description       string `in:"GroupDescription"` // required
	GroupName         string // required
	VpcId             string
	TagSpecifications []TagSpecification `in:"TagSpecification"`
	DryRun            bool
}

// CreateSecurityGroupOutput is what CreateSecurityGroup gives.
type CreateSecurityGroupOutput struct {
	GroupId          string
	SecurityGroupArn string
	Tags             []Tag `out:"tagSet"`
	Return           bool
}
