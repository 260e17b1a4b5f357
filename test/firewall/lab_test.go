// Package firewall proves the firewall from outside: real packets between
// network namespaces, `moat serve` in a process of its own, everything that
// changes by the API.
package firewall_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"moat/test/ec2client"
	"moat/test/moattest"
)

// The long form:
//
//	go test ./test/firewall -long -timeout 1h
var long = flag.Bool("long", false, "the long form: 10,000 rulesets under the flood, flows that are idle for a minute")

func TestMain(m *testing.M) { moattest.Main(m) }

// A lab is a host whose bridge joins machines, each in a network namespace,
// and a server that enforces on the bridge's ports.
type lab struct {
	*testing.T
	name   string
	host   string
	server *moattest.Server
	client *ec2client.Client
	vpc    string
	subnet string
}

// A machine has eth0, whose other end is a port of the bridge.
type machine struct {
	lab       *lab
	netns     string
	port      string // of the bridge
	four, six string
	eni       string
}

const (
	network4 = "10.77.0.0/16"
)

func newLab(t *testing.T, args ...string) *lab {
	t.Helper()
	return newLabOf(t, "", args...)
}

// newLabOf makes a lab whose server is another program, if bin names one.
func newLabOf(t *testing.T, bin string, args ...string) *lab {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: it makes network namespaces and loads BPF programs")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("needs iproute2")
	}
	l := &lab{T: t, name: fmt.Sprintf("moat-t-%06x-", rand.Uint32()&0xffffff)}
	l.host = l.name + "host"
	l.netns(l.host)
	l.server = moattest.StartProgram(t, bin, args...)
	moattest.Undo(t, func() { // after the server has stopped
		if b, err := os.ReadFile(filepath.Join(l.server.Dir, "identity")); err == nil {
			l.server.Kill()
			os.RemoveAll("/sys/fs/bpf/moat/" + strings.TrimSpace(string(b)))
		}
	})
	l.client = ec2client.New(l.server.Env)
	if out := l.moat("status"); !regexp.MustCompile(`(?m)^data plane +ebpf$`).MatchString(out) {
		t.Skipf("the server cannot enforce here:\n%s", out)
	}
	l.ip("-n", l.host, "link", "add", "br0", "type", "bridge", "forward_delay", "0")
	l.ip("-n", l.host, "link", "set", "br0", "up")
	l.vpc = l.call("CreateVpc", "CidrBlock", network4, "AmazonProvidedIpv6CidrBlock", "true").Get("vpcId")
	var block string
	l.until(5*time.Second, func() error {
		if block = l.call("DescribeVpcs", "VpcId.1", l.vpc).Get("ipv6CidrBlock"); block == "" {
			return errors.New("the VPC has no IPv6 block")
		}
		return nil
	})
	l.subnet = l.call("CreateSubnet", "VpcId", l.vpc, "CidrBlock", network4, "Ipv6CidrBlock", strings.Replace(block, "/56", "/64", 1)).Get("subnetId")
	return l
}

func (l *lab) netns(name string) {
	l.Helper()
	l.ip("netns", "add", name)
	moattest.Undo(l, func() { exec.Command("ip", "netns", "del", name).Run() })
	l.sysctl(name, "net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0")
}

func (l *lab) sysctl(netns string, values ...string) {
	l.Helper()
	if out, err := exec.Command("ip", append([]string{"netns", "exec", netns, "sysctl", "-qw"}, values...)...).CombinedOutput(); err != nil {
		l.Fatalf("sysctl %v: %v: %s", values, err, out)
	}
}

func (l *lab) ip(args ...string) {
	l.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		l.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// call makes a call of the EC2 API that has to succeed and to be in force.
func (l *lab) call(action string, params ...string) *ec2client.Reply {
	l.Helper()
	r, err := l.client.Do(context.Background(), action, params...)
	if err != nil || !r.OK() {
		l.Fatalf("%s %v: %v %v", action, params, r, err)
	}
	return r
}

// moat runs a command of the server's program, which may fail.
func (l *lab) moat(args ...string) string {
	l.Helper()
	bin := l.server.Bin
	if bin == "" {
		bin = moattest.Binary(l)
	}
	c := exec.Command(bin, append(args, "--data-dir", l.server.Dir)...)
	c.Env = moattest.CleanEnv()
	out, _ := c.CombinedOutput()
	return string(out)
}

// group makes a group without any rule.
func (l *lab) group(name string, tags ...string) string {
	l.Helper()
	params := []string{"GroupName", name, "GroupDescription", "d", "VpcId", l.vpc}
	for i := 0; i < len(tags); i += 2 {
		params = append(params, "TagSpecification.1.ResourceType", "security-group",
			fmt.Sprintf("TagSpecification.1.Tag.%d.Key", i/2+1), tags[i], fmt.Sprintf("TagSpecification.1.Tag.%d.Value", i/2+1), tags[i+1])
	}
	id := l.call("CreateSecurityGroup", params...).Get("groupId")
	l.call("RevokeSecurityGroupEgress", append([]string{"GroupId", id}, permissions("-1 0.0.0.0/0")...)...)
	l.client.Do(context.Background(), "RevokeSecurityGroupEgress", append([]string{"GroupId", id}, permissions("-1 ::/0")...)...)
	return id
}

// permissions gives the parameters of rules such as "tcp 80 10.0.0.0/8",
// "udp 53-54 sg-…", "icmp ::/0" and "-1 0.0.0.0/0".
func permissions(rules ...string) (params []string) {
	for i, r := range rules {
		at := fmt.Sprintf("IpPermissions.%d.", i+1)
		f := strings.Fields(r)
		params = append(params, at+"IpProtocol", f[0])
		from, to := "-1", "-1"
		if len(f) == 3 {
			var ok bool
			if from, to, ok = strings.Cut(f[1], "-"); !ok {
				to = from
			}
		}
		if f[0] != "-1" {
			params = append(params, at+"FromPort", from, at+"ToPort", to)
		}
		switch remote := f[len(f)-1]; {
		case strings.HasPrefix(remote, "sg-"):
			params = append(params, at+"Groups.1.GroupId", remote)
		case strings.Contains(remote, ":"):
			params = append(params, at+"Ipv6Ranges.1.CidrIpv6", remote)
		default:
			params = append(params, at+"IpRanges.1.CidrIp", remote)
		}
	}
	return params
}

// authorize and revoke change the rules of a group: direction is Ingress or
// Egress.
func (l *lab) authorize(group, direction string, rules ...string) {
	l.Helper()
	l.call("AuthorizeSecurityGroup"+direction, append([]string{"GroupId", group}, permissions(rules...)...)...)
}

func (l *lab) revoke(group, direction string, rules ...string) {
	l.Helper()
	l.call("RevokeSecurityGroup"+direction, append([]string{"GroupId", group}, permissions(rules...)...)...)
}

// machine makes a machine whose interface has groups, or one that is no
// interface of Moat's without any.
func (l *lab) machine(name string, groups ...string) *machine {
	l.Helper()
	m := l.made(name, groups)
	m.link()
	if len(groups) > 0 {
		m.attach()
	}
	m.up()
	return m
}

// made makes a machine that has no link yet.
func (l *lab) made(name string, groups []string) *machine {
	l.Helper()
	params := []string{"SubnetId", l.subnet, "Ipv6AddressCount", "1"}
	for i, g := range groups {
		params = append(params, fmt.Sprintf("SecurityGroupId.%d", i+1), g)
	}
	r := l.call("CreateNetworkInterface", params...)
	m := &machine{lab: l, netns: l.name + name, port: name, eni: r.Get("networkInterfaceId"), four: r.Get("privateIpAddress"), six: r.Get("ipv6Address")}
	if m.four == "" || m.six == "" {
		l.Fatalf("an interface without an address: %s", r.Body)
	}
	l.netns(m.netns)
	return m
}

// link makes the link; it is down.
func (m *machine) link() {
	l := m.lab
	l.Helper()
	l.ip("-n", l.host, "link", "add", m.port, "type", "veth", "peer", "name", "eth0", "netns", m.netns)
	l.ip("-n", l.host, "link", "set", m.port, "master", "br0")
}

func (m *machine) attach() {
	l := m.lab
	l.Helper()
	if out := l.moat("attach", m.eni, "--dev", m.port, "--netns", l.host); !strings.Contains(out, "enforced (revision ") {
		l.Fatalf("moat attach: %s", out)
	}
}

func (m *machine) up() {
	l := m.lab
	l.Helper()
	l.ip("-n", l.host, "link", "set", m.port, "up")
	l.ip("-n", m.netns, "link", "set", "lo", "up")
	l.ip("-n", m.netns, "addr", "add", m.four+"/16", "dev", "eth0")
	l.ip("-n", m.netns, "addr", "add", m.six+"/64", "dev", "eth0", "nodad")
	l.ip("-n", m.netns, "link", "set", "eth0", "up")
}

// in runs f on a thread in the machine's network namespace.
func (m *machine) in(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // the thread ends with the goroutine
		done <- func() error {
			h, err := os.Open("/run/netns/" + m.netns)
			if err != nil {
				return err
			}
			defer h.Close()
			if err := unix.Setns(int(h.Fd()), unix.CLONE_NEWNET); err != nil {
				return err
			}
			return f()
		}()
	}()
	return <-done
}

func (m *machine) must(f func() error) {
	m.lab.Helper()
	if err := m.in(f); err != nil {
		m.lab.Fatal(err)
	}
}

// packets opens a UDP socket of the machine.
func (m *machine) packets(addr string) *net.UDPConn {
	m.lab.Helper()
	var c net.PacketConn
	m.must(func() (err error) {
		c, err = net.ListenPacket("udp", addr)
		return err
	})
	m.lab.Cleanup(func() { c.Close() })
	c.(*net.UDPConn).SetReadBuffer(8 << 20)
	return c.(*net.UDPConn)
}

// until tries until f gives no error.
func (l *lab) until(d time.Duration, f func() error) {
	l.Helper()
	end := time.Now().Add(d)
	for {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			l.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
