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

// modify gives the parameters of ModifySecurityGroupRules for pairs of a rule
// id and a sentence as perms reads it.
func modify(pairs ...string) []string {
	var out []string
	for i := 0; i < len(pairs); i += 2 {
		head := fmt.Sprintf("SecurityGroupRule.%d.", i/2+1)
		out = append(out, head+"SecurityGroupRuleId", pairs[i])
		p := perms(pairs[i+1])
		for j := 0; j < len(p); j += 2 {
			name := p[j][strings.LastIndexByte(p[j], '.')+1:]
			switch name {
			case "CidrIp":
				name = "CidrIpv4"
			case "GroupId":
				name = "ReferencedGroupId"
			}
			out = append(out, head+"SecurityGroupRule."+name, p[j+1])
		}
	}
	return out
}

// ruleIDs gives the ids of the rules that a group lets in.
func ruleIDs(w *ec2test.World, group string) []string {
	var out []string
	for _, r := range state.Groups.Get(w.Space(), vpc.GroupID(group)).Rules {
		if r.Direction == flow.Ingress {
			out = append(out, string(r.ID))
		}
	}
	return out
}

// twoGroups gives a world with the groups web and app in a VPC that is not
// the default one.
func twoGroups(t *testing.T) (w *ec2test.World, web, app string) {
	w = ec2test.New(t)
	in := addVPC(w, false)
	return w, addGroup(w, "web", in), addGroup(w, "app", in)
}

func TestSurprise01_CanonicalRanges(t *testing.T) {
	w, g, _ := twoGroups(t)
	xml := w.Must("AuthorizeSecurityGroupIngress", onPerms(g, "tcp 22 from 100.68.0.18/18", "tcp 22 from 2001:DB8:0::7/32")...)
	contains(t, xml, "<cidrIpv4>100.68.0.0/18</cidrIpv4>")
	contains(t, xml, "<cidrIpv6>2001:db8::/32</cidrIpv6>")
	says(t, w.Refused("InvalidPermission.Duplicate", "AuthorizeSecurityGroupIngress", onPerms(g, "tcp 22 from 100.68.0.0/18")...),
		`the specified rule "peer: 100.68.0.0/18, TCP, from port: 22, to port: 22, ALLOW" already exists`)
	w.Must("AuthorizeSecurityGroupIngress", onPerms(g, "tcp 22 from 100.68.64.0/18")...) // the neighbour is another rule
	id := ruleIDs(w, g)[0]
	w.Must("ModifySecurityGroupRules", on(g, modify(id, "tcp 23 from 100.68.0.20/18")...)...)
	w.Must("RevokeSecurityGroupIngress", onPerms(g, "tcp 23 from 100.68.63.255/18")...)
	hasRules(t, w, g, "2001:db8::/32, TCP, from port: 22, to port: 22", "100.68.64.0/18, TCP, from port: 22, to port: 22")
}

func TestSurprise02_AllOrNothing(t *testing.T) {
	w, g, app := twoGroups(t)
	w.Must("AuthorizeSecurityGroupIngress", onPerms(g, "tcp 22 from 10.0.0.0/8")...)
	good := "tcp 80 from 10.0.0.0/8"
	for bad, code := range map[string]string{
		"tcp 22 from 10.0.0.0/8":      "InvalidPermission.Duplicate",
		"tcp 80 from 10.0.0.0/8":      "InvalidParameterValue",
		"tcp 81 from 10.0.0.0/99":     "InvalidParameterValue",
		"tcp 81 from sg-00000000":     "InvalidGroup.NotFound",
		"tcp 81 from pl-00000000":     "InvalidPrefixListID.NotFound",
		"tcp 81 from 10.0.0.0/8 as é": "InvalidParameterValue",
		"all from 10.0.0.0/8":         "InvalidParameterValue",
	} {
		w.Refused(code, "AuthorizeSecurityGroupIngress", onPerms(g, good, bad)...)
	}
	hasRules(t, w, g, "10.0.0.0/8, TCP, from port: 22, to port: 22")
	w.Must("AuthorizeSecurityGroupIngress", onPerms(g, good, "tcp 81 from "+app)...)
	hasRules(t, w, g, "10.0.0.0/8, TCP, from port: 22, to port: 22", "10.0.0.0/8, TCP, from port: 80, to port: 80", app+", TCP, from port: 81, to port: 81")
	// Revoke, Modify and Update too.
	ids := ruleIDs(w, g)
	w.Refused("InvalidPermission.NotFound", "RevokeSecurityGroupIngress", onPerms(g, good, "tcp 82 from 10.0.0.0/8")...)
	w.Refused("InvalidSecurityGroupRuleId.NotFound", "RevokeSecurityGroupIngress", on(g, "SecurityGroupRuleId.1", ids[0], "SecurityGroupRuleId.2", "sgr-00000000000000000")...)
	w.Refused("InvalidParameterValue", "ModifySecurityGroupRules", on(g, modify(ids[0], "tcp 23 from 10.0.0.0/8", ids[1], "tcp from 10.0.0.0/8")...)...)
	w.Refused("InvalidPermission.NotFound", "UpdateSecurityGroupRuleDescriptionsIngress", onPerms(g, good+" as web", "tcp 82 from 10.0.0.0/8 as no")...)
}

func TestSurprise03_OneRuleForEachSource(t *testing.T) {
	w, g, app := twoGroups(t)
	list := addPrefixList(w, 3)
	xml := w.Must("AuthorizeSecurityGroupIngress", "GroupId", g,
		"IpPermissions.1.IpProtocol", "TCP", "IpPermissions.1.FromPort", "443", "IpPermissions.1.ToPort", "443",
		"IpPermissions.1.Groups.1.GroupId", app, "IpPermissions.1.Groups.1.UserId", "123456789012",
		"IpPermissions.1.PrefixListIds.1.PrefixListId", list, "IpPermissions.1.PrefixListIds.1.Description", "cf",
		"IpPermissions.1.Ipv6Ranges.1.CidrIpv6", "2001:db8::/32",
		"IpPermissions.1.IpRanges.1.CidrIp", "203.0.113.0/24", "IpPermissions.1.IpRanges.1.Description", "office",
		"IpPermissions.1.IpRanges.2.CidrIp", "198.51.100.0/24",
		"IpPermissions.2.IpProtocol", "-1", "IpPermissions.2.Groups.1.GroupId", g, "IpPermissions.2.Groups.1.Description", "self",
		"TagSpecification.1.ResourceType", "security-group-rule", "TagSpecification.1.Tag.1.Key", "team", "TagSpecification.1.Tag.1.Value", "net")
	ids := ec2test.Text(xml, "securityGroupRuleId")
	if len(ids) != 6 || len(slices.Compact(slices.Sorted(slices.Values(ids)))) != 6 {
		t.Fatalf("rules %q, want 6 distinct", ids)
	}
	tags := "<tagSet><item><key>team</key><value>net</value></item></tagSet>"
	item := func(i int, ports, protocol, peer string) string {
		return "<item><securityGroupRuleId>" + ids[i] + "</securityGroupRuleId><groupId>" + g + "</groupId><groupOwnerId>123456789012</groupOwnerId><isEgress>false</isEgress>" +
			"<ipProtocol>" + protocol + "</ipProtocol><fromPort>" + ports + "</fromPort><toPort>" + ports + "</toPort>" + peer + tags +
			"<securityGroupRuleArn>arn:aws:ec2:us-east-1:123456789012:security-group-rule/" + ids[i] + "</securityGroupRuleArn></item>"
	}
	group := func(id string) string {
		return "<referencedGroupInfo><groupId>" + id + "</groupId><userId>123456789012</userId></referencedGroupInfo>"
	}
	contains(t, xml, "<return>true</return><securityGroupRuleSet>"+
		item(0, "443", "tcp", "<cidrIpv4>203.0.113.0/24</cidrIpv4><description>office</description>")+
		item(1, "443", "tcp", "<cidrIpv4>198.51.100.0/24</cidrIpv4>")+
		item(2, "443", "tcp", "<cidrIpv6>2001:db8::/32</cidrIpv6>")+
		item(3, "443", "tcp", "<prefixListId>"+list+"</prefixListId><description>cf</description>")+
		item(4, "443", "tcp", group(app))+
		item(5, "-1", "-1", group(g)+"<description>self</description>")+"</securityGroupRuleSet>")

	// The group shows them by protocol and ports, each with all four lists.
	contains(t, w.Must("DescribeSecurityGroups", "GroupId.1", g), "<ipPermissions><item><ipProtocol>tcp</ipProtocol><fromPort>443</fromPort><toPort>443</toPort>"+
		"<groups><item><userId>123456789012</userId><groupId>"+app+"</groupId></item></groups>"+
		"<ipRanges><item><cidrIp>203.0.113.0/24</cidrIp><description>office</description></item><item><cidrIp>198.51.100.0/24</cidrIp></item></ipRanges>"+
		"<ipv6Ranges><item><cidrIpv6>2001:db8::/32</cidrIpv6></item></ipv6Ranges><prefixListIds><item><prefixListId>"+list+"</prefixListId><description>cf</description></item></prefixListIds></item>"+
		"<item><ipProtocol>-1</ipProtocol><groups><item><userId>123456789012</userId><groupId>"+g+"</groupId><description>self</description></item></groups><ipRanges/><ipv6Ranges/><prefixListIds/></item></ipPermissions>")

	// And the rules are the same wherever they are shown.
	shown := ec2test.One(w.Must("DescribeSecurityGroupRules", "SecurityGroupRuleId.1", ids[3]), "securityGroupRuleSet")
	says(t, shown, item(3, "443", "tcp", "<prefixListId>"+list+"</prefixListId><description>cf</description>"))
}

func TestSurprise04_TwoDuplicateErrors(t *testing.T) {
	w, g, app := twoGroups(t)
	const twice = "The same permission must not appear multiple times"
	for _, c := range []struct{ first, second string }{
		{"tcp 22 from 10.0.0.0/8", "6 22 from 10.9.9.9/8 as other words"},
		{"-1 from 0.0.0.0/0", "-1 0 from 0.0.0.0/0"},
		{"udp 53 from " + app, "UDP 53 from " + app},
	} {
		says(t, w.Refused("InvalidParameterValue", "AuthorizeSecurityGroupIngress", onPerms(g, c.first, c.second)...), twice)
		w.Must("AuthorizeSecurityGroupIngress", onPerms(g, c.first)...)
		w.Refused("InvalidPermission.Duplicate", "AuthorizeSecurityGroupIngress", onPerms(g, c.second)...)
	}
	for _, c := range []struct{ rule, quoted string }{
		{"tcp 22 from 10.0.0.0/8", "peer: 10.0.0.0/8, TCP, from port: 22, to port: 22, ALLOW"},
		{"-1 from 0.0.0.0/0", "peer: 0.0.0.0/0, ALL, ALLOW"},
		{"icmp -1/-1 from 0.0.0.0/0", "peer: 0.0.0.0/0, ICMP, type: ALL, code: ALL, ALLOW"},
		{"50 from 10.0.0.0/8", "peer: 10.0.0.0/8, protocol: 50, ALLOW"},
	} {
		w.Do("AuthorizeSecurityGroupIngress", onPerms(g, c.rule)...)
		says(t, w.Refused("InvalidPermission.Duplicate", "AuthorizeSecurityGroupIngress", onPerms(g, c.rule)...), `the specified rule "`+c.quoted+`" already exists`)
	}
	// Overlap is no duplication, nor is the other direction or the other group.
	w.Must("AuthorizeSecurityGroupIngress", onPerms(g, "tcp 22 from 10.1.0.0/16", "tcp 1-100 from 10.0.0.0/8", "tcp 50-60 from 10.0.0.0/8", "udp 22 from 10.0.0.0/8")...)
	w.Must("AuthorizeSecurityGroupEgress", onPerms(g, "tcp 22 from 10.0.0.0/8")...)
	w.Must("AuthorizeSecurityGroupIngress", onPerms(app, "tcp 22 from 10.0.0.0/8")...)
}

func TestSurprise05_PortsOfAllProtocols(t *testing.T) {
	w, g, _ := twoGroups(t)
	forms := []string{"-1 from 10.0.0.0/8", "-1 0 from 10.0.0.0/8", "-1 -1/-1 from 10.0.0.0/8", "-1 22 from 10.0.0.0/8"}
	for i, add := range forms {
		w.Must("AuthorizeSecurityGroupIngress", onPerms(g, add)...)
		for _, again := range forms {
			w.Refused("InvalidPermission.Duplicate", "AuthorizeSecurityGroupIngress", onPerms(g, again)...)
		}
		w.Must("RevokeSecurityGroupIngress", onPerms(g, forms[len(forms)-1-i])...)
		hasRules(t, w, g)
	}
	w.Must("AuthorizeSecurityGroupIngress", onPerms(g, "tcp 1 from 10.0.0.0/8")...)
	id := ruleIDs(w, g)[0]
	for _, bad := range []string{"-1 0 from 10.0.0.0/8", "-1 22 from 10.0.0.0/8"} {
		says(t, w.Refused("InvalidParameterValue", "ModifySecurityGroupRules", on(g, modify(id, bad)...)...),
			"You may not specify all protocols and specific ports. Please specify each protocol and port range combination individually, or all protocols and no port range.")
	}
	w.Must("ModifySecurityGroupRules", on(g, modify(id, "-1 from 10.0.0.0/8")...)...)
	w.Must("ModifySecurityGroupRules", on(g, modify(id, "-1 -1/-1 from 10.0.0.0/8")...)...)
	hasRules(t, w, g, "10.0.0.0/8, ALL")
}

func TestSurprise06_TwoFormsOfNoPorts(t *testing.T) {
	w, g, _ := twoGroups(t)
	xml := w.Must("AuthorizeSecurityGroupIngress", onPerms(g, "-1 0 from 10.0.0.0/8", "50 7 from 10.0.0.0/8", "icmp -1/-1 from 10.0.0.0/8", "icmpv6 from ::/0", "tcp 0-65535 from 10.0.0.0/8")...)
	asRules := "-1/-1 50/-1 icmp/-1 icmpv6/-1 tcp/0"
	summary := func(xml string) string {
		var out []string
		for _, item := range strings.Split(xml, "<ipProtocol>")[1:] {
			p, _, _ := strings.Cut(item, "</ipProtocol>")
			from := ec2test.One(item, "fromPort")
			if from == "" {
				from = "absent"
			}
			out = append(out, p+"/"+from)
		}
		return strings.Join(out, " ")
	}
	says(t, summary(xml), asRules)
	described := ec2test.One(w.Must("DescribeSecurityGroups", "GroupId.1", g), "ipPermissions")
	says(t, summary(described), "-1/absent 50/absent icmp/-1 icmpv6/-1 tcp/0")
	xml = w.Must("RevokeSecurityGroupIngress", onPerms(g, "-1 from 10.0.0.0/8", "50 from 10.0.0.0/8")...)
	says(t, summary(xml), "-1/-1 50/-1")
}

// Rules with the same protocol and ports are one permission; both permissions
// and ranges stand in the order in which they were added.
func TestPermissionsOfAGroup(t *testing.T) {
	w, g, _ := twoGroups(t)
	w.Must("AuthorizeSecurityGroupIngress", onPerms(g, "tcp 80 from 10.2.0.0/16", "tcp 22 from 10.3.0.0/16", "tcp 22-80 from 10.3.0.0/16", "udp 80 from 10.2.0.0/16", "tcp 80 from 10.1.0.0/16")...)
	item := func(protocol, from, to string, ranges ...string) string {
		xml := "<item><ipProtocol>" + protocol + "</ipProtocol><fromPort>" + from + "</fromPort><toPort>" + to + "</toPort><groups/><ipRanges>"
		for _, r := range ranges {
			xml += "<item><cidrIp>" + r + "</cidrIp></item>"
		}
		return xml + "</ipRanges><ipv6Ranges/><prefixListIds/></item>"
	}
	says(t, ec2test.One(w.Must("DescribeSecurityGroups", "GroupId.1", g), "ipPermissions"),
		item("tcp", "80", "80", "10.2.0.0/16", "10.1.0.0/16")+item("tcp", "22", "22", "10.3.0.0/16")+item("tcp", "22", "80", "10.3.0.0/16")+item("udp", "80", "80", "10.2.0.0/16"))
}

func TestSurprise07_Protocols(t *testing.T) {
	w, g, _ := twoGroups(t)
	for _, c := range []struct{ sent, stored string }{
		{"6 1", "tcp"}, {"TcP 2", "tcp"}, {"17 1", "udp"}, {"1 8/0", "icmp"}, {"58 1/1", "icmpv6"}, {"ICMPV6", "icmpv6"}, {"50", "50"}, {"0", "0"}, {"-1", "-1"},
	} {
		xml := w.Must("AuthorizeSecurityGroupIngress", onPerms(g, c.sent+" from 10.0.0.0/8")...)
		says(t, ec2test.One(xml, "ipProtocol"), c.stored)
	}
	for _, bad := range []string{"all", "any", "256", "tcpp"} {
		says(t, w.Refused("InvalidParameterValue", "AuthorizeSecurityGroupIngress", onPerms(g, bad+" from 10.1.0.0/16")...),
			"Invalid value '"+bad+"' for IP protocol. Unknown protocol.")
	}
	says(t, w.Refused("InvalidParameterValue", "AuthorizeSecurityGroupIngress", on(g, "IpPermissions.1.IpRanges.1.CidrIp", "10.1.0.0/16")...),
		"Invalid value 'null' for protocol. VPC security group rules must specify protocols explicitly.")
}

func TestSurprise08_PortsRequired(t *testing.T) {
	w, g, _ := twoGroups(t)
	for _, bad := range []string{"tcp", "udp", "tcp -1/-1"} {
		says(t, w.Refused("InvalidParameterValue", "AuthorizeSecurityGroupIngress", onPerms(g, bad+" from 10.0.0.0/8")...),
			"Invalid value for portRange. Must specify both from and to ports with TCP/UDP.")
	}
	says(t, w.Refused("InvalidParameterValue", "AuthorizeSecurityGroupIngress", onPerms(g, "icmp from 10.0.0.0/8")...),
		"Invalid value for portRange. Must specify both from and to ports with ICMP.")
	says(t, w.Refused("InvalidParameterValue", "AuthorizeSecurityGroupIngress", onPerms(g, "tcp 80-79 from 10.0.0.0/8")...), "Invalid TCP/UDP port range (80:79)")
	says(t, w.Refused("InvalidParameterValue", "AuthorizeSecurityGroupIngress", onPerms(g, "udp 80-65536 from 10.0.0.0/8")...), "TCP/UDP port (65536) out of range")
	w.Must("AuthorizeSecurityGroupIngress", onPerms(g, "icmpv6 from ::/0", "tcp 80-80 from 10.0.0.0/8")...)
}

func TestSurprise09_RevokeDependsOnTheVPC(t *testing.T) {
	w := ec2test.New(t)
	other := addVPC(w, false)
	home, far := addGroup(w, "web", homeVPC(w)), addGroup(w, "web", other)
	for _, g := range []string{home, far} {
		w.Must("AuthorizeSecurityGroupIngress", onPerms(g, "tcp 22 from 10.0.0.0/8", "tcp 80 from 10.0.0.0/8")...)
	}
	ask := []string{"tcp 80 from 10.0.0.0/8", "tcp 81 from 10.0.0.0/8", "tcp 81 from fd00::/8", "-1 0 from " + home}
	says(t, w.Refused("InvalidPermission.NotFound", "RevokeSecurityGroupIngress", onPerms(far, ask...)...),
		"The specified rule does not exist in this security group.")
	hasRules(t, w, far, "10.0.0.0/8, TCP, from port: 22, to port: 22", "10.0.0.0/8, TCP, from port: 80, to port: 80")

	xml := w.Must("RevokeSecurityGroupIngress", onPerms(home, ask...)...)
	contains(t, xml, "<return>true</return><unknownIpPermissionSet><item><ipProtocol>tcp</ipProtocol><fromPort>81</fromPort><toPort>81</toPort><groups/><ipRanges><item><cidrIp>10.0.0.0/8</cidrIp></item></ipRanges>"+
		"<ipv6Ranges><item><cidrIpv6>fd00::/8</cidrIpv6></item></ipv6Ranges><prefixListIds/></item>"+
		"<item><ipProtocol>-1</ipProtocol><groups><item><userId>123456789012</userId><groupId>"+home+"</groupId></item></groups><ipRanges/><ipv6Ranges/><prefixListIds/></item></unknownIpPermissionSet>")
	hasRules(t, w, home, "10.0.0.0/8, TCP, from port: 22, to port: 22")

	// Near misses: a part of a range, a wider or narrower block, the other direction.
	for _, miss := range []string{"tcp 22-23 from 10.0.0.0/8", "tcp 22 from 10.0.0.0/16", "udp 22 from 10.0.0.0/8", "tcp 22 from 0.0.0.0/0"} {
		w.Refused("InvalidPermission.NotFound", "RevokeSecurityGroupIngress", onPerms(far, miss)...)
	}
	w.Refused("InvalidPermission.NotFound", "RevokeSecurityGroupEgress", onPerms(far, "tcp 22 from 10.0.0.0/8")...)

	// By id: unknown is not found in either VPC.
	for _, g := range []string{home, far} {
		says(t, w.Refused("InvalidSecurityGroupRuleId.NotFound", "RevokeSecurityGroupIngress", on(g, "SecurityGroupRuleId.1", "sgr-00000000000000000")...),
			"The security group rule ID 'sgr-00000000000000000' does not exist")
	}
	id := ruleIDs(w, far)[0]
	w.Refused("InvalidSecurityGroupRuleId.NotFound", "RevokeSecurityGroupIngress", on(home, "SecurityGroupRuleId.1", id)...)
	w.Refused("InvalidSecurityGroupRuleId.NotFound", "RevokeSecurityGroupEgress", on(far, "SecurityGroupRuleId.1", id)...)
	w.Must("RevokeSecurityGroupIngress", on(far, "SecurityGroupRuleId.1", id)...)
}

func TestSurprise10_RevokeReportsWhatItRemoved(t *testing.T) {
	w, g, app := twoGroups(t)
	list := addPrefixList(w, 1)
	w.Must("AuthorizeSecurityGroupIngress", onPerms(g, "tcp 1 from 10.0.0.0/8 as office", "tcp 2 from ::/0", "-1 from "+app, "tcp 4 from "+list)...)
	ids := ruleIDs(w, g)
	xml := w.Must("RevokeSecurityGroupIngress", on(g, "SecurityGroupRuleId.1", ids[2], "SecurityGroupRuleId.2", ids[0], "SecurityGroupRuleId.3", ids[2])...)
	contains(t, xml, "<return>true</return><unknownIpPermissionSet/><revokedSecurityGroupRuleSet>"+
		"<item><securityGroupRuleId>"+ids[2]+"</securityGroupRuleId><groupId>"+g+"</groupId><isEgress>false</isEgress><ipProtocol>-1</ipProtocol><fromPort>-1</fromPort><toPort>-1</toPort><referencedGroupId>"+app+"</referencedGroupId></item>"+
		"<item><securityGroupRuleId>"+ids[0]+"</securityGroupRuleId><groupId>"+g+"</groupId><isEgress>false</isEgress><ipProtocol>tcp</ipProtocol><fromPort>1</fromPort><toPort>1</toPort><cidrIpv4>10.0.0.0/8</cidrIpv4><description>office</description></item>"+
		"</revokedSecurityGroupRuleSet>")
	xml = w.Must("RevokeSecurityGroupIngress", onPerms(g, "tcp 4 from "+list, "tcp 2 from ::/0 as whatever")...)
	contains(t, xml, "<prefixListId>"+list+"</prefixListId>")
	contains(t, xml, "<cidrIpv6>::/0</cidrIpv6>")
	hasRules(t, w, g)
	// The same content later is a new rule.
	w.Must("AuthorizeSecurityGroupIngress", onPerms(g, "tcp 2 from ::/0")...)
	if again := ruleIDs(w, g)[0]; again == ids[1] {
		t.Errorf("the new rule has the old id %s", again)
	}
}

func TestRevokeRefusals(t *testing.T) {
	w, g, app := twoGroups(t)
	w.Must("AuthorizeSecurityGroupIngress", onPerms(g, "tcp 22 from "+app)...)
	id := ruleIDs(w, g)[0]
	combined := "The parameter 'ipPermissions' may not be used in combination with 'securityGroupRuleIds'"
	says(t, w.Refused("InvalidParameterCombination", "RevokeSecurityGroupIngress", append(onPerms(g, "tcp 22 from "+app), "SecurityGroupRuleId.1", id)...), combined)
	says(t, w.Refused("InvalidParameterCombination", "RevokeSecurityGroupIngress", on(g, "SecurityGroupRuleId.1", id, "CidrIp", "10.0.0.0/8")...), combined)
	says(t, w.Refused("MissingParameter", "RevokeSecurityGroupIngress", "GroupId", g), "The request must contain the parameter ipPermissions")
	for _, bad := range []string{"rule", "SGR-00000000000000000", "sgr-000000000000000000", ""} {
		says(t, w.Refused("InvalidSecurityGroupRuleId.Malformed", "RevokeSecurityGroupIngress", on(g, "SecurityGroupRuleId.1", bad)...), `Invalid id: "`+bad+`"`)
	}
	for _, unknown := range []string{"sgr-", "sgr-xyz"} {
		w.Refused("InvalidSecurityGroupRuleId.NotFound", "RevokeSecurityGroupIngress", on(g, "SecurityGroupRuleId.1", unknown)...)
	}
	// The owner of the group is part of what is asked for.
	pair := func(user string) []string {
		return append(onPerms(g, "tcp 22 from "+app), "IpPermissions.1.Groups.1.UserId", user, "IpPermissions.1.Groups.1.VpcId", "vpc-1", "IpPermissions.1.Groups.1.PeeringStatus", "active")
	}
	w.Refused("InvalidPermission.NotFound", "RevokeSecurityGroupIngress", pair("999999999999")...)
	w.Must("RevokeSecurityGroupIngress", pair("123456789012")...)
}

func TestAuthorizeRefusals(t *testing.T) {
	w, g, app := twoGroups(t)
	far := addGroup(w, "far", homeVPC(w))
	source := "Missing source specification: include source security group or CIDR information"
	for _, c := range []struct {
		code, message string
		params        []string
	}{
		{"MissingParameter", "The request must contain the parameter ipPermissions", nil},
		{"MissingParameter", source, perms("tcp 22")},
		{"MissingParameter", source, []string{"IpProtocol", "tcp", "FromPort", "22", "ToPort", "22"}},
		{"InvalidParameterValue", "CIDR block 10.0.0.1 is malformed", perms("tcp 22 from 10.0.0.1")},
		{"InvalidParameterValue", "CIDR block ::/0 is malformed", []string{"IpPermissions.1.IpProtocol", "-1", "IpPermissions.1.IpRanges.1.CidrIp", "::/0"}},
		{"InvalidParameterValue", "CIDR block 2001:db8::/129 is malformed", perms("-1 from 2001:db8::/129")},
		{"InvalidParameterValue", "Invalid rule description. Valid descriptions are strings less than 256 characters from the following set: a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*", perms("-1 from ::/0 as 100%")},
		{"MissingParameter", "Source group ID missing.", []string{"IpPermissions.1.IpProtocol", "-1", "IpPermissions.1.Groups.1.UserId", "123456789012"}},
		{"InvalidParameterCombination", "The parameter groupName cannot be used with the parameter groupId", append(perms("-1 from "+app), "IpPermissions.1.Groups.1.GroupName", "app")},
		{"InvalidParameterValue", "Invalid value 's' for userId.", append(perms("-1 from "+app), "IpPermissions.1.Groups.1.UserId", "s")},
		{"InvalidGroup.NotFound", "The security group '" + app + "' does not exist", append(perms("-1 from "+app), "IpPermissions.1.Groups.1.UserId", "999999999999")},
		{"InvalidGroupId.Malformed", `Invalid id: "sg-app"`, perms("-1 from sg-app")},
		{"InvalidGroup.NotFound", "The security group 'sg-00000000' does not exist", perms("-1 from sg-00000000")},
		{"InvalidGroup.NotFound", "You have specified two resources that belong to different networks.", perms("-1 from " + far)},
		{"InvalidPrefixListID.NotFound", "The prefix list ID 'pl-00000000' does not exist", perms("-1 from pl-00000000")},
		{"InvalidPrefixListId.Malformed", `Invalid id: "pl-x" (expecting "pl-...")`, perms("-1 from pl-x")},
		{"InvalidParameterCombination", "The parameter ipPermissions cannot be used with parameters that name a single rule", append(perms("-1 from ::/0"), "CidrIp", "10.0.0.0/8")},
		{"InvalidParameterValue", "'security-group' is not a valid taggable resource type for this operation.", append(perms("-1 from ::/0"), "TagSpecification.1.ResourceType", "security-group", "TagSpecification.1.Tag.1.Key", "k", "TagSpecification.1.Tag.1.Value", "v")},
	} {
		for _, action := range []string{"AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress"} {
			says(t, w.Refused(c.code, action, on(g, c.params...)...), c.message)
		}
	}
	// Neighbours that succeed.
	w.Must("AuthorizeSecurityGroupIngress", append(onPerms(g, "-1 from "+app+" as 100 percent"), "IpPermissions.1.Groups.1.UserId", "123456789012")...)
	w.Must("AuthorizeSecurityGroupIngress", onPerms(far, "-1 from "+far)...)
	// AWS's own prefix lists may be named too.
	w.Must("AuthorizeSecurityGroupIngress", onPerms(g, "-1 from pl-63a5400a")...)
}

func TestFlatForm(t *testing.T) {
	w := ec2test.New(t)
	g, lb := addGroup(w, "web", homeVPC(w)), addGroup(w, "lb", homeVPC(w))
	flat := []string{"IpProtocol", "tcp", "FromPort", "22", "ToPort", "22", "CidrIp", "192.0.2.7/24"}
	w.Must("AuthorizeSecurityGroupIngress", on(g, flat...)...)
	hasRules(t, w, g, "192.0.2.0/24, TCP, from port: 22, to port: 22")
	w.Must("RevokeSecurityGroupIngress", on(g, flat...)...)
	w.Must("AuthorizeSecurityGroupIngress", "GroupName", "web", "SourceSecurityGroupName", "lb", "SourceSecurityGroupOwnerId", "123456789012")
	hasRules(t, w, g, lb+", TCP, from port: 0, to port: 65535", lb+", UDP, from port: 0, to port: 65535", lb+", ICMP, type: ALL, code: ALL")
	says(t, w.Refused("InvalidParameterCombination", "AuthorizeSecurityGroupIngress", on(g, append(flat, "SourceSecurityGroupName", "lb")...)...),
		"The parameter sourceSecurityGroupName cannot be used with cidrIp, ipProtocol, fromPort or toPort")
	says(t, w.Refused("MissingParameter", "AuthorizeSecurityGroupIngress", on(g, "SourceSecurityGroupOwnerId", "123456789012")...),
		"Missing source specification: include source security group or CIDR information")
	w.Must("RevokeSecurityGroupIngress", "GroupName", "web", "SourceSecurityGroupName", "lb")
	hasRules(t, w, g)
	w.Must("AuthorizeSecurityGroupEgress", on(g, flat...)...)
	w.Refused("InvalidParameterCombination", "AuthorizeSecurityGroupEgress", on(g, "SourceSecurityGroupName", "lb")...)
}

func TestSurprise14_Quotas(t *testing.T) {
	full := "The maximum number of rules per security group has been reached."
	fill := func(w *ec2test.World, g, prefix, format string, n int) {
		t.Helper()
		var all []string
		for i := range n {
			all = append(all, "tcp "+fmt.Sprint(i+1)+" from "+fmt.Sprintf(format, i))
		}
		w.Must(prefix, onPerms(g, all...)...)
	}
	in, out := "AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress"

	w, g, app := twoGroups(t)
	fill(w, g, in, "10.0.%d.0/24", 60)
	says(t, w.Refused("RulesPerSecurityGroupLimitExceeded", in, onPerms(g, "tcp 99 from 10.99.0.0/24")...), full)
	fill(w, g, in, "fd00:%x::/32", 60) // the other family
	w.Refused("RulesPerSecurityGroupLimitExceeded", in, onPerms(g, "tcp 99 from fd00:99::/32")...)
	fill(w, g, out, "10.0.%d.0/24", 59) // the other direction, where one is there
	w.Refused("RulesPerSecurityGroupLimitExceeded", out, onPerms(g, "tcp 99 from 10.99.0.0/24")...)

	// A group counts in both families.
	fill(w, app, in, "10.0.%d.0/24", 59)
	w.Must(in, onPerms(app, "-1 from "+app)...)
	w.Refused("RulesPerSecurityGroupLimitExceeded", in, onPerms(app, "tcp 99 from 10.99.0.0/24")...)
	fill(w, app, in, "fd00:%x::/32", 59)
	w.Refused("RulesPerSecurityGroupLimitExceeded", in, onPerms(app, "tcp 99 from fd00:99::/32")...)

	// A prefix list counts for all that it may hold, in both.
	w, g, _ = twoGroups(t)
	thirty, thirtyOne, one := addPrefixList(w, 30), addPrefixList(w, 31), addPrefixList(w, 1)
	w.Must(in, onPerms(g, "tcp 1 from "+thirty)...)
	w.Refused("RulesPerSecurityGroupLimitExceeded", in, onPerms(g, "tcp 2 from "+thirtyOne)...)
	w.Must(in, onPerms(g, "tcp 2 from "+thirty)...)
	w.Refused("RulesPerSecurityGroupLimitExceeded", in, onPerms(g, "tcp 3 from 10.0.0.0/8")...)
	w.Refused("RulesPerSecurityGroupLimitExceeded", in, onPerms(g, "tcp 3 from fd00::/8")...)
	// A change of list counts too.
	id := ruleIDs(w, g)[1]
	says(t, w.Refused("RulesPerSecurityGroupLimitExceeded", "ModifySecurityGroupRules", on(g, modify(id, "tcp 2 from "+thirtyOne)...)...), full)
	w.Must("ModifySecurityGroupRules", on(g, modify(id, "tcp 2 from "+one)...)...)
	w.Must(in, onPerms(g, "tcp 3 from 10.0.0.0/8")...)

	// AWS's own lists have a weight of theirs: 1 for s3.
	w, g, _ = twoGroups(t)
	fill(w, g, in, "10.0.%d.0/24", 59)
	w.Must(in, onPerms(g, "tcp 443 from pl-63a5400a")...)
	w.Refused("RulesPerSecurityGroupLimitExceeded", in, onPerms(g, "tcp 444 from pl-63a5400a")...)

	// Times the groups of an interface it is at most the third quota.
	w, g, _ = twoGroups(t)
	w.Quotas.RulesPerGroup, w.Quotas.GroupsPerInterface = 100, 16
	fill(w, g, in, "10.0.%d.0/24", 62)
	w.Refused("RulesPerSecurityGroupLimitExceeded", in, onPerms(g, "tcp 99 from 10.99.0.0/24")...)

	// And a description may be changed at the limit.
	w.Must("UpdateSecurityGroupRuleDescriptionsIngress", onPerms(g, "tcp 1 from 10.0.0.0/24 as first")...)
}

func TestModifySecurityGroupRules(t *testing.T) {
	w, g, app := twoGroups(t)
	list, other := addPrefixList(w, 1), addPrefixList(w, 1)
	xml := w.Must("AuthorizeSecurityGroupIngress", append(onPerms(g, "tcp 1 from 10.0.0.0/8 as ten", "tcp 2 from fd00::/8", "tcp 3 from "+list, "tcp 4 from "+app),
		"TagSpecification.1.ResourceType", "security-group-rule", "TagSpecification.1.Tag.1.Key", "k", "TagSpecification.1.Tag.1.Value", "v")...)
	ids := ec2test.Text(xml, "securityGroupRuleId")
	for i, c := range []struct{ to, want string }{
		{"udp 5 from 11.0.0.1/8", "11.0.0.0/8, UDP, from port: 5, to port: 5"}, // a description left out is removed
		{"tcp 6 from fd01::/16 as six", "fd01::/16, TCP, from port: 6, to port: 6 as six"},
		{"icmp 8/-1 from " + other, other + ", ICMP, type: 8, code: ALL"},
		{"6 7-8 from " + g, g + ", TCP, from port: 7, to port: 8"},
	} {
		contains(t, w.Must("ModifySecurityGroupRules", on(g, modify(ids[i], c.to)...)...), "<return>true</return>")
		says(t, rules(w, g, flow.Ingress)[i], c.want)
	}
	if now := ruleIDs(w, g); !slices.Equal(now, ids) {
		t.Errorf("rules have ids %q, had %q", now, ids)
	}
	if n := strings.Count(w.Must("DescribeSecurityGroupRules", "Filter.1.Name", "tag:k", "Filter.1.Value.1", "v"), "<securityGroupRuleArn>"); n != 4 {
		t.Errorf("%d rules have their tag, want 4", n)
	}
	// Both directions in one call.
	egress := string(state.Groups.Get(w.Space(), vpc.GroupID(g)).Rules[0].ID)
	w.Must("ModifySecurityGroupRules", on(g, modify(ids[0], "udp 5 from 11.0.0.0/8 as x", egress, "tcp 25 from 10.0.0.25/32")...)...)
	says(t, strings.Join(rules(w, g, flow.Egress), ""), "10.0.0.25/32, TCP, from port: 25, to port: 25")
	if !state.Groups.Get(w.Space(), vpc.GroupID(g)).EgressTouched {
		t.Error("egress changed, yet the group is not marked")
	}
}

func TestModifySecurityGroupRulesRefusals(t *testing.T) {
	w, g, app := twoGroups(t)
	far := addGroup(w, "far", homeVPC(w))
	list := addPrefixList(w, 1)
	w.Must("AuthorizeSecurityGroupIngress", onPerms(g, "tcp 1 from 10.0.0.0/8", "tcp 2 from 10.0.0.0/8", "tcp 3 from fd00::/8", "tcp 4 from "+list, "tcp 5 from "+app)...)
	w.Must("AuthorizeSecurityGroupIngress", onPerms(app, "tcp 1 from 10.0.0.0/8")...)
	ids := ruleIDs(w, g)
	typed := func(i int, parameter, kind string) string {
		return "Invalid rule type for security group rule '" + ids[i] + "'. You may not specify " + parameter + " for an existing " + kind + " rule."
	}
	two := append(modify(ids[0], "tcp 9 from 10.0.0.0/8"), "SecurityGroupRule.1.SecurityGroupRule.CidrIpv6", "::/0")
	for _, c := range []struct {
		code, message string
		params        []string
	}{
		{"MissingParameter", "The request must contain the parameter securityGroupRules", on(g)},
		{"MissingParameter", "The request must contain the parameter groupId", modify(ids[0], "tcp 9 from 10.0.0.0/8")},
		{"InvalidGroup.NotFound", "The security group 'sg-00000000' does not exist", on("sg-00000000", modify(ids[0], "tcp 9 from 10.0.0.0/8")...)},
		{"InvalidSecurityGroupRuleId.Malformed", `Invalid id: "x"`, on(g, modify("x", "tcp 9 from 10.0.0.0/8")...)},
		{"InvalidSecurityGroupRuleId.NotFound", "The security group rule ID '" + ruleIDs(w, app)[0] + "' does not exist", on(g, modify(ruleIDs(w, app)[0], "tcp 9 from 10.0.0.0/8")...)},
		{"InvalidParameterValue", "Duplicated security group rule ID '" + ids[0] + "'. The same security group rule ID must not appear multiple times.", on(g, modify(ids[0], "tcp 9 from 10.0.0.0/8", ids[0], "tcp 8 from 10.0.0.0/8")...)},
		{"InvalidParameterValue", "No value specified for securityGroupRule.", on(g, "SecurityGroupRule.1.SecurityGroupRuleId", ids[0])},
		{"InvalidParameterValue", "Invalid value 'null' for protocol. VPC security group rules must specify protocols explicitly.", on(g, "SecurityGroupRule.1.SecurityGroupRuleId", ids[0], "SecurityGroupRule.1.SecurityGroupRule.CidrIpv4", "10.0.0.0/8")},
		{"InvalidParameterValue", "Invalid value for portRange. Must specify both from and to ports with TCP/UDP.", on(g, modify(ids[0], "tcp from 10.0.0.0/8")...)},
		{"MissingParameter", "The request must contain exactly one of: cidrIp, cidrIpv6, prefixListId, or referencedGroupId", on(g, modify(ids[0], "tcp 9")...)},
		{"InvalidParameterCombination", "Only one of cidrIp, cidrIpv6, prefixListId, or referencedGroupId can be specified", on(g, two...)},
		{"InvalidParameterValue", typed(0, "CidrIpv6", "IPv4 CIDR"), on(g, modify(ids[0], "tcp 9 from ::/0")...)},
		{"InvalidParameterValue", typed(2, "CidrIpv4", "IPv6 CIDR"), on(g, modify(ids[2], "tcp 9 from 0.0.0.0/0")...)},
		{"InvalidParameterValue", typed(3, "ReferencedGroupId", "prefix list"), on(g, modify(ids[3], "tcp 9 from "+app)...)},
		{"InvalidParameterValue", typed(4, "PrefixListId", "referenced group"), on(g, modify(ids[4], "tcp 9 from "+list)...)},
		{"InvalidPermission.Duplicate", `the specified rule "peer: 10.0.0.0/8, TCP, from port: 2, to port: 2, ALLOW" already exists`, on(g, modify(ids[0], "tcp 2 from 10.0.0.0/8")...)},
		{"InvalidParameterValue", "The same permission must not appear multiple times", on(g, modify(ids[0], "tcp 9 from 10.0.0.0/8", ids[1], "6 9 from 10.9.0.0/8")...)},
		{"InvalidGroup.NotFound", "The security group 'sg-00000000' does not exist", on(g, modify(ids[4], "tcp 9 from sg-00000000")...)},
		{"InvalidGroupId.Malformed", `Invalid id: "sg-x"`, on(g, modify(ids[4], "tcp 9 from sg-x")...)},
		{"InvalidGroup.NotFound", "You have specified two resources that belong to different networks.", on(g, modify(ids[4], "tcp 9 from "+far)...)},
		{"InvalidPrefixListID.NotFound", "The prefix list ID 'pl-00000000' does not exist", on(g, modify(ids[3], "tcp 9 from pl-00000000")...)},
		{"InvalidParameterValue", "Invalid rule description. Valid descriptions are strings less than 256 characters from the following set: a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*", on(g, modify(ids[0], "tcp 9 from 10.0.0.0/8 as 9%")...)},
	} {
		says(t, w.Refused(c.code, "ModifySecurityGroupRules", c.params...), c.message)
	}
	w.Must("ModifySecurityGroupRules", on(g, modify(ids[0], "tcp 1 from 10.0.0.0/8")...)...)                                  // its own content
	w.Must("ModifySecurityGroupRules", on(g, modify(ids[0], "tcp 2 from 10.0.0.0/8", ids[1], "tcp 1 from 10.0.0.0/8")...)...) // a swap
	says(t, strings.Join(rules(w, g, flow.Ingress)[:2], "; "), "10.0.0.0/8, TCP, from port: 2, to port: 2; 10.0.0.0/8, TCP, from port: 1, to port: 1")
}

func TestUpdateSecurityGroupRuleDescriptions(t *testing.T) {
	w, g, app := twoGroups(t)
	w.Must("AuthorizeSecurityGroupIngress", onPerms(g, "tcp 22 from 10.0.0.0/8 as ssh", "-1 from "+app+" as app")...)
	ids := ruleIDs(w, g)
	update := "UpdateSecurityGroupRuleDescriptionsIngress"
	contains(t, w.Must(update, onPerms(g, "6 22 from 10.1.1.1/8 as shell", "-1 0 from "+app)...), "<return>true</return>")
	hasRules(t, w, g, "10.0.0.0/8, TCP, from port: 22, to port: 22 as shell", app+", ALL") // left out: removed
	w.Must(update, on(g, "SecurityGroupRuleDescription.1.SecurityGroupRuleId", ids[1], "SecurityGroupRuleDescription.1.Description", "by id", "SecurityGroupRuleDescription.2.SecurityGroupRuleId", ids[0])...)
	hasRules(t, w, g, "10.0.0.0/8, TCP, from port: 22, to port: 22", app+", ALL as by id")
	if now := ruleIDs(w, g); !slices.Equal(now, ids) {
		t.Errorf("rules have ids %q, had %q", now, ids)
	}
	byID := func(id, text string) []string {
		return on(g, "SecurityGroupRuleDescription.1.SecurityGroupRuleId", id, "SecurityGroupRuleDescription.1.Description", text)
	}
	egress := string(state.Groups.Get(w.Space(), vpc.GroupID(g)).Rules[0].ID)
	for _, c := range []struct {
		code, message string
		params        []string
	}{
		{"InvalidParameterCombination", "The parameter 'ipPermissions' may not be used in combination with 'securityGroupRuleDescriptions'", append(byID(ids[0], "x"), perms("tcp 22 from 10.0.0.0/8")...)},
		{"MissingParameter", "The request must contain the parameter ipPermissions or securityGroupRuleDescriptions", on(g)},
		{"InvalidPermission.NotFound", "The specified rule does not exist in this security group.", onPerms(g, "tcp 23 from 10.0.0.0/8 as x")},
		{"InvalidSecurityGroupRuleId.NotFound", "The security group rule ID '" + egress + "' does not exist", byID(egress, "x")},
		{"InvalidSecurityGroupRuleId.Malformed", `Invalid id: "x"`, byID("x", "x")},
		{"InvalidParameterValue", "Invalid rule description. Valid descriptions are strings less than 256 characters from the following set: a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*", byID(ids[0], "9%")},
		{"InvalidParameterValue", "Duplicated security group rule ID '" + ids[0] + "'. The same security group rule ID must not appear multiple times.", append(byID(ids[0], "x"), "SecurityGroupRuleDescription.2.SecurityGroupRuleId", ids[0])},
	} {
		says(t, w.Refused(c.code, update, c.params...), c.message)
	}
	// In the default VPC a mismatch is an error all the same.
	home := addGroup(w, "home", homeVPC(w))
	w.Refused("InvalidPermission.NotFound", update, onPerms(home, "tcp 23 from 10.0.0.0/8 as x")...)
	w.Must("UpdateSecurityGroupRuleDescriptionsEgress", append([]string{"GroupName", "home"}, perms("-1 from 0.0.0.0/0 as everything")...)...)
	says(t, strings.Join(rules(w, home, flow.Egress), ""), "0.0.0.0/0, ALL as everything")
}

func TestEgressTouched(t *testing.T) {
	touched := func(w *ec2test.World, g string) bool {
		return state.Groups.Get(w.Space(), vpc.GroupID(g)).EgressTouched
	}
	w, g, app := twoGroups(t)
	w.Must("AuthorizeSecurityGroupIngress", onPerms(g, "tcp 1 from 10.0.0.0/8")...)
	w.Must("RevokeSecurityGroupIngress", onPerms(g, "tcp 1 from 10.0.0.0/8")...)
	if touched(w, g) {
		t.Error("only ingress changed, yet egress is marked")
	}
	w.Must("AuthorizeSecurityGroupEgress", onPerms(g, "tcp 1 from 10.0.0.0/8")...)
	w.Must("RevokeSecurityGroupEgress", onPerms(app, "-1 0 from 0.0.0.0/0")...)
	if !touched(w, g) || !touched(w, app) {
		t.Error("egress changed, yet it is not marked")
	}
	contains(t, w.Must("DescribeSecurityGroups", "GroupId.1", app), "<ipPermissionsEgress/>")
}

func TestSurprise20_TagsOfRules(t *testing.T) {
	w, g, _ := twoGroups(t)
	tagged := func(value string, rule string) []string {
		return append(onPerms(g, rule), "TagSpecification.1.ResourceType", "security-group-rule", "TagSpecification.1.Tag.1.Key", "team", "TagSpecification.1.Tag.1.Value", value)
	}
	a := ec2test.One(w.Must("AuthorizeSecurityGroupIngress", tagged("net", "tcp 1 from 10.0.0.0/8")...), "securityGroupRuleId")
	b := ec2test.One(w.Must("AuthorizeSecurityGroupEgress", tagged("", "tcp 1 from 10.0.0.0/8")...), "securityGroupRuleId")
	w.Must("AuthorizeSecurityGroupIngress", onPerms(g, "tcp 2 from 10.0.0.0/8")...)
	find := func(name, value string) string {
		return strings.Join(ec2test.Text(w.Must("DescribeSecurityGroupRules", "Filter.1.Name", name, "Filter.1.Value.1", value), "securityGroupRuleId"), " ")
	}
	both := []string{a, b}
	slices.Sort(both)
	says(t, find("tag:team", "net"), a)
	says(t, find("tag:team", ""), b)
	says(t, find("tag:team", "*"), strings.Join(both, " "))
	says(t, find("tag-key", "team"), strings.Join(both, " "))
	says(t, find("tag:Team", "net"), "")
	says(t, w.Refused("InvalidParameterValue", "AuthorizeSecurityGroupIngress", append(onPerms(g, "tcp 3 from 10.0.0.0/8"),
		"TagSpecification.1.ResourceType", "security-group-rule", "TagSpecification.1.Tag.1.Key", "aws:x", "TagSpecification.1.Tag.1.Value", "")...),
		"Tag keys starting with 'aws:' are reserved for internal use")
	w.Must("RevokeSecurityGroupIngress", on(g, "SecurityGroupRuleId.1", a)...)
	says(t, find("tag:team", "net"), "")
}

// Rules are in the order of their ids, also when groups share the digits that
// rule ids begin with.
func TestDescribeSecurityGroupRulesPages(t *testing.T) {
	w := ec2test.New(t)
	in := vpc.VPCID(homeVPC(w))
	groups := []string{"sg-0aaaaaaaaa0000001", "sg-0aaaaaaaaa0000002", "sg-0aaaaaaaaa0000003", "sg-0bbbbbbbbb0000001"}
	w.Stage(func(tx *state.Txn) error {
		for _, id := range groups {
			state.Groups.Put(tx, &vpc.SecurityGroup{ID: vpc.GroupID(id), Owner: w.Scope.Account, VPC: in, Name: id})
		}
		return nil
	})
	for _, g := range groups {
		for i := range 4 {
			w.Must("AuthorizeSecurityGroupIngress", onPerms(g, fmt.Sprintf("tcp %d from 10.0.0.0/8", i+1))...)
		}
	}
	all := ec2test.Text(w.Must("DescribeSecurityGroupRules"), "securityGroupRuleId")
	if len(all) != 18 || !slices.IsSorted(all) { // and two of the default group
		t.Fatalf("rules %q, want 18 in order", all)
	}
	if reached := ec2test.Text(w.Must("DescribeSecurityGroupRules"), "groupId"); slices.IsSorted(reached[:12]) {
		t.Error("the test's rules do not interleave: it shows nothing")
	}
	var paged []string
	for token := ""; ; {
		xml := w.Must("DescribeSecurityGroupRules", "MaxResults", "5", "NextToken", token)
		paged = append(paged, ec2test.Text(xml, "securityGroupRuleId")...)
		if token = ec2test.One(xml, "nextToken"); token == "" {
			break
		}
		// What goes between two pages is neither repeated nor skips another.
		if len(paged) == 10 {
			g, _ := state.RuleByID(w.Space(), vpc.RuleID(paged[9]))
			w.Must("RevokeSecurityGroupIngress", on(string(g.ID), "SecurityGroupRuleId.1", paged[9])...)
		}
	}
	if !slices.Equal(paged, all) {
		t.Errorf("pages show %q, want %q", paged, all)
	}
	all = slices.Delete(all, 9, 10)

	find := func(params ...string) string {
		return strings.Join(ec2test.Text(w.Must("DescribeSecurityGroupRules", params...), "securityGroupRuleId"), " ")
	}
	says(t, find("SecurityGroupRuleId.1", all[4], "SecurityGroupRuleId.2", all[1], "SecurityGroupRuleId.3", all[4]), all[1]+" "+all[4])
	says(t, find("Filter.1.Name", "security-group-rule-id", "Filter.1.Value.1", all[4], "Filter.1.Value.2", "sgr-00000000000000000"), all[4])
	var two []string
	for _, id := range all {
		if g, _ := state.RuleByID(w.Space(), vpc.RuleID(id)); string(g.ID) == groups[0] || string(g.ID) == groups[3] {
			two = append(two, id)
		}
	}
	says(t, find("Filter.1.Name", "group-id", "Filter.1.Value.1", groups[3], "Filter.1.Value.2", groups[0]), strings.Join(two, " "))
	says(t, w.Refused("InvalidSecurityGroupRuleId.NotFound", "DescribeSecurityGroupRules", "SecurityGroupRuleId.1", all[0], "SecurityGroupRuleId.2", "sgr-0aaaaaaaaaffffff0"),
		"The security group rule ID 'sgr-0aaaaaaaaaffffff0' does not exist")
	says(t, w.Refused("InvalidSecurityGroupRuleId.Malformed", "DescribeSecurityGroupRules", "SecurityGroupRuleId.1", "sg-1"), `Invalid id: "sg-1"`)
}
