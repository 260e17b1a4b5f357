package ec2_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"moat/ec2/ec2test"
	"moat/flow"
	"moat/state"
	"moat/vpc"
)

// homeVPC gives the id of the world's default VPC.
func homeVPC(w *ec2test.World) string { return string(state.DefaultVPC(w.Space()).ID) }

// addVPC creates a VPC that is not the default one, with an IPv6 block if asked
// for.
func addVPC(w *ec2test.World, ipv6 bool) string {
	return ec2test.One(w.Must("CreateVpc", "CidrBlock", "10.0.0.0/16", "AmazonProvidedIpv6CidrBlock", fmt.Sprint(ipv6)), "vpcId")
}

// addGroup creates a group in a VPC and gives its id.
func addGroup(w *ec2test.World, name, in string) string {
	return ec2test.One(w.Must("CreateSecurityGroup", "GroupName", name, "GroupDescription", "of a test", "VpcId", in), "groupId")
}

// addInterface puts an interface of a VPC with groups and gives its id.
func addInterface(w *ec2test.World, in string, groups ...string) string {
	i := &vpc.Interface{Owner: w.Scope.Account, VPC: vpc.VPCID(in)}
	for _, g := range groups {
		i.Groups = append(i.Groups, vpc.GroupID(g))
	}
	w.Stage(func(tx *state.Txn) error {
		i.ID = vpc.InterfaceID(tx.NewID(vpc.InterfacePrefix))
		state.Interfaces.Put(tx, i)
		return nil
	})
	return string(i.ID)
}

// addPrefixList puts a prefix list without entries and gives its id.
func addPrefixList(w *ec2test.World, maxEntries int32) string {
	l := &vpc.PrefixList{Owner: w.Scope.Account, Name: "offices", Family: "IPv4", MaxEntries: maxEntries, Version: 1, State: "create-complete"}
	w.Stage(func(tx *state.Txn) error {
		l.ID = vpc.PrefixListID(tx.NewID(vpc.PrefixListPrefix))
		state.PrefixLists.Put(tx, l)
		return nil
	})
	return string(l.ID)
}

// perms gives the parameters of IpPermissions for sentences such as
// "tcp 443 from 10.0.0.0/8", "tcp 1-100 from sg-… as self", "-1 from web":
// protocol, ports unless absent, one source, a description if any. A source
// that is no range and no id is the name of a group.
func perms(sentences ...string) []string {
	var out []string
	for i, s := range sentences {
		what, source, _ := strings.Cut(s, " from ")
		source, description, described := strings.Cut(source, " as ")
		p := fmt.Sprintf("IpPermissions.%d.", i+1)
		protocol, ports, _ := strings.Cut(what, " ")
		out = append(out, p+"IpProtocol", protocol)
		if ports != "" {
			from, to, isRange := strings.Cut(ports, "-")
			if i := strings.IndexByte(ports, '/'); i > 0 { // type and code
				from, to, isRange = ports[:i], ports[i+1:], true
			}
			if !isRange {
				to = from
			}
			out = append(out, p+"FromPort", from, p+"ToPort", to)
		}
		list, member := "Groups", "GroupName"
		switch {
		case source == "":
			continue
		case strings.HasPrefix(source, "sg-"):
			member = "GroupId"
		case strings.HasPrefix(source, "pl-"):
			list, member = "PrefixListIds", "PrefixListId"
		case strings.Contains(source, ":"):
			list, member = "Ipv6Ranges", "CidrIpv6"
		case strings.ContainsAny(source, "./"):
			list, member = "IpRanges", "CidrIp"
		}
		out = append(out, p+list+".1."+member, source)
		if described {
			out = append(out, p+list+".1.Description", description)
		}
	}
	return out
}

// on gives the parameters of a call on a group.
func on(group string, params ...string) []string {
	return append([]string{"GroupId", group}, params...)
}

// onPerms is on with the permissions of sentences.
func onPerms(group string, sentences ...string) []string { return on(group, perms(sentences...)...) }

// rules gives what a group has in one direction, as EC2 quotes rules.
func rules(w *ec2test.World, group string, d flow.Direction) []string {
	out := []string{}
	g := state.Groups.Get(w.Space(), vpc.GroupID(group))
	for i := range g.Rules {
		if g.Rules[i].Direction == d {
			s := strings.TrimSuffix(strings.TrimPrefix(g.Rules[i].String(), "peer: "), ", ALLOW")
			if g.Rules[i].Description != "" {
				s += " as " + g.Rules[i].Description
			}
			out = append(out, s)
		}
	}
	return out
}

// hasRules fails unless a group lets in exactly the rules quoted.
func hasRules(t *testing.T, w *ec2test.World, group string, want ...string) {
	t.Helper()
	if got := rules(w, group, flow.Ingress); !slices.Equal(got, want) {
		t.Errorf("%s lets in %q, want %q", group, got, want)
	}
}

// says fails unless a message is the one wanted.
func says(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("message %q, want %q", got, want)
	}
}

// contains fails unless the XML has the piece.
func contains(t *testing.T, xml, piece string) {
	t.Helper()
	if !strings.Contains(xml, piece) {
		t.Errorf("%s lacks %s", xml, piece)
	}
}

func lacks(t *testing.T, xml, piece string) {
	t.Helper()
	if strings.Contains(xml, piece) {
		t.Errorf("%s has %s", xml, piece)
	}
}

func TestCreateSecurityGroup(t *testing.T) {
	w := ec2test.New(t)
	xml := w.Must("CreateSecurityGroup", "GroupName", "web ", "GroupDescription", "web tier",
		"TagSpecification.1.ResourceType", "security-group", "TagSpecification.1.Tag.1.Key", "Name", "TagSpecification.1.Tag.1.Value", "web")
	id := ec2test.One(xml, "groupId")
	contains(t, xml, "<groupId>"+id+"</groupId><securityGroupArn>arn:aws:ec2:us-east-1:123456789012:security-group/"+id+"</securityGroupArn><tagSet><item><key>Name</key><value>web</value></item></tagSet><return>true</return>")
	xml = w.Must("DescribeSecurityGroups", "GroupId.1", id)
	contains(t, xml, "<securityGroupInfo><item><ownerId>123456789012</ownerId><groupId>"+id+"</groupId><groupName>web</groupName><groupDescription>web tier</groupDescription><vpcId>"+homeVPC(w)+"</vpcId>"+
		"<ipPermissions/><ipPermissionsEgress><item><ipProtocol>-1</ipProtocol><groups/><ipRanges><item><cidrIp>0.0.0.0/0</cidrIp></item></ipRanges><ipv6Ranges/><prefixListIds/></item></ipPermissionsEgress>"+
		"<tagSet><item><key>Name</key><value>web</value></item></tagSet><securityGroupArn>arn:aws:ec2:us-east-1:123456789012:security-group/"+id+"</securityGroupArn></item></securityGroupInfo>")
	lacks(t, xml, "nextToken")
}

func TestCreateSecurityGroupRefusals(t *testing.T) {
	w := ec2test.New(t)
	for _, c := range []struct {
		code, message string
		params        []string
	}{
		{"MissingParameter", "The request must contain the parameter GroupName", []string{"GroupDescription", "d"}},
		{"MissingParameter", "The request must contain the parameter GroupDescription", []string{"GroupName", "n"}},
		{"InvalidVpcID.NotFound", "The vpc ID 'vpc-00000000' does not exist", []string{"GroupName", "n", "GroupDescription", "d", "VpcId", "vpc-00000000"}},
		{"InvalidVpcID.Malformed", "Invalid id: \"net-1\" (expecting \"vpc-...\")", []string{"GroupName", "n", "GroupDescription", "d", "VpcId", "net-1"}},
		{"InvalidParameterValue", "'vpc' is not a valid taggable resource type for this operation.", []string{"GroupName", "n", "GroupDescription", "d", "TagSpecification.1.ResourceType", "vpc", "TagSpecification.1.Tag.1.Key", "k", "TagSpecification.1.Tag.1.Value", ""}},
	} {
		says(t, w.Refused(c.code, "CreateSecurityGroup", c.params...), c.message)
	}
	w.Quotas.GroupsPerRegion = state.Groups.Len(w.Space()) + 1
	addGroup(w, "last", homeVPC(w))
	says(t, w.Refused("SecurityGroupLimitExceeded", "CreateSecurityGroup", "GroupName", "one-more", "GroupDescription", "d"),
		"The maximum number of security groups for VPC '"+homeVPC(w)+"' has been reached.")
}

func TestSurprise12_Names(t *testing.T) {
	w := ec2test.New(t)
	other := addVPC(w, false)
	addGroup(w, "Web", homeVPC(w))
	addGroup(w, "Web", other)
	create := func(name string) []string {
		return []string{"GroupName", name, "GroupDescription", "d", "VpcId", other}
	}
	for _, c := range []struct{ name, code, message string }{
		{"web", "InvalidGroup.Duplicate", "The security group 'web' already exists for VPC '" + other + "'"},
		{"WEB  ", "InvalidGroup.Duplicate", "The security group 'WEB  ' already exists for VPC '" + other + "'"},
		{"sg-web", "InvalidParameterValue", "Value (sg-web) for parameter GroupName is invalid. Group names may not be in the format sg-*."},
		{"default", "InvalidParameterValue", "Cannot use reserved security group name: default"},
		{"Default", "InvalidGroup.Duplicate", "The security group 'Default' already exists for VPC '" + other + "'"},
		{"wéb", "InvalidParameterValue", "Value (wéb) for parameter GroupName is invalid. Character sets beyond ASCII are not supported."},
	} {
		says(t, w.Refused(c.code, "CreateSecurityGroup", create(c.name)...), c.message)
	}
	xml := w.Must("CreateSecurityGroup", create("web 2  ")...)
	says(t, ec2test.One(w.Must("DescribeSecurityGroups", "GroupId.1", ec2test.One(xml, "groupId")), "groupName"), "web 2")
}

func TestSurprise15_NewGroupsAndIPv6(t *testing.T) {
	w := ec2test.New(t)
	with, without := addVPC(w, true), addVPC(w, false)
	a, b := addGroup(w, "a", with), addGroup(w, "b", without)
	for group, want := range map[string]int{a: 2, b: 1} {
		xml := w.Must("DescribeSecurityGroupRules", "Filter.1.Name", "group-id", "Filter.1.Value.1", group)
		if ids := ec2test.Text(xml, "securityGroupRuleId"); len(ids) != want || want == 2 && ids[0] == ids[1] {
			t.Errorf("%s has rules %q, want %d distinct", group, ids, want)
		}
	}
	// One permission holds both.
	contains(t, w.Must("DescribeSecurityGroups", "GroupId.1", a),
		"<ipPermissionsEgress><item><ipProtocol>-1</ipProtocol><groups/><ipRanges><item><cidrIp>0.0.0.0/0</cidrIp></item></ipRanges><ipv6Ranges><item><cidrIpv6>::/0</cidrIpv6></item></ipv6Ranges><prefixListIds/></item></ipPermissionsEgress>")
	// The default group lets itself in, by a rule with an id of its own.
	def := string(state.DefaultGroup(w.Space(), vpc.VPCID(homeVPC(w))).ID)
	contains(t, w.Must("DescribeSecurityGroups", "GroupId.1", def),
		"<ipPermissions><item><ipProtocol>-1</ipProtocol><groups><item><userId>123456789012</userId><groupId>"+def+"</groupId></item></groups><ipRanges/><ipv6Ranges/><prefixListIds/></item></ipPermissions>")
	xml := w.Must("DescribeSecurityGroupRules", "Filter.1.Name", "group-id", "Filter.1.Value.1", def)
	if ids := ec2test.Text(xml, "securityGroupRuleId"); len(ids) != 2 {
		t.Errorf("the default group has rules %q, want 2", ids)
	}
	contains(t, xml, "<referencedGroupInfo><groupId>"+def+"</groupId><userId>123456789012</userId></referencedGroupInfo>")
}

func TestSurprise11_DeleteGuards(t *testing.T) {
	w := ec2test.New(t)
	home, other := homeVPC(w), addVPC(w, false)
	def := string(state.DefaultGroup(w.Space(), vpc.VPCID(home)).ID)
	says(t, w.Refused("CannotDelete", "DeleteSecurityGroup", "GroupId", def),
		`the specified group: "`+def+`" name: "default" cannot be deleted by a user`)

	a, b := addGroup(w, "a", other), addGroup(w, "b", other)
	w.Must("AuthorizeSecurityGroupIngress", onPerms(a, "tcp 1 from "+a)...) // itself does not count
	w.Must("AuthorizeSecurityGroupIngress", onPerms(b, "tcp 22 from "+a)...)
	rule := string(state.Groups.Get(w.Space(), vpc.GroupID(b)).Rules[1].ID)
	nic := addInterface(w, other, a)
	third := addVPC(w, false)
	w.Must("AssociateSecurityGroupVpc", "GroupId", a, "VpcId", third)
	head := "resource " + a + " has a dependent object (held by "
	says(t, w.Refused("DependencyViolation", "DeleteSecurityGroup", "GroupId", a),
		head+"network interface "+nic+", rule "+rule+" of group "+b+", association with "+third+")")
	w.Stage(func(tx *state.Txn) error { state.Interfaces.Delete(tx, vpc.InterfaceID(nic)); return nil })
	says(t, w.Refused("DependencyViolation", "DeleteSecurityGroup", "GroupId", a), head+"rule "+rule+" of group "+b+", association with "+third+")")
	w.Must("RevokeSecurityGroupIngress", onPerms(b, "tcp 22 from "+a)...)
	says(t, w.Refused("DependencyViolation", "DeleteSecurityGroup", "GroupId", a), head+"association with "+third+")")
	w.Must("DisassociateSecurityGroupVpc", "GroupId", a, "VpcId", third)
	contains(t, w.Must("DeleteSecurityGroup", "GroupId", a), "<return>true</return><groupId>"+a+"</groupId>")
	says(t, w.Refused("InvalidGroup.NotFound", "DeleteSecurityGroup", "GroupId", a), "The security group '"+a+"' does not exist")
	w.Must("DescribeSecurityGroups", "GroupId.1", b)
}

func TestGroupsReferringToEachOther(t *testing.T) {
	w := ec2test.New(t)
	a, b := addGroup(w, "a", homeVPC(w)), addGroup(w, "b", homeVPC(w))
	w.Must("AuthorizeSecurityGroupIngress", onPerms(a, "tcp 1 from "+b)...)
	w.Must("AuthorizeSecurityGroupEgress", onPerms(b, "tcp 1 from "+a)...)
	w.Refused("DependencyViolation", "DeleteSecurityGroup", "GroupId", a)
	w.Refused("DependencyViolation", "DeleteSecurityGroup", "GroupId", b)
	w.Must("RevokeSecurityGroupEgress", onPerms(b, "tcp 1 from "+a)...)
	w.Must("DeleteSecurityGroup", "GroupId", a)
	w.Must("DeleteSecurityGroup", "GroupId", b)
}

func TestAddressingAGroup(t *testing.T) {
	w := ec2test.New(t)
	home, other := homeVPC(w), addVPC(w, false)
	web, far := addGroup(w, "web", home), addGroup(w, "far", other)
	port := perms("tcp 22 from 10.0.0.0/8")
	call := func(p ...string) []string { return append(p, port...) }
	for _, c := range []struct {
		code, message string
		params        []string
	}{
		{"MissingParameter", "The request must contain the parameter groupName or groupId", nil},
		{"InvalidGroupId.Malformed", "The security-group ID '' is malformed", []string{"GroupId", ""}},
		{"InvalidGroupId.Malformed", `Invalid id: "web" (expecting "sg-...")`, []string{"GroupId", "web"}},
		{"InvalidGroupId.Malformed", `Invalid id: "sg-bad"`, []string{"GroupId", "sg-bad"}},
		{"InvalidGroup.NotFound", "The security group 'sg-00000000' does not exist", []string{"GroupId", "sg-00000000"}},
		{"InvalidGroup.NotFound", "The security group 'far' does not exist in default VPC '" + home + "'", []string{"GroupName", "far"}},
		{"InvalidGroup.NotFound", "The security group '" + web + "' does not exist in default VPC '" + home + "'", []string{"GroupName", web}},
		{"InvalidParameterCombination", "The parameter groupName cannot be used with the parameter groupId", []string{"GroupId", far, "GroupName", "web"}},
	} {
		for _, action := range []string{"AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress", "UpdateSecurityGroupRuleDescriptionsIngress", "UpdateSecurityGroupRuleDescriptionsEgress"} {
			says(t, w.Refused(c.code, action, call(c.params...)...), c.message)
		}
		says(t, w.Refused(c.code, "DeleteSecurityGroup", c.params...), c.message)
	}
	for _, action := range []string{"AuthorizeSecurityGroupEgress", "RevokeSecurityGroupEgress"} {
		says(t, w.Refused("UnknownParameter", action, call("GroupName", "web")...), "The parameter GroupName is not recognized")
		says(t, w.Refused("MissingParameter", action, port...), "The request must contain the parameter groupId")
	}
	w.Must("AuthorizeSecurityGroupIngress", call("GroupName", "web")...)
	hasRules(t, w, web, "10.0.0.0/8, TCP, from port: 22, to port: 22")
	w.Must("RevokeSecurityGroupIngress", call("GroupName", "web", "GroupId", web)...)
	w.Must("DeleteSecurityGroup", "GroupName", "web")

	w.Stage(func(tx *state.Txn) error { state.VPCs.Delete(tx, vpc.VPCID(home)); return nil })
	says(t, w.Refused("VPCIdNotSpecified", "DeleteSecurityGroup", "GroupName", "web"),
		"No default VPC for this user. GroupName is only supported for EC2-Classic and default VPC.")
	says(t, w.Refused("VPCIdNotSpecified", "CreateSecurityGroup", "GroupName", "n", "GroupDescription", "d"), "No default VPC for this user")
}

func TestSurprise13_NamesMeanTheDefaultVPC(t *testing.T) {
	w := ec2test.New(t)
	home, other := homeVPC(w), addVPC(w, false)
	near, lb, far, app := addGroup(w, "near", home), addGroup(w, "lb", home), addGroup(w, "far", other), addGroup(w, "app", other)

	says(t, ec2test.One(w.Must("DescribeSecurityGroups", "GroupName.1", "near"), "groupId"), near)
	says(t, w.Refused("InvalidGroup.NotFound", "DescribeSecurityGroups", "GroupName.1", "near", "GroupName.2", "far"),
		"The security group 'far' does not exist in default VPC '"+home+"'")
	says(t, ec2test.One(w.Must("DescribeSecurityGroups", "Filter.1.Name", "group-name", "Filter.1.Value.1", "far"), "groupId"), far)

	byName := func(s string) string {
		return "Invalid value '" + s + "' for groupName. You may not reference Amazon VPC security groups by name. Please use the corresponding id for this operation."
	}
	w.Must("AuthorizeSecurityGroupIngress", onPerms(near, "tcp 80 from lb")...)
	hasRules(t, w, near, lb+", TCP, from port: 80, to port: 80")
	says(t, w.Refused("InvalidParameterValue", "AuthorizeSecurityGroupIngress", onPerms(near, "tcp 80 from far")...), byName("far"))
	says(t, w.Refused("InvalidParameterValue", "AuthorizeSecurityGroupIngress", onPerms(app, "tcp 80 from far")...), byName("far"))
	says(t, w.Refused("InvalidParameterValue", "AuthorizeSecurityGroupIngress", onPerms(app, "tcp 80 from lb")...), byName("lb"))
	says(t, w.Refused("InvalidGroup.NotFound", "AuthorizeSecurityGroupIngress", onPerms(near, "tcp 80 from nobody")...),
		"The security group 'nobody' does not exist in default VPC '"+home+"'")
	w.Must("AuthorizeSecurityGroupIngress", onPerms(app, "tcp 80 from "+far)...)
}

func TestSurprise18_DryRunOfGroups(t *testing.T) {
	w := ec2test.New(t)
	other := addVPC(w, false)
	g := addGroup(w, "web", other)
	w.Must("AuthorizeSecurityGroupIngress", onPerms(g, "tcp 22 from 10.0.0.0/8")...)
	rule := string(state.Groups.Get(w.Space(), vpc.GroupID(g)).Rules[1].ID)
	third := addVPC(w, false)
	for action, params := range map[string][]string{
		"CreateSecurityGroup":                        {"GroupName", "n", "GroupDescription", "d"},
		"DeleteSecurityGroup":                        {"GroupId", g},
		"DescribeSecurityGroups":                     {},
		"AuthorizeSecurityGroupIngress":              onPerms(g, "tcp 23 from 10.0.0.0/8"),
		"AuthorizeSecurityGroupEgress":               onPerms(g, "tcp 23 from 10.0.0.0/8"),
		"RevokeSecurityGroupIngress":                 onPerms(g, "tcp 22 from 10.0.0.0/8"),
		"RevokeSecurityGroupEgress":                  onPerms(g, "-1 from 0.0.0.0/0"),
		"DescribeSecurityGroupRules":                 {},
		"ModifySecurityGroupRules":                   on(g, modify(rule, "tcp 23 from 10.0.0.0/8")...),
		"UpdateSecurityGroupRuleDescriptionsIngress": onPerms(g, "tcp 22 from 10.0.0.0/8 as ssh"),
		"UpdateSecurityGroupRuleDescriptionsEgress":  onPerms(g, "-1 from 0.0.0.0/0 as all"),
		"DescribeSecurityGroupReferences":            {"GroupId.1", g},
		"DescribeStaleSecurityGroups":                {"VpcId", other},
		"GetSecurityGroupsForVpc":                    {"VpcId", other},
		"AssociateSecurityGroupVpc":                  {"GroupId", g, "VpcId", third},
		"DescribeSecurityGroupVpcAssociations":       {},
	} {
		_, f := w.Do(action, append(params, "DryRun", "true")...)
		if f == nil || f.Code != "DryRunOperation" || f.Status != 412 {
			t.Errorf("%s: %v, want DryRunOperation, 412", action, f)
		}
		w.Refused("DryRunOperation", action, append(params, "DryRun", "true")...) // changes nothing
		w.Refused("UnknownParameter", action, append(params, "DryRun", "true", "Nonsense", "1")...)
	}
	says(t, w.Refused("InvalidGroup.NotFound", "DeleteSecurityGroup", "GroupId", "sg-00000000", "DryRun", "true"), "The security group 'sg-00000000' does not exist")
	w.Must("AssociateSecurityGroupVpc", "GroupId", g, "VpcId", third)
	w.Refused("DryRunOperation", "DisassociateSecurityGroupVpc", "GroupId", g, "VpcId", third, "DryRun", "true")
}

func TestSurprise16_Filters(t *testing.T) {
	w := ec2test.New(t)
	home, other := homeVPC(w), addVPC(w, false)
	list := addPrefixList(w, 1)
	web, db, far := addGroup(w, "web", home), addGroup(w, "Db", home), addGroup(w, "far", other)
	w.Must("AuthorizeSecurityGroupIngress", onPerms(web, "tcp 22 from 10.1.2.3/8", "tcp 443 from 0.0.0.0/0", "tcp 20-30 from ::/0", "icmp 8/-1 from "+db)...)
	w.Must("AuthorizeSecurityGroupIngress", onPerms(db, "-1 from "+list)...)
	w.Must("AuthorizeSecurityGroupEgress", onPerms(far, "udp 53 from 10.0.0.2/32", "6 25 from "+far, "50 from fd00::/8", "tcp 1 from "+list)...)
	def := map[string]string{}
	for _, in := range []string{home, other} {
		def[in] = string(state.DefaultGroup(w.Space(), vpc.VPCID(in)).ID)
	}
	names := map[string]string{web: "web", db: "Db", far: "far", def[home]: "home", def[other]: "other"}

	find := func(filters ...string) string {
		var p []string
		for i, f := range filters {
			name, values, _ := strings.Cut(f, "=")
			p = append(p, fmt.Sprintf("Filter.%d.Name", i+1), name)
			for j, v := range strings.Split(values, "|") {
				p = append(p, fmt.Sprintf("Filter.%d.Value.%d", i+1, j+1), v)
			}
		}
		xml := w.Must("DescribeSecurityGroups", p...)
		var got []string
		for _, item := range strings.Split(xml, "<ownerId>")[1:] {
			got = append(got, names[ec2test.One(item, "groupId")])
		}
		slices.Sort(got)
		return strings.Join(got, " ")
	}
	for _, c := range []struct {
		want    string
		filters []string
	}{
		{"Db web", []string{"description=of a test", "vpc-id=" + home}},
		{"far", []string{"vpc-id=" + other, "description=of*"}},
		{"far web", []string{"group-id=" + web + "|" + far}},
		{"", []string{"group-id=sg-00000000"}}, {"", []string{"group-id=nonsense"}},
		{"Db", []string{"group-name=Db"}}, {"", []string{"group-name=db"}}, {"Db", []string{"group-name=?b"}},
		{"Db far home other web", []string{"owner-id=123456789012"}}, {"", []string{"owner-id=999999999999"}},
		{"web", []string{"ip-permission.cidr=10.0.0.0/8"}}, {"", []string{"ip-permission.cidr=10.1.2.3/8"}}, {"web", []string{"ip-permission.cidr=10.*"}},
		{"web", []string{"ip-permission.ipv6-cidr=::/0"}}, {"", []string{"ip-permission.ipv6-cidr=fd00::/8"}},
		{"web", []string{"ip-permission.from-port=22"}}, {"web", []string{"ip-permission.to-port=30"}},
		{"", []string{"ip-permission.from-port=25"}}, // inside 20-30: text, not ranges
		{"", []string{"ip-permission.to-port=8"}}, {"web", []string{"ip-permission.from-port=8"}},
		{"web", []string{"ip-permission.from-port=22", "ip-permission.cidr=0.0.0.0/0"}}, // met by different rules
		{"", []string{"ip-permission.from-port=22", "ip-permission.from-port=23"}},
		{"web", []string{"ip-permission.protocol=icmp"}}, {"Db home other", []string{"ip-permission.protocol=-1"}}, {"web", []string{"ip-permission.protocol=tcp"}},
		{"web", []string{"ip-permission.group-id=" + db}}, {"home", []string{"ip-permission.group-id=" + def[home]}}, {"", []string{"ip-permission.group-id=" + far}},
		{"web", []string{"ip-permission.group-name=Db"}}, {"home other", []string{"ip-permission.group-name=default"}},
		{"home other web", []string{"ip-permission.user-id=123456789012"}},
		{"Db", []string{"ip-permission.prefix-list-id=" + list}},
		{"Db far home other web", []string{"egress.ip-permission.cidr=0.0.0.0/0"}}, {"far", []string{"egress.ip-permission.cidr=10.0.0.2/32"}},
		{"far", []string{"egress.ip-permission.ipv6-cidr=fd00::/8"}}, {"far", []string{"egress.ip-permission.from-port=53"}}, {"far", []string{"egress.ip-permission.to-port=25"}},
		{"Db far home other web", []string{"egress.ip-permission.from-port=-1"}},
		{"far", []string{"egress.ip-permission.protocol=50"}}, {"far", []string{"egress.ip-permission.group-id=" + far}}, {"far", []string{"egress.ip-permission.group-name=far"}},
		{"far", []string{"egress.ip-permission.user-id=*"}}, {"far", []string{"egress.ip-permission.prefix-list-id=" + list}},
	} {
		if got := find(c.filters...); got != c.want {
			t.Errorf("filters %q: %q, want %q", c.filters, got, c.want)
		}
	}
	says(t, w.Refused("InvalidParameterValue", "DescribeSecurityGroups", "Filter.1.Name", "colour", "Filter.1.Value.1", "red"), "The filter 'colour' is invalid")
	w.Refused("InvalidParameterValue", "DescribeSecurityGroups", "Filter.1.Name", "Group-Id", "Filter.1.Value.1", web)

	// Of rules: a malformed group is an error, an unknown one an empty list.
	byGroup := func(id string) []string { return []string{"Filter.1.Name", "group-id", "Filter.1.Value.1", id} }
	says(t, w.Refused("InvalidGroupId.Malformed", "DescribeSecurityGroupRules", byGroup("foobar")...), "The security group ID 'foobar' is malformed")
	says(t, w.Refused("InvalidGroupId.Malformed", "DescribeSecurityGroupRules", byGroup("")...), "The security group ID '' is malformed")
	contains(t, w.Must("DescribeSecurityGroupRules", byGroup("sg-00000000000000000")...), "<securityGroupRuleSet/>")
	says(t, w.Refused("InvalidParameterValue", "DescribeSecurityGroupRules", "Filter.1.Name", "is-egress", "Filter.1.Value.1", "true"), "The filter 'is-egress' is invalid")
}

func TestSurprise17_PagesOfGroups(t *testing.T) {
	w := ec2test.New(t)
	for i := range 11 { // and the default group: 12
		addGroup(w, fmt.Sprint("g", i), homeVPC(w))
	}
	all := ec2test.Text(w.Must("DescribeSecurityGroups"), "securityGroupArn")
	if len(all) != 12 {
		t.Fatalf("%d groups, want 12", len(all))
	}
	var paged []string
	token := "" // an empty token is as good as none
	for _, size := range []int{5, 5, 2} {
		xml := w.Must("DescribeSecurityGroups", "MaxResults", "5", "NextToken", token)
		page := ec2test.Text(xml, "securityGroupArn")
		if len(page) != size {
			t.Errorf("page of %d, want %d", len(page), size)
		}
		paged = append(paged, page...)
		token = ec2test.One(xml, "nextToken")
	}
	if !slices.Equal(paged, all) || token != "" {
		t.Errorf("pages show %q and then %q, want %q", paged, token, all)
	}
	lacks(t, w.Must("DescribeSecurityGroups", "MaxResults", "12"), "nextToken") // exactly full
	contains(t, w.Must("DescribeSecurityGroups", "MaxResults", "11"), "<nextToken>")

	g := ec2test.One(w.Must("DescribeSecurityGroups", "GroupName.1", "g1"), "groupId")
	for _, c := range []struct {
		code, message, action string
		params                []string
	}{
		{"InvalidParameterValue", "Value ( 4 ) for parameter maxResults is invalid. Expecting a value greater than 5.", "DescribeSecurityGroups", []string{"MaxResults", "4"}},
		{"InvalidParameterValue", "Value ( 1001 ) for parameter maxResults is invalid. Expecting a value smaller than 1000.", "DescribeSecurityGroups", []string{"MaxResults", "1001"}},
		{"InvalidParameterValue", "Value ( garbage ) for parameter NextToken is invalid. The token is invalid.", "DescribeSecurityGroups", []string{"NextToken", "garbage"}},
		{"InvalidParameterCombination", "The parameter securityGroupIdSet cannot be used with the parameter maxResults", "DescribeSecurityGroups", []string{"GroupId.1", g, "MaxResults", "5"}},
		{"InvalidPaginationToken", "Next token 'garbage' is invalid", "DescribeSecurityGroupRules", []string{"NextToken", "garbage"}},
		{"InvalidParameterCombination", "The parameter 'securityGroupRuleIds' may not be used in combination with 'maxResults'.", "DescribeSecurityGroupRules", []string{"SecurityGroupRuleId.1", string(state.Groups.Get(w.Space(), vpc.GroupID(g)).Rules[0].ID), "MaxResults", "5"}},
		{"InvalidParameterValue", "Value ( 256 ) for parameter maxResults is invalid. Expecting a value smaller than 255.", "DescribeStaleSecurityGroups", []string{"VpcId", homeVPC(w), "MaxResults", "256"}},
		{"InvalidParameterValue", "Value ( 1 ) for parameter maxResults is invalid. Expecting a value greater than 5.", "GetSecurityGroupsForVpc", []string{"VpcId", homeVPC(w), "MaxResults", "1"}},
		{"InvalidParameterValue", "Value ( 1001 ) for parameter maxResults is invalid. Expecting a value smaller than 1000.", "DescribeSecurityGroupVpcAssociations", []string{"MaxResults", "1001"}},
	} {
		says(t, w.Refused(c.code, c.action, c.params...), c.message)
	}
	w.Must("DescribeSecurityGroups", "GroupName.1", "g1", "MaxResults", "5")
	// A token of one operation is garbage to another.
	token = ec2test.One(w.Must("DescribeSecurityGroups", "MaxResults", "5"), "nextToken")
	w.Refused("InvalidPaginationToken", "DescribeSecurityGroupRules", "NextToken", token)
}

func TestDescribeSecurityGroupsByID(t *testing.T) {
	w := ec2test.New(t)
	a, b := addGroup(w, "a", homeVPC(w)), addGroup(w, "b", homeVPC(w))
	if got := ec2test.Text(w.Must("DescribeSecurityGroups", "GroupId.1", b, "GroupId.2", a, "GroupId.3", b), "groupName"); len(got) != 2 {
		t.Errorf("a and b twice: %q, want each once", got)
	}
	says(t, w.Refused("InvalidGroup.NotFound", "DescribeSecurityGroups", "GroupId.1", a, "GroupId.2", "sg-00000000"), "The security group 'sg-00000000' does not exist")
	says(t, w.Refused("InvalidGroup.NotFound", "DescribeSecurityGroups", "GroupId.1", "sg-00000002", "GroupId.2", a, "GroupId.3", "sg-00000001"),
		"The security groups 'sg-00000002, sg-00000001' do not exist")
	says(t, w.Refused("InvalidGroupId.Malformed", "DescribeSecurityGroups", "GroupId.1", "sg-00000000", "GroupId.2", "a"), `Invalid id: "a" (expecting "sg-...")`)
	// Found first, filtered then.
	contains(t, w.Must("DescribeSecurityGroups", "GroupId.1", a, "Filter.1.Name", "group-name", "Filter.1.Value.1", "b"), "<securityGroupInfo/>")
	w.Refused("InvalidGroup.NotFound", "DescribeSecurityGroups", "GroupId.1", "sg-00000000", "Filter.1.Name", "group-name", "Filter.1.Value.1", "b")
}

func TestDescribeSecurityGroupsByTag(t *testing.T) {
	w := ec2test.New(t)
	for _, name := range []string{"web1", "web2", "db"} {
		w.Must("CreateSecurityGroup", "GroupName", name, "GroupDescription", "d", "TagSpecification.1.ResourceType", "security-group",
			"TagSpecification.1.Tag.1.Key", "Name", "TagSpecification.1.Tag.1.Value", name, "TagSpecification.1.Tag.2.Key", "only-"+name, "TagSpecification.1.Tag.2.Value", "")
	}
	for filter, want := range map[string]string{"tag:Name=db": "db", "tag:Name=web*": "web1 web2", "tag:name=db": "", "tag-key=only-db": "db", "tag:only-db=": "db", "tag:Name=": ""} {
		name, value, _ := strings.Cut(filter, "=")
		got := ec2test.Text(w.Must("DescribeSecurityGroups", "Filter.1.Name", name, "Filter.1.Value.1", value), "groupName")
		slices.Sort(got)
		says(t, strings.Join(got, " "), want)
	}
}
