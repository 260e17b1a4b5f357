package ebpf

import (
	"strings"
	"testing"

	"moat/dataplane"
	"moat/test/clause"
)

// A probe holds what is at the device to the rules in force, by any way to
// attach, and leaves no flow.
func TestProbe(t *testing.T) {
	clause.Holds(t, "F86")
	for _, row := range []struct {
		name   string
		clsact bool
		side   dataplane.Side
		l3     bool
	}{{name: "host side"}, {name: "clsact", clsact: true}, {name: "workload side", side: dataplane.Workload},
		{name: "without Ethernet headers", l3: true}} {
		t.Run(row.name, func(t *testing.T) {
			l := newLab(t)
			if row.side == dataplane.Workload {
				l.binding.Device, l.binding.Netns, l.binding.Side = "eth0", "/run/netns/"+l.workload, dataplane.Workload
			}
			if row.l3 {
				tun(t, l.host)
				l.binding.Device = "tun0"
			}
			p := open(t, Options{ForceClsact: row.clsact})
			if _, err := p.Probe(t.Context(), eni); err == nil {
				t.Error("what is not bound is proved")
			}
			if err := p.Bind(t.Context(), l.binding); err != nil {
				t.Fatal(err)
			}
			for _, x := range []struct {
				rules           string
				passed, dropped int
			}{
				{"", 0, 2},
				{"in tcp 80 from 10.1.0.0/16", 1, 2},
				{"in udp 53 from 10.1.0.0/16; out all to 0.0.0.0/0; out all to ::/0", 2, 1},
				{"in icmp from 10.1.0.0/16; out udp 67-69 to 2001:db8:1::/64", 2, 2},
				{"in all from 0.0.0.0/0; in all from ::/0; out tcp 0-65535 to 0.0.0.0/0", 2, 1},
			} {
				var lines []string
				if x.rules != "" {
					lines = strings.Split(x.rules, "; ")
				}
				rs := rules(t, lines...)
				for i := range rs.Policies {
					for j := range rs.Policies[i].Rules {
						if r := &rs.Policies[i].Rules[j]; r.Protocol.String() == "icmp" {
							r.Ports.From, r.Ports.To = 8, 0
						}
					}
				}
				apply(t, p, rs)
				if strings.Contains(x.rules, "67-69") {
					x.passed = 1 // 67 is DHCP's
				}
				proof, err := p.Probe(t.Context(), eni)
				if err != nil || proof.Passed != x.passed || proof.Dropped != x.dropped || proof.Revision != rs.Rev {
					t.Errorf("%q: %+v, %v, want %d passed and %d dropped", x.rules, proof, err, x.passed, x.dropped)
				}
				p.eachFlow(func(k bpfFlow6Key, six bool, v bpfFlowValue) bool {
					t.Errorf("%q: a flow is left: %+v", x.rules, k)
					return false
				})
			}

			fails := func(why, want string) {
				t.Helper()
				if proof, err := p.Probe(t.Context(), eni); err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s: %+v, %v, want %q", why, proof, err, want)
				}
			}
			apply(t, p, rules(t, "in tcp 80 from 10.1.0.0/16"))
			have := p.have.rules
			p.have.rules = rules(t, "in tcp 81 from 10.1.0.0/16")
			fails("rules that were not put into force", "the program drops tcp to port 81")
			p.have.rules = have
			if err := p.Deny(t.Context(), eni); err != nil {
				t.Fatal(err)
			}
			fails("an interface that denies", "the program drops tcp to port 80")
			apply(t, p, rules(t, "in tcp 80 from 10.1.0.0/16", "in tcp 81 from 10.1.0.0/16"))

			observe := l.binding
			observe.Observe = true
			if err := p.Bind(t.Context(), observe); err != nil {
				t.Fatal(err)
			}
			if proof, err := p.Probe(t.Context(), eni); err != nil || proof.Dropped != 2 {
				t.Errorf("a device that observes: %+v, %v", proof, err)
			}
			if err := p.Bind(t.Context(), l.binding); err != nil {
				t.Fatal(err)
			}

			// Somebody takes a program off.
			b := p.bound[eni]
			if b.Clsact != 0 { // also where the kernel has no TCX
				ns := map[bool]string{true: l.workload, false: l.host}[row.side == dataplane.Workload]
				run(t, "tc -n "+ns+" qdisc del dev "+l.binding.Device+" clsact")
			} else if err := detach(b); err != nil {
				t.Fatal(err)
			}
			fails("a program that was taken off", "no program of Moat is at the device")
		})
	}
}

// detach takes the program for what the workload sends off its device.
func detach(b *bound) error {
	type detacher interface{ Detach() error }
	return b.links[dirOut].(detacher).Detach()
}
