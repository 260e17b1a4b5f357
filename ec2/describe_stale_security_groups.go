package ec2

import (
	"iter"

	"moat/action"
	"moat/fault"
	"moat/flow"
	"moat/state"
	"moat/vpc"
)

// DescribeStaleSecurityGroups lists groups with rules that refer to nothing.
var DescribeStaleSecurityGroups = action.Describe[DescribeStaleSecurityGroupsInput, DescribeStaleSecurityGroupsOutput, *vpc.SecurityGroup, StaleSecurityGroup]{
	Name: "DescribeStaleSecurityGroups",
	Doc:  "Lists the security groups of a VPC that have stale rules: rules that refer to a group of another VPC that is gone or no longer connected.",
	List: "staleSecurityGroupSet",

	Check: func(c *action.Call, in *DescribeStaleSecurityGroupsInput) error {
		if len(in.NextToken) > 1024 {
			return fault.InvalidParameterValue.With(in.NextToken, "NextToken", "The token is invalid.")
		}
		_, err := vpcOf(c, in.VpcId)
		return err
	},
	From: func(c *action.Call, in *DescribeStaleSecurityGroupsInput, _ string) iter.Seq[*vpc.SecurityGroup] {
		return func(yield func(*vpc.SecurityGroup) bool) {
			for g := range state.Groups.By(c, state.GroupsByForeign, in.VpcId) {
				if hasStale(c, g) && !yield(g) {
					return
				}
			}
		}
	},
	ID:   func(g *vpc.SecurityGroup) string { return string(g.ID) },
	Page: action.Page{Min: 5, Max: 255},

	Shape: func(c *action.Call, g *vpc.SecurityGroup) StaleSecurityGroup {
		return StaleSecurityGroup{
			Description: g.Description, GroupId: string(g.ID), GroupName: g.Name, VpcId: string(g.VPC),
			StaleIpPermissions:       staleShapes(c, g, flow.Ingress),
			StaleIpPermissionsEgress: staleShapes(c, g, flow.Egress),
		}
	},
}

func hasStale(r state.Reader, g *vpc.SecurityGroup) bool {
	for i := range g.Rules {
		if stale(r, g, &g.Rules[i]) {
			return true
		}
	}
	return false
}

// staleShapes gives the stale rules of one direction as permissions. The owner
// of a group that is gone is not told: API reference, UserIdGroupPair.
func staleShapes(r state.Reader, g *vpc.SecurityGroup, d flow.Direction) []StaleIpPermission {
	var rules []vpc.Rule
	for i := range g.Rules {
		if stale(r, g, &g.Rules[i]) {
			rules = append(rules, g.Rules[i])
		}
	}
	out := []StaleIpPermission{}
	for _, p := range permissionShapes(r, g, rules, d) {
		for i := range p.UserIdGroupPairs {
			pair := &p.UserIdGroupPairs[i]
			if foreignGroup(r, vpc.GroupID(pair.GroupId), &vpc.Foreign{Owner: vpc.AccountID(pair.UserId)}) == nil {
				pair.UserId = ""
			}
		}
		out = append(out, StaleIpPermission{
			IpProtocol: p.IpProtocol, FromPort: p.FromPort, ToPort: p.ToPort, UserIdGroupPairs: p.UserIdGroupPairs,
			IpRanges: []string{}, PrefixListIds: []string{},
		})
	}
	return out
}

// DescribeStaleSecurityGroupsInput is what DescribeStaleSecurityGroups takes.
type DescribeStaleSecurityGroupsInput struct {
	DryRun     bool
	MaxResults *int32
	NextToken  string
	VpcId      string // required
}

// DescribeStaleSecurityGroupsOutput is what DescribeStaleSecurityGroups gives.
type DescribeStaleSecurityGroupsOutput struct {
	NextToken             string
	StaleSecurityGroupSet []StaleSecurityGroup
}
