package ec2

import (
	"iter"

	"moat/action"
	"moat/state"
	"moat/vpc"
)

// GetSecurityGroupsForVpc lists the groups that interfaces of a VPC may have.
var GetSecurityGroupsForVpc = action.Describe[GetSecurityGroupsForVpcInput, GetSecurityGroupsForVpcOutput, *vpc.SecurityGroup, SecurityGroupForVpc]{
	Name: "GetSecurityGroupsForVpc",
	Doc:  "Lists the security groups that interfaces in a VPC may have: its own and those associated with it.",
	List: "securityGroupForVpcSet",

	Check: func(c *action.Call, in *GetSecurityGroupsForVpcInput) error {
		_, err := vpcOf(c, in.VpcId)
		return err
	},
	From: func(c *action.Call, in *GetSecurityGroupsForVpcInput, _ string) iter.Seq[*vpc.SecurityGroup] {
		return groupsFor(c, vpc.VPCID(in.VpcId))
	},
	ID: func(g *vpc.SecurityGroup) string { return string(g.ID) },

	Filters: []action.Match[*vpc.SecurityGroup]{
		action.On("group-id", func(g *vpc.SecurityGroup) string { return string(g.ID) }),
		action.On("description", func(g *vpc.SecurityGroup) string { return g.Description }),
		action.On("group-name", func(g *vpc.SecurityGroup) string { return g.Name }),
		action.On("owner-id", func(g *vpc.SecurityGroup) string { return string(g.Owner) }),
		action.On("primary-vpc-id", func(g *vpc.SecurityGroup) string { return string(g.VPC) }),
	},

	Shape: func(_ *action.Call, g *vpc.SecurityGroup) SecurityGroupForVpc {
		return SecurityGroupForVpc{
			Description: g.Description, GroupName: g.Name, OwnerId: string(g.Owner), GroupId: string(g.ID),
			Tags: tagShapes(g.Tags), PrimaryVpcId: string(g.VPC),
		}
	},
	Key: func(g *vpc.SecurityGroup) any { return g },
}

// groupsFor gives the groups that are usable in a VPC, in the order of ids.
func groupsFor(r state.Reader, id vpc.VPCID) iter.Seq[*vpc.SecurityGroup] {
	return func(yield func(*vpc.SecurityGroup) bool) {
		var guests []*vpc.SecurityGroup // in the order of ids, as the index is
		for a := range state.GroupAssociations.By(r, state.GroupAssociationsByVPC, string(id)) {
			if g := state.Groups.Get(r, a.Group); g != nil && associated(r, g.ID, id) {
				guests = append(guests, g)
			}
		}
		for g := range state.Groups.By(r, state.GroupsByVPC, string(id)) {
			for len(guests) > 0 && guests[0].ID < g.ID {
				if !yield(guests[0]) {
					return
				}
				guests = guests[1:]
			}
			if !yield(g) {
				return
			}
		}
		for _, g := range guests {
			if !yield(g) {
				return
			}
		}
	}
}

// GetSecurityGroupsForVpcInput is what GetSecurityGroupsForVpc takes.
type GetSecurityGroupsForVpcInput struct {
	VpcId      string // required
	NextToken  string
	MaxResults *int32
	Filters    []Filter `in:"Filter"`
	DryRun     bool
}

// GetSecurityGroupsForVpcOutput is what GetSecurityGroupsForVpc gives.
type GetSecurityGroupsForVpcOutput struct {
	NextToken            string
	SecurityGroupForVpcs []SecurityGroupForVpc `out:"securityGroupForVpcSet"`
}
