package server_test

import (
	"net/url"
	"strings"
	"testing"

	"moat/server"
)

func TestWhyAnswersWithTheHostsEyes(t *testing.T) {
	s := newSite(t, nil)
	eni, group := s.furnish()
	ask := func(from, to string) *server.Why {
		t.Helper()
		var why server.Why
		if status, code, m := s.admin("why?"+server.WhyQuery(from, to), nil, &why); status != 200 {
			t.Fatalf("why %s %s: %d %s: %s", from, to, status, code, m)
		}
		return &why
	}

	why := ask("192.0.2.7", eni+":80")
	if why.Allowed || len(why.Gates) != 1 || why.Gates[0].Unenforced != "bound to no device" || why.EnforcedAfter != nil {
		t.Errorf("before it is bound: %+v", why)
	}
	s.admin("attach", map[string]string{"interface": eni, "device": "veth0"}, nil)
	why = ask("192.0.2.7", eni+":80")
	if why.Allowed || why.Gates[0].Unenforced != "" || why.EnforcedAfter != nil || !strings.Contains(why.Text, "--cidr 192.0.2.7/32") {
		t.Errorf("bound, and shut: %+v", why)
	}

	// The way from the call to its enforcement is told of the newest call, if
	// it is about a group that decides here.
	s.ec2("Action=AuthorizeSecurityGroupIngress&GroupId=" + group + "&IpPermissions.1.IpProtocol=tcp&IpPermissions.1.FromPort=80&IpPermissions.1.ToPort=80&IpPermissions.1.IpRanges.1.CidrIp=192.0.2.7/32")
	why = ask("192.0.2.7", "web:80") // the group's only interface
	if !why.Allowed || why.EnforcedAfter == nil || *why.EnforcedAfter <= 0 || why.Rev != s.store.Latest().Rev {
		t.Errorf("opened: %+v", why)
	}
	if ask("192.0.2.8", "web:80").Allowed || ask("192.0.2.7", "web:81").Allowed || ask("192.0.2.7", "web:80/udp").Allowed {
		t.Error("more was opened than was asked for")
	}
	s.ec2("Action=CreateSecurityGroup&GroupName=other&GroupDescription=d")
	if why = ask("192.0.2.7", "web:80"); !why.Allowed || why.EnforcedAfter != nil {
		t.Errorf("after a call about something else: %+v", why)
	}

	s.admin("detach", map[string]string{"interface": eni}, nil)
	s.admin("attach", map[string]string{"interface": eni, "device": "veth0", "side": "workload"}, nil)
	if why = ask("192.0.2.7", "web:80"); !why.Allowed || why.Gates[0].Unenforced != "veth0 only observes" {
		t.Errorf("observed: %+v", why)
	}

	for _, row := range []struct{ from, to, code, message string }{
		{"", "web:80", "MissingParameter", "from"},
		{"192.0.2.7", "", "MissingParameter", "to"},
		{"192.0.2.7", "web", "InvalidParameterValue", "has no port"},
		{"192.0.2.7", "wob:80", "InvalidParameterValue", `called "wob"`},
		{"192.0.2.7", "192.0.2.8:80", "InvalidParameterValue", "no rule decides"},
	} {
		status, code, message := s.admin("why?"+url.Values{"from": {row.from}, "to": {row.to}}.Encode(), nil, nil)
		if status != 400 || code != row.code || !strings.Contains(message, row.message) {
			t.Errorf("why %q %q: %d %s: %s, want %s: …%s…", row.from, row.to, status, code, message, row.code, row.message)
		}
	}
}
