package server_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"moat/dataplane/sim"
	"moat/explain"
	"moat/flow"
	"moat/ruleset"
	"moat/server"
	"moat/state"
	"moat/test/clause"
	"moat/vpc"
)

func exemptions(t *testing.T, words ...string) []ruleset.Exemption {
	t.Helper()
	all, err := ruleset.ParseExemptions(words)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// What an exemption lets pass is a tracked flow, and is counted under the
// exemption's name in status, hits and metrics.
func TestExemptionsAreRules(t *testing.T) {
	clause.Holds(t, "F20")
	var metrics *server.Metrics
	s := newSiteOf(t, ruleset.Options{Exempt: exemptions(t, "aws", "192.0.2.10/53", "192.0.2.9")}, func(c *server.Config) { metrics = c.Metrics })
	eni, group := s.furnish()
	s.ec2("Action=RevokeSecurityGroupEgress&GroupId=" + group + "&IpPermissions.1.IpProtocol=-1&IpPermissions.1.IpRanges.1.CidrIp=0.0.0.0/0")
	s.admin("attach", map[string]string{"interface": eni, "device": "veth0"}, nil)
	own := state.Interfaces.Get(s.store.Latest().In(state.Scope{Region: "us-east-1", Account: account}), vpc.InterfaceID(eni)).Addresses[0]
	port := uint16(20_000)
	for _, row := range []struct {
		remote   string
		egress   flow.Direction
		protocol flow.Protocol
		port     uint16
		want     bool
	}{
		{"169.254.169.254", flow.Egress, flow.TCP, 80, true},
		{"169.254.169.254", flow.Egress, flow.TCP, 443, false},
		{"169.254.169.254", flow.Ingress, flow.TCP, 80, false},
		{"169.254.169.123", flow.Egress, flow.UDP, 123, true},
		{"172.31.0.2", flow.Egress, flow.UDP, 53, true},
		{"172.31.0.2", flow.Ingress, flow.UDP, 53, false},
		{"192.0.2.10", flow.Egress, flow.UDP, 53, true},
		{"192.0.2.10", flow.Egress, flow.UDP, 54, false},
		{"192.0.2.10", flow.Ingress, flow.TCP, 53, false},
		{"192.0.2.9", flow.Egress, flow.TCP, 1, true},
		{"192.0.2.9", flow.Ingress, flow.TCP, 22, true},
		{"192.0.2.8", flow.Ingress, flow.TCP, 22, false},
	} {
		port++
		p := sim.Packet{Direction: row.egress, Local: own, Remote: netip.MustParseAddr(row.remote), Protocol: row.protocol, LocalPort: row.port, RemotePort: port}
		if row.egress == flow.Egress {
			p.LocalPort, p.RemotePort = port, row.port
		}
		if row.protocol == flow.TCP {
			p.TCP = sim.SYN
		}
		if got := s.host.Send("", "veth0", p).Passed; got != row.want {
			t.Errorf("%v: passed %v, want %v", row, got, row.want)
		}
		p.Direction = !p.Direction
		if row.protocol == flow.TCP {
			p.TCP = sim.SYN | sim.ACK
		}
		if got := s.host.Send("", "veth0", p).Passed; got != row.want {
			t.Errorf("the reply to %v: passed %v, want %v", row, got, row.want)
		}
	}
	var st server.Status
	s.admin("status", nil, &st)
	var got []string
	for _, x := range st.Exemptions {
		got = append(got, fmt.Sprintf("%s: %s: %d, both ways %v", x.Option, x.Text, x.Packets, x.BothWays))
	}
	want := []string{
		"--exempt aws: tcp/53 and udp/53 to the VPC's resolver, 169.254.169.253 and fd00:ec2::253: 2, both ways false",
		"--exempt aws: tcp/80 to 169.254.169.254 and fd00:ec2::254: 2, both ways false",
		"--exempt aws: udp/123 to 169.254.169.123 and fd00:ec2::123: 2, both ways false",
		"--exempt 192.0.2.9: all traffic to and from 192.0.2.9: 4, both ways true",
		"--exempt 192.0.2.10/53: tcp/53 and udp/53 to 192.0.2.10: 2, both ways false",
	}
	if !slices.Equal(got, want) {
		t.Errorf("status has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if len(st.Interfaces) != 1 || st.Interfaces[0].Flows != 6 {
		t.Errorf("%+v: want 6 tracked flows", st.Interfaces)
	}
	var hits server.Hits
	s.admin("hits", nil, &hits)
	got = nil
	for _, h := range hits.Rules {
		got = append(got, fmt.Sprintf("%s %s %s: %s: %d of %d", h.Rule, h.Direction, h.Group, h.Text, h.Packets, h.Connections))
	}
	want = []string{
		"exempt:192.0.2.10/53 egress --exempt 192.0.2.10/53: tcp/53 and udp/53 to 192.0.2.10: 2 of 1",
		"exempt:aws:dns egress --exempt aws: tcp/53 and udp/53 to the VPC's resolver, 169.254.169.253 and fd00:ec2::253: 2 of 1",
		"exempt:aws:metadata egress --exempt aws: tcp/80 to 169.254.169.254 and fd00:ec2::254: 2 of 1",
		"exempt:aws:time egress --exempt aws: udp/123 to 169.254.169.123 and fd00:ec2::123: 2 of 1",
		"exempt:in:192.0.2.9 ingress --exempt 192.0.2.9: all traffic from 192.0.2.9: 2 of 1",
		"exempt:out:192.0.2.9 egress --exempt 192.0.2.9: all traffic to 192.0.2.9: 2 of 1",
	}
	if !slices.Equal(got, want) {
		t.Errorf("hits are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	text := scrape(t, metrics)
	for _, want := range []string{`moat_exempt_packets_total{exemption="aws:dns"} 2`, `moat_exempt_packets_total{exemption="192.0.2.9"} 4`, `moat_rule_packets_total{rule="exempt:aws:metadata"} 2`} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("the metrics lack %s", want)
		}
	}
}

// A server that enforces nothing itself explains by the options that it was
// started with, and not by others.
func TestWhyGoesByTheConfiguredExemptions(t *testing.T) {
	for _, row := range []struct {
		exempt, to string
		want       bool
	}{
		{"none", "169.254.169.254:80", false}, {"none", "172.31.0.2:53/udp", false},
		{"aws", "169.254.169.254:80", true}, {"aws", "172.31.0.2:53/udp", true}, {"aws", "192.0.2.9:80", false},
		{"192.0.2.9", "192.0.2.9:80", true}, {"192.0.2.9", "169.254.169.254:80", false},
	} {
		t.Run(row.exempt+" "+row.to, func(t *testing.T) {
			ts, st := newAPI(t, func(c *server.Config) { c.Enforcement.Options.Exempt = exemptions(t, row.exempt) })
			s := &site{T: t, url: ts.URL, store: st}
			eni, group := s.furnish()
			s.ec2("Action=RevokeSecurityGroupEgress&GroupId=" + group + "&IpPermissions.1.IpProtocol=-1&IpPermissions.1.IpRanges.1.CidrIp=0.0.0.0/0")
			var why server.Why
			if status, code, m := s.admin("why?"+server.WhyQuery(eni, row.to), nil, &why); status != 200 {
				t.Fatalf("%d %s: %s", status, code, m)
			}
			if named := strings.Contains(why.Text, "of --exempt "+row.exempt+":"); why.Allowed != row.want || named != row.want {
				t.Errorf("allowed %v, want %v:\n%s", why.Allowed, row.want, why.Text)
			}
		})
	}
}

func scrape(t *testing.T, m *server.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	return w.Body.String()
}

// After an upgrade, status and log list the interfaces that lost a service, until
// a rule lets them open it. They list none where that is not asked for.
func TestUpgradeListsWhoLostAService(t *testing.T) {
	for _, list := range []bool{true, false} {
		var log bytes.Buffer
		s := newSiteOf(t, ruleset.Options{}, func(c *server.Config) {
			c.Enforcement.ListLost = list
			c.Logger = slog.New(slog.NewTextHandler(&log, nil))
		})
		eni, group := s.furnish()
		const all = "&IpPermissions.1.IpProtocol=-1&IpPermissions.1.IpRanges.1.CidrIp=0.0.0.0/0"
		lost := func() []explain.Lost {
			var st server.Status
			s.admin("status", nil, &st)
			return st.LostExemptions
		}
		s.ec2("Action=RevokeSecurityGroupEgress&GroupId=" + group + all)
		if got := lost(); got != nil {
			t.Errorf("what is not bound: %+v", got)
		}
		s.admin("attach", map[string]string{"interface": eni, "device": "veth0"}, nil)
		got := lost()
		if list && (len(got) != 1 || string(got[0].Interface) != eni || len(got[0].Services) != 3 ||
			got[0].Commands[0] != "aws ec2 authorize-security-group-egress --group-id "+group+" --protocol tcp --port 53 --cidr 172.31.0.2/32") || !list && got != nil {
			t.Errorf("listed %v: %+v", list, got)
		}
		api := server.New(s.store, server.Config{Logger: slog.New(slog.NewTextHandler(&log, nil)), Enforcement: server.Enforcement{Host: testHost, ListLost: list}})
		api.WarnOfLostExemptions()
		if told := strings.Contains(log.String(), "interface="+eni) && strings.Contains(log.String(), "dns (tcp/53 and udp/53 to 172.31.0.2, 169.254.169.253)") &&
			strings.Contains(log.String(), "--exempt aws") && strings.Contains(log.String(), "--exempt none"); told != list {
			t.Errorf("listed %v: the log says %q", list, log.String())
		}
		s.ec2("Action=AuthorizeSecurityGroupEgress&GroupId=" + group + all)
		if got := lost(); got != nil {
			t.Errorf("with a rule for everything: %+v", got)
		}
	}
}
