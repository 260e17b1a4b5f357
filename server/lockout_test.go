package server_test

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"moat/agent"
	"moat/server"
)

// A nic is the host's own device, which observes, and what is open through it.
type nic struct {
	*site
	eni, group string
	own        netip.Addr
	open       []agent.Session
	listening  []netip.AddrPort
}

func newNIC(t *testing.T, change func(*server.Config)) *nic {
	n := &nic{}
	n.site = newSite(t, func(c *server.Config) {
		c.Enforcement.Sessions = func() ([]agent.Session, []netip.AddrPort, error) { return n.open, n.listening, nil }
		if change != nil {
			change(c)
		}
	})
	n.eni, n.group = n.furnish()
	body, _ := n.ec2("Action=DescribeNetworkInterfaces&NetworkInterfaceId.1=" + n.eni)
	n.own = netip.MustParseAddr(one(body, "privateIpAddress"))
	n.admin("attach", map[string]string{"interface": n.eni, "device": "veth0", "side": "workload"}, nil)
	return n
}

func (n *nic) rule(action, direction, port, cidr string) string {
	return "Action=" + action + "SecurityGroup" + direction + "&GroupId=" + n.group + "&IpPermissions.1.IpProtocol=tcp&IpPermissions.1.FromPort=" + port + "&IpPermissions.1.ToPort=" + port + "&IpPermissions.1.IpRanges.1.CidrIp=" + cidr
}

// refused gives the message of a call that would lock out, "" of one that is
// carried out.
func (n *nic) refused(form string) string {
	n.Helper()
	resp := signed().post(n.T, n.url, form+"&Version=2016-11-15")
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	if resp.StatusCode == 200 {
		return ""
	}
	if code := one(string(b), "Code"); code != "OperationNotPermitted" {
		n.Errorf("%s: %s", form, b)
	}
	return strings.ReplaceAll(one(string(b), "Message"), "&amp;", "&")
}

func (n *nic) enforce(in map[string]any) (code, message string) {
	n.Helper()
	in["device"] = "veth0"
	_, code, message = n.admin("enforce", in, nil)
	return code, message
}

func TestLockoutKnowsWhatMatters(t *testing.T) {
	n := newNIC(t, nil)
	peer := netip.MustParseAddrPort("198.51.100.7:51000")
	etcd := netip.MustParseAddrPort("198.51.100.9:2379")
	n.open = []agent.Session{
		{Local: netip.AddrPortFrom(n.own, 2222), Remote: peer, Owner: agent.OwnerSSH},
		{Local: netip.AddrPortFrom(n.own, 5432), Remote: peer},
		{Local: netip.AddrPortFrom(n.own, 40000), Remote: etcd, Owner: agent.OwnerSelf, Out: true},
		{Local: netip.AddrPortFrom(n.own, 40001), Remote: netip.MustParseAddrPort("198.51.100.9:443"), Out: true},
	}
	n.listening = []netip.AddrPort{netip.MustParseAddrPort("[::]:4599"), netip.MustParseAddrPort("127.0.0.1:9464")}
	for _, r := range []string{"2222", "5432", "4599"} {
		n.ec2(n.rule("Authorize", "Ingress", r, "0.0.0.0/0"))
	}
	for _, r := range []string{"2379", "443"} {
		n.ec2(n.rule("Authorize", "Egress", r, "198.51.100.9/32"))
	}
	n.ec2("Action=RevokeSecurityGroupEgress&GroupId=" + n.group + "&IpPermissions.1.IpProtocol=-1&IpPermissions.1.IpRanges.1.CidrIp=0.0.0.0/0")
	if code, m := n.enforce(map[string]any{}); code != "" {
		t.Fatalf("enforcing where nothing is cut: %s", m)
	}
	for _, row := range []struct {
		what, form string
		says       []string // none: it is carried out
	}{
		{"SSH on a port of its own", n.rule("Revoke", "Ingress", "2222", "0.0.0.0/0"), []string{
			"198.51.100.7:51000 to port 2222 (SSH)", "Keep them with: aws ec2 authorize-security-group-ingress --group-id " + n.group + " --protocol tcp --port 2222 --cidr 198.51.100.7/32 ;"}},
		{"nobody's way in", n.rule("Revoke", "Ingress", "5432", "0.0.0.0/0"), nil},
		{"the server's way to etcd", n.rule("Revoke", "Egress", "2379", "198.51.100.9/32"), []string{
			"from here to 198.51.100.9:2379 (of the server)", "aws ec2 authorize-security-group-egress --group-id " + n.group + " --protocol tcp --port 2379 --cidr 198.51.100.9/32 ;"}},
		{"another's way out", n.rule("Revoke", "Egress", "443", "198.51.100.9/32"), nil},
		{"the API's port", n.rule("Revoke", "Ingress", "4599", "0.0.0.0/0"), []string{"would close port 4599 of the server to everybody", "--port 4599 --cidr 0.0.0.0/0 ;"}},
	} {
		m := n.refused(row.form)
		if (m == "") != (row.says == nil) {
			t.Errorf("%s: %q", row.what, m)
		}
		for _, s := range row.says {
			if !strings.Contains(m, s) {
				t.Errorf("%s: the refusal does not say %q: %s", row.what, s, m)
			}
		}
	}
	// The command that is named keeps the session.
	n.ec2(n.rule("Authorize", "Ingress", "2222", "198.51.100.7/32"))
	if m := n.refused(n.rule("Revoke", "Ingress", "2222", "0.0.0.0/0")); m != "" {
		t.Errorf("kept, and refused: %s", m)
	}
}

// A trial is confirmed over what was opened after it began.
func TestConfirmOverANewConnection(t *testing.T) {
	n := newNIC(t, nil)
	login := func(port uint16) (agent.Session, string) {
		s := agent.Session{Local: netip.AddrPortFrom(n.own, 22), Remote: netip.AddrPortFrom(netip.MustParseAddr("198.51.100.7"), port), Owner: agent.OwnerSSH}
		return s, fmt.Sprintf("198.51.100.7 %d %s 22", port, n.own)
	}
	old, oldText := login(50_000)
	n.open = []agent.Session{old}
	if code, m := n.enforce(map[string]any{"trial_seconds": 60}); code != "" {
		t.Fatal(m)
	}
	// The connection of the trial's own call is kept alive and used again.
	if code, m := n.enforce(map[string]any{}); code != "OperationNotPermitted" || !strings.Contains(m, "confirm over a new one") {
		t.Errorf("over the old connection: %s: %s", code, m)
	}
	http.DefaultClient.CloseIdleConnections()
	fresh, freshText := login(50_001)
	n.open = append(n.open, fresh)
	if code, m := n.enforce(map[string]any{"login": oldText}); code != "OperationNotPermitted" || !strings.Contains(m, "log in anew") {
		t.Errorf("from the old login: %s: %s", code, m)
	}
	http.DefaultClient.CloseIdleConnections()
	var st server.Status
	if n.admin("status", nil, &st); len(st.Interfaces) != 1 || st.Interfaces[0].Mode != "trial" {
		t.Errorf("refused, it is %+v, want on trial", st.Interfaces)
	}
	if code, m := n.enforce(map[string]any{"login": freshText}); code != "" {
		t.Errorf("from a new login: %s: %s", code, m)
	}
	if n.admin("status", nil, &st); len(st.Interfaces) != 1 || st.Interfaces[0].Mode != "enforce" {
		t.Errorf("confirmed, it is %+v", st.Interfaces)
	}
}
