package server_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"moat/agent"
	"moat/server"
	"moat/test/clause"
)

// A nic is the host's own device, which observes, and what is open through it.
type nic struct {
	*site
	eni, group string
	own        netip.Addr
	open       []agent.Session
	listening  []netip.AddrPort
	network    *agent.Network
	blind      error // why sessions cannot be read
	bound      server.Bound
}

func newNIC(t *testing.T, change func(*server.Config)) *nic {
	n := &nic{network: &agent.Network{Devices: []agent.NetworkDevice{{Name: "lo", Index: 1, Inner: true}, {Name: "veth0", Index: 2, DefaultRoute: true}}}}
	n.site = newSite(t, func(c *server.Config) {
		c.Enforcement.Sessions = func() ([]agent.Session, []netip.AddrPort, error) { return n.open, n.listening, n.blind }
		c.Enforcement.Network = func(string) (*agent.Network, error) { return n.network, nil }
		if change != nil {
			change(c)
		}
	})
	n.eni, n.group = n.furnish()
	body, _ := n.ec2("Action=DescribeNetworkInterfaces&NetworkInterfaceId.1=" + n.eni)
	n.own = netip.MustParseAddr(one(body, "privateIpAddress"))
	n.network.Devices[1].Addresses = []netip.Addr{n.own}
	n.admin("attach", map[string]string{"interface": n.eni, "device": "veth0", "side": "workload"}, &n.bound)
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
	clause.Holds(t, "F95")
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
	clause.Holds(t, "F92")
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

// ssh is an open session of SSH to an address of the machine.
func ssh(local string) agent.Session {
	to := netip.MustParseAddr(local)
	from := "198.51.100.7:51000"
	if to.Is6() {
		from = "[2001:db8:7::7]:51000"
	}
	return agent.Session{Local: netip.AddrPortFrom(to, 22), Remote: netip.MustParseAddrPort(from), Owner: agent.OwnerSSH}
}

// Of the addresses of the machine's device the interface has one. Sessions to
// the others would be cut, and count.
func TestLockoutCountsEveryAddress(t *testing.T) {
	clause.Holds(t, "F96")
	n := newNIC(t, nil)
	second, six := "192.0.2.5", "2001:db8::5"
	n.network.Devices[1].Addresses = append(n.network.Devices[1].Addresses, netip.MustParseAddr(second), netip.MustParseAddr(six), netip.MustParseAddr("fe80::5"))
	n.network.Devices = append(n.network.Devices, agent.NetworkDevice{Name: "veth1", Index: 3, Addresses: []netip.Addr{netip.MustParseAddr("203.0.113.5")}})
	n.ec2(n.rule("Authorize", "Ingress", "22", "0.0.0.0/0"))
	any6 := "&GroupId=" + n.group + "&IpPermissions.1.IpProtocol=tcp&IpPermissions.1.FromPort=22&IpPermissions.1.ToPort=22&IpPermissions.1.Ipv6Ranges.1.CidrIpv6=::/0"
	n.ec2("Action=AuthorizeSecurityGroupIngress" + any6)
	for _, local := range []string{second, six} {
		n.open = []agent.Session{ssh(n.own.String()), ssh(local)}
		code, m := n.enforce(map[string]any{})
		if code != "OperationNotPermitted" || !strings.Contains(m, n.open[1].Remote.String()+" to port 22 (SSH)") || !strings.Contains(m, "lacks "+local+", so its packets are dropped as spoofed") || strings.Contains(m, "Keep them with") {
			t.Errorf("a session to %s, which the interface lacks: %s: %s", local, code, m)
		}
	}
	n.open = []agent.Session{ssh(n.own.String()), ssh("fe80::5"), ssh("203.0.113.5")} // of another device
	var out server.Bound
	if _, code, m := n.admin("enforce", map[string]any{"device": "veth0"}, &out); code != "" {
		t.Fatalf("of which nothing is cut: %s", m)
	}
	if fmt.Sprint(out.Lacks) != "[192.0.2.5 2001:db8::5]" {
		t.Errorf("enforced, the interface lacks %v", out.Lacks)
	}
	if m := n.refused("Action=RevokeSecurityGroupIngress" + any6); !strings.Contains(m, "[2001:db8:7::7]:51000 to port 22 (SSH)") {
		t.Errorf("a rule by which a session to the link-local address lives is revoked: %q", m)
	}
	// With the check off the rules alone decide, of all addresses.
	check := func(on string) string {
		return "Action=ModifyNetworkInterfaceAttribute&NetworkInterfaceId=" + n.eni + "&SourceDestCheck.Value=" + on
	}
	n.ec2(check("false"))
	n.open = []agent.Session{ssh(second)}
	for what, form := range map[string]string{
		"revoking the rule":    n.rule("Revoke", "Ingress", "22", "0.0.0.0/0"),
		"switching the check":  check("true"),
		"taking the group off": "Action=ModifyNetworkInterfaceAttribute&NetworkInterfaceId=" + n.eni + "&SecurityGroupId.1=" + n.other(),
	} {
		if m := n.refused(form); !strings.Contains(m, "198.51.100.7:51000 to port 22 (SSH)") {
			t.Errorf("%s under a session to an address that the interface lacks: %q", what, m)
		}
	}
	n.open = []agent.Session{ssh(n.own.String())}
	if m := n.refused(check("true")); m != "" {
		t.Errorf("switching the check under a session that it does not concern: %s", m)
	}
}

// other makes a group without inbound rules.
func (n *nic) other() string {
	body, _ := n.ec2("Action=DescribeNetworkInterfaces&NetworkInterfaceId.1=" + n.eni)
	body, _ = n.ec2("Action=CreateSecurityGroup&GroupName=other&GroupDescription=d&VpcId=" + one(body, "vpcId"))
	return one(body, "groupId")
}

// If sessions cannot be read, what takes access away is refused, and nothing
// else is.
func TestLockoutRefusesBlind(t *testing.T) {
	clause.Holds(t, "F97")
	n := newNIC(t, nil)
	n.ec2(n.rule("Authorize", "Ingress", "22", "0.0.0.0/0"))
	n.blind = errors.New("permission denied")
	if code, m := n.enforce(map[string]any{}); code != "OperationNotPermitted" || !strings.Contains(m, "is not known: open sessions cannot be read: permission denied") {
		t.Errorf("enforcing: %s: %s", code, m)
	}
	if code, m := n.enforce(map[string]any{"trial_seconds": 60}); code != "" {
		t.Fatalf("enforcing on trial: %s", m)
	}
	http.DefaultClient.CloseIdleConnections()
	if code, m := n.enforce(map[string]any{"login": "198.51.100.7 50000 " + n.own.String() + " 22"}); code != "OperationNotPermitted" || !strings.Contains(m, "is not known") {
		t.Errorf("confirming from a login of which it is not known how old it is: %s: %s", code, m)
	}
	if m := n.refused(n.rule("Revoke", "Ingress", "22", "0.0.0.0/0")); !strings.Contains(m, "is not known: open sessions cannot be read") {
		t.Errorf("revoking a rule: %q", m)
	}
	if m := n.refused(n.rule("Authorize", "Ingress", "80", "0.0.0.0/0")); m != "" {
		t.Errorf("adding a rule: %s", m)
	}
	n.other() // which concerns no device
	if code, m := n.enforce(map[string]any{"force": true}); code != "" {
		t.Errorf("enforcing by force: %s", m)
	}
	n.blind = nil
	if m := n.refused(n.rule("Revoke", "Ingress", "80", "0.0.0.0/0")); m != "" {
		t.Errorf("revoking a rule while sessions can be read: %s", m)
	}
}

// How a binding begins depends on what the machine uses the device for, whatever
// the side.
func TestAttachKnowsTheMachinesDevices(t *testing.T) {
	clause.Holds(t, "F88", "F89", "F90")
	addrs := func(all ...string) (out []netip.Addr) {
		for _, a := range all {
			out = append(out, netip.MustParseAddr(a))
		}
		return out
	}
	gate := agent.NetworkDevice{Name: "veth0", Index: 2, WorkloadLink: true, Addresses: addrs("10.0.0.1", "fe80::1")}
	for _, row := range []struct {
		what   string
		device agent.NetworkDevice
		more   []agent.NetworkDevice
		side   string
		open   agent.Session
		login  string
		own    string // none: it is enforced
	}{
		{what: "a link to a workload with a gateway's address", device: gate},
		{what: "that on the workload's side", device: gate, side: "workload", own: "[10.0.0.1]"},
		{what: "that by which the caller is logged in", device: gate, login: "10.0.0.2 50000 10.0.0.1 22", own: "[10.0.0.2:50000 to port 22 (your login)]"},
		{what: "that by which somebody is logged in", device: gate, open: agent.Session{Local: netip.MustParseAddrPort("10.0.0.1:22"), Remote: netip.MustParseAddrPort("10.0.0.2:50000"), Owner: agent.OwnerSSH}},
		{what: "a device with an address", device: agent.NetworkDevice{Name: "veth0", Index: 2, Addresses: addrs("192.0.2.5")}, own: "[192.0.2.5]"},
		{what: "a device with IPv6 alone", device: agent.NetworkDevice{Name: "veth0", Index: 2, Addresses: addrs("2001:db8::5")}, own: "[2001:db8::5]"},
		{what: "a device without an address", device: agent.NetworkDevice{Name: "veth0", Index: 2, Addresses: addrs("fe80::5")}},
		{what: "a default route", device: agent.NetworkDevice{Name: "veth0", Index: 2, DefaultRoute: true}, own: "default"},
		{what: "a port of a bridge with an address", device: agent.NetworkDevice{Name: "veth0", Index: 2, Above: []int{3}},
			more: []agent.NetworkDevice{{Name: "br0", Index: 3, Bridge: true, Addresses: addrs("192.0.2.5")}}, own: "[192.0.2.5]"},
		{what: "a workload's port of a bridge with an address", device: agent.NetworkDevice{Name: "veth0", Index: 2, Above: []int{3}, WorkloadLink: true},
			more: []agent.NetworkDevice{{Name: "br0", Index: 3, Bridge: true, Addresses: addrs("192.0.2.5")}}},
		{what: "a device with a VLAN", device: agent.NetworkDevice{Name: "veth0", Index: 2, Above: []int{3}},
			more: []agent.NetworkDevice{{Name: "veth0.5", Index: 3, VLAN: true, Addresses: addrs("192.0.2.5")}}, own: "[veth0.5]"},
		{what: "a device by which a session to an address of lo leaves", device: agent.NetworkDevice{Name: "veth0", Index: 2},
			open: agent.Session{Local: netip.MustParseAddrPort("203.0.113.5:22"), Remote: netip.MustParseAddrPort("203.0.113.9:50000"), Owner: agent.OwnerSSH}, own: "[203.0.113.9:50000 to port 22 (SSH)]"},
	} {
		t.Run(row.what, func(t *testing.T) {
			network := &agent.Network{Devices: append(row.more, row.device)}
			network.Routes = func(_, remote netip.Addr) ([]agent.Hop, error) {
				return []agent.Hop{{Index: 2, Neighbour: remote}}, nil
			}
			s := newSite(t, func(c *server.Config) {
				c.Enforcement.Sessions = func() ([]agent.Session, []netip.AddrPort, error) { return []agent.Session{row.open}, nil, nil }
				c.Enforcement.Network = func(string) (*agent.Network, error) { return network, nil }
			})
			eni, _ := s.furnish()
			var out server.Bound
			if _, _, m := s.admin("attach", map[string]string{"interface": eni, "device": "veth0", "side": row.side, "login": row.login}, &out); m != "" {
				t.Fatal(m)
			}
			own := ""
			if o := out.Own; o != nil && o.DefaultRoute {
				own = "default"
			} else if o != nil {
				own = strings.ReplaceAll(fmt.Sprint(o.Addresses)+fmt.Sprint(o.VLANs)+fmt.Sprint(o.Sessions), "[]", "")
			}
			if own != row.own || out.Observe != (row.own != "") {
				t.Errorf("it is the machine's by %q, want %q; it observes: %v", own, row.own, out.Observe)
			}
		})
	}
	s := newSite(t, func(c *server.Config) {
		c.Enforcement.Network = func(string) (*agent.Network, error) { return nil, errors.New("no netlink") }
	})
	eni, _ := s.furnish()
	if _, code, m := s.admin("attach", map[string]string{"interface": eni, "device": "veth0"}, nil); code != "IncorrectState" || !strings.Contains(m, "is not known: no netlink") {
		t.Errorf("attaching blind: %s: %s", code, m)
	}
}

// On the host's side of the machine's own device the interface is what is behind
// it, so that what this machine says there is never its own.
func TestLockoutOnTheHostsSide(t *testing.T) {
	n := newNIC(t, nil)
	n.admin("detach", map[string]string{"device": "veth0"}, nil)
	n.admin("attach", map[string]string{"interface": n.eni, "device": "veth0"}, &n.bound)
	if !n.bound.Observe || n.bound.Lacks != nil {
		t.Errorf("the uplink on the host's side begins with %+v", n.bound)
	}
	n.open = []agent.Session{ssh(n.own.String())}
	if code, m := n.enforce(map[string]any{}); code != "OperationNotPermitted" || !strings.Contains(m, "attach the device with --side workload") {
		t.Errorf("enforcing: %s: %s", code, m)
	}
	// A workload is logged in here by the gateway's address of its link.
	d := &n.network.Devices[1]
	d.Addresses, d.DefaultRoute, d.WorkloadLink = []netip.Addr{netip.MustParseAddr("10.0.0.1")}, false, true
	n.open = []agent.Session{{Local: netip.MustParseAddrPort("10.0.0.1:22"), Remote: netip.AddrPortFrom(n.own, 50_000), Owner: agent.OwnerSSH}}
	if code, m := n.enforce(map[string]any{}); code != "" {
		t.Errorf("enforcing a workload's link: %s: %s", code, m)
	}
	if m := n.refused("Action=RevokeSecurityGroupEgress&GroupId=" + n.group + "&IpPermissions.1.IpProtocol=-1&IpPermissions.1.IpRanges.1.CidrIp=0.0.0.0/0"); m != "" {
		t.Errorf("a workload prevents that access is taken from it: %s", m)
	}
}

// A dual-stack host's addresses go on the interface in one revision, or none
// does and the refusal says why.
func TestAdoptAddresses(t *testing.T) {
	clause.Holds(t, "F94")
	n := newNIC(t, nil)
	n.admin("detach", map[string]string{"device": "veth0"}, nil)
	second := n.own.Next()
	set := func(all ...string) {
		n.network.Devices[1].Addresses = []netip.Addr{n.own, second, netip.MustParseAddr("fe80::5")}
		for _, a := range all {
			n.network.Devices[1].Addresses = append(n.network.Devices[1].Addresses, netip.MustParseAddr(a))
		}
	}
	attach := func(out *server.Bound, side string) (code, message string) {
		_, code, message = n.admin("attach", map[string]any{"interface": n.eni, "device": "veth0", "side": side, "adopt_addresses": true}, out)
		return code, message
	}
	set("2001:db8::5", "fd00:7::5")
	before := n.store.Latest().Rev
	if code, m := attach(nil, "workload"); code != "InvalidParameterValue" || !strings.Contains(m, "fd00:7::5 is not in 2001:db8::/64, and a subnet has one IPv6 block") || !strings.Contains(m, "--no-source-dest-check") {
		t.Errorf("of two IPv6 networks: %s: %s", code, m)
	}
	set("192.0.2.1")
	if code, m := attach(nil, "workload"); code != "InvalidParameterValue" || !strings.Contains(m, "192.0.2.1 is not in 172.31.") {
		t.Errorf("of another IPv4 network: %s: %s", code, m)
	}
	n.network.Devices[1].Addresses = []netip.Addr{netip.MustParseAddr("192.0.2.1")}
	if code, m := attach(nil, "workload"); !strings.Contains(m, "create-subnet --vpc-id VPC --cidr-block 192.0.0.0/22; aws ec2 create-network-interface --subnet-id SUBNET --private-ip-address 192.0.2.1.") {
		t.Errorf("of another IPv4 network alone: %s: %s", code, m)
	}
	if code, _ := attach(nil, "host"); code != "InvalidParameterCombination" {
		t.Errorf("on the host's side: %s", code)
	}
	if rev := n.store.Latest().Rev; rev != before {
		t.Errorf("refused calls made revisions %d to %d", before, rev)
	}
	set("2001:db8::1")
	var out server.Bound
	if _, m := attach(&out, "workload"); m != "" {
		t.Fatal(m)
	}
	if want := fmt.Sprintf("[%s 2001:db8::1]", second); fmt.Sprint(out.Adopted) != want || out.Lacks != nil || out.Revision != before+1 {
		t.Errorf("adopted %v, want %s; it lacks %v; in revision %d after %d", out.Adopted, want, out.Lacks, out.Revision, before)
	}
	body, _ := n.ec2("Action=DescribeNetworkInterfaces&NetworkInterfaceId.1=" + n.eni)
	if !strings.Contains(body, "<ipv6Address>2001:db8::1</ipv6Address>") || !strings.Contains(body, second.String()) || !strings.Contains(body, "<status>attached</status>") {
		t.Errorf("described as %s", body)
	}
	// The next host of the subnet finds the blocks.
	n.host.AddDevice("", "veth1")
	n.network.Devices[1].Name = "veth1"
	set("2001:db8::2")
	n.network.Devices[1].Addresses = n.network.Devices[1].Addresses[3:]
	body, _ = n.ec2("Action=CreateNetworkInterface&SubnetId=" + one(body, "subnetId"))
	if _, _, m := n.admin("attach", map[string]any{"interface": one(body, "networkInterfaceId"), "device": "veth1", "side": "workload", "adopt_addresses": true}, &out); m != "" || fmt.Sprint(out.Adopted) != "[2001:db8::2]" {
		t.Errorf("the second host adopts %v: %s", out.Adopted, m)
	}
}
