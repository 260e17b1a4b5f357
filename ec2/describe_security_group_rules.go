package ec2

import (
	"cmp"
	"iter"
	"slices"
	"strings"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// DescribeSecurityGroupRules lists rules one by one.
var DescribeSecurityGroupRules = action.Describe[DescribeSecurityGroupRulesInput, DescribeSecurityGroupRulesOutput, ruleRow, SecurityGroupRule]{
	Name: "DescribeSecurityGroupRules",
	Doc:  "Lists rules of security groups, of both directions.",
	List: "securityGroupRuleSet",

	IDs: func(c *action.Call, in *DescribeSecurityGroupRulesInput) ([]ruleRow, bool, error) {
		for _, id := range in.SecurityGroupRuleIds {
			if err := checkRuleID(id); err != nil {
				return nil, false, err
			}
		}
		var rows []ruleRow
		for _, id := range in.SecurityGroupRuleIds {
			g, i := state.RuleByID(c, vpc.RuleID(id))
			if g == nil {
				return nil, false, fault.InvalidRuleNotFound.With(id)
			}
			rows = append(rows, ruleRow{g, i})
		}
		return rows, len(rows) > 0, nil
	},
	From: func(c *action.Call, _ *DescribeSecurityGroupRulesInput, id string) iter.Seq[ruleRow] {
		return rulesOf(state.Groups.From(c, vpc.GroupID(firstGroup(id))))
	},
	ID: func(r ruleRow) string { return string(r.rule().ID) },

	Filters: []action.Match[ruleRow]{
		action.On("group-id", func(r ruleRow) string { return string(r.group.ID) }).Checked(checkFilteredGroup).
			Indexed(func(c *action.Call, id string) iter.Seq[ruleRow] {
				return func(yield func(ruleRow) bool) {
					if g := state.Groups.Get(c, vpc.GroupID(id)); g != nil {
						rulesOf(slices.Values([]*vpc.SecurityGroup{g}))(yield)
					}
				}
			}),
		action.On("security-group-rule-id", func(r ruleRow) string { return string(r.rule().ID) }).
			Indexed(func(c *action.Call, id string) iter.Seq[ruleRow] {
				return func(yield func(ruleRow) bool) {
					if g, i := state.RuleByID(c, vpc.RuleID(id)); g != nil {
						yield(ruleRow{g, i})
					}
				}
			}),
	},
	Tags: &action.Tags[ruleRow]{
		Of: func(r ruleRow) vpc.Tags { return r.rule().Tags },
		Find: func(c *action.Call, key, value string) iter.Seq[ruleRow] {
			return rulesOf(state.Groups.By(c, state.GroupsByRuleTag, state.TagKey(key, value)))
		},
	},
	Page: action.Page{
		BadToken: func(token string) *fault.Error { return fault.InvalidPaginationToken.With(token) },
		WithIDs:  fault.InvalidParameterCombination.Say("The parameter 'securityGroupRuleIds' may not be used in combination with 'maxResults'."),
	},

	Shape: func(c *action.Call, r ruleRow) SecurityGroupRule { return ruleShape(c, r.group, r.rule()) },
	Key: func(r ruleRow) any {
		if f := r.rule().Foreign; f != nil && f.Peering != "" {
			return nil
		}
		return r
	},
}

// A ruleRow is a rule by its place in its group.
type ruleRow struct {
	group *vpc.SecurityGroup
	place int
}

func (r ruleRow) rule() *vpc.Rule { return &r.group.Rules[r.place] }

// groupDigits is how much of a group's id its rules' ids begin with.
const groupDigits = 10

// firstGroup gives the least id of a group that can have a rule with an id at
// or after the one given.
func firstGroup(rule string) string {
	digits, ok := strings.CutPrefix(rule, "sgr-")
	if !ok {
		return ""
	}
	return "sg-" + digits[:min(groupDigits, len(digits))]
}

// rulesOf gives the rules of groups, which come in the order of their ids, in
// the order of rule ids. A rule's id begins as its group's does, so only the
// rules of groups that begin alike have to be sorted.
func rulesOf(groups iter.Seq[*vpc.SecurityGroup]) iter.Seq[ruleRow] {
	return func(yield func(ruleRow) bool) {
		var alike []ruleRow
		prefix := ""
		flush := func() bool {
			slices.SortFunc(alike, func(a, b ruleRow) int { return cmp.Compare(a.rule().ID, b.rule().ID) })
			for _, r := range alike {
				if !yield(r) {
					return false
				}
			}
			alike = alike[:0]
			return true
		}
		for g := range groups {
			if p := string(g.ID[:min(len("sg-")+groupDigits, len(g.ID))]); p != prefix {
				if !flush() {
					return
				}
				prefix = p
			}
			for i := range g.Rules {
				alike = append(alike, ruleRow{g, i})
			}
		}
		flush()
	}
}

// checkFilteredGroup refuses a filter value that no group can have as its id;
// wildcards are of no use here.
func checkFilteredGroup(id string) error {
	if !vpc.WellFormed(vpc.GroupPrefix, id) {
		return fault.InvalidGroupIdMalformed.Say("The security group ID '%s' is malformed", id)
	}
	return nil
}

// DescribeSecurityGroupRulesInput is what DescribeSecurityGroupRules takes.
type DescribeSecurityGroupRulesInput struct {
	Filters              []Filter `in:"Filter"`
	SecurityGroupRuleIds []string `in:"SecurityGroupRuleId"`
	DryRun               bool
	NextToken            string
	MaxResults           *int32
}

// DescribeSecurityGroupRulesOutput is what DescribeSecurityGroupRules gives.
type DescribeSecurityGroupRulesOutput struct {
	SecurityGroupRules []SecurityGroupRule `out:"securityGroupRuleSet"`
	NextToken          string
}
