package explain_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"moat/ec2/ec2test"
	"moat/explain"
	"moat/names"
	"moat/ruleset"
	"moat/state"
	"moat/test/clause"
	"moat/vpc"
)

// A world is a default VPC with interfaces by name, each with groups of its
// own. Ids are replaced by names in what it says, so that texts can be
// compared.
type world struct {
	*ec2test.World
	t   *testing.T
	ids map[string]string // id → name
	by  map[string]string // name → id
}

func newWorld(t *testing.T) *world {
	w := &world{ec2test.New(t), t, map[string]string{}, map[string]string{}}
	v := state.DefaultVPC(w.Space())
	w.know("vpc", string(v.ID))
	for s := range state.Subnets.By(w.Space(), state.SubnetsByVPC, string(v.ID)) {
		if s.CIDR.String() != "172.31.0.0/20" {
			continue
		}
		w.know("subnet", string(s.ID))
		w.Must("AssociateVpcCidrBlock", "VpcId", string(v.ID), "AmazonProvidedIpv6CidrBlock", "true")
		block := state.VPCs.Get(w.Space(), v.ID).Blocks[1].CIDR
		w.Must("AssociateSubnetCidrBlock", "SubnetId", string(s.ID), "Ipv6CidrBlock", strings.Replace(block.String(), "/56", "/64", 1))
		break
	}
	return w
}

func (w *world) know(name, id string) { w.ids[id], w.by[name] = name, id }

func (w *world) group(name string) {
	w.know(name, ec2test.One(w.Must("CreateSecurityGroup", "GroupName", name, "GroupDescription", "d", "VpcId", w.by["vpc"]), "groupId"))
}

func (w *world) iface(name, address string, groups ...string) {
	p := []string{"SubnetId", w.by["subnet"], "PrivateIpAddress", address, "Ipv6AddressCount", "1",
		"TagSpecification.1.ResourceType", "network-interface", "TagSpecification.1.Tag.1.Key", "Name", "TagSpecification.1.Tag.1.Value", name}
	for i, g := range groups {
		p = append(p, fmt.Sprintf("SecurityGroupId.%d", i+1), w.by[g])
	}
	xml := w.Must("CreateNetworkInterface", p...)
	w.know("eni-"+name, ec2test.One(xml, "networkInterfaceId"))
	w.know(name+"-six", ec2test.One(xml, "ipv6Address"))
}

// allow adds a rule: "tcp 80" and a CIDR or the name of a group.
func (w *world) allow(direction, group, protocol, port, peer string) {
	p := []string{"GroupId", w.by[group], "IpPermissions.1.IpProtocol", protocol}
	if port != "" {
		p = append(p, "IpPermissions.1.FromPort", port, "IpPermissions.1.ToPort", port)
	}
	if id := w.by[peer]; id != "" {
		p = append(p, "IpPermissions.1.Groups.1.GroupId", id)
	} else {
		p = append(p, "IpPermissions.1.IpRanges.1.CidrIp", peer)
	}
	w.know("rule-of-"+group, ec2test.One(w.Must("AuthorizeSecurityGroup"+direction, p...), "securityGroupRuleId"))
}

func (w *world) seal(group string) {
	w.Must("RevokeSecurityGroupEgress", "GroupId", w.by[group], "IpPermissions.1.IpProtocol", "-1", "IpPermissions.1.IpRanges.1.CidrIp", "0.0.0.0/0")
}

func (w *world) why(from, to string) *explain.Answer {
	w.t.Helper()
	if strings.HasSuffix(from, "-six") {
		from = w.by[from]
	}
	tg, err := names.ParseTarget(to)
	if err != nil {
		w.t.Fatal(err)
	}
	if strings.HasSuffix(tg.Text, "-six") {
		tg.Text = w.by[tg.Text]
	}
	a, b, err := explain.ResolveEnds(w.Space(), from, tg.Text)
	if err != nil {
		w.t.Fatal(err)
	}
	q := explain.Question{From: a, To: b, Protocol: tg.Protocol, Port: tg.Port, Code: tg.Code}
	return explain.Why(w.View, w.Scope, q, ruleset.Options{Exempt: ruleset.AWSExemptions()})
}

// say puts names in place of ids.
func (w *world) say(text string) string {
	for id, name := range w.ids {
		text = strings.ReplaceAll(text, id, name)
	}
	return regexp.MustCompile(`sgr-[0-9a-f]+`).ReplaceAllString(text, "sgr-x")
}

func TestWhy(t *testing.T) {
	w := newWorld(t)
	for _, g := range []string{"demo", "plain", "shared", "sealed", "own", "ext"} {
		w.group(g)
	}
	w.iface("ext", "172.31.0.16", "ext")
	w.Must("AuthorizeSecurityGroupIngress", "GroupId", w.by["ext"], "IpPermissions.1.IpProtocol", "60", "IpPermissions.1.Ipv6Ranges.1.CidrIpv6", "::/0")
	w.seal("sealed")
	w.iface("narrow", "172.31.0.15", "shared", "own")
	w.allow("Ingress", "own", "tcp", "25", "0.0.0.0/0")
	w.iface("web", "172.31.0.10", "demo")
	w.iface("client", "172.31.0.11", "plain")
	w.iface("other", "172.31.0.12", "shared", "plain")
	w.iface("two", "172.31.0.13", "shared", "demo")
	w.iface("mute", "172.31.0.14", "sealed")
	w.allow("Ingress", "plain", "tcp", "22", "203.0.113.0/24")
	w.allow("Ingress", "shared", "tcp", "443", "plain")

	const unbound = " (not enforced: bound to no device)\n"
	for _, row := range []struct{ from, to, want string }{
		{"client", "web:80", `
client (172.31.0.11) -> web (172.31.0.10) tcp/80
  out of client: allowed by sgr-x of plain: everything to 0.0.0.0/0` + unbound + `
  into   web: denied: demo has no rule for tcp/80 from 172.31.0.11` + unbound + `
denied
This allows exactly it:

    aws ec2 authorize-security-group-ingress --group-id demo --protocol tcp --port 80 --cidr 172.31.0.11/32
Or, for every interface of the group (2 today):

    aws ec2 authorize-security-group-ingress --group-id demo --protocol tcp --port 80 --source-group plain
`},
		{"203.0.113.7", "client:22", `
203.0.113.7 -> client (172.31.0.11) tcp/22
  into   client: allowed by rule-of-plain of plain: tcp/22 from 203.0.113.0/24` + unbound + `
allowed
`},
		{"203.0.113.7", "client:23", `
203.0.113.7 -> client (172.31.0.11) tcp/23
  into   client: denied: plain has no rule for tcp/23 from 203.0.113.7` + unbound + `
denied
This allows exactly it:

    aws ec2 authorize-security-group-ingress --group-id plain --protocol tcp --port 23 --cidr 203.0.113.7/32
`},
		{"mute", "169.254.169.254:80", `
mute (172.31.0.14) -> 169.254.169.254 tcp/80
  out of mute: allowed by exempt:aws:metadata of --exempt aws: tcp/80 to 169.254.169.254 and fd00:ec2::254` + unbound + `
allowed
`},
		{"mute", "172.31.0.2:53/udp", `
mute (172.31.0.14) -> 172.31.0.2 udp/53
  out of mute: allowed by exempt:aws:dns of --exempt aws: tcp/53 and udp/53 to the VPC's resolver, 169.254.169.253 and fd00:ec2::253` + unbound + `
allowed
`},
		// Whoever has the address of such a service may open nothing.
		{"169.254.169.254", "web:80", `
169.254.169.254 -> web (172.31.0.10) tcp/80
  into   web: denied: demo has no rule for tcp/80 from 169.254.169.254` + unbound + `
denied
This allows exactly it:

    aws ec2 authorize-security-group-ingress --group-id demo --protocol tcp --port 80 --cidr 169.254.169.254/32
`},
		{"client", "other:443", `
client (172.31.0.11) -> other (172.31.0.12) tcp/443
  out of client: allowed by sgr-x of plain: everything to 0.0.0.0/0` + unbound + `
  into   other: allowed by rule-of-shared of shared: tcp/443 from plain` + unbound + `
allowed
`},
		{"mute", "web:53/udp", `
mute (172.31.0.14) -> web (172.31.0.10) udp/53
  out of mute: denied: sealed has no rule for udp/53 to 172.31.0.10` + unbound + `
  into   web: denied: demo has no rule for udp/53 from 172.31.0.14` + unbound + `
denied
This allows exactly it:

    aws ec2 authorize-security-group-egress --group-id sealed --protocol udp --port 53 --cidr 172.31.0.10/32
    aws ec2 authorize-security-group-ingress --group-id demo --protocol udp --port 53 --cidr 172.31.0.14/32
Or, for every interface of the group (2 today):

    aws ec2 authorize-security-group-egress --group-id sealed --ip-permissions 'IpProtocol=udp,FromPort=53,ToPort=53,UserIdGroupPairs=[{GroupId=demo}]'
Or, for every interface of the group (1 today):

    aws ec2 authorize-security-group-ingress --group-id demo --protocol udp --port 53 --source-group sealed
`},
		{"192.0.2.1", "client/icmp", `
192.0.2.1 -> client (172.31.0.11) icmp type 8 code 0
  into   client: denied: plain has no rule for icmp type 8 code 0 from 192.0.2.1` + unbound + `
denied
This allows exactly it:

    aws ec2 authorize-security-group-ingress --group-id plain --ip-permissions 'IpProtocol=icmp,FromPort=8,ToPort=0,IpRanges=[{CidrIp=192.0.2.1/32}]'
`},
		{"2001:db8::1", "web:80", `
2001:db8::1 -> web (web-six) tcp/80
  into   web: denied: demo has no rule for tcp/80 from 2001:db8::1` + unbound + `
denied
This allows exactly it:

    aws ec2 authorize-security-group-ingress --group-id demo --ip-permissions 'IpProtocol=tcp,FromPort=80,ToPort=80,Ipv6Ranges=[{CidrIpv6=2001:db8::1/128}]'
`},
		{"192.0.2.1", "two:1", `
192.0.2.1 -> two (172.31.0.13) tcp/1
  into   two: denied: shared, demo have no rule for tcp/1 from 192.0.2.1` + unbound + `
denied
This allows exactly it:

    aws ec2 authorize-security-group-ingress --group-id demo --protocol tcp --port 1 --cidr 192.0.2.1/32
`},
		// Of an interface's groups the one that the fewest others have is opened.
		{"192.0.2.1", "narrow:1", `
192.0.2.1 -> narrow (172.31.0.15) tcp/1
  into   narrow: denied: shared, own have no rule for tcp/1 from 192.0.2.1` + unbound + `
denied
This allows exactly it:

    aws ec2 authorize-security-group-ingress --group-id own --protocol tcp --port 1 --cidr 192.0.2.1/32
`},
		// One gate is open, the other is not.
		{"mute", "narrow:25", `
mute (172.31.0.14) -> narrow (172.31.0.15) tcp/25
  out of mute: denied: sealed has no rule for tcp/25 to 172.31.0.15` + unbound + `
  into   narrow: allowed by rule-of-own of own: tcp/25 from 0.0.0.0/0` + unbound + `
denied
This allows exactly it:

    aws ec2 authorize-security-group-egress --group-id sealed --protocol tcp --port 25 --cidr 172.31.0.15/32
Or, for every interface of the group (1 today):

    aws ec2 authorize-security-group-egress --group-id sealed --ip-permissions 'IpProtocol=tcp,FromPort=25,ToPort=25,UserIdGroupPairs=[{GroupId=own}]'
Or, for every interface of the group (3 today):

    aws ec2 authorize-security-group-egress --group-id sealed --ip-permissions 'IpProtocol=tcp,FromPort=25,ToPort=25,UserIdGroupPairs=[{GroupId=shared}]'
`},
		{"192.0.2.1", "two/47", `
192.0.2.1 -> two (172.31.0.13) protocol 47
  into   two: denied: shared, demo have no rule for protocol 47 from 192.0.2.1` + unbound + `
denied
This allows exactly it:

    aws ec2 authorize-security-group-ingress --group-id demo --ip-permissions 'IpProtocol=47,IpRanges=[{CidrIp=192.0.2.1/32}]'
`},
		{"2001:db8::1", "ext/60", `
2001:db8::1 -> ext (ext-six) protocol 60
  into   ext: denied: ext has no rule for protocol 60 from 2001:db8::1` + unbound + `
note: Protocol 60 is an IPv6 extension header. IPv6 packets are judged by the protocol behind their extension headers, so a rule for protocol 60 alone allows none of them; a rule for all protocols does.
denied
`},
		{"192.0.2.1", "ext/60", `
192.0.2.1 -> ext (172.31.0.16) protocol 60
  into   ext: denied: ext has no rule for protocol 60 from 192.0.2.1` + unbound + `
denied
This allows exactly it:

    aws ec2 authorize-security-group-ingress --group-id ext --ip-permissions 'IpProtocol=60,IpRanges=[{CidrIp=192.0.2.1/32}]'
`},
		{"2001:db8::1", "ext/51", `
2001:db8::1 -> ext (ext-six) protocol 51
  into   ext: denied: ext has no rule for protocol 51 from 2001:db8::1` + unbound + `
note: Protocol 51 (AH) is judged as protocol 51, over IPv4 and IPv6. The protocol that it carries is not looked at.
denied
This allows exactly it:

    aws ec2 authorize-security-group-ingress --group-id ext --ip-permissions 'IpProtocol=51,Ipv6Ranges=[{CidrIpv6=2001:db8::1/128}]'
`},
	} {
		want := strings.ReplaceAll(strings.TrimPrefix(row.want, "\n"), "device)\n\n", "device)\n")
		if got := w.say(w.why(row.from, row.to).Text()); got != want {
			t.Errorf("why %s %s:\ngot\n%s\nwant\n%s", row.from, row.to, got, want)
		}
	}
}

// What a link needs passes in a shape that the rules do not know.
func TestWhyTellsWhatNeedsNoRule(t *testing.T) {
	w := newWorld(t)
	w.group("demo")
	w.iface("web", "172.31.0.10", "demo")
	for to, want := range map[string]string{"web:67/udp": "DHCP passes", "web:66/udp": "", "web:67": ""} {
		if got := w.why("192.0.2.1", to).Note; !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("why %s notes %q, want %q", to, got, want)
		}
	}
}

// Each command, carried out, opens the flow, and nothing beside it.
func TestRemedyIsExact(t *testing.T) {
	clause.Holds(t, "F87")
	for _, row := range []struct{ from, to, stillDenied, stillDeniedFrom string }{
		{"client", "web:80", "web:81", "other"},
		{"client", "web:80", "web:80/udp", "198.51.100.1"},
		{"mute", "web:53/udp", "web:53", "client"},
		{"192.0.2.1", "web:3.4/icmp", "web:3.5/icmp", "192.0.2.2"},
		{"2001:db8::1", "[web-six]:443", "[web-six]:444", "2001:db8::2"},
		{"192.0.2.1", "web/47", "web/46", "192.0.2.0"},
		{"client-six", "web-six/icmpv6", "[web-six]:129/icmpv6", "other-six"},
	} {
		for choice := range 2 {
			w := newWorld(t)
			for _, g := range []string{"demo", "plain", "sealed", "others"} {
				w.group(g)
			}
			w.seal("sealed")
			w.iface("web", "172.31.0.10", "demo")
			w.iface("client", "172.31.0.11", "plain")
			w.iface("other", "172.31.0.12", "others")
			w.iface("mute", "172.31.0.14", "sealed")
			a := w.why(row.from, row.to)
			if a.Allowed {
				t.Errorf("%s -> %s: allowed before anything was", row.from, row.to)
			}
			applied := true
			for _, g := range a.Gates {
				if g.Allowed {
					continue
				}
				if len(g.Missing) <= choice {
					applied = false // no alternative by group
					continue
				}
				w.run(g.Missing[choice].Command)
			}
			if !applied {
				if choice == 0 {
					t.Errorf("%s -> %s: no command", row.from, row.to)
				}
				continue
			}
			if a := w.why(row.from, row.to); !a.Allowed || a.Denied() != "" || a.Remedy() != "" {
				t.Errorf("%s -> %s: still denied: %s", row.from, row.to, a.Text())
			}
			if w.why(row.from, row.stillDenied).Allowed {
				t.Errorf("%s -> %s: also opened %s", row.from, row.to, row.stillDenied)
			}
			if w.why(row.stillDeniedFrom, row.to).Allowed {
				t.Errorf("%s -> %s: also opened it for %s", row.from, row.to, row.stillDeniedFrom)
			}
		}
	}
}

// run carries out a printed command as the AWS command line reads it.
func (w *world) run(command string) {
	w.t.Helper()
	m := regexp.MustCompile(`^aws ec2 authorize-security-group-(ingress|egress) --group-id (\S+) (?:--protocol (\w+) --port (\d+) --(cidr|source-group) (\S+)|--ip-permissions '([^']*)')$`).FindStringSubmatch(command)
	if m == nil {
		w.t.Fatalf("%s is no command", command)
	}
	p := []string{"GroupId", m[2]}
	const one = "IpPermissions.1."
	if m[7] == "" {
		p = append(p, one+"IpProtocol", m[3], one+"FromPort", m[4], one+"ToPort", m[4])
		p = append(p, map[string]string{"cidr": one + "IpRanges.1.CidrIp", "source-group": one + "Groups.1.GroupId"}[m[5]], m[6])
	}
	for _, f := range regexp.MustCompile(`(\w+)=(?:\[\{(\w+)=([^}]*)\}\]|([^,]+))`).FindAllStringSubmatch(m[7], -1) {
		switch f[1] {
		case "UserIdGroupPairs":
			p = append(p, one+"Groups.1.GroupId", f[3])
		case "IpRanges", "Ipv6Ranges":
			p = append(p, one+f[1]+".1."+f[2], f[3])
		default:
			p = append(p, one+f[1], f[4])
		}
	}
	w.Must("AuthorizeSecurityGroup"+strings.ToUpper(m[1][:1])+m[1][1:], p...)
}

func TestEnds(t *testing.T) {
	w := newWorld(t)
	w.group("g")
	w.iface("a", "172.31.0.10", "g")
	w.iface("b", "172.31.0.11", "g")
	for _, row := range []struct{ from, to, want string }{
		{"a", "b", "a (172.31.0.10) b (172.31.0.11)"},
		{"172.31.0.10", "b", "a (172.31.0.10) b (172.31.0.11)"},
		{"a", "192.0.2.1", "a (172.31.0.10) 192.0.2.1"},
		{"a", "2001:db8::1", "a (a-six) 2001:db8::1"},
		{"192.0.2.1", "192.0.2.2", "neither 192.0.2.1 nor 192.0.2.2 is an address of a network interface: no rule decides about them"},
		{"nobody", "b", `no network interface or address is called "nobody"`},
		{"a", "nobody", `no network interface or address is called "nobody"`},
		{"172.31.0.10", "2001:db8::1", "eni-a (a, vpc) and 2001:db8::1 have no addresses of the same family, IPv4 or IPv6"},
	} {
		a, b, err := explain.ResolveEnds(w.Space(), row.from, row.to)
		got := a.String() + " " + b.String()
		if err != nil {
			got = err.Error()
		}
		if got = w.say(got); got != row.want {
			t.Errorf("%s to %s: got %s, want %s", row.from, row.to, got, row.want)
		}
	}
}

func TestDeviceIsTold(t *testing.T) {
	w := newWorld(t)
	w.group("g")
	w.iface("a", "172.31.0.10", "g")
	for _, row := range []struct {
		device *vpc.Device
		want   string
	}{
		{&vpc.Device{Host: "h", Name: "veth0"}, "from 192.0.2.1\ndenied\n"},
		{&vpc.Device{Host: "h", Name: "eth0", Observe: true}, "from 192.0.2.1 (not enforced: eth0 only observes)\ndenied\n"},
	} {
		w.Stage(func(tx *state.Txn) error {
			i := *state.Interfaces.Get(tx, vpc.InterfaceID(w.by["eni-a"]))
			i.Attachment = &vpc.Attachment{ID: "eni-attach-1", Device: row.device}
			state.Interfaces.Put(tx, &i)
			return nil
		})
		if got := w.why("192.0.2.1", "a:1").Text(); !strings.Contains(got, row.want) {
			t.Errorf("%+v: got %s, want %q", row.device, got, row.want)
		}
	}
}

// In mode aws a flow that EC2 does not track gets no ICMP errors, unless a rule
// lets them in.
func TestWhyWarnsOfUntrackedFlows(t *testing.T) {
	w := newWorld(t)
	for i, name := range []string{"aws", "ping", "narrow", "cut"} {
		w.group(name)
		from := "0.0.0.0/0"
		if name == "narrow" {
			from = "192.0.2.0/24"
		}
		w.allow("Ingress", name, "tcp", "443", from)
		w.iface("i-"+name, fmt.Sprintf("172.31.0.%d", 10+i), name)
		if name != "cut" {
			w.Must("CreateTags", "ResourceId.1", w.by[name], "Tag.1.Key", ruleset.OnRevokeTag, "Tag.1.Value", "aws")
		}
	}
	w.Must("AuthorizeSecurityGroupIngress", "GroupId", w.by["ping"], "IpPermissions.1.IpProtocol", "icmp", "IpPermissions.1.FromPort", "3", "IpPermissions.1.ToPort", "4", "IpPermissions.1.IpRanges.1.CidrIp", "0.0.0.0/0")
	for name, warned := range map[string]bool{"aws": true, "ping": false, "narrow": false, "cut": false} {
		a := w.why("192.0.2.1", "i-"+name+":443")
		if !a.Allowed || strings.Contains(a.Note, "ICMP errors for it need a rule") != warned {
			t.Errorf("%s: %v, note %q; warned should be %v", name, a.Allowed, a.Note, warned)
		}
	}
}
