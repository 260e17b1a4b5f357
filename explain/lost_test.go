package explain_test

import (
	"strings"
	"testing"

	"moat/explain"
	"moat/ruleset"
	"moat/state"
	"moat/vpc"
)

// Interfaces that a rule lets open a service have it still; those that none lets
// have lost it, and the commands bring exactly it back.
func TestLostServices(t *testing.T) {
	w := newWorld(t)
	for _, g := range []string{"open", "four", "closed", "dns"} {
		w.group(g)
	}
	for _, g := range []string{"closed", "dns"} {
		w.seal(g)
	}
	for _, g := range []string{"closed", "four"} {
		w.Must("RevokeSecurityGroupEgress", "GroupId", w.by[g], "IpPermissions.1.IpProtocol", "-1", "IpPermissions.1.Ipv6Ranges.1.CidrIpv6", "::/0")
	}
	w.iface("open", "172.31.0.10", "open")
	w.iface("four", "172.31.0.11", "four")
	w.iface("both", "172.31.0.12", "four", "dns")
	w.iface("closed", "172.31.0.13", "closed")
	w.iface("dns", "172.31.0.14", "dns") // everything over IPv6
	w.allow("Egress", "dns", "udp", "53", "172.31.0.2/32")
	w.allow("Egress", "dns", "tcp", "80", "169.254.169.254/32")
	locals := func(names ...string) (all []ruleset.Local) {
		for _, n := range names {
			all = append(all, ruleset.Local{Scope: w.Scope, ID: vpc.InterfaceID(w.by["eni-"+n])})
		}
		return all
	}
	say := func(all []explain.Lost) string {
		var out []string
		for _, l := range all {
			out = append(out, w.say(string(l.Interface))+" "+l.Name+": "+strings.Join(l.Services, ", "))
		}
		return strings.Join(out, "\n")
	}
	all := locals("open", "four", "both", "closed", "dns")
	const want = `eni-four four: dns (tcp/53 and udp/53 to fd00:ec2::253), metadata (tcp/80 to fd00:ec2::254), time (udp/123 to fd00:ec2::123)
eni-closed closed: dns (tcp/53 and udp/53 to 172.31.0.2, 169.254.169.253, fd00:ec2::253), metadata (tcp/80 to 169.254.169.254, fd00:ec2::254), time (udp/123 to 169.254.169.123, fd00:ec2::123)
eni-dns dns: dns (tcp/53 to 172.31.0.2, 169.254.169.253; udp/53 to 169.254.169.253), time (udp/123 to 169.254.169.123)`
	if got := say(explain.LostServices(w.View, all, ruleset.Options{})); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := say(explain.LostServices(w.View, all, ruleset.Options{Exempt: ruleset.AWSExemptions()})); got != "" {
		t.Errorf("with --exempt aws: %s", got)
	}
	w.Stage(func(tx *state.Txn) error { // an interface of one family does not lose what the other has
		i := *state.Interfaces.Get(tx, vpc.InterfaceID(w.by["eni-closed"]))
		i.Addresses = nil
		state.Interfaces.Put(tx, &i)
		return nil
	})
	const six = "eni-closed closed: dns (tcp/53 and udp/53 to fd00:ec2::253), metadata (tcp/80 to fd00:ec2::254), time (udp/123 to fd00:ec2::123)"
	if got := say(explain.LostServices(w.View, locals("closed"), ruleset.Options{})); got != six {
		t.Errorf("an interface without IPv4: got\n%s\nwant\n%s", got, six)
	}
	for _, l := range explain.LostServices(w.View, all, ruleset.Options{}) {
		for _, c := range l.Commands {
			w.run(c)
		}
	}
	if got := say(explain.LostServices(w.View, all, ruleset.Options{})); got != "" {
		t.Errorf("after the commands: %s", got)
	}
	for _, to := range []string{"169.254.169.254:443", "172.31.0.3:53/udp", "169.254.169.123:123"} {
		if w.why("dns", to).Allowed {
			t.Errorf("the commands opened %s", to)
		}
	}
}
