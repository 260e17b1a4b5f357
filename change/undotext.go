package change

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"moat/ec2"
	"moat/flow"
	"moat/names"
	"moat/state"
	"moat/vpc"
	"moat/words"
)

var directions = [...]flow.Direction{flow.Ingress, flow.Egress}

// kindWords are what people call what a record is.
var kindWords = map[string]string{
	"vpc": "VPC", "subnet": "subnet", "sg": "security group", "eni": "network interface", "pl": "prefix list", "plv": "older version of a prefix list",
	"sgvpc": "association of a group", "token": "client token", "igw": "internet gateway", "rtb": "route table", "rtbassoc": "association of a route table",
	"acl": "network ACL", "aclassoc": "association of a network ACL", "dopt": "DHCP options", "vpce": "endpoint", "pcx": "peering",
	"instance": "instance", "vol": "volume", "keypair": "key pair", "eip": "elastic address",
}

// thing gives a record in words: "security group web (sg-…)".
func thing(d *state.Decoded, row any) string {
	text := cmp.Or(kindWords[d.Kind().Name()], d.Kind().Name())
	name := ""
	switch row := row.(type) {
	case *vpc.SecurityGroup:
		name = row.Name
	case *vpc.PrefixList:
		name = row.Name
	case *vpc.KeyPair:
		name = row.Name
	default:
		if row != nil {
			if f := reflect.ValueOf(row).Elem().FieldByName("Tags"); f.IsValid() {
				name = names.NameTag(f.Interface().(vpc.Tags))
			}
		}
	}
	if name == "" {
		return text + " " + d.ID()
	}
	return fmt.Sprintf("%s %s (%s)", text, words.Clean(name), d.ID())
}

// tell says what is put back, with the lines of the AWS command line: what
// comes into being first, what goes last.
func (w *undoing) tell() {
	var made, changed, removed []string
	at := func(lines *[]string, line string) { *lines = append(*lines, line) }
	// In the order of what people read, and of ids where that is the same.
	slices.SortStableFunc(w.put, func(a, b state.Decoded) int {
		text := func(d *state.Decoded) string { return thing(d, cmp.Or(d.Row(), d.Now(w.tx))) }
		return cmp.Compare(text(&a), text(&b))
	})
	for i := range w.put {
		d := &w.put[i]
		now, row := d.Now(w.tx), d.Row()
		switch {
		case d.Kind() == state.AnyKind(state.ClientTokens), d.Kind() == state.AnyKind(state.PrefixListVersions):
			continue // nobody sees them by themselves
		case row == nil:
			w.does("  - %s", thing(d, now))
			at(&removed, deleteLine(d, now))
		case now == nil:
			w.does("  + %s, as it was, with its id", thing(d, row))
			for _, line := range w.createLines(d, row) {
				at(&made, line)
			}
		default:
			w.does("  ~ %s", thing(d, row))
			for _, line := range w.changedLines(d, now, row) {
				at(&changed, line)
			}
		}
	}
	w.AWS = slices.Concat(made, changed, removed)
}

// deleteLine gives the line that deletes what a record is.
func deleteLine(d *state.Decoded, now any) string {
	flags := map[string]string{
		"vpc": "delete-vpc --vpc-id", "subnet": "delete-subnet --subnet-id", "sg": "delete-security-group --group-id",
		"eni": "delete-network-interface --network-interface-id", "pl": "delete-managed-prefix-list --prefix-list-id",
		"igw": "delete-internet-gateway --internet-gateway-id", "rtb": "delete-route-table --route-table-id",
		"rtbassoc": "disassociate-route-table --association-id", "acl": "delete-network-acl --network-acl-id", "dopt": "delete-dhcp-options --dhcp-options-id",
		"vpce": "delete-vpc-endpoints --vpc-endpoint-ids", "pcx": "delete-vpc-peering-connection --vpc-peering-connection-id",
		"instance": "terminate-instances --instance-ids", "vol": "delete-volume --volume-id", "keypair": "delete-key-pair --key-pair-id",
		"eip": "release-address --allocation-id",
	}
	if a, ok := now.(*vpc.GroupAssociation); ok {
		return fmt.Sprintf("aws ec2 disassociate-security-group-vpc --group-id %s --vpc-id %s", a.Group, a.VPC)
	}
	if f := flags[d.Kind().Name()]; f != "" {
		return "aws ec2 " + f + " " + d.ID()
	}
	return "# " + thing(d, now) + " goes with what it belongs to"
}

// createLines gives the lines that make a group anew, which EC2 gives another
// id; of other things it says so.
func (w *undoing) createLines(d *state.Decoded, row any) []string {
	g, ok := row.(*vpc.SecurityGroup)
	if !ok {
		return []string{"# EC2 cannot bring back " + thing(d, row) + ": make another one, which has another id"}
	}
	lines := []string{"# EC2 cannot bring back " + thing(d, row) + "; this makes another one, which has another id:",
		fmt.Sprintf("new=$(aws ec2 create-security-group --group-name %s --description %s --vpc-id %s --query GroupId --output text)", shellWord(g.Name), shellWord(g.Description), g.VPC)}
	return append(lines, ruleLines(g)...)
}

// ruleLines gives the lines that give the group "$new", which is new, the rules
// of g.
func ruleLines(g *vpc.SecurityGroup) (lines []string) {
	for _, d := range directions {
		var rules []vpc.Rule
		open := false
		for _, r := range g.Rules {
			switch {
			case r.Direction != d:
			case d == flow.Egress && r.Protocol == flow.AllProtocols && r.Peer.CIDR == anywhere4:
				open = true // a new group has it
			default:
				rules = append(rules, r)
			}
		}
		if d == flow.Egress && !open {
			lines = append(lines, `aws ec2 revoke-security-group-egress --group-id "$new" --protocol all --cidr 0.0.0.0/0`)
		}
		if len(rules) > 0 {
			lines = append(lines, fmt.Sprintf(`aws ec2 authorize-security-group-%s --group-id "$new" --ip-permissions %s`, d, shellWord(jsonOf(permissionsOf(g, rules)))))
		}
	}
	return lines
}

// changedLines says what becomes another one in a record, and gives the lines
// that do that.
func (w *undoing) changedLines(d *state.Decoded, now, row any) (lines []string) {
	was, is := reflect.ValueOf(now).Elem(), reflect.ValueOf(row).Elem()
	for i := range is.NumField() {
		field := is.Type().Field(i).Name
		if equal(was.Field(i), is.Field(i)) {
			continue
		}
		switch a := was.Field(i).Interface().(type) {
		case []vpc.Rule:
			lines = append(lines, w.rulesChanged(now.(*vpc.SecurityGroup), row.(*vpc.SecurityGroup))...)
		case vpc.Tags:
			lines = append(lines, w.tagsChanged("    ", d.ID(), a, is.Field(i).Interface().(vpc.Tags))...)
		case []vpc.GroupID:
			b := is.Field(i).Interface().([]vpc.GroupID)
			w.does("    groups %s, now %s", w.groupNames(b), w.groupNames(a))
			var ids []string
			for _, id := range b {
				ids = append(ids, string(id))
			}
			lines = append(lines, awsLine("ModifyNetworkInterfaceAttribute", &ec2.ModifyNetworkInterfaceAttributeInput{NetworkInterfaceId: d.ID(), Groups: ids})...)
		case bool:
			if field == "EgressTouched" {
				continue // nobody sees it
			}
			w.does("    %s %v, now %v", strings.ReplaceAll(kebab(field), "-", " "), is.Field(i).Bool(), a)
			lines = append(lines, noLine(d, row, field))
		default:
			name := strings.ReplaceAll(kebab(field), "-", " ")
			if is.Field(i).Kind() == reflect.String {
				w.does("    %s %s, now %s", name, quoted(is.Field(i).String()), quoted(was.Field(i).String()))
			} else {
				w.does("    %s", name)
			}
			lines = append(lines, noLine(d, row, field))
		}
	}
	return lines
}

func noLine(d *state.Decoded, row any, field string) string {
	return fmt.Sprintf("# %s of %s: put it back by hand", strings.ReplaceAll(kebab(field), "-", " "), thing(d, row))
}

func (w *undoing) nameOf(p vpc.Peer) string {
	return cmp.Or(nameOf(w.tx, p), nameOf(w.before, p), nameOf(w.after, p))
}

func (w *undoing) groupNames(ids []vpc.GroupID) string {
	var out []string
	for _, id := range ids {
		name := string(id)
		for _, r := range []state.Reader{w.tx, w.before} {
			if g := state.Groups.Get(r, id); g != nil {
				name = words.Clean(g.Name)
				break
			}
		}
		out = append(out, name)
	}
	return list(out)
}

// rulesChanged compares the rules of a group by their ids.
func (w *undoing) rulesChanged(now, then *vpc.SecurityGroup) (lines []string) {
	m := &maker{r: w.tx, nameIn: w.nameOf}
	find := func(g *vpc.SecurityGroup, id vpc.RuleID) *vpc.Rule {
		for i := range g.Rules {
			if g.Rules[i].ID == id {
				return &g.Rules[i]
			}
		}
		return nil
	}
	p := &Plan{}
	id := string(now.ID)
	var updates []ec2.SecurityGroupRuleUpdate
	var tags []string
	for _, d := range directions {
		var gone []string
		for i := range now.Rules {
			if r := &now.Rules[i]; r.Direction == d && find(then, r.ID) == nil {
				w.does("    - %s %s", r.ID, m.ruleText(r))
				gone = append(gone, string(r.ID))
			}
		}
		p.revoke(now, d, gone)
	}
	for i := range then.Rules {
		r := &then.Rules[i]
		n := find(now, r.ID)
		if n == nil || n.Key() == r.Key() && n.Description == r.Description && slices.Equal(n.Tags, r.Tags) {
			continue
		}
		if n.Key() != r.Key() || n.Description != r.Description {
			w.does("    ~ %s %s, now %s", r.ID, m.ruleText(r), m.ruleText(n))
			updates = append(updates, ec2.SecurityGroupRuleUpdate{SecurityGroupRuleId: string(r.ID), SecurityGroupRule: requestOf(r)})
		}
		if !slices.Equal(n.Tags, r.Tags) {
			w.does("    ~ %s", r.ID)
			tags = append(tags, w.tagsChanged("      ", string(r.ID), n.Tags, r.Tags)...)
		}
	}
	if len(updates) > 0 {
		p.call("ModifySecurityGroupRules", &ec2.ModifySecurityGroupRulesInput{GroupId: &id, SecurityGroupRules: updates})
	}
	add := &maker{Plan: p, r: w.tx, g: now}
	for _, d := range directions {
		var back []vpc.Rule
		for i := range then.Rules {
			if r := &then.Rules[i]; r.Direction == d && find(now, r.ID) == nil {
				w.does("    + %s %s", r.ID, m.ruleText(r))
				back = append(back, *r)
			}
		}
		add.authorize(back)
	}
	return append(p.AWS, tags...)
}

func (w *undoing) tagsChanged(indent, id string, now, then vpc.Tags) (lines []string) {
	has := func(tags vpc.Tags, key string) (string, bool) {
		for _, t := range tags {
			if t.Key == key {
				return t.Value, true
			}
		}
		return "", false
	}
	var set, unset []ec2.Tag
	for _, t := range then {
		if v, ok := has(now, t.Key); !ok || v != t.Value {
			w.does("%s+ tag %s=%s", indent, words.Clean(t.Key), words.Clean(t.Value))
			set = append(set, ec2.Tag{Key: t.Key, Value: &t.Value})
		}
	}
	for _, t := range now {
		if _, ok := has(then, t.Key); !ok {
			w.does("%s- tag %s=%s", indent, words.Clean(t.Key), words.Clean(t.Value))
			unset = append(unset, ec2.Tag{Key: t.Key})
		}
	}
	if len(set) > 0 {
		lines = append(lines, "aws ec2 create-tags --resources "+id+" --tags "+shellWord(jsonOf(set)))
	}
	if len(unset) > 0 {
		lines = append(lines, "aws ec2 delete-tags --resources "+id+" --tags "+shellWord(jsonOf(unset)))
	}
	return lines
}
