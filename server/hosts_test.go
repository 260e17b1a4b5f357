package server_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"moat/server"
	"moat/state"
	"moat/store"
	"moat/test/clause"
	"moat/test/etcdtest"
	"moat/vpc"
)

// Hosts of a cluster beside the site's own.
const (
	hostB    = "11111111-8b86-4d01-b42d-00c04fc964ff"
	hostC    = "22222222-8b86-4d01-b42d-00c04fc964ff"
	deadHost = "33333333-8b86-4d01-b42d-00c04fc964ff"
)

// A fleetSite is a site in a cluster in which hosts B and C report what the test
// says.
type fleetSite struct {
	*site
	hosts map[string]*store.Hosts
	n     int
}

func newFleetSite(t *testing.T, change func(c *server.Config)) *fleetSite {
	t.Helper()
	etcd := etcdtest.Start(t)
	quiet := slog.New(slog.DiscardHandler)
	f := &fleetSite{hosts: map[string]*store.Hosts{}}
	for _, name := range []string{testHost, hostB, hostC} {
		log, err := store.OpenCluster(t.Context(), store.Cluster{Endpoints: []string{etcd.Endpoint()}}, quiet)
		if err != nil {
			t.Fatal(err)
		}
		h := log.Hosts(name, "host "+name[:1], quiet)
		ctx, cancel := context.WithCancel(context.Background())
		var done sync.WaitGroup
		done.Go(func() { h.Run(ctx) })
		t.Cleanup(func() { cancel(); done.Wait(); log.Close() })
		h.Report(1, true)
		f.hosts[name] = h
	}
	f.site = newSite(t, func(c *server.Config) {
		c.Enforcement.Hosts, c.Enforcement.All, c.Enforcement.Timeout = f.hosts[testHost], true, 400*time.Millisecond
		if change != nil {
			change(c)
		}
	})
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		n, err := f.hosts[testHost].Wait(t.Context(), 1, []string{hostB, hostC})
		if err == nil {
			return f
		}
		if time.Now().After(end) {
			t.Fatalf("%d of 2 hosts have reported: %v", n, err)
		}
	}
}

// group makes a group, and an interface of it that is bound on a host.
func (f *fleetSite) group(host string) (eni, group string) {
	f.Helper()
	f.n++
	body, _ := f.ec2("Action=DescribeSubnets")
	subnet, vpcID := one(body, "subnetId"), one(body, "vpcId")
	body, _ = f.ec2(fmt.Sprintf("Action=CreateSecurityGroup&GroupName=g%d&GroupDescription=d&VpcId=%s", f.n, vpcID))
	group = one(body, "groupId")
	body, _ = f.ec2("Action=CreateNetworkInterface&SubnetId=" + subnet + "&SecurityGroupId.1=" + group)
	eni = one(body, "networkInterfaceId")
	if _, _, err := f.store.Write(f.Context(), &store.Write{Call: state.Call{Now: time.Now(), Scope: state.Scope{Region: "us-east-1", Account: account}}, Plan: func(tx *state.Txn) (any, error) {
		row := *state.Interfaces.Get(tx, vpc.InterfaceID(eni))
		row.Attachment = &vpc.Attachment{ID: "eni-attach-0123456789abcdef0", Device: &vpc.Device{Host: host, Name: "veth9"}}
		state.Interfaces.Put(tx, &row)
		return nil, nil
	}}); err != nil {
		f.Fatal(err)
	}
	return eni, group
}

// allow adds a rule to a group and returns the headers of the answer.
func (f *fleetSite) allow(group string) http.Header {
	f.Helper()
	f.n++
	_, h := f.ec2(fmt.Sprintf("Action=AuthorizeSecurityGroupIngress&GroupId=%s&IpProtocol=tcp&FromPort=%d&ToPort=%d&CidrIp=0.0.0.0/0", group, f.n, f.n))
	return h
}

// says compares the headers of an answer with "yes 2/3".
func (f *fleetSite) says(want, what string, h http.Header) {
	f.Helper()
	if got := h.Get("X-Moat-Enforced") + " " + h.Get("X-Moat-Enforced-Hosts"); got != want {
		f.Errorf("%s: x-moat-enforced and x-moat-enforced-hosts are %q, want %q", what, got, want)
	}
}

// With --wait-enforced all a call waits for the hosts that its change concerns,
// and for no other. A dead host makes those changes pending that concern it, and
// no other.
func TestWaitsForTheHostsConcerned(t *testing.T) {
	clause.Holds(t, "F78")
	f := newFleetSite(t, nil)
	_, webB := f.group(hostB)
	_, webC := f.group(hostC)
	_, dead := f.group(deadHost)
	_, h := f.ec2("Action=CreateSecurityGroup&GroupName=unused&GroupDescription=d")
	f.says("yes 0/0", "a change that concerns no host", h)
	f.says("pending 0/1", "a host that does not obey yet", f.allow(webB))
	f.hosts[hostC].Report(1<<40, true)
	f.says("yes 1/1", "a host that obeys, while another does not", f.allow(webC))
	began := time.Now()
	f.says("pending 0/1", "a host whose server does not run", f.allow(dead))
	if took := time.Since(began); took > 300*time.Millisecond {
		t.Errorf("a host that is known to be dead is waited for, %v", took)
	}

	// One that comes later.
	rev := f.store.Latest().Rev
	time.AfterFunc(100*time.Millisecond, func() { f.hosts[hostB].Report(rev+1, true) })
	began = time.Now()
	f.says("yes 1/1", "a host that obeys after 100 ms", f.allow(webB))
	if took := time.Since(began); took < 90*time.Millisecond {
		t.Errorf("answered after %v", took)
	}

	// A rule that refers to a group concerns whoever has the rule.
	f.ec2("Action=AuthorizeSecurityGroupIngress&GroupId=" + webC + "&SourceSecurityGroupName=g1")
	body, _ := f.ec2("Action=DescribeSubnets")
	f.hosts[hostB].Report(1<<40, true)
	_, h = f.ec2("Action=CreateNetworkInterface&SubnetId=" + one(body, "subnetId") + "&SecurityGroupId.1=" + webB)
	f.says("yes 1/1", "a new member of a group that another host's rule refers to", h)

	// All at once.
	_, h = f.ec2("Action=ModifyVpcAttribute&EnableDnsHostnames.Value=true&VpcId=" + one(body, "vpcId"))
	f.says("pending 2/3", "a change that concerns three hosts, of which one is dead", h)
}

// The host of the server that answers counts like any other.
func TestWaitsForItsOwnHost(t *testing.T) {
	f := newFleetSite(t, nil)
	eni, own := f.furnish()
	var bound server.Bound
	if status, code, m := f.admin("attach", map[string]string{"interface": eni, "device": "veth0"}, &bound); status != 200 || bound.Enforced != "yes" || bound.EnforcedHosts != "1/1" {
		t.Fatalf("attach: %d %s: %s %+v", status, code, m, bound)
	}
	_, webC := f.group(hostC)
	f.hosts[hostC].Report(1<<40, true)
	f.says("yes 1/1", "a change of the server's own host", f.allow(own))
	f.plane.Fail(func(call string) error {
		if call == "Apply" {
			return fmt.Errorf("no memory")
		}
		return nil
	})
	f.says("failed 0/1", "a change that the server's own host cannot put into force", f.allow(own))
	f.says("yes 1/1", "a change of another host, while the server's own fails", f.allow(webC))
	f.plane.Fail(nil)
	if rev := f.store.Latest().Rev; !f.enforced(rev) {
		t.Errorf("revision %d is not in force", rev)
	}
	f.says("yes 1/1", "recovered", f.allow(own))
}

// enforced waits until a revision is in force where it concerns somebody.
func (f *fleetSite) enforced(rev uint64) bool {
	f.Helper()
	var w server.Waited
	f.admin(fmt.Sprintf("wait?timeout=10s&rev=%d", rev), nil, &w)
	return w.Enforced == "yes"
}

// moat wait says of a revision what the call that made it said, also later. With
// another setting it does so where it is asked for.
func TestWaitForARevision(t *testing.T) {
	for _, all := range []bool{true, false} {
		t.Run(fmt.Sprintf("all %v", all), func(t *testing.T) {
			f := newFleetSite(t, func(c *server.Config) { c.Enforcement.All = all })
			query := "&timeout=10ms"
			if !all {
				query += "&hosts=all"
			}
			_, webB := f.group(hostB)
			_, webC := f.group(hostC)
			_, dead := f.group(deadHost)
			revs := map[string]string{}
			for name, group := range map[string]string{"b": webB, "c": webC, "dead": dead} {
				h := f.allow(group)
				revs[name] = h.Get("X-Moat-Revision")
				if !all {
					f.says("yes ", "a call that waits for its own host only", h)
				}
			}
			_, h := f.ec2("Action=CreateSecurityGroup&GroupName=unused&GroupDescription=d")
			revs["nobody"] = h.Get("X-Moat-Revision")
			f.hosts[hostC].Report(1<<40, true)
			for name, want := range map[string]string{"b": "pending 0/1", "c": "yes 1/1", "dead": "pending 0/1", "nobody": "yes 0/0"} {
				var w server.Waited
				for end := time.Now().Add(5 * time.Second); ; { // until C's report has come
					w = server.Waited{}
					f.admin("wait?rev="+revs[name]+query, nil, &w)
					if got := w.Enforced + " " + w.EnforcedHosts; got == want {
						break
					} else if time.Now().After(end) {
						t.Errorf("revision of %s: %q, want %q", name, got, want)
						break
					}
				}
				if name == "dead" && (!strings.Contains(w.Error, deadHost) || !strings.Contains(w.Error, "do not run")) {
					t.Errorf("the dead host is not named: %q", w.Error)
				}
			}
			var w server.Waited
			if f.admin("wait?rev=99999&timeout=10ms", nil, &w); w.Enforced != "pending" {
				t.Errorf("a revision that does not exist: %+v", w)
			}
		})
	}
}
