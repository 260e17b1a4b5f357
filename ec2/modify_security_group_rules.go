package ec2

import (
	"slices"

	"moat/action"
	"moat/fault"
	"moat/flow"
	"moat/state"
	"moat/vpc"
)

// ModifySecurityGroupRules replaces rules in place.
var ModifySecurityGroupRules = action.Write[ModifySecurityGroupRulesInput, ModifySecurityGroupRulesOutput]{
	Name: "ModifySecurityGroupRules",
	Doc:  "Replaces the content of rules of a security group; they keep their ids, directions and tags. All are changed or none is.",

	Plan: func(tx *state.Txn, in *ModifySecurityGroupRulesInput) (*ModifySecurityGroupRulesOutput, error) {
		if in.GroupId == nil {
			return nil, fault.MissingParameter.With("groupId")
		}
		if len(in.SecurityGroupRules) == 0 {
			return nil, fault.MissingParameter.With("securityGroupRules")
		}
		g, err := groupByID(tx, *in.GroupId)
		if err != nil {
			return nil, err
		}
		ids := make([]string, 0, len(in.SecurityGroupRules))
		for _, u := range in.SecurityGroupRules {
			ids = append(ids, u.SecurityGroupRuleId)
		}
		places, err := rulePlaces(g, nil, ids)
		if err != nil {
			return nil, err
		}
		if err := noneTwice(ids); err != nil {
			return nil, err
		}
		changed := withRules(g, 0)
		for i, place := range places {
			if err := modifyRule(tx, g, &changed.Rules[place], in.SecurityGroupRules[i].SecurityGroupRule); err != nil {
				return nil, err
			}
		}
		if err := checkModified(changed, places); err != nil {
			return nil, err
		}
		weight := listWeight(tx)
		for _, d := range []flow.Direction{flow.Ingress, flow.Egress} {
			if overRuleQuota(tx.Quotas, changed.Rules, d, weight) && !overRuleQuota(tx.Quotas, g.Rules, d, weight) {
				return nil, fault.RulesPerGroupLimitExceeded.With()
			}
		}
		for _, place := range places {
			changed.EgressTouched = changed.EgressTouched || changed.Rules[place].Direction == flow.Egress
		}
		state.Groups.Put(tx, changed)
		return &ModifySecurityGroupRulesOutput{Return: true}, nil
	},
}

// modifyRule replaces what a rule of g says by what a request says, whole: a
// description left out is removed. The kind of its peer stays.
func modifyRule(r state.Reader, g *vpc.SecurityGroup, rule *vpc.Rule, to *SecurityGroupRuleRequest) error {
	if to == nil {
		return fault.InvalidParameterValue.Say("No value specified for securityGroupRule.")
	}
	var err error
	if rule.Protocol, err = vpc.ParseProtocol(to.IpProtocol); err != nil {
		return err
	}
	if rule.Ports, err = vpc.ParsePortsStrictly(rule.Protocol, to.FromPort, to.ToPort); err != nil {
		return err
	}
	given := slices.DeleteFunc([]string{to.CidrIpv4, to.CidrIpv6, to.PrefixListId, to.ReferencedGroupId}, func(s string) bool { return s == "" })
	switch {
	case len(given) == 0:
		return fault.MissingParameter.Say("The request must contain exactly one of: cidrIp, cidrIpv6, prefixListId, or referencedGroupId")
	case len(given) > 1:
		return fault.InvalidParameterCombination.Say("Only one of cidrIp, cidrIpv6, prefixListId, or referencedGroupId can be specified")
	}
	var peer vpc.Peer
	switch {
	case to.CidrIpv4 != "":
		peer.CIDR, err = vpc.ParseIPv4Range(to.CidrIpv4)
	case to.CidrIpv6 != "":
		peer.CIDR, err = vpc.ParseIPv6Range(to.CidrIpv6)
	case to.PrefixListId != "":
		peer.Ref, err = to.PrefixListId, checkPrefixList(to.PrefixListId)
	default:
		peer.Ref, err = to.ReferencedGroupId, checkGroupID(to.ReferencedGroupId)
	}
	if err != nil {
		return err
	}
	was, is := peerKind(rule.Peer), peerKind(peer)
	if was != is {
		return fault.InvalidParameterValue.Say("Invalid rule type for security group rule '%s'. You may not specify %s for an existing %s rule.", rule.ID, is.parameter, was.words)
	}
	rule.Description = ""
	if to.Description != nil {
		rule.Description = *to.Description
	}
	if err := vpc.CheckRuleDescription(rule.Description); err != nil {
		return err
	}
	if peer == rule.Peer { // and if it is stale it may stay so
		return nil
	}
	rule.Peer = peer
	return resolvePeer(r, g, rule, "")
}

// A ruleKind is one of the four kinds of peer, as refusals name it.
type ruleKind struct{ parameter, words string }

func peerKind(p vpc.Peer) ruleKind {
	if _, ok := p.Group(); ok {
		return ruleKind{"ReferencedGroupId", "referenced group"}
	}
	if p.Ref != "" {
		return ruleKind{"PrefixListId", "prefix list"}
	}
	if p.CIDR.Addr().Is4() {
		return ruleKind{"CidrIpv4", "IPv4 CIDR"}
	}
	return ruleKind{"CidrIpv6", "IPv6 CIDR"}
}

// checkModified refuses a group of which two rules became the same. What
// counts is how the group ends, so that two rules may swap their contents.
func checkModified(g *vpc.SecurityGroup, places []int) error {
	at := make(map[vpc.RuleKey]int, len(places))
	for _, place := range places {
		k := g.Rules[place].Key()
		if _, twice := at[k]; twice {
			return twicePermission()
		}
		at[k] = place
	}
	for i := range g.Rules {
		if place, ok := at[g.Rules[i].Key()]; ok && place != i {
			return fault.InvalidPermissionDuplicate.With(&g.Rules[i])
		}
	}
	return nil
}

// ModifySecurityGroupRulesInput is what ModifySecurityGroupRules takes.
type ModifySecurityGroupRulesInput struct {
	GroupId            *string                   // required
	SecurityGroupRules []SecurityGroupRuleUpdate `in:"SecurityGroupRule"` // required
	DryRun             bool
}

// ModifySecurityGroupRulesOutput is what ModifySecurityGroupRules gives.
type ModifySecurityGroupRulesOutput struct {
	Return bool
}
