package guardrail_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"moat/ec2/ec2test"
	"moat/guardrail"
	"moat/ruleset"
	"moat/state"
	"moat/vpc"
)

// A place is a world with names for what is in it:
//
//	vpc      the default VPC, 172.31.0.0/16, with subnet; other is 10.9.0.0/16 with osubnet
//	db1      tier=db, in group db: tcp/5432 from group app and from list inner, tcp/22 from 172.31.0.0/20 (rule db22)
//	app1     in group app
//	web1     in group web: tcp/443 from everywhere
//	spare1   in group spare
//	far1     in group far of the other VPC
//	inner    a prefix list with 172.31.0.0/16; open has 198.51.100.0/24; free is used by nobody
//	empty    a group that nobody has
type place struct {
	*ec2test.World
	t      *testing.T
	names  map[string]string
	exempt []ruleset.Exemption
	judge  func(*state.Txn) error
}

var idPattern = regexp.MustCompile(`<(groupId|vpcId|subnetId|networkInterfaceId|prefixListId|securityGroupRuleId|vpcPeeringConnectionId)>([^<]+)<`)

func newPlace(t *testing.T) *place {
	p := &place{World: ec2test.New(t), t: t, names: map[string]string{}}
	p.judge = func(tx *state.Txn) error { return guardrail.Check(tx, p.exempt) }
	space := p.View.In(p.Scope)
	v := state.DefaultVPC(space)
	p.names["vpc"] = string(v.ID)
	for s := range state.Subnets.By(space, state.SubnetsByVPC, string(v.ID)) {
		switch s.CIDR.String() {
		case "172.31.0.0/20":
			p.names["subnet"] = string(s.ID)
		case "172.31.16.0/20":
			p.names["subnet2"] = string(s.ID)
		}
	}
	p.names["default"] = string(state.DefaultGroup(space, v.ID).ID)
	for _, line := range strings.Split(strings.TrimSpace(`
other = CreateVpc CidrBlock=10.9.0.0/16
osubnet = CreateSubnet VpcId={other} CidrBlock=10.9.1.0/24
db = CreateSecurityGroup GroupName=db GroupDescription=d VpcId={vpc}
app = CreateSecurityGroup GroupName=app GroupDescription=d VpcId={vpc}
web = CreateSecurityGroup GroupName=web GroupDescription=d VpcId={vpc}
spare = CreateSecurityGroup GroupName=spare GroupDescription=d VpcId={vpc}
empty = CreateSecurityGroup GroupName=empty GroupDescription=d VpcId={vpc}
far = CreateSecurityGroup GroupName=far GroupDescription=d VpcId={other}
inner = CreateManagedPrefixList PrefixListName=inner AddressFamily=IPv4 MaxEntries=5 Entry.1.Cidr=172.31.0.0/16
open = CreateManagedPrefixList PrefixListName=open AddressFamily=IPv4 MaxEntries=5 Entry.1.Cidr=198.51.100.0/24
free = CreateManagedPrefixList PrefixListName=free AddressFamily=IPv4 MaxEntries=5
db1 = CreateNetworkInterface SubnetId={subnet} SecurityGroupId.1={db} PrivateIpAddress=172.31.0.10 TagSpecification.1.ResourceType=network-interface TagSpecification.1.Tag.1.Key=tier TagSpecification.1.Tag.1.Value=db
app1 = CreateNetworkInterface SubnetId={subnet} SecurityGroupId.1={app} PrivateIpAddress=172.31.0.20
web1 = CreateNetworkInterface SubnetId={subnet} SecurityGroupId.1={web} PrivateIpAddress=172.31.0.30
spare1 = CreateNetworkInterface SubnetId={subnet} SecurityGroupId.1={spare} PrivateIpAddress=172.31.0.40
far1 = CreateNetworkInterface SubnetId={osubnet} SecurityGroupId.1={far} PrivateIpAddress=10.9.1.50
in db tcp/5432 {app}
in db tcp/5432 {inner}
db22 = in db tcp/22 172.31.0.0/20
in web tcp/443 0.0.0.0/0
`), "\n") {
		if _, err := p.run(line); err != "" {
			t.Fatalf("%s: %s", line, err)
		}
	}
	p.Check = p.judge
	return p
}

// run runs a line: an action with its parameters, or one of the short forms
//
//	in|out GROUP PROTOCOL/PORTS PEER   a rule
//	modify RULE PROTOCOL/PORTS PEER    the rule made another
//	groups INTERFACE GROUP...          the groups of an interface
//	tag THING KEY=VALUE
//	rail NAME: SENTENCE
//	exempt WORD...                     what --exempt is, with the rails
//
// with NAME = in front to name what it makes. It gives the refusal.
func (p *place) run(line string) (reply, refusal string) {
	name := ""
	if n, rest, ok := strings.Cut(line, " = "); ok && !strings.Contains(n, " ") {
		name, line = n, rest
	}
	line = regexp.MustCompile(`\{(\w+)\}`).ReplaceAllStringFunc(line, func(m string) string {
		id := p.names[m[1:len(m)-1]]
		if id == "" {
			p.t.Fatalf("%s: nothing is called %s", line, m)
		}
		return id
	})
	f := strings.Fields(line)
	id := func(s string) string {
		if p.names[s] == "" {
			p.t.Fatalf("%s: nothing is called %s", line, s)
		}
		return p.names[s]
	}
	var params []string
	action := f[0]
	switch f[0] {
	case "rail":
		n, sentence, _ := strings.Cut(strings.TrimPrefix(line, "rail "), ": ")
		if _, err := guardrail.Parse(n, sentence); err != nil {
			return "", err.Error()
		}
		st := state.NewStage(p.View)
		tx := st.Begin(state.Call{Scope: state.Scope{Account: p.Scope.Account}, Now: p.Now})
		state.Guardrails.Put(tx, &vpc.Guardrail{Name: n, Sentence: sentence})
		st.Accept(tx)
		p.View = st.View()
		return "", ""
	case "exempt":
		all, err := ruleset.ParseExemptions(f[1:])
		if err != nil {
			p.t.Fatal(err)
		}
		p.exempt = all
		return "", ""
	case "rail-off", "rail-on": // for what stands since before there was a guardrail
		p.Check = map[string]func(*state.Txn) error{"rail-on": p.judge}[f[0]]
		return "", ""
	case "unlist":
		action = "RevokeSecurityGroupIngress"
		params = append([]string{"GroupId", id("db")}, permission("IpPermissions.1.", "tcp/5432", id("inner"))...)
	case "leave":
		action = "DisassociateVpcCidrBlock"
		for _, b := range state.VPCs.Get(p.View.In(p.Scope), vpc.VPCID(id("vpc"))).Blocks {
			if b.CIDR.String() == f[1] {
				params = []string{"AssociationId", string(b.Association)}
			}
		}
	case "in", "out":
		action = map[string]string{"in": "AuthorizeSecurityGroupIngress", "out": "AuthorizeSecurityGroupEgress"}[f[0]]
		params = append([]string{"GroupId", id(f[1])}, permission("IpPermissions.1.", f[2], f[3])...)
	case "closed": // a group without the rule that lets everything out
		action = "RevokeSecurityGroupEgress"
		params = append([]string{"GroupId", id(f[1])}, permission("IpPermissions.1.", "-1", "0.0.0.0/0")...)
	case "modify":
		action = "ModifySecurityGroupRules"
		g, _ := state.RuleByID(p.View.In(p.Scope), vpc.RuleID(id(f[1])))
		protocol, ports, _ := strings.Cut(f[2], "/")
		params = []string{"GroupId", string(g.ID), "SecurityGroupRule.1.SecurityGroupRuleId", id(f[1]), "SecurityGroupRule.1.SecurityGroupRule.IpProtocol", protocol}
		if ports != "" {
			from, to := ports, ports
			if a, b, ok := strings.Cut(ports, "-"); ok {
				from, to = a, b
			}
			params = append(params, "SecurityGroupRule.1.SecurityGroupRule.FromPort", from, "SecurityGroupRule.1.SecurityGroupRule.ToPort", to)
		}
		params = append(params, "SecurityGroupRule.1.SecurityGroupRule.CidrIpv4", f[3])
	case "groups":
		action = "ModifyNetworkInterfaceAttribute"
		params = []string{"NetworkInterfaceId", id(f[1])}
		for i, g := range f[2:] {
			params = append(params, fmt.Sprintf("SecurityGroupId.%d", i+1), id(g))
		}
	case "tag":
		action = "CreateTags"
		k, v, _ := strings.Cut(f[2], "=")
		params = []string{"ResourceId.1", id(f[1]), "Tag.1.Key", k, "Tag.1.Value", v}
	default:
		for _, kv := range f[1:] {
			k, v, _ := strings.Cut(kv, "=")
			params = append(params, k, v)
		}
	}
	xml, err := p.Do(action, params...)
	if err != nil {
		return "", err.Error()
	}
	if m := idPattern.FindAllStringSubmatch(xml, -1); m != nil && name != "" {
		want := map[byte]string{'C': m[0][1], 'A': "securityGroupRuleId"}[action[0]]
		if action == "CreateNetworkInterface" {
			want = "networkInterfaceId"
		}
		if action == "CreateSubnet" {
			want = "subnetId"
		}
		if action == "CreateVpcPeeringConnection" {
			want = "vpcPeeringConnectionId"
		}
		for _, x := range m {
			if x[1] == want {
				p.names[name] = x[2]
				break
			}
		}
	}
	return xml, ""
}

func permission(prefix, traffic, peer string) []string {
	protocol, ports, ranged := strings.Cut(traffic, "/")
	out := []string{prefix + "IpProtocol", protocol}
	if ranged {
		from, to := ports, ports
		if a, b, ok := strings.Cut(strings.TrimPrefix(ports, "-"), "-"); ok {
			from, to = a, b
		}
		if protocol == "icmp" {
			to = "-1"
		}
		out = append(out, prefix+"FromPort", from, prefix+"ToPort", to)
	}
	switch {
	case strings.HasPrefix(peer, "sg-"):
		return append(out, prefix+"Groups.1.GroupId", peer)
	case strings.HasPrefix(peer, "pl-"):
		return append(out, prefix+"PrefixListIds.1.PrefixListId", peer)
	case strings.Contains(peer, ":"):
		return append(out, prefix+"Ipv6Ranges.1.CidrIpv6", peer)
	}
	return append(out, prefix+"IpRanges.1.CidrIp", peer)
}

// The table: an attempt to open what a guardrail forbids is refused with the
// path that it would open, and its harmless twin passes. All but the last line
// of each is preparation and passes.
func TestEvasionsAndTheirTwins(t *testing.T) {
	data, err := os.ReadFile("testdata/evasions.txt")
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	var rails []string
	for block := range strings.SplitSeq(strings.TrimSpace(string(data)), "\n\n") {
		lines := slices.DeleteFunc(strings.Split(block, "\n"), func(s string) bool { return strings.HasPrefix(s, "#") })
		if len(lines) == 0 {
			continue
		}
		if strings.HasPrefix(lines[0], "rail ") {
			rails = lines
			continue
		}
		kind, title, _ := strings.Cut(lines[0], ": ")
		counts[kind]++
		t.Run(kind+" "+title, func(t *testing.T) {
			p := newPlace(t)
			for _, r := range rails {
				if _, refusal := p.run(r); refusal != "" {
					t.Fatalf("%s: %s", r, refusal)
				}
			}
			for _, line := range lines[1 : len(lines)-1] {
				if _, refusal := p.run(line); refusal != "" {
					t.Fatalf("in preparation: %s: %s", line, refusal)
				}
			}
			last, before := lines[len(lines)-1], p.View
			_, refusal := p.run(last)
			switch {
			case kind == "passes" && refusal != "" && !strings.HasPrefix(refusal, "DryRunOperation"):
				t.Errorf("%s: %s", last, refusal)
			case kind == "refused" && !strings.HasPrefix(refusal, "UnauthorizedOperation: You are not authorized to perform this operation. The guardrail "):
				t.Errorf("%s: got %q, want the guardrail's refusal", last, refusal)
			case kind == "refused" && (!strings.Contains(refusal, " -> ") || p.View != before):
				t.Errorf("%s: the refusal shows no path, or something changed: %s", last, refusal)
			case kind != "refused" && kind != "passes":
				t.Errorf("what is %q?", kind)
			}
			if refusal != "" {
				t.Log(refusal)
			}
		})
	}
	if counts["refused"] < 50 || counts["passes"] < 50 {
		t.Errorf("%d evasions and %d twins, want at least 50 of each", counts["refused"], counts["passes"])
	}
}
