package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"moat/agent"
	"moat/dataplane/sim"
	"moat/flow"
	"moat/ruleset"
	"moat/server"
	"moat/sigv4"
	"moat/state"
	"moat/store"
	"moat/test/clause"
	"moat/vpc"
)

const testHost = "6f9619ff-8b86-4d01-b42d-00c04fc964ff"

// A site is a server that enforces on a simulated host.
type site struct {
	*testing.T
	url   string
	host  *sim.Host
	plane *sim.Plane
	store *store.Store
	port  uint16
}

func newSite(t *testing.T, change func(*server.Config)) *site {
	t.Helper()
	return newSiteOf(t, ruleset.Options{}, change)
}

// newSiteOf is newSite with what the operator of the host sets.
func newSiteOf(t *testing.T, o ruleset.Options, change func(*server.Config)) *site {
	t.Helper()
	return newSiteIn(t, store.NewMemory(), o, change)
}

// newSiteOn is newSite on a log of the caller's.
func newSiteOn(t *testing.T, log store.Log, change func(*server.Config)) *site {
	t.Helper()
	return newSiteIn(t, log, ruleset.Options{}, change)
}

func newSiteIn(t *testing.T, log store.Log, o ruleset.Options, change func(*server.Config)) *site {
	t.Helper()
	s := &site{T: t, host: sim.NewHost(nil)}
	s.host.AddDevice("", "veth0")
	s.plane = s.host.Open(testHost)
	var ts *httptest.Server
	ts, s.store = newAPIOf(t, log, func(c *server.Config, st *store.Store) {
		a := agent.New(agent.Config{Source: st, Plane: s.plane, Host: testHost, Options: o})
		c.Enforcement = server.Enforcement{Agent: a, Host: testHost, Hostname: "box", Kind: "sim", Wait: true, Timeout: 5 * time.Second}
		c.Metrics = server.NewMetrics()
		c.Metrics.Enforcement(a)
		if change != nil {
			change(c)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { defer close(done); a.Run(ctx) }()
		t.Cleanup(func() { cancel(); <-done })
	})
	s.url = ts.URL
	return s
}

// ec2 calls an action, which must succeed, and gives the reply.
func (s *site) ec2(form string) (body string, h http.Header) {
	s.Helper()
	resp := signed().post(s.T, s.url, form+"&Version=2016-11-15")
	b, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != 200 {
		s.Fatalf("%s: %d %s", form, resp.StatusCode, b)
	}
	return string(b), resp.Header
}

func one(body, element string) string {
	if m := regexp.MustCompile("<" + element + ">([^<]*)</" + element + ">").FindStringSubmatch(body); m != nil {
		return m[1]
	}
	return ""
}

// admin calls moat's own API; in is nil for a GET.
func (s *site) admin(call string, in any, out any) (status int, code, message string) {
	s.Helper()
	method, body := "GET", ""
	if in != nil {
		b, _ := json.Marshal(in)
		method, body = "POST", string(b)
	}
	r, _ := http.NewRequest(method, s.url+server.AdminPath+call, strings.NewReader(body))
	sigv4.Sign(r, []byte(body), sigv4.Credential{AccessKeyID: testKey, Region: "us-east-1", Service: server.ServiceMoat}, testSecret, "", time.Now())
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	var f struct{ Code, Message string }
	if resp.StatusCode != 200 {
		if err := json.Unmarshal(b, &f); err != nil || f.Code == "" {
			s.Errorf("%s: a refusal that is no JSON: %s", call, b)
		}
	} else if out != nil {
		if err := json.Unmarshal(b, out); err != nil {
			s.Fatalf("%s: %v in %s", call, err, b)
		}
	}
	return resp.StatusCode, f.Code, f.Message
}

// furnish makes an interface in the default VPC with a group of its own.
func (s *site) furnish() (eni, group string) {
	s.Helper()
	body, _ := s.ec2("Action=DescribeSubnets")
	subnet, vpcID := one(body, "subnetId"), one(body, "vpcId")
	body, _ = s.ec2("Action=CreateSecurityGroup&GroupName=web&GroupDescription=d&VpcId=" + vpcID)
	group = one(body, "groupId")
	body, h := s.ec2("Action=CreateNetworkInterface&SubnetId=" + subnet + "&SecurityGroupId.1=" + group + "&PrivateIpAddress=" + "")
	if h.Get("X-Moat-Enforced") != "yes" {
		s.Errorf("with nothing bound: x-moat-enforced %q", h.Get("X-Moat-Enforced"))
	}
	return one(body, "networkInterfaceId"), group
}

func (s *site) passes(eni string, port uint16) bool {
	s.Helper()
	i := state.Interfaces.Get(s.store.Latest().In(state.Scope{Region: "us-east-1", Account: account}), vpc.InterfaceID(eni))
	s.port++
	return s.host.Send("", "veth0", sim.Packet{Local: i.Addresses[0], Remote: netip.MustParseAddr("192.0.2.7"), Protocol: flow.TCP,
		LocalPort: port, RemotePort: 20_000 + s.port, TCP: sim.SYN}).Passed
}

func TestAttachEnforcesWhenItReturns(t *testing.T) {
	clause.Holds(t, "F2", "F3")
	s := newSite(t, nil)
	eni, group := s.furnish()
	rule := "&IpPermissions.1.IpProtocol=tcp&IpPermissions.1.FromPort=80&IpPermissions.1.ToPort=80&IpPermissions.1.IpRanges.1.CidrIp=0.0.0.0/0"
	var bound server.Bound
	if status, code, m := s.admin("attach", map[string]string{"interface": eni, "device": "veth0"}, &bound); status != 200 {
		t.Fatalf("attach: %d %s: %s", status, code, m)
	}
	if bound.Enforced != "yes" || bound.Observe || bound.Side != "host" || !strings.HasPrefix(bound.Attachment, "eni-attach-") {
		t.Errorf("attach answers %+v", bound)
	}
	if s.passes(eni, 80) {
		t.Error("a packet passes that no rule allows")
	}
	_, h := s.ec2("Action=AuthorizeSecurityGroupIngress&GroupId=" + group + rule)
	if !s.passes(eni, 80) || h.Get("X-Moat-Enforced") != "yes" || h.Get("X-Moat-Revision") == "" {
		t.Errorf("allowed after the reply: %v, headers %v", s.passes(eni, 80), h)
	}
	if s.passes(eni, 81) {
		t.Error("the next port passes")
	}

	body, h := s.ec2("Action=DescribeNetworkInterfaces&NetworkInterfaceId.1=" + eni)
	attachment := body[strings.Index(body, "<attachment>"):strings.Index(body, "</attachment>")]
	for element, want := range map[string]string{
		"attachmentId": bound.Attachment, "status": "attached", "deleteOnTermination": "false", "deviceIndex": "0", "instanceOwnerId": account,
	} {
		if got := one(attachment, element); got != want {
			t.Errorf("attachment's %s: got %q, want %q", element, got, want)
		}
	}
	if one(attachment, "attachTime") == "" || !strings.Contains(body, "<status>in-use</status>") {
		t.Errorf("described as %s", body)
	}
	if h.Get("X-Moat-Enforced") != "" {
		t.Error("a reply to a read says whether it is enforced")
	}

	resp := signed().post(t, s.url, "Action=DeleteNetworkInterface&Version=2016-11-15&NetworkInterfaceId="+eni)
	b, _ := io.ReadAll(resp.Body)
	if one(string(b), "Code") != "InvalidParameterValue" || one(string(b), "Message") != "Network interface '"+eni+"' is currently in use." {
		t.Errorf("deleting a bound interface: %s", b)
	}

	var st server.Status
	s.admin("status", nil, &st)
	if st.State != "yes" || st.Enforced != st.Revision || st.DataPlane != "sim" || len(st.Interfaces) != 1 || st.Interfaces[0].Mode != "enforce" ||
		st.Interfaces[0].Revision != st.Revision || st.Interfaces[0].Host != "box" || st.OnRevoke != "cut" || len(st.Exemptions) != 0 {
		t.Errorf("status %+v", st)
	}
	var hits server.Hits
	s.admin("hits", nil, &hits)
	if len(hits.Rules) != 1 || hits.Rules[0].Connections != 1 {
		t.Errorf("hits %+v, want one rule with 1 connection", hits)
	}

	_, _ = s.ec2("Action=RevokeSecurityGroupIngress&GroupId=" + group + rule)
	if s.passes(eni, 80) {
		t.Error("a packet passes after the rule is gone")
	}
	if status, code, m := s.admin("detach", map[string]string{"device": "veth0"}, &bound); status != 200 || bound.Enforced != "yes" {
		t.Fatalf("detach: %d %s: %s %+v", status, code, m, bound)
	}
	if !s.passes(eni, 80) {
		t.Error("a free device does not pass everything")
	}
	s.ec2("Action=DeleteNetworkInterface&NetworkInterfaceId=" + eni)
}

func TestAttachRefusals(t *testing.T) {
	s := newSite(t, nil)
	eni, _ := s.furnish()
	body, _ := s.ec2("Action=DescribeSubnets")
	body, _ = s.ec2("Action=CreateNetworkInterface&SubnetId=" + one(body, "subnetId"))
	other := one(body, "networkInterfaceId")
	s.host.AddDevice("", "veth1")
	s.host.AddDevice("", "lo")
	attach := func(eni, device string) map[string]string {
		return map[string]string{"interface": eni, "device": device}
	}
	if status, _, m := s.admin("attach", attach(eni, "veth0"), nil); status != 200 {
		t.Fatal(m)
	}
	for _, row := range []struct {
		code, message string
		call          string
		in            any
	}{
		{"InvalidNetworkInterfaceID.NotFound", "The networkInterface ID 'eni-00000000' does not exist", "attach", attach("eni-00000000", "veth1")},
		{"InvalidNetworkInterfaceId.Malformed", `Invalid id: "eni-web" (expecting "eni-...")`, "attach", attach("eni-web", "veth1")},
		{"NotFound", `no network interface is called "web"`, "attach", attach("web", "veth1")},
		{"NotFound", `no network interface is called "web"`, "detach", map[string]string{"interface": "web"}},
		{"InvalidNetworkInterface.InUse", "Interface: [" + eni + "] in use.", "attach", attach(eni, "veth1")},
		{"IncorrectState", "device veth0 is bound to interface " + eni, "attach", attach(other, "veth0")},
		{"InvalidParameterValue", "There is no device veth9 on the server's host.", "attach", attach(other, "veth9")},
		{"InvalidParameterValue", "lo, by which the machine speaks to itself", "attach", attach(other, "lo")},
		{"InvalidParameterValue", "lo, by which the machine speaks to itself", "attach", map[string]string{"interface": other, "device": "lo", "side": "workload"}},
		{"InvalidParameterValue", "lo, by which the machine speaks to itself", "attach", map[string]string{"interface": other, "device": "lo", "netns": "/proc/thread-self/ns/net"}},
		{"InvalidParameterValue", "It is host or workload.", "attach", map[string]string{"interface": other, "device": "veth1", "side": "left"}},
		{"InvalidParameterValue", "no-such-namespace", "attach", map[string]string{"interface": other, "device": "veth1", "netns": "no-such-namespace"}},
		{"InvalidNetworkInterfaceID.NotFound", other, "attach", map[string]string{"interface": other, "device": "veth1", "account": "210987654321"}},
		{"MissingParameter", "device", "attach", attach(other, "")},
		{"InvalidRequest", "colour", "attach", map[string]string{"interface": other, "device": "veth1", "colour": "red"}},
		{"IncorrectState", "Interface " + other + " is not bound to a device.", "detach", map[string]string{"interface": other}},
		{"InvalidParameterValue", "No interface is bound to a device veth1 of this host.", "detach", map[string]string{"device": "veth1"}},
		{"InvalidRequest", "either", "detach", map[string]string{}},
		{"InvalidParameterValue", "revision", "wait?rev=soon", nil},
		{"NotFound", "/moat/v1/nothing", "nothing", nil},
		{"InvalidRequest", "POST", "attach", nil},
	} {
		_, code, message := s.admin(row.call, row.in, nil)
		if code != row.code || !strings.Contains(message, row.message) {
			t.Errorf("%s %v:\n got %s: %s\nwant %s: %s", row.call, row.in, code, message, row.code, row.message)
		}
	}
	if have, _ := s.plane.Bindings(t.Context()); len(have) != 1 {
		t.Errorf("refused calls left bindings: %+v", have)
	}
}

// A state of an earlier version may have lo bound. The server starts with it,
// never binds it, and says why; everything else is enforced.
func TestStateWithLoopbackBound(t *testing.T) {
	s := newSite(t, nil)
	eni, _ := s.furnish()
	s.host.AddDevice("", "lo")
	_, _, err := s.store.Write(t.Context(), &store.Write{
		Call: state.Call{Scope: state.Scope{Region: "us-east-1", Account: account}, Now: time.Now(), Random: rand.Uint64},
		Plan: func(tx *state.Txn) (any, error) {
			i := *state.Interfaces.Get(tx, vpc.InterfaceID(eni))
			i.Attachment = &vpc.Attachment{ID: "eni-attach-1", Device: &vpc.Device{Host: testHost, Name: "lo"}}
			state.Interfaces.Put(tx, &i)
			return nil, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	body, _ := s.ec2("Action=DescribeSubnets")
	body, h := s.ec2("Action=CreateNetworkInterface&SubnetId=" + one(body, "subnetId"))
	if e := h.Get("X-Moat-Enforced"); e != "yes" {
		t.Errorf("beside a binding that is refused a change is enforced: %q, want yes", e)
	}
	other := one(body, "networkInterfaceId")
	if status, _, m := s.admin("attach", map[string]string{"interface": other, "device": "veth0"}, nil); status != 200 {
		t.Fatal(m)
	}
	var st server.Status
	s.admin("status", nil, &st)
	modes := map[string]string{}
	for _, i := range st.Interfaces {
		modes[i.Device] = i.Mode
		if i.Device == "lo" && !strings.Contains(i.Error, "lo, by which the machine speaks to itself") {
			t.Errorf("of lo status says %q", i.Error)
		}
	}
	if modes["lo"] != "failed" || modes["veth0"] != "enforce" || st.State != "yes" {
		t.Errorf("modes %v, state %s: want lo failed, veth0 enforce and the state yes", modes, st.State)
	}
	if !s.host.Send("", "lo", sim.Packet{Local: netip.MustParseAddr("127.0.0.1"), Remote: netip.MustParseAddr("127.0.0.1"), Protocol: flow.TCP, LocalPort: 4599, RemotePort: 40000, TCP: sim.SYN}).Passed {
		t.Error("lo is bound")
	}
	if status, _, m := s.admin("detach", map[string]string{"device": "lo"}, nil); status != 200 {
		t.Errorf("detach --dev lo: %s", m)
	}
	if s.admin("status", nil, &st); len(st.Interfaces) != 1 {
		t.Errorf("detached, and status has %+v", st.Interfaces)
	}
}

// Only the operator binds devices, and nobody sees them by another key.
func TestAdminIsForTheRootKey(t *testing.T) {
	s := newSite(t, func(c *server.Config) { c.AnyAuth = true })
	operator := signed()
	operator.service = server.ServiceMoat
	for who, row := range map[string]struct {
		change func(*signer)
		status int
	}{
		"the operator":        {func(*signer) {}, 200},
		"nobody":              {func(s *signer) { s.unsigned = true }, 400},
		"a wrong secret":      {func(s *signer) { s.secret = "wrong" }, 403},
		"an unknown key":      {func(s *signer) { s.key = "123456789012" }, 403},
		"for another service": {func(s *signer) { s.service = "ec2" }, 403},
	} {
		sg := operator
		row.change(&sg)
		resp := sg.get(t, "GET", s.url+server.AdminPath+"status")
		if row.status == 200 && resp.StatusCode != 200 || row.status != 200 && resp.StatusCode/100 != 4 {
			t.Errorf("%s: %d", who, resp.StatusCode)
		}
	}
}

func TestEnforcementThatFailsShows(t *testing.T) {
	clause.Holds(t, "F52")
	s := newSite(t, nil)
	eni, group := s.furnish()
	s.admin("attach", map[string]string{"interface": eni, "device": "veth0"}, nil)
	s.plane.Fail(func(call string) error {
		if call == "Apply" {
			return errors.New("no memory")
		}
		return nil
	})
	_, h := s.ec2("Action=AuthorizeSecurityGroupIngress&GroupId=" + group + "&IpPermissions.1.IpProtocol=tcp&IpPermissions.1.FromPort=80&IpPermissions.1.ToPort=80&IpPermissions.1.IpRanges.1.CidrIp=0.0.0.0/0")
	rev := h.Get("X-Moat-Revision")
	if h.Get("X-Moat-Enforced") != "failed" {
		t.Errorf("x-moat-enforced %q, want failed", h.Get("X-Moat-Enforced"))
	}
	var st server.Status
	var waited server.Waited
	s.admin("status", nil, &st)
	s.admin("wait?rev="+rev, nil, &waited)
	if st.State != "failed" || !strings.Contains(st.Error, "no memory") || st.Since == nil || waited.Enforced != "failed" {
		t.Errorf("status %+v, wait %+v", st, waited)
	}
	s.plane.Fail(nil)
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		s.admin("wait?timeout=1s&rev="+rev, nil, &waited)
		if waited.Enforced == "yes" {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("never enforced: %+v", waited)
		}
	}
	if !s.passes(eni, 80) {
		t.Error("enforced, and the packet does not pass")
	}
}

func TestNoDataPlane(t *testing.T) {
	s := newSite(t, func(c *server.Config) {
		c.Enforcement.Agent, c.Enforcement.Reason = nil, "the kernel refuses BPF"
	})
	eni, _ := s.furnish()
	_, code, message := s.admin("attach", map[string]string{"interface": eni, "device": "veth0"}, nil)
	if code != "UnsupportedOperation" || message != "Nothing can be enforced on this host: the kernel refuses BPF" {
		t.Errorf("attach: %s: %s", code, message)
	}
	var st server.Status
	s.admin("status", nil, &st)
	if st.DataPlane != "sim" && st.DataPlane != "" || st.Reason != "the kernel refuses BPF" || st.State != "yes" {
		t.Errorf("status %+v", st)
	}
	var waited server.Waited
	if s.admin(fmt.Sprintf("wait?rev=%d", st.Revision), nil, &waited); waited.Enforced != "yes" {
		t.Errorf("wait with nothing bound: %+v", waited)
	}
	if s.admin(fmt.Sprintf("wait?rev=%d&timeout=10ms", st.Revision+1), nil, &waited); waited.Enforced != "pending" {
		t.Errorf("wait for a revision to come: %+v", waited)
	}
}

// A call that does not wait says so.
func TestWaitEnforcedNone(t *testing.T) {
	s := newSite(t, func(c *server.Config) { c.Enforcement.Wait = false })
	eni, group := s.furnish()
	var bound server.Bound
	if s.admin("attach", map[string]string{"interface": eni, "device": "veth0"}, &bound); bound.Enforced != "yes" {
		t.Errorf("attach waits in any case: %+v", bound)
	}
	_, h := s.ec2("Action=AuthorizeSecurityGroupIngress&GroupId=" + group + "&IpPermissions.1.IpProtocol=-1&IpPermissions.1.IpRanges.1.CidrIp=0.0.0.0/0")
	if e := h.Get("X-Moat-Enforced"); e != "pending" && e != "yes" {
		t.Errorf("x-moat-enforced %q", e)
	}
	var waited server.Waited
	if s.admin("wait?rev="+h.Get("X-Moat-Revision"), nil, &waited); waited.Enforced != "yes" || !s.passes(eni, 80) {
		t.Errorf("waited for: %+v", waited)
	}
}

// A change that would cut the operator's session through the host's own device
// is refused, and only such a one.
func TestLockoutIsRefused(t *testing.T) {
	clause.Holds(t, "F95")
	s := newNIC(t, nil)
	group := s.group
	peer := netip.MustParseAddrPort("198.51.100.7:51000")
	s.open = []agent.Session{{Local: netip.AddrPortFrom(s.own, 22), Remote: peer}, {Local: netip.AddrPortFrom(s.own, 5432), Remote: peer}}
	rule := func(action, port, cidr string) string {
		return "Action=" + action + "SecurityGroupIngress&GroupId=" + group + "&IpPermissions.1.IpProtocol=tcp&IpPermissions.1.FromPort=" + port + "&IpPermissions.1.ToPort=" + port + "&IpPermissions.1.IpRanges.1.CidrIp=" + cidr
	}
	refused := func(form string) string {
		t.Helper()
		resp := signed().post(t, s.url, form+"&Version=2016-11-15")
		b, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != 400 || one(string(b), "Code") != "OperationNotPermitted" {
			t.Errorf("%s: %d %s, want OperationNotPermitted", form, resp.StatusCode, b)
		}
		return one(string(b), "Message")
	}
	s.ec2(rule("Authorize", "22", "198.51.100.0/24"))
	s.ec2(rule("Authorize", "5432", "0.0.0.0/0"))
	if !s.bound.Observe {
		t.Fatalf("the host's own device begins with %+v, want observing", s.bound)
	}
	var bound server.Bound
	s.ec2(rule("Revoke", "22", "198.51.100.0/24"))
	if _, code, m := s.admin("enforce", map[string]any{"device": "veth0"}, nil); code != "OperationNotPermitted" || !strings.Contains(m, "198.51.100.7:51000 to port 22") {
		t.Errorf("enforcing where that cuts a session: %s: %s", code, m)
	}
	s.ec2(rule("Authorize", "22", "198.51.100.0/24"))
	if status, _, m := s.admin("enforce", map[string]any{"device": "veth0"}, &bound); status != 200 || bound.Observe || bound.Enforced != "yes" {
		t.Fatalf("enforcing where nothing is cut: %s %+v", m, bound)
	}

	message := refused(rule("Revoke", "22", "198.51.100.0/24"))
	for _, want := range []string{"198.51.100.7:51000 to port 22", "aws ec2 authorize-security-group-ingress --group-id " + group + " --protocol tcp --port 22 --cidr 198.51.100.7/32", "x-moat-allow-lockout: true"} {
		if !strings.Contains(message, want) {
			t.Errorf("the refusal does not say %q: %s", want, message)
		}
	}
	s.ec2(rule("Revoke", "5432", "0.0.0.0/0")) // nobody's way in
	s.ec2(rule("Authorize", "22", "0.0.0.0/0"))
	s.ec2(rule("Revoke", "22", "198.51.100.0/24")) // another rule allows it
	refused(rule("Revoke", "22", "0.0.0.0/0"))
	forced := signed()
	forced.change = func(r *http.Request) { r.Header.Set("X-Moat-Allow-Lockout", "true") }
	if resp := forced.post(t, s.url, rule("Revoke", "22", "0.0.0.0/0")+"&Version=2016-11-15"); resp.StatusCode != 200 {
		t.Errorf("forced by the header: %d", resp.StatusCode)
	}
	s.ec2(rule("Authorize", "22", "0.0.0.0/0"))
	refused(rule("Revoke", "22", "0.0.0.0/0"))
	s.ec2("Action=CreateTags&ResourceId.1=" + group + "&Tag.1.Key=moat:allow-lockout&Tag.1.Value=true")
	s.ec2(rule("Revoke", "22", "0.0.0.0/0"))
}

// Where an interface is named its name and its address will do.
func TestAttachByName(t *testing.T) {
	s := newSite(t, nil)
	body, _ := s.ec2("Action=DescribeSubnets")
	front := "Action=CreateNetworkInterface&TagSpecification.1.ResourceType=network-interface" +
		"&TagSpecification.1.Tag.1.Key=Name&TagSpecification.1.Tag.1.Value=front&SubnetId=" + one(body, "subnetId")
	body, _ = s.ec2(front)
	eni, address := one(body, "networkInterfaceId"), one(body, "privateIpAddress")
	s.host.AddDevice("", "veth0")
	for _, word := range []string{"front", "tag:Name=front", address, eni[:10]} {
		for _, call := range []string{"attach", "detach"} {
			in := map[string]string{"interface": word}
			if call == "attach" {
				in["device"] = "veth0"
			}
			var bound server.Bound
			if status, _, m := s.admin(call, in, &bound); status != 200 || string(bound.Interface) != eni {
				t.Errorf("%s %s: %d %s: %s, not %s", call, word, status, m, bound.Interface, eni)
			}
		}
	}
	s.ec2(front)
	for _, call := range []string{"attach", "detach"} {
		in := map[string]string{"interface": "front"}
		if call == "attach" {
			in["device"] = "veth0"
		}
		if _, code, m := s.admin(call, in, nil); code != "Ambiguous" || !strings.Contains(m, eni) {
			t.Errorf("%s of a name that two have: %s: %s", call, code, m)
		}
	}
}
