package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"moat/ec2query"
	"moat/server"
	"moat/test/clause"
	"moat/test/moattest"
	"moat/vpc"
)

// ip runs iproute2.
func ip(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// A lan is a namespace with a device whose other end is on this host, as a
// workload has it.
type lan struct {
	*testing.T
	netns, dev          string // of the workload; the host's end
	hostAddr, guestAddr string
}

// newLAN makes one, or skips the test without root. The names of all begin
// with moat-t-.
func newLAN(t *testing.T, name, hostAddr, guestAddr string) *lan {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: it makes network namespaces and loads BPF programs")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("needs iproute2")
	}
	l := &lan{T: t, netns: "moat-t-" + name, dev: "moat-t-" + name, hostAddr: hostAddr, guestAddr: guestAddr}
	exec.Command("ip", "netns", "del", l.netns).Run()
	exec.Command("ip", "link", "del", l.dev).Run()
	ip(t, "netns", "add", l.netns)
	moattest.Undo(t, func() {
		exec.Command("ip", "netns", "del", l.netns).Run()
		exec.Command("ip", "link", "del", l.dev).Run()
	})
	l.link()
	return l
}

func (l *lan) link() {
	l.Helper()
	ip(l.T, "link", "add", l.dev, "type", "veth", "peer", "name", "eth0", "netns", l.netns)
	ip(l.T, "addr", "add", l.hostAddr+"/30", "dev", l.dev)
	ip(l.T, "link", "set", l.dev, "up")
	ip(l.T, "-n", l.netns, "addr", "add", l.guestAddr+"/30", "dev", "eth0")
	ip(l.T, "-n", l.netns, "link", "set", "eth0", "up")
	ip(l.T, "-n", l.netns, "link", "set", "lo", "up")
}

// inside runs f in the namespace.
func (l *lan) inside(f func() error) {
	l.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // the thread ends with the goroutine
		ns, err := netns.GetFromName(l.netns)
		if err == nil {
			err = netns.Set(ns)
			ns.Close()
		}
		if err == nil {
			err = f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		l.Fatal(err)
	}
}

// listen serves TCP in the namespace.
func (l *lan) listen(port int) {
	l.Helper()
	var ln net.Listener
	l.inside(func() (err error) {
		ln, err = net.Listen("tcp", fmt.Sprintf("%s:%d", l.guestAddr, port))
		return err
	})
	l.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() { c.Write([]byte("hello")); c.Read(make([]byte, 1)); c.Close() }()
		}
	}()
}

// reaches reports whether a new connection gets through.
func (l *lan) reaches(port int) bool {
	c, err := net.DialTimeout("tcp", fmt.Sprintf("%s:%d", l.guestAddr, port), 300*time.Millisecond)
	if err != nil {
		return false
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(300 * time.Millisecond))
	_, err = c.Read(make([]byte, 5))
	return err == nil
}

func (l *lan) want(reaches bool, port int, when string) {
	l.Helper()
	got := l.reaches(port)
	for end := time.Now().Add(5 * time.Second); reaches && !got && time.Now().Before(end); {
		got = l.reaches(port) // what is allowed may be slow on a busy machine
	}
	if got != reaches {
		l.Errorf("%s: port %d reachable %v, want %v", when, port, got, reaches)
	}
}

// moat runs a command line and gives what it prints.
func moat(t *testing.T, args ...string) (string, error) {
	t.Helper()
	c := rootCommand()
	var out bytes.Buffer
	c.SetOut(&out)
	c.SetErr(&out)
	c.SetArgs(args)
	err := c.ExecuteContext(t.Context())
	return out.String(), err
}

func mustMoat(t *testing.T, args ...string) string {
	t.Helper()
	out, err := moat(t, args...)
	if err != nil {
		t.Fatalf("moat %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// ec2Form calls an action with parameters and gives one element of the reply.
func ec2Form(t *testing.T, e endpoint, element string, params ...string) string {
	t.Helper()
	form := "Version=2016-11-15"
	for i := 0; i < len(params); i += 2 {
		form += "&" + params[i] + "=" + params[i+1]
	}
	reply, err := e.send(context.Background(), "ec2", "POST", "/", []byte(form))
	if err != nil {
		t.Fatal(err)
	}
	if reply.status != 200 {
		f, _, _ := ec2query.DecodeError(reply.body)
		t.Fatalf("%v: %v", params, f)
	}
	_, rest, _ := strings.Cut(string(reply.body), "<"+element+">")
	value, _, _ := strings.Cut(rest, "</")
	return value
}

// workload makes a VPC, a group and an interface with the address of a LAN's
// guest.
func (l *lan) workload(e endpoint, block string) (eni, group string) {
	l.Helper()
	v := ec2Form(l.T, e, "vpcId", "Action", "CreateVpc", "CidrBlock", block)
	subnet := ec2Form(l.T, e, "subnetId", "Action", "CreateSubnet", "VpcId", v, "CidrBlock", block)
	group = ec2Form(l.T, e, "groupId", "Action", "CreateSecurityGroup", "GroupName", "web", "GroupDescription", "d", "VpcId", v)
	eni = ec2Form(l.T, e, "networkInterfaceId", "Action", "CreateNetworkInterface", "SubnetId", subnet, "PrivateIpAddress", l.guestAddr, "SecurityGroupId.1", group)
	return eni, group
}

func allow(t *testing.T, e endpoint, group string, port int) {
	t.Helper()
	rule(t, e, "AuthorizeSecurityGroupIngress", group, port)
}

func revoke(t *testing.T, e endpoint, group string, port int) {
	t.Helper()
	rule(t, e, "RevokeSecurityGroupIngress", group, port)
}

func rule(t *testing.T, e endpoint, action, group string, port int) {
	t.Helper()
	p := fmt.Sprint(port)
	ec2Form(t, e, "return", "Action", action, "GroupId", group, "IpPermissions.1.IpProtocol", "tcp", "IpPermissions.1.FromPort", p,
		"IpPermissions.1.ToPort", p, "IpPermissions.1.IpRanges.1.CidrIp", "0.0.0.0/0")
}

// dataDir gives a place for a data directory whose pins are removed at the end.
func dataDir(t *testing.T) string {
	dir := filepath.Join(t.TempDir(), "data")
	t.Cleanup(func() { // after the server has stopped
		if b, err := os.ReadFile(filepath.Join(dir, identityFile)); err == nil {
			os.RemoveAll(filepath.Join(pinDir, strings.TrimSpace(string(b))))
		}
	})
	return dir
}

// From the command line to real packets, over a restart, and back.
func TestAttachOnThisKernel(t *testing.T) {
	l := newLAN(t, "cli", "10.213.7.37", "10.213.7.38")
	l.listen(80)
	l.listen(81)
	dir := dataDir(t)
	e, stop := start(t, dir)
	if reason := whyNotEnforce(); reason != "" {
		t.Skip(reason)
	}
	at := []string{"--data-dir", dir}
	eni, group := l.workload(e, "10.213.7.32/28")
	l.want(true, 81, "nobody has bound the device")

	out := mustMoat(t, append([]string{"attach", eni, "--dev", l.dev, "--probe"}, at...)...)
	if !regexp.MustCompile(`^` + eni + ` is bound to ` + l.dev + `, enforced, proved by a probe: the rules of revision \d+ let 1 packet pass and dropped 1, as they have to \(revision `).MatchString(out) {
		t.Errorf("attach says %q", out)
	}
	l.want(false, 80, "bound, without a rule")
	allow(t, e, group, 80)
	if out := mustMoat(t, append([]string{"status", "--probe"}, at...)...); !regexp.MustCompile(eni + `: proved by a probe: the rules of revision \d+ let 2 packets pass and dropped \d`).MatchString(out) {
		t.Errorf("status --probe says:\n%s", out)
	}
	l.want(true, 80, "a rule allows it")
	l.want(false, 81, "no rule allows it")
	if _, err := moat(t, append([]string{"attach", eni, "--dev", l.dev}, at...)...); err == nil || !strings.Contains(err.Error(), "InvalidNetworkInterface.InUse") {
		t.Errorf("attached twice: %v", err)
	}

	c, err := net.Dial("tcp", l.guestAddr+":80")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Read(make([]byte, 5))

	stop()
	l.want(true, 80, "no server runs")
	l.want(false, 81, "no server runs")
	e, stop = start(t, dir)
	l.want(true, 80, "the server runs again")
	revoke(t, e, group, 80)
	l.want(false, 80, "no rule allows it any more")
	c.SetDeadline(time.Now().Add(2 * time.Second))
	c.Write([]byte("x"))
	if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("an open connection whose rule went away: %v, want it reset", err)
	}

	// The device goes, and comes back under its name.
	allow(t, e, group, 80)
	ip(t, "link", "del", l.dev)
	mode := func() string {
		var st server.Status
		if err := e.admin(t.Context(), "status", nil, &st); err != nil || len(st.Interfaces) != 1 {
			t.Fatalf("status %+v: %v", st, err)
		}
		return st.Interfaces[0].Mode
	}
	until(t, "the device is known to be gone", func() bool { return mode() == "gone" })
	if _, err := moat(t, append([]string{"status"}, at...)...); !errors.Is(err, exitNo) {
		t.Errorf("status with a device that is gone ends with %v, want status 1", err)
	}
	l.link()
	until(t, "the device is bound again", func() bool { return mode() == "enforce" })
	l.want(false, 81, "bound again")
	out = mustMoat(t, append([]string{"status"}, at...)...)
	if !strings.Contains(out, "in force") || !strings.Contains(out, l.dev) {
		t.Errorf("status says:\n%s", out)
	}
	if out := mustMoat(t, append([]string{"interfaces"}, at...)...); !strings.Contains(out, eni) {
		t.Errorf("interfaces says:\n%s", out)
	}
	if out := mustMoat(t, append([]string{"wait", "1"}, at...)...); out != "revision 1 is in force\n" {
		t.Errorf("wait says %q", out)
	}

	// Somebody takes the filter off, behind the server's back.
	id, _ := identityOf(dir)
	l.unfilter(filepath.Join(pinDir, id))
	l.want(true, 81, "the filter is off")
	if out, err := moat(t, append([]string{"status", "--probe"}, at...)...); err == nil || !strings.Contains(out, eni+": NOT proved: ") {
		t.Errorf("status --probe of a device without its filter: %v\n%s", err, out)
	}

	mustMoat(t, append([]string{"detach", "--dev", l.dev}, at...)...)
	l.listen(82)
	l.want(true, 82, "detached")
	if _, err := os.Stat(filepath.Join(pinDir, id)); err == nil {
		t.Errorf("pins are left in %s", filepath.Join(pinDir, id))
	}
	stop()
}

// unfilter takes the programs off the device: the links that are pinned, or the
// filters of a kernel without TCX.
func (l *lan) unfilter(pinned string) {
	l.Helper()
	dev, err := netlink.LinkByName(l.dev)
	if err != nil {
		l.Fatal(err)
	}
	_, err = link.QueryPrograms(link.QueryOptions{Target: dev.Attrs().Index, Attach: ebpf.AttachTCXIngress})
	if errors.Is(err, unix.EINVAL) { // it knows no such hook
		if err := netlink.QdiscDel(&netlink.Clsact{QdiscAttrs: netlink.QdiscAttrs{
			LinkIndex: dev.Attrs().Index, Handle: netlink.MakeHandle(0xffff, 0), Parent: netlink.HANDLE_CLSACT}}); err != nil {
			l.Fatal(err)
		}
		return
	}
	pins, err := filepath.Glob(filepath.Join(pinned, "*", "link-*"))
	if err != nil || len(pins) != 2 {
		l.Fatalf("pinned links %q: %v", pins, err)
	}
	for _, pin := range pins {
		if k, err := link.LoadPinnedLink(pin, nil); err != nil {
			l.Fatal(err)
		} else if d, ok := k.(interface{ Detach() error }); !ok || d.Detach() != nil {
			l.Fatalf("%T cannot be detached", k)
		}
	}
}

// The machine's own device: it observes, is enforced on trial, observes again
// by itself while no server runs, and is enforced for good once that is
// confirmed.
func TestEnforceOnTrial(t *testing.T) {
	clause.Holds(t, "F91")
	l := newLAN(t, "own", "10.213.7.45", "10.213.7.46")
	dir := dataDir(t)
	e, stop := start(t, dir)
	if reason := whyNotEnforce(); reason != "" {
		t.Skip(reason)
	}
	ln, err := net.Listen("tcp", l.hostAddr+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	reached := func() (ok bool) {
		l.inside(func() error {
			c, err := net.DialTimeout("tcp", ln.Addr().String(), 300*time.Millisecond)
			if ok = err == nil; ok {
				c.Close()
			}
			return nil
		})
		return ok
	}
	l.guestAddr = l.hostAddr // the interface's address is the host's
	eni, _ := l.workload(e, "10.213.7.32/28")
	at := []string{"--data-dir", dir}
	out := mustMoat(t, append([]string{"attach", eni, "--dev", l.dev, "--side", "workload"}, at...)...)
	if !strings.Contains(out, "observed") || !reached() {
		t.Errorf("the machine's own device does not begin by observing: %s", out)
	}
	out = mustMoat(t, append([]string{"enforce", l.dev, "--confirm", "3s"}, at...)...)
	if !strings.Contains(out, "is enforced until ") || reached() {
		t.Errorf("on trial: %s", out)
	}
	stop()
	until(t, "the trial ends with no server", reached)
	e, _ = start(t, dir)
	var st server.Status
	until(t, "the device is bound again", func() bool {
		if err := e.admin(t.Context(), "status", nil, &st); err != nil || len(st.Interfaces) != 1 {
			t.Fatalf("status %+v: %v", st, err)
		}
		return st.Interfaces[0].Error == ""
	})
	if mode := st.Interfaces[0].Mode; mode != "observe" {
		t.Errorf("after the trial the mode is %s", mode)
	}
	if !reached() {
		t.Error("the next server ends the observing")
	}
	mustMoat(t, append([]string{"enforce", l.dev}, at...)...)
	mustMoat(t, append([]string{"enforce", l.dev, "--yes"}, at...)...)
	if err := e.admin(t.Context(), "status", nil, &st); err != nil || st.Interfaces[0].Mode != "enforce" || reached() {
		t.Errorf("confirmed: %+v, %v", st.Interfaces, err)
	}
	mustMoat(t, append([]string{"enforce", l.dev, "--observe"}, at...)...)
	if !reached() {
		t.Error("it does not observe again")
	}
	mustMoat(t, append([]string{"detach", eni}, at...)...)
}

// Counters of rules that name a group and a prefix list, by real connections,
// beside a rule that lets nobody in.
func TestHitsByReference(t *testing.T) {
	l := newLAN(t, "hits", "10.213.7.61", "10.213.7.62")
	for _, port := range []int{80, 81, 82} {
		l.listen(port)
	}
	dir := dataDir(t)
	e, stop := start(t, dir)
	if reason := whyNotEnforce(); reason != "" {
		t.Skip(reason)
	}
	eni, group := l.workload(e, "10.213.7.48/28")
	subnet := ec2Form(t, e, "subnetId", "Action", "DescribeNetworkInterfaces", "NetworkInterfaceId.1", eni)
	peers := ec2Form(t, e, "groupId", "Action", "CreateSecurityGroup", "GroupName", "peers", "GroupDescription", "d",
		"VpcId", ec2Form(t, e, "vpcId", "Action", "DescribeNetworkInterfaces", "NetworkInterfaceId.1", eni))
	ec2Form(t, e, "networkInterfaceId", "Action", "CreateNetworkInterface", "SubnetId", subnet, "PrivateIpAddress", l.hostAddr, "SecurityGroupId.1", peers)
	list := ec2Form(t, e, "prefixListId", "Action", "CreateManagedPrefixList", "PrefixListName", "p", "MaxEntries", "2", "AddressFamily", "IPv4",
		"Entry.1.Cidr", "192.0.2.0/24", "Entry.2.Cidr", l.hostAddr+"/32")
	add := func(port string, peer ...string) string {
		return ec2Form(t, e, "securityGroupRuleId", append([]string{"Action", "AuthorizeSecurityGroupIngress", "GroupId", group,
			"IpPermissions.1.IpProtocol", "tcp", "IpPermissions.1.FromPort", port, "IpPermissions.1.ToPort", port}, peer...)...)
	}
	rules := map[vpc.RuleID]uint64{ // with the connections that each admits
		vpc.RuleID(add("80", "IpPermissions.1.Groups.1.GroupId", peers)):                3,
		vpc.RuleID(add("81", "IpPermissions.1.PrefixListIds.1.PrefixListId", list)):     2,
		vpc.RuleID(add("82", "IpPermissions.1.IpRanges.1.CidrIp", "198.51.100.0%2F24")): 0,
	}
	mustMoat(t, "attach", eni, "--dev", l.dev, "--data-dir", dir)
	began := time.Now().Add(-2 * time.Second)
	for port, times := range map[int]int{80: 3, 81: 2} {
		for range times {
			if !l.reaches(port) {
				t.Fatalf("port %d is not reached", port)
			}
		}
	}
	l.want(false, 82, "no rule lets this host in")
	var hits server.Hits
	if err := e.admin(t.Context(), "hits", nil, &hits); err != nil {
		t.Fatal(err)
	}
	for id, want := range rules {
		at := slices.IndexFunc(hits.Rules, func(h server.RuleHits) bool { return h.Rule == id })
		if at < 0 {
			t.Errorf("%s has no counters: %+v", id, hits.Rules)
			continue
		}
		h := hits.Rules[at]
		// A connection that says five bytes and closes has seven packets at least,
		// replies among them.
		if h.Connections != want || h.Packets < 7*want || h.Bytes < 7*54*want || want == 0 && h.Packets != 0 ||
			(want > 0) != (h.LastHit != nil && h.LastHit.After(began)) {
			t.Errorf("%s (%s): %+v, want %d connections", id, h.Text, h, want)
		}
	}
	mustMoat(t, "detach", eni, "--data-dir", dir)
	stop()
}

// A pinhole of the machine's own device is open whatever the rules say, to
// whom it is for, and shown and counted.
func TestFailsafe(t *testing.T) {
	clause.Holds(t, "F98")
	l := newLAN(t, "fs", "10.213.7.57", "10.213.7.58")
	dir := dataDir(t)
	var ports []string
	for range 2 {
		ln, err := net.Listen("tcp", l.hostAddr+":0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		_, port, _ := net.SplitHostPort(ln.Addr().String())
		ports = append(ports, port)
	}
	hole := ports[0] + "/" + l.guestAddr + "/32"
	e, stop := start(t, dir, "--failsafe", hole+","+ports[1]+"/10.213.7.57/32")
	if reason := whyNotEnforce(); reason != "" {
		t.Skip(reason)
	}
	reached := func(port string) (ok bool) {
		l.inside(func() error {
			c, err := net.DialTimeout("tcp", net.JoinHostPort(l.hostAddr, port), 300*time.Millisecond)
			if ok = err == nil; ok {
				c.Close()
			}
			return nil
		})
		return ok
	}
	want := func(when string) {
		t.Helper()
		if !reached(ports[0]) || reached(ports[1]) {
			t.Errorf("%s: the pinhole is open: %v, and the port beside it: %v", when, reached(ports[0]), reached(ports[1]))
		}
	}
	guest := l.guestAddr
	l.guestAddr = l.hostAddr // the interface's address is the host's
	eni, _ := l.workload(e, "10.213.7.48/28")
	at := []string{"--data-dir", dir}
	mustMoat(t, append([]string{"attach", eni, "--dev", l.dev, "--side", "workload"}, at...)...)
	mustMoat(t, append([]string{"enforce", l.dev, "--yes"}, at...)...)
	want("enforced")
	for _, command := range []string{"status", "interfaces"} {
		if out := mustMoat(t, append([]string{command}, at...)...); !strings.Contains(out, eni+": open whatever the rules say: "+hole) {
			t.Errorf("%s does not tell of the pinhole:\n%s", command, out)
		}
	}
	if out := mustMoat(t, append([]string{"status"}, at...)...); !regexp.MustCompile(`failsafe +` + hole + `, \S+, on the host's own devices: [1-9]`).MatchString(out) {
		t.Errorf("status does not count:\n%s", out)
	}
	if out, err := moat(t, append([]string{"why", guest, eni + ":" + ports[0]}, at...)...); err != nil || !strings.Contains(out, "allowed by failsafe:"+hole+" of --failsafe") {
		t.Errorf("why: %v\n%s", err, out)
	}
	if out, err := moat(t, append([]string{"why", guest, eni + ":" + ports[1]}, at...)...); err == nil {
		t.Errorf("why of the port beside it:\n%s", out)
	}
	if out := mustMoat(t, append([]string{"rules", "--hits"}, at...)...); !strings.Contains(out, "failsafe:"+hole) {
		t.Errorf("rules:\n%s", out)
	}
	stop()
	want("with no server")
	_, stop = start(t, dir, "--failsafe", ports[1]+"/10.213.7.57/32")
	if reached(ports[0]) {
		t.Error("a pinhole that the next server does not have is open")
	}
	mustMoat(t, append([]string{"detach", eni}, at...)...)
	stop()
}

// A device that appears later is bound as configured, with the interface that
// has its name; one that there is no interface for passes nothing, with no
// server too, until a server has no such configuration.
func TestBindAsConfigured(t *testing.T) {
	clause.Holds(t, "F70")
	l := newLAN(t, "conf", "10.213.7.37", "10.213.7.38")
	ip(t, "link", "del", l.dev)
	file := filepath.Join(t.TempDir(), "bind.yaml")
	if err := os.WriteFile(file, []byte("- device: moat-t-con?\n  interface: \"workload {device}\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := dataDir(t)
	e, stop := start(t, dir, "--bind", file)
	if reason := whyNotEnforce(); reason != "" {
		t.Skip(reason)
	}
	eni, group := l.workload(e, "10.213.7.32/28")
	ec2Form(t, e, "return", "Action", "CreateTags", "ResourceId.1", eni, "Tag.1.Key", "Name", "Tag.1.Value", "workload+"+l.dev)
	allow(t, e, group, 80)
	l.link()
	l.listen(80)
	l.listen(81)
	until(t, "the device is bound", func() bool {
		var st server.Status
		return e.admin(t.Context(), "status", nil, &st) == nil && len(st.Interfaces) == 1 && st.Interfaces[0].Interface == vpc.InterfaceID(eni)
	})
	l.want(false, 81, "bound as configured")
	l.want(true, 80, "bound as configured")

	status := mustMoat(t, "status", "--data-dir", dir)
	if strings.Contains(status, "NOT guarded") {
		t.Skip(status)
	}
	other := newLAN(t, "conx", "10.213.7.49", "10.213.7.50")
	other.listen(80)
	other.want(false, 80, "there is no interface for it")
	if status := mustMoat(t, "status", "--data-dir", dir); !regexp.MustCompile(`guarded names +moat-t-con\?: pass no IP packet until they are bound: [1-9]`).MatchString(status) {
		t.Errorf("status says:\n%s", status)
	}
	stop()
	other.want(false, 80, "no server runs")
	l.want(true, 80, "no server runs")
	_, stop = start(t, dir)
	other.want(true, 80, "a server that guards no names")
	l.want(true, 80, "a server that guards no names")
	l.want(false, 81, "a server that guards no names")
	mustMoat(t, "detach", eni, "--data-dir", dir)
	id, _ := identityOf(dir)
	if _, err := os.Stat(filepath.Join(pinDir, id)); err == nil {
		t.Errorf("pins are left in %s", filepath.Join(pinDir, id))
	}
	stop()
}

// A port of a managed bridge passes nothing until it is bound, and nothing
// again when it is not bound any more.
func TestManagedBridge(t *testing.T) {
	clause.Holds(t, "F75")
	l := newLAN(t, "port", "10.213.7.37", "10.213.7.38")
	const bridge = "moat-t-br"
	exec.Command("ip", "link", "del", bridge).Run()
	ip(t, "link", "add", bridge, "type", "bridge")
	t.Cleanup(func() { exec.Command("ip", "link", "del", bridge).Run() })
	ip(t, "link", "set", bridge, "up")
	ip(t, "addr", "del", l.hostAddr+"/30", "dev", l.dev)
	ip(t, "addr", "add", l.hostAddr+"/30", "dev", bridge)
	l.listen(80)
	dir := dataDir(t)
	e, stop := start(t, dir, "--managed-bridge", bridge)
	if reason := whyNotEnforce(); reason != "" {
		t.Skip(reason)
	}
	eni, group := l.workload(e, "10.213.7.32/28")
	allow(t, e, group, 80)
	mode := func() string {
		var st server.Interfaces
		if err := e.admin(t.Context(), "interfaces", nil, &st); err != nil || len(st.Interfaces) != 1 {
			return fmt.Sprint(err, len(st.Interfaces))
		}
		return st.Interfaces[0].Mode
	}
	ip(t, "link", "set", l.dev, "master", bridge)
	until(t, "the new port has a guard", func() bool {
		var st server.Status
		return e.admin(t.Context(), "status", nil, &st) == nil && !l.reaches(80)
	})
	l.want(false, 80, "a port that nobody has bound")
	at := []string{"--data-dir", dir}
	mustMoat(t, append([]string{"attach", eni, "--dev", l.dev}, at...)...)
	l.want(true, 80, "bound")
	if m := mode(); m != "enforce" {
		t.Errorf("mode %s, want enforce", m)
	}
	if out := mustMoat(t, append([]string{"detach", eni}, at...)...); !strings.Contains(out, "passes nothing until it is bound again") {
		t.Errorf("detach says %q", out)
	}
	l.want(false, 80, "not bound any more")
	stop()
	l.want(false, 80, "with no server")
	_, stop = start(t, dir)
	l.want(true, 80, "a server that does not manage the bridge")
	stop()
}

// A port that is new, under a flood that is there before it is: it passes
// nothing, with no server too, until it is bound; a bridge that is not managed
// any more is what it was.
func TestNewPortOfManagedBridge(t *testing.T) {
	clause.Holds(t, "F75")
	l := newLAN(t, "newp", "10.213.7.53", "10.213.7.54")
	const bridge = "moat-t-nb"
	exec.Command("ip", "link", "del", bridge).Run()
	ip(t, "link", "add", bridge, "type", "bridge")
	t.Cleanup(func() { exec.Command("ip", "link", "del", bridge).Run() })
	ip(t, "link", "set", bridge, "up")
	ip(t, "addr", "del", l.hostAddr+"/30", "dev", l.dev)
	ip(t, "addr", "add", l.hostAddr+"/30", "dev", bridge)
	hw, err := net.InterfaceByName(bridge)
	if err != nil {
		t.Fatal(err)
	}
	ip(t, "link", "set", bridge, "address", hw.HardwareAddr.String()) // or it follows its ports
	ip(t, "-n", l.netns, "neigh", "replace", l.hostAddr, "dev", "eth0", "lladdr", hw.HardwareAddr.String(), "nud", "permanent")
	c, err := net.ListenPacket("udp", l.hostAddr+":7000")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var passed atomic.Int64
	go func() {
		for b := make([]byte, 64); ; passed.Add(1) {
			if _, _, err := c.ReadFrom(b); err != nil {
				return
			}
		}
	}()
	stopFlood := make(chan struct{})
	defer close(stopFlood)
	l.inside(func() error {
		c, err := net.Dial("udp", l.hostAddr+":7000")
		go func() {
			for err == nil {
				select {
				case <-stopFlood:
					c.Close()
					return
				default:
					c.Write([]byte("flood"))
				}
			}
		}()
		return err
	})
	flooded := func() bool { return passed.Load() > 0 }
	port := func(on bool) {
		t.Helper()
		if on {
			ip(t, "link", "set", l.dev, "master", bridge)
		} else {
			ip(t, "link", "set", l.dev, "nomaster")
			time.Sleep(50 * time.Millisecond)
		}
	}
	closed := func(when string) {
		t.Helper()
		port(false)
		passed.Store(0)
		port(true)
		time.Sleep(300 * time.Millisecond)
		if n := passed.Load(); n > 0 {
			t.Errorf("%s: %d packets passed", when, n)
		}
	}
	port(true)
	until(t, "a port of a bridge that nobody manages passes the flood", flooded)
	port(false)

	dir := dataDir(t)
	e, stop := start(t, dir, "--managed-bridge", bridge)
	if reason := whyNotEnforce(); reason != "" {
		t.Skip(reason)
	}
	var st server.Status
	until(t, "status tells of the bridge", func() bool { return e.admin(t.Context(), "status", nil, &st) == nil && len(st.Bridges) == 1 })
	if st.Bridges[0].Error != "" {
		t.Skipf("on this kernel a new port is seen late: %s", st.Bridges[0].Error)
	}
	closed("a new port")
	eni, group := l.workload(e, "10.213.7.48/28")
	ec2Form(t, e, "return", "Action", "RevokeSecurityGroupEgress", "GroupId", group, "IpPermissions.1.IpProtocol", "-1", "IpPermissions.1.IpRanges.1.CidrIp", "0.0.0.0/0")
	at := []string{"--data-dir", dir}
	mustMoat(t, append([]string{"attach", eni, "--dev", l.dev}, at...)...)
	time.Sleep(100 * time.Millisecond)
	if flooded() {
		t.Errorf("bound, with no rule: %d packets passed", passed.Load())
	}
	ec2Form(t, e, "return", "Action", "AuthorizeSecurityGroupEgress", "GroupId", group, "IpPermissions.1.IpProtocol", "udp",
		"IpPermissions.1.FromPort", "7000", "IpPermissions.1.ToPort", "7000", "IpPermissions.1.IpRanges.1.CidrIp", "0.0.0.0/0")
	until(t, "a rule allows the flood", flooded)
	stop()
	passed.Store(0)
	until(t, "the flood goes on with no server", flooded)
	e, stop = start(t, dir, "--managed-bridge", bridge)
	passed.Store(0)
	until(t, "the flood goes on with the next server", flooded)
	mustMoat(t, append([]string{"detach", eni}, at...)...)
	passed.Store(0)
	time.Sleep(100 * time.Millisecond)
	if flooded() {
		t.Errorf("detached: %d packets passed", passed.Load())
	}
	stop()
	closed("a new port with no server")
	_, stop = start(t, dir)
	until(t, "a port of a bridge that is not managed any more passes the flood", flooded)
	for name, want := range map[string]string{"vlan_filtering": "0\n", "default_pvid": "1\n"} {
		b, err := os.ReadFile("/sys/class/net/" + bridge + "/bridge/" + name)
		if errors.Is(err, os.ErrNotExist) {
			continue // a kernel without CONFIG_BRIDGE_VLAN_FILTERING
		}
		if err != nil || string(b) != want {
			t.Errorf("%s of the bridge is %q, %v", name, b, err)
		}
	}
	stop()
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// What waiting for the kernel adds to a call that changes a rule.
func TestWaitAddsLittle(t *testing.T) {
	if testing.Short() {
		t.Skip("measures")
	}
	l := newLAN(t, "lat", "10.213.7.41", "10.213.7.42")
	dir := dataDir(t)
	e, _ := start(t, dir)
	if reason := whyNotEnforce(); reason != "" {
		t.Skip(reason)
	}
	eni, group := l.workload(e, "10.213.7.32/28")
	times := func() time.Duration {
		var all []time.Duration
		for i := range 40 {
			time.Sleep(25 * time.Millisecond) // an update right after another one waits for packets that are on their way
			began := time.Now()
			allow(t, e, group, 1000+i)
			all = append(all, time.Since(began))
		}
		for i := range 40 {
			revoke(t, e, group, 1000+i)
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	without := times()
	mustMoat(t, "attach", eni, "--dev", l.dev, "--data-dir", dir)
	with := times()
	t.Logf("median of a call: %v without a device, %v with one", without, with)
	if with-without > 10*time.Millisecond {
		t.Errorf("waiting adds %v at the median, want about 2 ms at most", with-without)
	}
	mustMoat(t, "detach", eni, "--data-dir", dir)
}
