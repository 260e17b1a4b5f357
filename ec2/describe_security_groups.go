package ec2

import (
	"iter"
	"strconv"
	"strings"

	"moat/action"
	"moat/fault"
	"moat/flow"
	"moat/state"
	"moat/vpc"
)

// DescribeSecurityGroups lists groups with their rules.
var DescribeSecurityGroups = action.Describe[DescribeSecurityGroupsInput, DescribeSecurityGroupsOutput, *vpc.SecurityGroup, SecurityGroup]{
	Name: "DescribeSecurityGroups",
	Doc:  "Lists security groups with their rules. A filter over rules may be met by any rule of a group.",
	List: "securityGroupInfo",

	Check: func(_ *action.Call, in *DescribeSecurityGroupsInput) error {
		if len(in.GroupIds) > 0 && in.MaxResults != nil {
			return fault.InvalidParameterCombination.With("securityGroupIdSet", "maxResults")
		}
		return nil
	},
	IDs: func(c *action.Call, in *DescribeSecurityGroupsInput) ([]*vpc.SecurityGroup, bool, error) {
		rows, err := groupsByID(c, in.GroupIds)
		if err != nil {
			return nil, false, err
		}
		for _, name := range in.GroupNames {
			g, err := groupNamed(c, name)
			if err != nil {
				return nil, false, err
			}
			rows = append(rows, g)
		}
		return rows, len(rows) > 0, nil
	},
	From: fromKind[DescribeSecurityGroupsInput](state.Groups),
	ID:   func(g *vpc.SecurityGroup) string { return string(g.ID) },

	Filters: append([]action.Match[*vpc.SecurityGroup]{
		action.On("description", func(g *vpc.SecurityGroup) string { return g.Description }),
		action.On("group-id", func(g *vpc.SecurityGroup) string { return string(g.ID) }).Indexed(findID(state.Groups)),
		action.On("group-name", func(g *vpc.SecurityGroup) string { return g.Name }).Indexed(findGroupName),
		action.On("owner-id", func(g *vpc.SecurityGroup) string { return string(g.Owner) }),
		action.On("vpc-id", func(g *vpc.SecurityGroup) string { return string(g.VPC) }).Indexed(findBy(state.Groups, state.GroupsByVPC)),
	}, append(ruleFilters("ip-permission.", flow.Ingress), ruleFilters("egress.ip-permission.", flow.Egress)...)...),
	Tags: taggedRows(state.Groups, func(g *vpc.SecurityGroup) vpc.Tags { return g.Tags }),

	Shape: func(c *action.Call, g *vpc.SecurityGroup) SecurityGroup { return groupShape(c, g) },
	Key: func(g *vpc.SecurityGroup) any {
		if overPeering(g) {
			return nil
		}
		return g
	},
}

// findGroupName finds more than it has to: the index has names in lower case,
// the filter compares them as they are.
func findGroupName(c *action.Call, name string) iter.Seq[*vpc.SecurityGroup] {
	return state.Groups.By(c, state.GroupsByName, strings.ToLower(name))
}

// ruleFilters gives the filters over the rules of one direction. Each compares
// text, and two may be met by different rules.
func ruleFilters(prefix string, d flow.Direction) []action.Match[*vpc.SecurityGroup] {
	on := func(name string, get func(c *action.Call, g *vpc.SecurityGroup, r *vpc.Rule) string) action.Match[*vpc.SecurityGroup] {
		return action.Match[*vpc.SecurityGroup]{Name: prefix + name, Values: func(c *action.Call, g *vpc.SecurityGroup, yield func(string)) {
			for i := range g.Rules {
				if g.Rules[i].Direction != d {
					continue
				}
				if v := get(c, g, &g.Rules[i]); v != "" {
					yield(v)
				}
			}
		}}
	}
	return []action.Match[*vpc.SecurityGroup]{
		on("cidr", func(_ *action.Call, _ *vpc.SecurityGroup, r *vpc.Rule) string {
			if p := r.Peer.CIDR; p.Addr().Is4() {
				return p.String()
			}
			return ""
		}),
		on("ipv6-cidr", func(_ *action.Call, _ *vpc.SecurityGroup, r *vpc.Rule) string {
			if p := r.Peer.CIDR; p.Addr().Is6() {
				return p.String()
			}
			return ""
		}),
		on("from-port", func(_ *action.Call, _ *vpc.SecurityGroup, r *vpc.Rule) string { return strconv.Itoa(int(r.Ports.From)) }),
		on("to-port", func(_ *action.Call, _ *vpc.SecurityGroup, r *vpc.Rule) string { return strconv.Itoa(int(r.Ports.To)) }),
		on("protocol", func(_ *action.Call, _ *vpc.SecurityGroup, r *vpc.Rule) string { return r.Protocol.String() }),
		on("group-id", func(_ *action.Call, _ *vpc.SecurityGroup, r *vpc.Rule) string {
			id, _ := r.Peer.Group()
			return string(id)
		}).Indexed(findBy(state.Groups, state.GroupsByRef)),
		on("group-name", func(c *action.Call, _ *vpc.SecurityGroup, r *vpc.Rule) string {
			id, _ := r.Peer.Group()
			if g := state.Groups.Get(c, id); g != nil {
				return g.Name
			}
			return ""
		}),
		on("user-id", func(_ *action.Call, g *vpc.SecurityGroup, r *vpc.Rule) string {
			if _, ok := r.Peer.Group(); ok {
				return string(ownerOf(g, r))
			}
			return ""
		}),
		on("prefix-list-id", func(_ *action.Call, _ *vpc.SecurityGroup, r *vpc.Rule) string {
			id, _ := r.Peer.PrefixList()
			return string(id)
		}).Indexed(findBy(state.Groups, state.GroupsByRef)),
	}
}

// DescribeSecurityGroupsInput is what DescribeSecurityGroups takes.
type DescribeSecurityGroupsInput struct {
	GroupIds   []string `in:"GroupId"`
	GroupNames []string `in:"GroupName"`
	NextToken  string
	MaxResults *int32
	DryRun     bool
	Filters    []Filter `in:"Filter"`
}

// DescribeSecurityGroupsOutput is what DescribeSecurityGroups gives.
type DescribeSecurityGroupsOutput struct {
	NextToken      string
	SecurityGroups []SecurityGroup `out:"securityGroupInfo"`
}
