package explain

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"moat/flow"
	"moat/vpc"
)

// Text gives an answer in words, with the commands that would change it.
func (a *Answer) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s -> %s %s\n", a.From, a.To, a.what())
	for _, g := range a.Gates {
		fmt.Fprintf(&b, "  %-6s %s", map[flow.Direction]string{flow.Egress: "out of", flow.Ingress: "into"}[g.Egress], g.Name)
		switch {
		case g.Rule != nil:
			fmt.Fprintf(&b, ": allowed by %s of %s: %s", g.Rule.ID, g.Rule.Group.Name, g.Rule.Text)
		case g.Allowed:
			b.WriteString(": allowed")
		default:
			fmt.Fprintf(&b, ": denied: %s", a.no(g))
		}
		if g.Unenforced != "" {
			b.WriteString(" (not enforced: " + g.Unenforced + ")")
		}
		b.WriteByte('\n')
	}
	if a.Note != "" {
		b.WriteString("note: " + a.Note + "\n")
	}
	if a.Allowed {
		b.WriteString("allowed\n")
		return b.String()
	}
	b.WriteString("denied\n")
	b.WriteString(a.Remedy())
	return b.String()
}

// Denied says in one line which rule is missing at the first shut gate, "" if
// none is shut.
func (a *Answer) Denied() string {
	for _, g := range a.Gates {
		if !g.Allowed {
			return a.no(g)
		}
	}
	return ""
}

// no says what is missing: "demo has no rule for tcp/80 from 172.31.0.5".
func (a *Answer) no(g Gate) string {
	groups := make([]string, len(g.Groups))
	for i, x := range g.Groups {
		groups[i] = x.Name
	}
	who := strings.Join(groups, ", ")
	switch len(groups) {
	case 0:
		return "the interface has no group"
	case 1:
		who += " has"
	default:
		who += " have"
	}
	return fmt.Sprintf("%s no rule for %s %s %s", who, a.what(), preposition(g.Egress), g.Remote)
}

func preposition(d flow.Direction) string {
	if d == flow.Egress {
		return "to"
	}
	return "from"
}

// Remedy gives the commands that would let the flow pass, "" if it does.
func (a *Answer) Remedy() string {
	var exact, wider []string
	for _, g := range a.Gates {
		for i, m := range g.Missing {
			if i == 0 {
				exact = append(exact, m.Command)
			} else {
				wider = append(wider, fmt.Sprintf("Or, for every interface of the group (%d today):\n\n    %s\n", m.Members, m.Command))
			}
		}
	}
	if exact == nil {
		return ""
	}
	return "This allows exactly it:\n\n    " + strings.Join(exact, "\n    ") + "\n" + strings.Join(wider, "")
}

// By gives the rules that allow the flow, the receiver's first: a person who
// opens a port thinks of that side.
func (a *Answer) By() []vpc.RuleID {
	var ids []vpc.RuleID
	for i := len(a.Gates) - 1; i >= 0; i-- {
		if r := a.Gates[i].Rule; r != nil {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

// what gives protocol and port: "tcp/80", "icmp type 8 code 0".
func (q *Question) what() string {
	return what(q.Protocol, flow.PortRange{From: int32(q.Port), To: int32(q.Port)}, int32(q.Port), int32(q.Code))
}

func what(p flow.Protocol, ports flow.PortRange, typ, code int32) string {
	switch p {
	case flow.AllProtocols:
		return "everything"
	case flow.TCP, flow.UDP:
		if ports.From == 0 && ports.To == 65535 {
			return p.String()
		}
		if ports.From == ports.To {
			return fmt.Sprintf("%s/%d", p, ports.From)
		}
		return fmt.Sprintf("%s/%d-%d", p, ports.From, ports.To)
	case flow.ICMP, flow.ICMPv6:
		switch {
		case typ < 0:
			return p.String()
		case code < 0:
			return fmt.Sprintf("%s type %d", p, typ)
		}
		return fmt.Sprintf("%s type %d code %d", p, typ, code)
	}
	return "protocol " + p.String()
}

// String gives the name with the address.
func (e End) String() string {
	if e.Name == e.Addr.String() {
		return e.Name
	}
	return fmt.Sprintf("%s (%s)", e.Name, e.Addr)
}

// RuleText gives a rule in a few words: "tcp/80 from 0.0.0.0/0".
func RuleText(r *vpc.Rule) string {
	return what(r.Protocol, r.Ports, r.Ports.From, r.Ports.To) + " " + preposition(r.Direction) + " " + r.Peer.String()
}

// Command gives the line that adds a rule to a group with the AWS command
// line, for a POSIX shell. The short options serve what every version of it
// knows them for: TCP and UDP, of IPv4 addresses, and of groups inwards.
func Command(g vpc.GroupID, r *vpc.Rule) string {
	line := fmt.Sprintf("aws ec2 authorize-security-group-%s --group-id %s", r.Direction, g)
	_, isGroup := r.Peer.Group()
	short := r.Protocol == flow.TCP || r.Protocol == flow.UDP
	switch {
	case short && r.Peer.Ref == "" && r.Peer.CIDR.Addr().Is4():
		return line + fmt.Sprintf(" --protocol %s --port %s --cidr %s", r.Protocol, portsText(r.Ports), r.Peer.CIDR)
	case short && isGroup && r.Direction == flow.Ingress:
		return line + fmt.Sprintf(" --protocol %s --port %s --source-group %s", r.Protocol, portsText(r.Ports), r.Peer.Ref)
	}
	p := "IpProtocol=" + r.Protocol.String()
	if r.HasPorts() {
		p += fmt.Sprintf(",FromPort=%d,ToPort=%d", r.Ports.From, r.Ports.To)
	}
	return line + " --ip-permissions '" + p + "," + peerText(r.Peer) + "'"
}

func portsText(r flow.PortRange) string {
	if r.From == r.To {
		return strconv.Itoa(int(r.From))
	}
	return fmt.Sprintf("%d-%d", r.From, r.To)
}

func peerText(p vpc.Peer) string {
	if _, ok := p.Group(); ok {
		return "UserIdGroupPairs=[{GroupId=" + p.Ref + "}]"
	}
	if _, ok := p.PrefixList(); ok {
		return "PrefixListIds=[{PrefixListId=" + p.Ref + "}]"
	}
	return rangeText(p.CIDR)
}

func rangeText(c netip.Prefix) string {
	if c.Addr().Is4() {
		return "IpRanges=[{CidrIp=" + c.String() + "}]"
	}
	return "Ipv6Ranges=[{CidrIpv6=" + c.String() + "}]"
}
