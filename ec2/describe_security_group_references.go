package ec2

import (
	"cmp"
	"slices"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// DescribeSecurityGroupReferences tells which other VPCs refer to groups.
var DescribeSecurityGroupReferences = action.Read[DescribeSecurityGroupReferencesInput, DescribeSecurityGroupReferencesOutput]{
	Name: "DescribeSecurityGroupReferences",
	Doc:  "Lists the other VPCs whose security groups have rules that refer to the groups named.",

	Read: func(c *action.Call, in *DescribeSecurityGroupReferencesInput) (*DescribeSecurityGroupReferencesOutput, error) {
		if len(in.GroupId) == 0 {
			return nil, fault.MissingParameter.With("groupId")
		}
		groups, err := groupsByID(c, in.GroupId)
		if err != nil {
			return nil, err
		}
		slices.SortFunc(groups, func(a, b *vpc.SecurityGroup) int { return cmp.Compare(a.ID, b.ID) })
		out := &DescribeSecurityGroupReferencesOutput{SecurityGroupReferenceSet: []SecurityGroupReference{}}
		for _, g := range slices.Compact(groups) {
			out.SecurityGroupReferenceSet = append(out.SecurityGroupReferenceSet, referencesTo(c, g)...)
		}
		return out, nil
	},
}

// referencesTo gives the references to a group from other VPCs that are still
// connected with its own, one for each VPC and connection.
func referencesTo(r state.Reader, g *vpc.SecurityGroup) []SecurityGroupReference {
	var out []SecurityGroupReference
	// Rules of other accounts can refer to it across a peering.
	from := []state.Reader{r}
	_, others := activePeerings(r, g.VPC)
	seen := []state.Scope{scopeOf(r)}
	for _, o := range others {
		if at := sideScope(o); !slices.Contains(seen, at) {
			seen = append(seen, at)
			from = append(from, elsewhere(r, at))
		}
	}
	for _, r := range from {
		for o := range state.Groups.By(r, state.GroupsByRef, string(g.ID)) {
			if o.VPC == g.VPC {
				continue
			}
			for i := range o.Rules {
				rule := &o.Rules[i]
				if rule.Peer.Ref != string(g.ID) || rule.Foreign == nil || stale(r, o, rule) {
					continue
				}
				ref := SecurityGroupReference{GroupId: string(g.ID), ReferencingVpcId: string(o.VPC)}
				ref.VpcPeeringConnectionId, _ = ruleTies(r, o.VPC, rule.Foreign)
				if !slices.Contains(out, ref) {
					out = append(out, ref)
				}
			}
		}
	}
	slices.SortFunc(out, func(a, b SecurityGroupReference) int {
		return cmp.Or(cmp.Compare(a.ReferencingVpcId, b.ReferencingVpcId), cmp.Compare(a.VpcPeeringConnectionId, b.VpcPeeringConnectionId))
	})
	return out
}

// DescribeSecurityGroupReferencesInput is what DescribeSecurityGroupReferences takes.
type DescribeSecurityGroupReferencesInput struct {
	DryRun  bool
	GroupId []string // required
}

// DescribeSecurityGroupReferencesOutput is what DescribeSecurityGroupReferences gives.
type DescribeSecurityGroupReferencesOutput struct {
	SecurityGroupReferenceSet []SecurityGroupReference
}
