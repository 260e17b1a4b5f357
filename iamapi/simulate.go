package iamapi

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"moat/action"
	"moat/fault"
	"moat/iam"
)

// A source is whose policies are simulated.
type source struct {
	principal iam.Principal
	policies  *iam.Policies
}

// sourceOf finds the user, group or role with an ARN, and its policies but
// those that are excluded.
func sourceOf(c *action.Call, arn string, without *exclusions) (*source, error) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "iam" || parts[3] != "" {
		return nil, fault.InvalidInput.With("Invalid Entity Arn: " + arn + " does not clearly define entity type and name.")
	}
	kind, _, _ := strings.Cut(parts[5], "/")
	path := strings.TrimPrefix(parts[5], kind)
	name := path[strings.LastIndexByte(path, '/')+1:]
	n := namesOf(c)
	gone := fault.NoSuchEntity.With("No entity was found with the ARN " + arn + ".")
	if parts[4] != string(c.Account) {
		return nil, gone
	}
	g := gathering{space: c.Space, account: c.Account, without: without}
	s := &source{}
	limit := ""
	switch kind {
	case "user":
		u, err := userOf(c, name)
		if err != nil || u.Path+u.Name != path {
			return nil, gone
		}
		g.user(u)
		limit = u.Boundary
		s.principal = iam.Principal{Account: c.Account, Type: iam.TypeUser, ID: u.ID, ARN: n.user(u), Name: u.Name, Tags: u.Tags}
	case "group":
		group, err := groupOf(c, name)
		if err != nil || group.Path+group.Name != path {
			return nil, gone
		}
		g.inline(group.Inline, "group", group.Name)
		g.attached(group.Attached)
		s.principal = iam.Principal{Account: c.Account, Type: iam.TypeUser, ARN: n.group(group)}
	case "role":
		r, err := roleOf(c, name)
		if err != nil || r.Path+r.Name != path {
			return nil, gone
		}
		g.inline(r.Inline, "role", r.Name)
		g.attached(r.Attached)
		limit = r.Boundary
		s.principal = iam.Principal{Account: c.Account, Type: iam.TypeSession, ID: r.ID, ARN: n.role(r), Role: n.role(r), Tags: r.Tags}
	default:
		return nil, fault.InvalidInput.With("Invalid Entity Arn: " + arn + " does not clearly define entity type and name.")
	}
	s.policies = &iam.Policies{Identity: g.found}
	if limit != "" && !without.kind("permission-boundary") {
		g.found, g.without = nil, nil
		g.attached([]string{limit})
		s.policies.Boundary = g.found[0]
	}
	return s, g.err
}

// Exclusions are the policies of a principal that a simulation leaves out. Nil
// is none. API reference of IAM, PolicyIdentifier.
type exclusions struct {
	kinds []string
	arns  []string
	named []InlinePolicyIdentifierType
}

func exclusionsOf(list []PolicyIdentifier) (*exclusions, error) {
	if len(list) == 0 {
		return nil, nil
	}
	x := &exclusions{}
	for _, id := range list {
		members := 0
		if id.PolicyType != "" {
			members++
			x.kinds = append(x.kinds, id.PolicyType)
		}
		if id.PolicyArn != "" {
			members++
			head, name, ok := strings.Cut(id.PolicyArn, ":policy/")
			if !ok || !strings.HasPrefix(head, "arn:") || strings.ContainsAny(head, "*?") || strings.Count(name, "*") > 1 {
				return nil, fault.InvalidInput.With("The policy identifier " + id.PolicyArn + " is invalid: wildcards stand in the name of the policy, and one * at most.")
			}
			x.arns = append(x.arns, kept(id.PolicyArn))
		}
		if n := id.InlinePolicyIdentifier; n != nil {
			members++
			if strings.Count(n.AttachmentName, "*") > 1 {
				return nil, fault.InvalidInput.With("The attachment name " + n.AttachmentName + " is invalid: it takes one * at most.")
			}
			x.named = append(x.named, *n)
		}
		if members != 1 {
			return nil, fault.InvalidInput.With("A policy identifier has PolicyType, PolicyArn or InlinePolicyIdentifier, exactly one of them.")
		}
	}
	return x, nil
}

func (x *exclusions) kind(k string) bool { return x != nil && slices.Contains(x.kinds, k) }

func (x *exclusions) inline(source, holder, name string) bool {
	return x.kind("inline") || x != nil && slices.ContainsFunc(x.named, func(n InlinePolicyIdentifierType) bool {
		return n.AttachmentType == source && n.PolicyName == name && iam.Like(n.AttachmentName, holder)
	})
}

func (x *exclusions) managed(arn string) bool {
	kind := "user-managed"
	if strings.HasPrefix(arn, awsPolicyPrefix) {
		kind = "aws-managed"
	}
	return x.kind(kind) || x != nil && slices.ContainsFunc(x.arns, func(pattern string) bool { return iam.Like(pattern, arn) })
}

// A simulation asks policies about every action on every resource.
type simulation struct {
	policies           *iam.Policies
	caller             iam.Principal
	actions, resources []string
	entries            []ContextEntry
	add, boundary      []string
	resourcePolicy     string
	callerARN          string
}

// maxAsked bounds the questions of one simulation, maxContextValue what is
// compared in each.
const (
	maxAsked        = 10_000
	maxContextValue = 8192
)

func (q *simulation) run(c *action.Call, marker string, max *int32) (out []EvaluationResult, more bool, next string, err error) {
	bad := func(err error) ([]EvaluationResult, bool, string, error) { return nil, false, "", err }
	if q.resourcePolicy != "" {
		return bad(fault.InvalidInput.With("No resource that is served here has a policy of its own: leave ResourcePolicy out."))
	}
	if len(q.boundary) > 1 {
		return bad(fault.InvalidInput.With("PermissionsBoundaryPolicyInputList takes one policy."))
	}
	policies := iam.Policies{}
	if q.policies != nil {
		policies = *q.policies
	}
	policies.Identity = slices.Clip(policies.Identity)
	for i, doc := range q.add {
		p, err := iam.ParsePolicy([]byte(doc), iam.IdentityPolicy)
		if err != nil {
			return bad(err)
		}
		p.Name, p.Source = fmt.Sprintf("PolicyInputList.%d", i+1), "none"
		policies.Identity = append(policies.Identity, p)
	}
	for _, doc := range q.boundary {
		p, err := iam.ParsePolicy([]byte(doc), iam.IdentityPolicy)
		if err != nil {
			return bad(err)
		}
		p.Name, p.Source = "PermissionsBoundaryPolicyInputList.1", "none"
		policies.Boundary = p
	}
	if q.callerARN != "" {
		q.caller.ARN, q.caller.Role = q.callerARN, ""
	}
	context := iam.ContextMap{}
	for _, e := range q.entries {
		for _, v := range e.ContextKeyValues {
			if len(v) > maxContextValue {
				return bad(fault.InvalidInput.With(fmt.Sprintf("A value of %s has %d characters, of which %d are taken.", e.ContextKeyName, len(v), maxContextValue)))
			}
		}
		context[strings.ToLower(e.ContextKeyName)] = e.ContextKeyValues
	}
	resources := q.resources
	if len(resources) == 0 {
		resources = []string{"*"}
	}
	if len(q.actions)*len(resources) > maxAsked {
		return bad(fault.InvalidInput.With("There are too many actions and resources to simulate."))
	}
	type question struct{ action, resource, key string }
	var asked []question
	for _, a := range q.actions {
		if service, name, ok := strings.Cut(a, ":"); !ok || service == "" || name == "" || strings.ContainsAny(a, "*? ") {
			return bad(fault.InvalidInput.With("The action name " + a + " is invalid. An action name must be a service and one action of it, such as ec2:DescribeVpcs."))
		}
		for _, r := range resources {
			asked = append(asked, question{a, r, fmt.Sprintf("%06d", len(asked))})
		}
	}
	return page(slices.Values(asked), func(a question) string { return a.key }, marker, max, func(a question) (EvaluationResult, bool) {
		sim := iam.Simulate(&policies, &iam.Request{Principal: &q.caller, Action: a.action, Resource: a.resource, Context: context})
		r := EvaluationResult{
			EvalActionName: a.action, EvalResourceName: a.resource, EvalDecision: decisionWord(&sim.Decision),
			MatchedStatements: []Statement{}, MissingContextValues: append([]string{}, sim.Missing...),
		}
		if policies.Boundary != nil {
			r.PermissionsBoundaryDecisionDetail = &PermissionsBoundaryDecisionDetail{AllowedByPermissionsBoundary: sim.Boundary}
		}
		for _, m := range sim.Matches {
			r.MatchedStatements = append(r.MatchedStatements, Statement{
				SourcePolicyId: policyID(m.Policy, &q.caller), SourcePolicyType: "IAM Policy",
				StartPosition: &Position{int32(m.Statement.Start.Line), int32(m.Statement.Start.Column)},
				EndPosition:   &Position{int32(m.Statement.End.Line), int32(m.Statement.End.Column)},
			})
		}
		return r, true
	})
}

func decisionWord(d *iam.Decision) string {
	switch {
	case d.Allowed:
		return "allowed"
	case d.Explicit:
		return "explicitDeny"
	}
	return "implicitDeny"
}

// policyID names a policy as simulations do: a managed one by its name, an
// inline one by whose it is, too.
func policyID(p *iam.Policy, of *iam.Principal) string {
	switch p.Source {
	case "user-managed", "aws-managed":
		return p.Name[strings.LastIndexByte(p.Name, '/')+1:]
	case "user", "role", "group":
		return p.Source + "_" + of.ARN[strings.LastIndexByte(of.ARN, '/')+1:] + "_" + p.Name
	}
	return p.Name
}

// contextKeys gives the condition keys that policies ask for.
func contextKeys(docs []string, policies *iam.Policies) ([]string, error) {
	all := map[string]bool{}
	for _, doc := range docs {
		p, err := iam.ParsePolicy([]byte(doc), iam.IdentityPolicy)
		if err != nil {
			return nil, err
		}
		for _, k := range p.ContextKeys() {
			all[k] = true
		}
	}
	for _, p := range policies.Identity {
		for _, k := range p.ContextKeys() {
			all[k] = true
		}
	}
	return slices.Sorted(maps.Keys(all)), nil
}
