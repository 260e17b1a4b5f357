package ruleset

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"moat/flow"
	"moat/vpc"
)

// An Exemption is traffic that passes whatever the rules of the groups say,
// because the operator asked for it with --exempt. It is compiled into rules of
// its own. So its flows are tracked, its packets are counted, and Judge knows
// it. The zero value exempts nothing.
type Exemption struct {
	// Service is one of AWS's, which interfaces may open. Prefix and Port are
	// not set then.
	Service Service
	// Prefix has the remote addresses.
	Prefix netip.Prefix
	// Port is the TCP and UDP port that interfaces may open at Prefix. 0 exempts
	// all traffic to and from Prefix, whichever side begins it.
	Port uint16
}

// A Service is one that AWS offers to every interface of a VPC and that
// security groups on AWS never filter: VPC user guide, "Security group basics".
type Service string

// The services, which --exempt aws stands for.
const (
	DNS      Service = "dns"
	Metadata Service = "metadata"
	Time     Service = "time"
)

// An outlet is where a service is: the IPv4 address and its IPv6 twin. DNS is at
// the VPC's own resolver too.
type outlet struct {
	service   Service
	addresses [2]netip.Addr
	protocols []flow.Protocol
	port      uint16
}

var outlets = []outlet{
	{DNS, [2]netip.Addr{netip.MustParseAddr("169.254.169.253"), netip.MustParseAddr("fd00:ec2::253")}, []flow.Protocol{flow.TCP, flow.UDP}, 53},
	{Metadata, [2]netip.Addr{netip.MustParseAddr("169.254.169.254"), netip.MustParseAddr("fd00:ec2::254")}, []flow.Protocol{flow.TCP}, 80},
	{Time, [2]netip.Addr{netip.MustParseAddr("169.254.169.123"), netip.MustParseAddr("fd00:ec2::123")}, []flow.Protocol{flow.UDP}, 123},
}

// rank puts services first, in their order.
func (e Exemption) rank() int {
	for i := range outlets {
		if outlets[i].service == e.Service {
			return i
		}
	}
	return len(outlets)
}

// outlet returns where the service of an exemption is, or nil.
func (e Exemption) outlet() *outlet {
	if i := e.rank(); i < len(outlets) {
		return &outlets[i]
	}
	return nil
}

const (
	exemptPrefix = "exempt:"
	awsWord      = "aws"
)

// AWSExemptions returns what --exempt aws stands for.
func AWSExemptions() (all []Exemption) {
	for _, o := range outlets {
		all = append(all, Exemption{Service: o.service})
	}
	return all
}

// ParseExemptions reads the values of --exempt:
//
//	aws               the services of AWS, which interfaces may open
//	10.0.0.2/53       a TCP and UDP port of an address, which interfaces may open
//	10.0.0.2:53       the same
//	[fd00::2]:53      the same; [fd00::2]/53 too
//	10.0.0.2          all traffic to and from an address, whichever side begins it
//	10.0.0.0/24       the same for a block
//	none              nothing; it stands alone
//
// ADDRESS/N is a port if N is longer than any prefix of the address can be, and
// a block if the address has no bits behind the first N. Otherwise it could be
// meant as either and is refused.
func ParseExemptions(words []string) ([]Exemption, error) {
	var all []Exemption
	for _, word := range words {
		switch word {
		case "none":
			if len(words) > 1 {
				return nil, errors.New(`"none" exempts nothing and must be the only value`)
			}
		case awsWord:
			all = append(all, AWSExemptions()...)
		default:
			e, err := parseExemption(word)
			if err != nil {
				return nil, err
			}
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b Exemption) int {
		return cmp.Or(cmp.Compare(a.rank(), b.rank()), comparePrefixes(a.Prefix, b.Prefix), cmp.Compare(a.Port, b.Port))
	})
	return slices.Compact(all), nil
}

func parseExemption(s string) (Exemption, error) {
	text, number, slash := strings.Cut(s, "/")
	isPort := false
	if p, err := netip.ParseAddrPort(s); err == nil { // 10.0.0.2:53, [fd00::2]:53
		text, number, isPort = p.Addr().String(), strconv.Itoa(int(p.Port())), true
	} else if slash && strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]") {
		text, isPort = text[1:len(text)-1], true
	}
	a, err := netip.ParseAddr(text)
	switch {
	case err != nil || a.Zone() != "":
		return Exemption{}, fmt.Errorf("%q is not an exemption: give aws, ADDRESS/PORT, ADDRESS, a block such as 10.0.0.0/24, or none", s)
	case a.Is4In6():
		return Exemption{}, fmt.Errorf("%q is an IPv4 address in IPv6 form: write it as %s", s, a.Unmap())
	case !slash && !isPort:
		return Exemption{Prefix: netip.PrefixFrom(a, a.BitLen())}, nil
	}
	n, err := strconv.ParseUint(number, 10, 16)
	isPort = isPort || int(n) > a.BitLen()
	switch {
	case err != nil || isPort && n == 0 || strconv.Itoa(int(n)) != number:
		return Exemption{}, fmt.Errorf("%q: %q is neither a port from 1 to 65535 nor the length of a block", s, number)
	case isPort:
		return Exemption{Prefix: netip.PrefixFrom(a, a.BitLen()), Port: uint16(n)}, nil
	}
	p := netip.PrefixFrom(a, int(n))
	if p != p.Masked() {
		port := netip.AddrPortFrom(a, uint16(n))
		if n == 0 {
			return Exemption{}, fmt.Errorf("%q: write %s for all addresses", s, p.Masked())
		}
		return Exemption{}, fmt.Errorf("%q is ambiguous: write %s for port %d of the address, or %s for all traffic to and from the block", s, port, n, p.Masked())
	}
	return Exemption{Prefix: p}, nil
}

// String returns the exemption as ParseExemptions reads it, but for a service,
// which is one of those that "aws" stands for.
func (e Exemption) String() string {
	switch a := e.Prefix.Addr(); {
	case e.Service != "":
		return awsWord + ":" + string(e.Service)
	case e.Port > 0 && int(e.Port) > a.BitLen():
		return fmt.Sprintf("%s/%d", a, e.Port)
	case e.Port > 0:
		return netip.AddrPortFrom(a, e.Port).String()
	case e.Prefix.IsSingleIP():
		return a.String()
	}
	return e.Prefix.String()
}

// Option returns the option that asks for the exemption: "--exempt aws".
func (e Exemption) Option() string {
	if e.Service != "" {
		return "--exempt " + awsWord
	}
	return "--exempt " + e.String()
}

// BothWays reports whether all traffic passes in both directions, so that the
// other side may open any port of an interface.
func (e Exemption) BothWays() bool { return e.Service == "" && e.Port == 0 }

// RuleIDs returns the names under which the packets of an exemption are
// counted: two, if it is for both directions.
func (e Exemption) RuleIDs() []vpc.RuleID {
	if e.BothWays() {
		return []vpc.RuleID{e.ruleID(flow.Ingress), e.ruleID(flow.Egress)}
	}
	return []vpc.RuleID{e.ruleID(flow.Egress)}
}

func (e Exemption) ruleID(d flow.Direction) vpc.RuleID {
	way := ""
	if e.BothWays() {
		way = map[flow.Direction]string{flow.Ingress: "in:", flow.Egress: "out:"}[d]
	}
	return vpc.RuleID(exemptPrefix + way + e.String())
}

// exemptionOf returns the exemption that is counted under a name. d matters
// where it is for both directions.
func exemptionOf(id vpc.RuleID) (e Exemption, d flow.Direction, ok bool) {
	s, ok := strings.CutPrefix(string(id), exemptPrefix)
	if !ok {
		return e, d, false
	}
	d = flow.Egress
	if rest, in := strings.CutPrefix(s, "in:"); in {
		s, d = rest, flow.Ingress
	}
	s = strings.TrimPrefix(s, "out:")
	if service, aws := strings.CutPrefix(s, awsWord+":"); aws {
		e.Service = Service(service)
		return e, d, e.outlet() != nil
	}
	e, err := parseExemption(s)
	return e, d, err == nil
}

// Text says what passes: "tcp/53 and udp/53 to 10.0.0.2".
func (e Exemption) Text() string {
	if e.BothWays() {
		return "all traffic to and from " + e.String()
	}
	o := e.outlet()
	if o == nil {
		return portText([]flow.Protocol{flow.TCP, flow.UDP}, e.Port) + " to " + e.Prefix.Addr().String()
	}
	to := fmt.Sprintf("%s and %s", o.addresses[0], o.addresses[1])
	if o.service == DNS {
		to = "the VPC's resolver, " + to
	}
	return portText(o.protocols, o.port) + " to " + to
}

func portText(protocols []flow.Protocol, port uint16) string {
	var out []string
	for _, p := range protocols {
		out = append(out, fmt.Sprintf("%s/%d", p, port))
	}
	return strings.Join(out, " and ")
}

// Rules returns the rules of an exemption in one direction, for interfaces of a
// VPC with a resolver, which is not valid where none is known.
func (e Exemption) Rules(d flow.Direction, resolver netip.Addr) (rules []Rule) {
	if d == flow.Ingress && !e.BothWays() || e == (Exemption{}) {
		return nil
	}
	add := func(p flow.Protocol, port uint16, remote netip.Prefix) {
		r := Rule{ID: e.ruleID(d), Protocol: p, Ports: flow.PortRange{From: int32(port), To: int32(port)}, Remote: Remote{Prefix: remote}}
		if p == flow.AllProtocols {
			r.Ports = flow.NoPorts
		}
		rules = append(rules, r)
	}
	o := e.outlet()
	switch {
	case e.BothWays():
		add(flow.AllProtocols, 0, e.Prefix)
	case o == nil:
		add(flow.TCP, e.Port, e.Prefix)
		add(flow.UDP, e.Port, e.Prefix)
	default:
		addresses := o.addresses[:]
		if o.service == DNS && resolver.IsValid() {
			addresses = append([]netip.Addr{resolver}, addresses...)
		}
		for _, a := range addresses {
			for _, p := range o.protocols {
				add(p, o.port, netip.PrefixFrom(a, a.BitLen()))
			}
		}
	}
	return rules
}

// exemptions returns the rules that the operator's exemptions are in a VPC, and
// what tells a policy with them from that of others with the same groups.
func (c *compiler) exemptions(v *vpc.VPC, d flow.Direction) (rules []Rule, mark string) {
	resolver := netip.Addr{}
	if v != nil {
		resolver = v.Resolver()
	}
	dns := false
	for _, e := range c.options.Exempt {
		rules = append(rules, e.Rules(d, resolver)...)
		dns = dns || e.Service == DNS
	}
	if rules != nil {
		mark = " exempt"
	}
	if dns && d == flow.Egress && resolver.IsValid() {
		mark += ":" + resolver.String()
	}
	return rules, mark
}

// OptionOf returns the option of the operator that a rule comes from, and what
// it lets pass, where the rule is one of no group: a pinhole or an exemption.
func OptionOf(id vpc.RuleID) (option, text string, ok bool) {
	if p, ok := pinholeOf(id); ok {
		return "--failsafe", fmt.Sprintf("tcp/%d, %s", p.Port, p.Prefix), true
	}
	e, d, ok := exemptionOf(id)
	switch {
	case !ok:
		return "", "", false
	case !e.BothWays():
		text = e.Text()
	case d == flow.Ingress:
		text = "all traffic from " + e.String()
	default:
		text = "all traffic to " + e.String()
	}
	return e.Option(), text, true
}
