package ec2

import (
	"moat/fault"
	"moat/flow"
	"moat/state"
	"moat/vpc"
)

// A rulesAsked is how a request names rules by their content: as permissions,
// or in the flat form that came before them.
type rulesAsked struct {
	Permissions      []IpPermission
	IpProtocol       string
	FromPort, ToPort *int32
	CidrIp           string
	SourceGroup      string // a name in the default VPC
	SourceOwner      string
}

func (a *rulesAsked) flat() bool {
	return a.IpProtocol != "" || a.FromPort != nil || a.ToPort != nil || a.CidrIp != "" || a.SourceGroup != "" || a.SourceOwner != ""
}

// permissions gives the request as permissions, at least one. A group named in
// the flat form stands for all of TCP, UDP and ICMP: API reference,
// AuthorizeSecurityGroupIngress, SourceSecurityGroupName.
func (a *rulesAsked) permissions(d flow.Direction) ([]IpPermission, error) {
	switch {
	case len(a.Permissions) > 0 && a.flat():
		return nil, fault.InvalidParameterCombination.Say("The parameter ipPermissions cannot be used with parameters that name a single rule")
	case len(a.Permissions) > 0:
		return a.Permissions, nil
	case !a.flat():
		return nil, fault.MissingParameter.With("ipPermissions")
	case d == flow.Egress && (a.SourceGroup != "" || a.SourceOwner != ""):
		return nil, fault.InvalidParameterCombination.Say("The parameter sourceSecurityGroupName is not supported for outbound rules; use ipPermissions")
	case a.SourceGroup != "":
		if a.CidrIp != "" || a.IpProtocol != "" || a.FromPort != nil || a.ToPort != nil {
			return nil, fault.InvalidParameterCombination.Say("The parameter sourceSecurityGroupName cannot be used with cidrIp, ipProtocol, fromPort or toPort")
		}
		from := []UserIdGroupPair{{GroupName: a.SourceGroup, UserId: a.SourceOwner}}
		return []IpPermission{
			{IpProtocol: "tcp", FromPort: ptr[int32](0), ToPort: ptr[int32](65535), UserIdGroupPairs: from},
			{IpProtocol: "udp", FromPort: ptr[int32](0), ToPort: ptr[int32](65535), UserIdGroupPairs: from},
			{IpProtocol: "icmp", FromPort: ptr[int32](-1), ToPort: ptr[int32](-1), UserIdGroupPairs: from},
		}, nil
	case a.CidrIp == "":
		return nil, missingSource()
	}
	return []IpPermission{{IpProtocol: a.IpProtocol, FromPort: a.FromPort, ToPort: a.ToPort, IpRanges: []IpRange{{CidrIp: a.CidrIp}}}}, nil
}

func missingSource() error {
	return fault.MissingParameter.Say("Missing source specification: include source security group or CIDR information")
}

// An askedRule is an atomic rule of a request in canonical form, without an id.
type askedRule struct {
	vpc.Rule
	// user is the owner that the request gives for a referenced group, or "".
	user vpc.AccountID
}

// askedRules takes the permissions of a request on g apart: one rule for each
// source, in the order of the permissions and of the lists inside one. It looks
// at the form only, except that it resolves names of groups.
func askedRules(r state.Reader, g *vpc.SecurityGroup, d flow.Direction, perms []IpPermission) ([]askedRule, error) {
	out := make([]askedRule, 0, len(perms))
	for i := range perms {
		p := &perms[i]
		rule := askedRule{Rule: vpc.Rule{Direction: d}}
		var err error
		if rule.Protocol, err = vpc.ParseProtocol(p.IpProtocol); err != nil {
			return nil, err
		}
		if rule.Ports, err = vpc.ParsePorts(rule.Protocol, p.FromPort, p.ToPort); err != nil {
			return nil, err
		}
		if len(p.IpRanges)+len(p.Ipv6Ranges)+len(p.PrefixListIds)+len(p.UserIdGroupPairs) == 0 {
			return nil, missingSource()
		}
		for _, s := range p.IpRanges {
			if rule.Peer.CIDR, err = vpc.ParseIPv4Range(s.CidrIp); err != nil {
				return nil, err
			}
			rule.Description = s.Description
			out = append(out, rule)
		}
		for _, s := range p.Ipv6Ranges {
			if rule.Peer.CIDR, err = vpc.ParseIPv6Range(s.CidrIpv6); err != nil {
				return nil, err
			}
			rule.Description = s.Description
			out = append(out, rule)
		}
		for _, s := range p.PrefixListIds {
			if err := checkPrefixList(s.PrefixListId); err != nil {
				return nil, err
			}
			rule.Peer = vpc.Peer{Ref: s.PrefixListId}
			rule.Description = s.Description
			out = append(out, rule)
		}
		for _, s := range p.UserIdGroupPairs {
			id, err := pairedGroup(r, g, s)
			if err != nil {
				return nil, err
			}
			rule.Peer, rule.user = vpc.Peer{Ref: string(id)}, vpc.AccountID(s.UserId)
			rule.Description = s.Description
			out = append(out, rule)
		}
	}
	return out, nil
}

// pairedGroup gives the id of the group that a permission refers to. A name
// means the group of the default VPC, from groups there. VpcId, PeeringStatus
// and VpcPeeringConnectionId are what descriptions show, and are not read.
func pairedGroup(r state.Reader, g *vpc.SecurityGroup, s UserIdGroupPair) (vpc.GroupID, error) {
	if s.UserId != "" && !isAccount(s.UserId) {
		return "", fault.InvalidParameterValue.Say("Invalid value '%s' for userId.", s.UserId)
	}
	switch {
	case s.GroupId != "" && s.GroupName != "":
		return "", fault.InvalidParameterCombination.With("groupName", "groupId")
	case s.GroupId != "":
		return vpc.GroupID(s.GroupId), checkGroupID(s.GroupId)
	case s.GroupName == "":
		return "", fault.MissingParameter.Say("Source group ID missing.")
	}
	def := state.DefaultVPC(r)
	if def != nil && g.VPC == def.ID {
		if t := state.GroupByName(r, def.ID, s.GroupName); t != nil {
			return t.ID, nil
		}
		if !groupNameExists(r, s.GroupName) {
			return "", fault.InvalidGroupNameNotFound.With(s.GroupName, def.ID)
		}
	}
	return "", fault.InvalidParameterValue.Say("Invalid value '%s' for groupName. You may not reference Amazon VPC security groups by name. Please use the corresponding id for this operation.", s.GroupName)
}

func isAccount(s string) bool {
	if len(s) != 12 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// distinct gives the places of rules by their identity, and refuses the same
// one twice.
func distinct(rules []askedRule) (map[vpc.RuleKey]int, error) {
	at := make(map[vpc.RuleKey]int, len(rules))
	for i := range rules {
		k := rules[i].Key()
		if _, twice := at[k]; twice {
			return nil, twicePermission()
		}
		at[k] = i
	}
	return at, nil
}

func twicePermission() error {
	return fault.InvalidParameterValue.Say("The same permission must not appear multiple times")
}

// resolvePeer checks that what a rule of g refers to exists and can be reached
// from g; for a group of another VPC it notes whose it is. User is the owner
// that the request gives, or "".
func resolvePeer(r state.Reader, g *vpc.SecurityGroup, rule *vpc.Rule, user vpc.AccountID) error {
	if id, ok := rule.Peer.PrefixList(); ok {
		if findPrefixList(r, string(id)) == nil {
			return fault.InvalidPrefixListNotFound.With(id)
		}
		return nil
	}
	if id, ok := rule.Peer.Group(); ok {
		var err error
		rule.Foreign, err = reachableGroup(r, g, id, user)
		return err
	}
	return nil
}

// reachableGroup says where a group is that a rule of g refers to: nil for the
// same VPC. Groups of VPCs that are not connected are refused.
func reachableGroup(r state.Reader, g *vpc.SecurityGroup, id vpc.GroupID, user vpc.AccountID) (*vpc.Foreign, error) {
	t := state.Groups.Get(r, id)
	if t == nil {
		// One of another account can be meant across a peering alone.
		ps, others := activePeerings(r, g.VPC)
		for i, o := range others {
			if user != "" && user != o.Owner || sideScope(o) == scopeOf(r) {
				continue
			}
			if t := state.Groups.Get(elsewhere(r, sideScope(o)), id); t != nil && t.VPC == o.VPC {
				return &vpc.Foreign{Owner: t.Owner, VPC: t.VPC, Peering: string(ps[i].ID)}, nil
			}
		}
	}
	if t == nil || user != "" && user != t.Owner {
		return nil, fault.InvalidGroupNotFound.With(id)
	}
	if t.VPC == g.VPC {
		return nil, nil
	}
	if associated(r, id, g.VPC) || associated(r, g.ID, t.VPC) {
		return &vpc.Foreign{Owner: t.Owner, VPC: t.VPC}, nil
	}
	if p := peered(r, g.VPC, t.VPC); p != nil {
		return &vpc.Foreign{Owner: t.Owner, VPC: t.VPC, Peering: string(p.ID)}, nil
	}
	return nil, fault.InvalidGroupDifferentNetworks.With()
}

// connected reports whether rules of g may refer to a group of another VPC:
// while either group is associated with the other's VPC, or the two VPCs have
// an active peering.
func connected(r state.Reader, g *vpc.SecurityGroup, id vpc.GroupID, its vpc.VPCID) bool {
	return associated(r, id, g.VPC) || associated(r, g.ID, its) || peered(r, g.VPC, its) != nil
}

// stale reports whether a rule of g refers to a group of another VPC that is
// gone or no longer connected. A rule inside one VPC cannot go stale, since
// the group it refers to cannot be deleted.
func stale(r state.Reader, g *vpc.SecurityGroup, rule *vpc.Rule) bool {
	if rule.Foreign == nil {
		return false
	}
	id, _ := rule.Peer.Group()
	return foreignGroup(r, id, rule.Foreign) == nil || !connected(r, g, id, rule.Foreign.VPC)
}

// listWeight gives what a prefix list counts for against the quota of rules.
func listWeight(r state.Reader) func(vpc.PrefixListID) int {
	return func(id vpc.PrefixListID) int {
		if l := findPrefixList(r, string(id)); l != nil {
			return vpc.PrefixListWeight(l)
		}
		return 0
	}
}

// overRuleQuota reports whether one direction of a group's rules has more than
// the quota allows, with prefix lists of the weights given.
func overRuleQuota(q *vpc.Quotas, rules []vpc.Rule, d flow.Direction, weight func(vpc.PrefixListID) int) bool {
	limit := q.RulesEach()
	v4, v6 := vpc.CountRules(rules, d, weight)
	return v4 > limit || v6 > limit
}

// ownerOf gives the owner of the group that a rule of g refers to.
func ownerOf(g *vpc.SecurityGroup, rule *vpc.Rule) vpc.AccountID {
	if rule.Foreign != nil && rule.Foreign.Owner != "" {
		return rule.Foreign.Owner
	}
	return g.Owner
}

// withRules gives a copy of g for changing, its rules copied with room for more.
func withRules(g *vpc.SecurityGroup, more int) *vpc.SecurityGroup {
	c := *g
	c.Rules = append(make([]vpc.Rule, 0, len(g.Rules)+more), g.Rules...)
	return &c
}

// authorize adds the rules that a request names to g, all or none, and tags
// them alike.
func authorize(tx *state.Txn, g *vpc.SecurityGroup, d flow.Direction, asked rulesAsked, specs []TagSpecification) ([]SecurityGroupRule, error) {
	perms, err := asked.permissions(d)
	if err != nil {
		return nil, err
	}
	rules, err := askedRules(tx, g, d, perms)
	if err != nil {
		return nil, err
	}
	if err := checkDescriptions(rules); err != nil {
		return nil, err
	}
	at, err := distinct(rules)
	if err != nil {
		return nil, err
	}
	for i := range rules {
		if err := resolvePeer(tx, g, &rules[i].Rule, rules[i].user); err != nil {
			return nil, err
		}
	}
	tags, err := taggedWith(tx, specs, "security-group-rule")
	if err != nil {
		return nil, err
	}
	for i := range g.Rules {
		if _, stored := at[g.Rules[i].Key()]; stored {
			return nil, fault.InvalidPermissionDuplicate.With(&g.Rules[i])
		}
	}
	g = withRules(g, len(rules))
	old := len(g.Rules)
	for i := range rules {
		rules[i].Tags = tags
		addRule(tx, g, rules[i].Rule)
	}
	if overRuleQuota(tx.Quotas, g.Rules, d, listWeight(tx)) {
		return nil, fault.RulesPerGroupLimitExceeded.With()
	}
	g.EgressTouched = g.EgressTouched || d == flow.Egress
	state.Groups.Put(tx, g)

	out := make([]SecurityGroupRule, 0, len(rules))
	for i := old; i < len(g.Rules); i++ {
		out = append(out, ruleShape(tx, g, &g.Rules[i]))
	}
	return out, nil
}

// revoke takes rules away from g, by id or by content. In the default VPC a
// permission that matches nothing is reported and the others are revoked; in
// any other it fails the call: API reference, RevokeSecurityGroupIngress.
func revoke(tx *state.Txn, g *vpc.SecurityGroup, d flow.Direction, ids []string, asked rulesAsked) (revoked []RevokedSecurityGroupRule, unknown []IpPermission, err error) {
	var places []int // in g.Rules, in the order of the request
	if len(ids) > 0 {
		if len(asked.Permissions) > 0 || asked.flat() {
			return nil, nil, fault.InvalidParameterCombination.Say("The parameter 'ipPermissions' may not be used in combination with 'securityGroupRuleIds'")
		}
		places, err = rulePlaces(g, &d, ids)
		if err != nil {
			return nil, nil, err
		}
	} else {
		perms, err := asked.permissions(d)
		if err != nil {
			return nil, nil, err
		}
		rules, err := askedRules(tx, g, d, perms)
		if err != nil {
			return nil, nil, err
		}
		found, err := storedPlaces(g, rules)
		if err != nil {
			return nil, nil, err
		}
		lenient := inDefaultVPC(tx, g)
		var missing []vpc.Rule
		for i, place := range found {
			switch {
			case place >= 0:
				places = append(places, place)
			case lenient:
				if rules[i].user != "" {
					rules[i].Foreign = &vpc.Foreign{Owner: rules[i].user}
				}
				missing = append(missing, rules[i].Rule)
			default:
				return nil, nil, fault.InvalidPermissionNotFound.With()
			}
		}
		unknown = permissionShapes(tx, g, missing, d)
	}
	revoked = make([]RevokedSecurityGroupRule, 0, len(places))
	gone := make([]bool, len(g.Rules))
	for _, i := range places {
		if !gone[i] {
			gone[i] = true
			revoked = append(revoked, revokedShape(g, &g.Rules[i]))
		}
	}
	if len(revoked) == 0 {
		return revoked, unknown, nil
	}
	c := *g
	c.Rules = make([]vpc.Rule, 0, len(g.Rules)-len(revoked))
	for i := range g.Rules {
		if !gone[i] {
			c.Rules = append(c.Rules, g.Rules[i])
		}
	}
	c.EgressTouched = c.EgressTouched || d == flow.Egress
	state.Groups.Put(tx, &c)
	return revoked, unknown, nil
}

// storedPlaces gives the place in g of each rule asked for, -1 for one that is
// not there.
func storedPlaces(g *vpc.SecurityGroup, rules []askedRule) ([]int, error) {
	at, err := distinct(rules)
	if err != nil {
		return nil, err
	}
	places := make([]int, len(rules))
	for i := range places {
		places[i] = -1
	}
	for i := range g.Rules {
		a, ok := at[g.Rules[i].Key()]
		if ok && (rules[a].user == "" || rules[a].user == ownerOf(g, &g.Rules[i])) {
			places[a] = i
		}
	}
	return places, nil
}

// rulePlaces gives the places in g of the rules with ids; those of another
// group, or not of direction d if it is given, do not exist.
func rulePlaces(g *vpc.SecurityGroup, d *flow.Direction, ids []string) ([]int, error) {
	for _, id := range ids {
		if err := checkRuleID(id); err != nil {
			return nil, err
		}
	}
	places := make([]int, 0, len(ids))
	for _, id := range ids {
		place := -1
		for i := range g.Rules {
			if string(g.Rules[i].ID) == id && (d == nil || g.Rules[i].Direction == *d) {
				place = i
				break
			}
		}
		if place < 0 {
			return nil, fault.InvalidRuleNotFound.With(id)
		}
		places = append(places, place)
	}
	return places, nil
}

// checkRuleID refuses what is not a rule's id. EC2 looks at the prefix and at
// the length only; anything else is an id that does not exist.
func checkRuleID(id string) error {
	if len(id) < 4 || id[:4] != "sgr-" || len(id) > 4+17 {
		return fault.InvalidRuleIdMalformed.With(id)
	}
	return nil
}

// describeRules gives rules of g new descriptions, by id or by content.
func describeRules(tx *state.Txn, g *vpc.SecurityGroup, d flow.Direction, perms []IpPermission, byID []SecurityGroupRuleDescription) error {
	var places []int
	var texts []string
	switch {
	case len(perms) > 0 && len(byID) > 0:
		return fault.InvalidParameterCombination.Say("The parameter 'ipPermissions' may not be used in combination with 'securityGroupRuleDescriptions'")
	case len(perms) > 0:
		rules, err := askedRules(tx, g, d, perms)
		if err != nil {
			return err
		}
		if err := checkDescriptions(rules); err != nil {
			return err
		}
		for i := range rules {
			texts = append(texts, rules[i].Description)
		}
		if places, err = storedPlaces(g, rules); err != nil {
			return err
		}
		for _, place := range places {
			if place < 0 {
				return fault.InvalidPermissionNotFound.With()
			}
		}
	case len(byID) > 0:
		ids := make([]string, 0, len(byID))
		for _, s := range byID {
			ids = append(ids, s.SecurityGroupRuleId)
			text := ""
			if s.Description != nil {
				text = *s.Description
			}
			if err := vpc.CheckRuleDescription(text); err != nil {
				return err
			}
			texts = append(texts, text)
		}
		var err error
		if places, err = rulePlaces(g, &d, ids); err != nil {
			return err
		}
		if err := noneTwice(ids); err != nil {
			return err
		}
	default:
		return fault.MissingParameter.With("ipPermissions or securityGroupRuleDescriptions")
	}
	g = withRules(g, 0)
	for i, place := range places {
		g.Rules[place].Description = texts[i]
	}
	g.EgressTouched = g.EgressTouched || d == flow.Egress
	state.Groups.Put(tx, g)
	return nil
}

func checkDescriptions(rules []askedRule) error {
	for i := range rules {
		if err := vpc.CheckRuleDescription(rules[i].Description); err != nil {
			return err
		}
	}
	return nil
}

// noneTwice refuses a rule that a request names twice.
func noneTwice(ids []string) error {
	seen := make(map[string]bool, len(ids))
	for _, id := range ids {
		if seen[id] {
			return fault.InvalidParameterValue.Say("Duplicated security group rule ID '%s'. The same security group rule ID must not appear multiple times.", id)
		}
		seen[id] = true
	}
	return nil
}
