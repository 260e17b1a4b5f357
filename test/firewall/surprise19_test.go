package firewall_test

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"moat/test/clause"
)

// TestSurprise19_RuleStateIsNotConnectionState: with --on-revoke aws, removing
// a rule leaves tracked connections alive and cuts untracked ones at once; a
// rule for everybody while the other direction is open to everybody is what
// makes a flow untracked. References to groups match the private addresses of
// their members only. DNS, metadata and time are filtered unless they are exempt.
func TestSurprise19_RuleStateIsNotConnectionState(t *testing.T) {
	clause.Holds(t, "F11", "F20")
	l := newLab(t, "--on-revoke", "aws")
	if out := l.moat("status"); !strings.Contains(out, "aws: ") {
		t.Errorf("moat status does not say what becomes of tracked flows:\n%s", out)
	}
	clients := l.group("clients")
	l.authorize(clients, "Egress", "-1 0.0.0.0/0")
	server := l.group("server")
	l.authorize(server, "Egress", "-1 0.0.0.0/0")
	client, web := l.machine("client", clients), l.machine("web", server)
	answers := web.answerer(22, 80, 443, 5432)
	narrow := []string{"tcp 22 " + client.four + "/32", "udp 22 " + client.four + "/32"}
	wide := []string{"tcp 80 0.0.0.0/0", "udp 80 0.0.0.0/0", "icmp 0.0.0.0/0"}
	l.authorize(server, "Ingress", append(append([]string{"tcp 443 0.0.0.0/0"}, narrow...), wide...)...)
	begin := func(name, protocol string, port int) *flow {
		t.Helper()
		f, err := client.begin(name, protocol, false, answers, port)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return f
	}
	tracked := []*flow{begin("tracked TCP", "tcp", 22), begin("another tracked TCP", "tcp", 22), begin("tracked UDP", "udp", 22),
		begin("ICMP, which is tracked always", "icmp", 0)}
	untracked := []*flow{begin("untracked TCP", "tcp", 80), begin("untracked UDP", "udp", 80)}
	other := begin("untracked TCP whose rule stays", "tcp", 443)

	time.Sleep(200 * time.Millisecond) // until everything is acknowledged
	l.revoke(server, "Ingress", append(narrow, wide...)...)
	for _, f := range append(tracked, other) {
		if err := f.lives(); err != nil {
			t.Errorf("%s does not outlive its rule: %v", f.name, err)
		}
	}
	for _, f := range untracked {
		if err := f.exchange(time.Second); err == nil || isReset(err) {
			t.Errorf("%s outlives its rule or is reset: %v, want silence", f.name, err)
		}
	}
	var all sync.WaitGroup
	for _, protocol := range []string{"tcp", "udp", "icmp"} {
		all.Go(func() {
			if _, err := client.begin("a new one", protocol, false, answers, 22); err == nil {
				t.Errorf("a new %s flow begins after the revoke", protocol)
			}
		})
	}
	all.Wait()

	// With the other direction open to some only, the same rule tracks.
	l.authorize(server, "Ingress", "tcp 80 0.0.0.0/0")
	l.authorize(server, "Egress", "tcp 1 0.0.0.0/0")
	l.revoke(server, "Egress", "-1 0.0.0.0/0")
	f := begin("TCP by a rule for everybody, the way back narrow", "tcp", 80)
	l.revoke(server, "Ingress", "tcp 80 0.0.0.0/0")
	if err := f.lives(); err != nil {
		t.Errorf("%s does not outlive its rule: %v", f.name, err)
	}

	// The group's members are their interfaces' addresses, and nothing else that
	// a member may call its own.
	l.authorize(server, "Ingress", "tcp 5432 "+clients)
	begin("from a member of the group", "tcp", 5432)
	alias := "10.77.255.200"
	l.call("ModifyNetworkInterfaceAttribute", "NetworkInterfaceId", client.eni, "SourceDestCheck.Value", "false")
	l.ip("-n", client.netns, "addr", "add", alias+"/16", "dev", "eth0")
	from := func(addr string) error {
		return client.in(func() error {
			d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(addr)}, Timeout: time.Second}
			c, err := d.Dial("tcp", web.four+":5432")
			if err == nil {
				c.Close()
			}
			return err
		})
	}
	if err := from(client.four); err != nil {
		t.Errorf("from the member's address: %v", err)
	}
	if from(alias) == nil {
		t.Error("an address of the member's that its interface does not have is taken for the group's")
	}

	// Without a rule, what AWS never filters is filtered, unless it is exempt.
	services(l, false)
	services(newLab(t, "--on-revoke", "aws", "--exempt", "aws"), true)
}

// services tries DNS, metadata and time from a workload without rules, and what
// is beside them: the next port, protocol and address. Where they are exempt the
// workload may open them. It may open nothing else, and they may open nothing.
func services(l *lab, exempt bool) {
	l.Helper()
	web, aside := l.machine("alone", l.group("alone")), l.machine("aside")
	web.answerer(53, 80)
	l.ip("-n", web.netns, "route", "add", "169.254.0.0/16", "dev", "eth0")
	open := map[string]bool{
		"10.77.0.2 53/udp": exempt, "10.77.0.2 53/tcp": exempt, "169.254.169.253 53/udp": exempt, "169.254.169.253 53/tcp": exempt,
		"169.254.169.254 80/tcp": exempt, "169.254.169.123 123/udp": exempt,
	}
	var all sync.WaitGroup
	for _, a := range []string{"10.77.0.2", "10.77.0.3", "169.254.169.252", "169.254.169.253", "169.254.169.254", "169.254.169.123"} {
		l.ip("-n", aside.netns, "addr", "add", a+"/32", "dev", "eth0")
		there := *aside
		there.four = a
		far := there.answererAt(a, 53, 80, 123)
		for _, port := range []int{53, 80, 123} {
			for _, protocol := range []string{"udp", "tcp"} {
				all.Go(func() {
					name := fmt.Sprintf("%s %d/%s", a, port, protocol)
					if _, err := web.begin(name, protocol, false, far, port); (err == nil) != open[name] {
						l.Errorf("%s without a rule, exempt: %v: %v, want allowed: %v", name, exempt, err, open[name])
					}
				})
			}
		}
		all.Go(func() {
			if _, err := web.begin("ping "+a, "icmp", false, far, 0); err == nil {
				l.Errorf("a ping of %s without a rule passes, exempt: %v", a, exempt)
			}
		})
		for _, protocol := range []string{"udp", "tcp"} {
			for _, port := range []int{53, 80} {
				all.Go(func() {
					if err := aside.opens(protocol, a, net.JoinHostPort(web.four, fmt.Sprint(port))); err == nil {
						l.Errorf("%s opens %d/%s of a workload without rules, exempt: %v", a, port, protocol, exempt)
					}
				})
			}
		}
	}
	all.Wait()
}

// opens sends a word from one of a machine's addresses and waits for it to come
// back.
func (m *machine) opens(protocol, from, to string) error {
	return m.in(func() error {
		d := net.Dialer{Timeout: 2 * time.Second, LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		if protocol == "udp" {
			d.LocalAddr = &net.UDPAddr{IP: net.ParseIP(from)}
		}
		c, err := d.Dial(protocol, to)
		if err != nil {
			return err
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(2 * time.Second))
		if _, err := c.Write([]byte("word")); err != nil {
			return err
		}
		_, err = c.Read(make([]byte, 16))
		return err
	})
}

// A server that goes on sending in an untracked connection whose rule went away.
func TestUntrackedDownloadEnds(t *testing.T) {
	l := newLab(t, "--on-revoke", "aws")
	server := l.group("server")
	l.authorize(server, "Egress", "-1 0.0.0.0/0")
	l.authorize(server, "Ingress", "tcp 80 0.0.0.0/0")
	client, web := l.machine("client"), l.machine("web", server)
	var down net.Listener
	web.must(func() (err error) {
		down, err = net.Listen("tcp", ":80")
		return err
	})
	defer down.Close()
	go func() {
		c, err := down.Accept()
		for err == nil {
			_, err = c.Write(make([]byte, 1000))
			time.Sleep(10 * time.Millisecond)
		}
	}()
	var c net.Conn
	client.must(func() (err error) {
		c, err = net.Dial("tcp", web.four+":80")
		return err
	})
	defer c.Close()
	l.revoke(server, "Ingress", "tcp 80 0.0.0.0/0")
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); {
		c.SetReadDeadline(time.Now().Add(2 * time.Second))
		if _, err := c.Read(make([]byte, 4096)); err != nil {
			return
		}
	}
	t.Error("the download goes on")
}
