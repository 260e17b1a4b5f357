package ruleset

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"moat/flow"
	"moat/vpc"
)

// A Pinhole is a TCP port that stays open on the host's own devices, whatever
// the rules say: the way back in.
type Pinhole struct {
	// Egress is for a port of the remote, of an etcd cluster say; Ingress for
	// one of the host.
	Direction flow.Direction
	Port      uint16
	Prefix    netip.Prefix
}

const failsafePrefix = "failsafe:"

// String gives what ParsePinhole reads.
func (p Pinhole) String() string {
	out := ""
	if p.Direction == flow.Egress {
		out = "out:"
	}
	return fmt.Sprintf("%s%d/%s", out, p.Port, p.Prefix)
}

// RuleID gives the name under which a pinhole's packets are counted.
func (p Pinhole) RuleID() vpc.RuleID { return vpc.RuleID(failsafePrefix + p.String()) }

// pinholeOf gives the pinhole that is counted under a name.
func pinholeOf(id vpc.RuleID) (Pinhole, bool) {
	s, ok := strings.CutPrefix(string(id), failsafePrefix)
	if !ok {
		return Pinhole{}, false
	}
	p, err := ParsePinhole(s)
	return p, err == nil
}

// ParsePinhole reads PORT/CIDR, and out:PORT/CIDR for a port of the remote.
func ParsePinhole(s string) (Pinhole, error) {
	p := Pinhole{Direction: flow.Ingress}
	rest, out := strings.CutPrefix(s, "out:")
	if out {
		p.Direction = flow.Egress
	}
	port, block, _ := strings.Cut(rest, "/")
	n, err := strconv.ParseUint(port, 10, 16)
	if err == nil && n > 0 {
		p.Port = uint16(n)
		p.Prefix, err = netip.ParsePrefix(block)
		if err != nil {
			var a netip.Addr
			if a, err = netip.ParseAddr(block); err == nil && a.Zone() == "" {
				p.Prefix = netip.PrefixFrom(a, a.BitLen())
			}
		}
	}
	if err != nil || !p.Prefix.IsValid() {
		return Pinhole{}, fmt.Errorf("%q is no pinhole: want PORT/CIDR, 22/10.0.0.0/8 say, or out:PORT/CIDR", s)
	}
	p.Prefix = p.Prefix.Masked()
	return p, nil
}

func (p Pinhole) rule() Rule {
	return Rule{ID: p.RuleID(), Protocol: flow.TCP, Ports: flow.PortRange{From: int32(p.Port), To: int32(p.Port)}, Remote: Remote{Prefix: p.Prefix}}
}

// Failsafe gives the rules of a policy that are pinholes.
func (p *Policy) Failsafe() (rules []Rule) {
	for _, r := range p.Rules {
		if strings.HasPrefix(string(r.ID), failsafePrefix) {
			rules = append(rules, r)
		}
	}
	return rules
}

// HostsOwn reports whether an interface is bound to a device that is the
// host's own: it carries the host's addresses, in the host's own namespace.
func HostsOwn(row *vpc.Interface) bool {
	a := row.Attachment
	return a != nil && a.Device != nil && a.Device.Workload && a.Device.Netns == ""
}

// pinholes gives those of an interface, and what tells its policy from that of
// others with the same groups.
func (c *compiler) pinholes(row *vpc.Interface, d flow.Direction) (rules []Rule, mark string) {
	if !HostsOwn(row) {
		return nil, ""
	}
	for _, p := range c.options.Failsafe {
		if p.Direction == d {
			rules = append(rules, p.rule())
		}
	}
	if rules != nil {
		mark = " failsafe"
	}
	return rules, mark
}
