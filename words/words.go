// Package words knows how people speak of rules: ports by the names of their
// services, protocols, the other side of a rule, ages, callers. It reads such
// words, too. What they are about is left to others.
package words

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"

	"moat/flow"
	"moat/vpc"
)

// Traffic gives protocol and ports: "ssh 22/tcp", "8000-8100/tcp", "all tcp",
// "ping (icmp type 8)", "gre (protocol 47)", "everything".
func Traffic(p flow.Protocol, r flow.PortRange) string {
	switch p {
	case flow.AllProtocols:
		return "everything"
	case flow.TCP, flow.UDP:
		switch {
		case r.From == 0 && r.To == 65535:
			return "all " + p.String()
		case r.From != r.To:
			return fmt.Sprintf("%d-%d/%s", r.From, r.To, p)
		}
		port := fmt.Sprintf("%d/%s", r.From, p)
		if name := Service(p, r.From); name != "" {
			return name + " " + port
		}
		return port
	case flow.ICMP, flow.ICMPv6:
		switch {
		case r.From < 0:
			return "all " + p.String()
		case p == flow.ICMP && r.From == 8 && r.To <= 0, p == flow.ICMPv6 && r.From == 128 && r.To <= 0:
			return fmt.Sprintf("ping (%s type %d)", p, r.From)
		case r.To < 0:
			return fmt.Sprintf("%s type %d", p, r.From)
		}
		return fmt.Sprintf("%s type %d code %d", p, r.From, r.To)
	}
	if name := protocolName(p); name != "" {
		return fmt.Sprintf("%s (protocol %d)", name, p)
	}
	return fmt.Sprintf("protocol %d", p)
}

// Rule gives a rule in a few words: "ssh 22/tcp from 203.0.113.7/32". peer is
// what the rule's other side is called; empty for what Peer says.
func Rule(r *vpc.Rule, peer string) string {
	if peer == "" {
		peer = Peer(r.Peer, "")
	}
	return Traffic(r.Protocol, r.Ports) + " " + Preposition(r.Direction) + " " + peer
}

// Preposition stands between the traffic and the other side of a rule.
func Preposition(d flow.Direction) string {
	if d == flow.Egress {
		return "to"
	}
	return "from"
}

// Direction gives "in" or "out".
func Direction(d flow.Direction) string {
	if d == flow.Egress {
		return "out"
	}
	return "in"
}

// Peer gives the other side of a rule: a range, "anywhere (0.0.0.0/0)", "group
// web", "list office". name is that of a group or a list, empty if it is not
// known: the id stands then.
func Peer(p vpc.Peer, name string) string {
	if name == "" {
		name = p.Ref
	}
	if _, ok := p.Group(); ok {
		return "group " + Clean(name)
	}
	if _, ok := p.PrefixList(); ok {
		return "list " + Clean(name)
	}
	return Range(p.CIDR)
}

// Range gives a range of addresses; all of a family are "anywhere".
func Range(p netip.Prefix) string {
	if p.IsValid() && p.Bits() == 0 {
		return "anywhere (" + p.String() + ")"
	}
	return p.String()
}

// Ago gives how long ago something was: "3 d ago".
func Ago(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < 5*time.Second:
		return "just now"
	case d < time.Minute:
		return fmt.Sprintf("%d s ago", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", d/time.Minute)
	case d < 2*day:
		return fmt.Sprintf("%d h ago", d/time.Hour)
	case d < 60*day:
		return fmt.Sprintf("%d d ago", d/day)
	case d < 730*day:
		return fmt.Sprintf("%d months ago", d/(30*day))
	}
	return fmt.Sprintf("%d years ago", d/(365*day))
}

// Caller gives what to call the principal with an ARN: "alice", "root", or a
// session as "Role/session". Nobody is moat itself.
func Caller(arn string) string {
	if arn == "" {
		return "moat"
	}
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return Clean(arn)
	}
	kind, name, ok := strings.Cut(parts[5], "/")
	switch {
	case !ok:
		return Clean(parts[5]) // root
	case kind == "user" || kind == "role":
		return Clean(name[strings.LastIndexByte(name, '/')+1:]) // without its path
	}
	return Clean(name)
}

// Clean gives a text that a terminal shows as it is: what would move the
// cursor, change colours or turn the direction of writing stands as a code.
func Clean(s string) string {
	if strings.IndexFunc(s, odd) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if odd(r) {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func odd(r rune) bool { return !unicode.IsPrint(r) }

// Count gives a number with its noun: "1 rule", "2 rules".
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
