// Package guardrail knows sentences about what must never be so in an account,
// such as "no interface tagged tier=db may be reachable from outside the VPC on
// any port": it reads them, and finds out whether a change makes one untrue
// that was true. What rules let pass it takes from package ruleset, as what is
// enforced; it counts with ranges, never with samples.
package guardrail

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"moat/fault"
	"moat/flow"
	"moat/state"
	"moat/vpc"
)

// A Rail is a sentence that was read.
type Rail struct {
	Name, Sentence string

	who     []clause
	egress  bool
	remote  remote
	except  []netip.Prefix
	traffic []traffic
	// through tells that a way over other interfaces counts too.
	through bool
}

// A clause narrows the interfaces that a sentence is about.
type clause struct {
	kind       string // tag, group, subnet, vpc
	key, value string
}

// A remote is the other side.
type remote struct {
	kind     string // outside, internet, anywhere, ranges, interfaces
	ranges   []netip.Prefix
	who      []clause
	sentence string
}

// traffic is a protocol with a range of ports; for ICMP types and codes, see
// codeOf.
type traffic struct {
	first, last uint8 // protocols
	from, to    int32 // 0 to 65535
}

// Grammar of sentences:
//
//	no interface [WHO] may be reachable from WHERE [except RANGES] on TRAFFIC [, also through other interfaces]
//	no interface [WHO] may reach WHERE [except RANGES] on TRAFFIC
//
//	WHO      tagged KEY=VALUE | in group NAME|sg-… | in subnet subnet-… | in vpc vpc-…, joined by "and"
//	WHERE    outside the VPC | the internet | anywhere | RANGES | interfaces WHO
//	RANGES   CIDR, CIDR, …
//	TRAFFIC  any port | tcp/22, tcp/8000-8100, udp, icmp, 50, …

// Parse reads a sentence. The error says which word is wrong.
func Parse(name, sentence string) (*Rail, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if len(sentence) > 2000 {
		return nil, wrong("it has %d characters, at most 2000", len(sentence))
	}
	r := &Rail{Name: name, Sentence: strings.TrimSuffix(strings.Join(strings.Fields(sentence), " "), ".")}
	w := &words{rest: r.Sentence}
	if !w.take("no interface") {
		return nil, wrong("it begins with \"no interface\", not with %q", w.next())
	}
	var err error
	if r.who, err = w.who(); err != nil {
		return nil, err
	}
	switch {
	case w.take("may be reachable from"):
	case w.take("may reach"):
		r.egress = true
	default:
		return nil, wrong("after the interfaces comes \"may be reachable from\" or \"may reach\", not %q", w.next())
	}
	if r.remote, err = w.remote(); err != nil {
		return nil, err
	}
	if w.take("except") {
		if r.except, err = w.ranges(); err != nil {
			return nil, err
		}
	}
	if !w.take("on") {
		return nil, wrong("after where it is reachable from comes \"on\" and the ports, not %q", w.next())
	}
	if r.traffic, err = w.traffic(); err != nil {
		return nil, err
	}
	if w.take(", also through other interfaces") || w.take("also through other interfaces") {
		if r.egress {
			return nil, wrong("\"also through other interfaces\" goes with \"may be reachable from\" only")
		}
		r.through = true
	}
	if w.rest != "" {
		return nil, wrong("it ends after the ports; %q is too much", w.rest)
	}
	return r, nil
}

func checkName(name string) error {
	ok := len(name) > 0 && len(name) <= 128
	for i := range len(name) {
		c := name[i]
		ok = ok && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("+=,.@_-", c) >= 0)
	}
	if !ok {
		return fault.InvalidParameterValue.With(name, "Name", "A guardrail's name has 1 to 128 letters, digits and characters of +=,.@_-")
	}
	return nil
}

func wrong(format string, args ...any) error {
	return fault.InvalidParameterValue.Say("The sentence cannot be read: %s. An example: no interface tagged tier=db may be reachable from outside the VPC on any port", fmt.Sprintf(format, args...))
}

// words is what is left of a sentence.
type words struct{ rest string }

// take takes words off the front, whatever their case.
func (w *words) take(s string) bool {
	if len(w.rest) < len(s) || !strings.EqualFold(w.rest[:len(s)], s) {
		return false
	}
	rest := w.rest[len(s):]
	if rest != "" && rest[0] != ' ' && rest[0] != ',' {
		return false
	}
	w.rest = strings.TrimPrefix(rest, " ")
	return true
}

func (w *words) next() string {
	s, _, _ := strings.Cut(w.rest, " ")
	return s
}

// word takes one word; a value in double quotes may hold blanks.
func (w *words) word() string {
	if i := strings.IndexByte(w.rest, '"'); i >= 0 && i <= strings.IndexByte(w.rest+" ", ' ') {
		if end := strings.IndexByte(w.rest[i+1:], '"'); end >= 0 {
			s := w.rest[:i] + w.rest[i+1:i+1+end]
			w.rest = strings.TrimPrefix(w.rest[i+1+end+1:], " ")
			return s
		}
	}
	s, rest, _ := strings.Cut(w.rest, " ")
	w.rest = rest
	return s
}

func (w *words) who() ([]clause, error) {
	var out []clause
	for {
		switch {
		case w.take("tagged"):
			k, v, ok := strings.Cut(w.word(), "=")
			if !ok || k == "" {
				return nil, wrong("\"tagged\" is followed by KEY=VALUE")
			}
			out = append(out, clause{"tag", k, v})
		case w.take("in group"):
			out = append(out, clause{kind: "group", value: w.word()})
		case w.take("in subnet"):
			out = append(out, clause{kind: "subnet", value: w.word()})
		case w.take("in vpc"):
			out = append(out, clause{kind: "vpc", value: w.word()})
		default:
			if len(out) > 0 {
				return nil, wrong("\"and\" is followed by \"tagged\" or \"in\", not by %q", w.next())
			}
			return nil, nil // every interface
		}
		if out[len(out)-1].value == "" && out[len(out)-1].kind != "tag" {
			return nil, wrong("\"in %s\" is followed by an id", out[len(out)-1].kind)
		}
		if !w.take("and") {
			return out, nil
		}
	}
}

func (w *words) remote() (remote, error) {
	before := w.rest
	r := remote{}
	var err error
	switch {
	case w.take("outside the VPC"), w.take("outside its VPC"):
		r.kind = "outside"
	case w.take("the internet"):
		r.kind = "internet"
	case w.take("anywhere"):
		r.kind = "anywhere"
	case w.take("interfaces"):
		r.kind = "interfaces"
		if r.who, err = w.who(); err == nil && r.who == nil {
			err = wrong("\"interfaces\" is followed by \"tagged\" or \"in\", not by %q", w.next())
		}
	default:
		r.kind = "ranges"
		r.ranges, err = w.ranges()
	}
	r.sentence = strings.TrimSpace(strings.TrimSuffix(before, w.rest))
	return r, err
}

func (w *words) ranges() ([]netip.Prefix, error) {
	var out []netip.Prefix
	for {
		word := w.word()
		text := strings.TrimSuffix(word, ",")
		p, err := netip.ParsePrefix(text)
		if err != nil {
			a, e := netip.ParseAddr(text)
			if e != nil || a.Zone() != "" {
				return nil, wrong("%q is no range of addresses", text)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		out = append(out, p.Masked())
		if text == word {
			return out, nil
		}
	}
}

var everything = []traffic{{0, 255, 0, 65535}}

func (w *words) traffic() ([]traffic, error) {
	if w.take("any port") || w.take("any protocol") || w.take("anything") {
		return everything, nil
	}
	var out []traffic
	for {
		before := w.rest
		word := w.word()
		text := strings.TrimSuffix(word, ",")
		t, err := parseTraffic(text)
		if err != nil {
			if len(out) > 0 && strings.HasPrefix(strings.ToLower(before), "also ") {
				w.rest = before
				return out, nil
			}
			return nil, err
		}
		out = append(out, t)
		if text == word {
			return out, nil
		}
	}
}

func parseTraffic(s string) (traffic, error) {
	name, ports, ranged := strings.Cut(s, "/")
	p, err := vpc.ParseProtocol(name)
	if err != nil {
		return traffic{}, wrong("%q is neither \"any port\" nor traffic such as tcp/22 or udp/53-54 or icmp", s)
	}
	if p == flow.AllProtocols {
		return everything[0], nil
	}
	t := traffic{uint8(p), uint8(p), 0, 65535}
	if !ranged {
		return t, nil
	}
	from, to, two := strings.Cut(ports, "-")
	if !two {
		to = from
	}
	a, e1 := strconv.ParseUint(from, 10, 16)
	b, e2 := strconv.ParseUint(to, 10, 16)
	if e1 != nil || e2 != nil || a > b || p != flow.TCP && p != flow.UDP {
		return t, wrong("%q: ports go with tcp and udp, from 0 to 65535", s)
	}
	t.from, t.to = int32(a), int32(b)
	return t, nil
}

// matches reports whether an interface is one of those that clauses are about;
// no clauses are about all.
func matches(r state.Reader, who []clause, i *vpc.Interface) bool {
	for _, c := range who {
		ok := false
		switch c.kind {
		case "tag":
			for _, t := range i.Tags {
				ok = ok || t.Key == c.key && t.Value == c.value
			}
		case "group":
			for _, id := range i.Groups {
				g := state.Groups.Get(r, id)
				ok = ok || string(id) == c.value || g != nil && strings.EqualFold(g.Name, c.value)
			}
		case "subnet":
			ok = string(i.Subnet) == c.value
		case "vpc":
			ok = string(i.VPC) == c.value
		}
		if !ok {
			return false
		}
	}
	return true
}
