package ebpf

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"

	"moat/ruleset"
)

// A mutant is a defect that a test must find: in a file of bpf, new in place of old.
type mutant struct{ what, file, old, new string }

// caught compiles the programs with one defect each, and demands that find reports
// it. In the short form only the first ones are tried.
func caught(t *testing.T, short int, mutants []mutant, find func(b *bench) error) {
	clang := compiler(t)
	for n, m := range mutants {
		t.Run(m.what, func(t *testing.T) {
			if *packets < 1_000_000 && n >= short {
				t.Skip("runs in the long form: -packets 1000000 and more")
			}
			b := newBench(t, Options{Flows4: 1024, Flows6: 1024})
			b.p.spec = mutate(t, clang, b.p, m.file, m.old, m.new)
			clear(b.p.programs)
			b.load()
			err := find(b)
			if err == nil {
				t.Fatal("was not found")
			}
			t.Logf("found: %v", err)
		})
	}
}

// The text of each mutant is in the source once, so that the ones that run in the
// long form only do not go stale.
func TestMutantsNameTheSource(t *testing.T) {
	for _, m := range slices.Concat(ruleMutants, trackingMutants, tcpMutants, readerMutants, linkMutants, errorMutants, verdictMutants) {
		b, err := os.ReadFile(filepath.Join("bpf", m.file))
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(b), m.old); n != 1 {
			t.Errorf("%s: %s has %q %d times, want once", m.what, m.file, m.old, n)
		}
	}
}

// The comparison with Judge finds a defect in how rules are looked up.
func TestBrokenProgramsAreCaught(t *testing.T) {
	caught(t, 4, ruleMutants, func(b *bench) error { return b.differ(1, 300_000) })
}

var ruleMutants = []mutant{
	{"no check of the end of a port range", "search.h", ">= x ? range & 0xffff : 0", ">= 0 ? range & 0xffff : 0"},
	{"IPv6 compared by its upper half only", "search.h", "return c - (lo < word(base + n + c - 1));", "return c;"},
	{"a source checked by half of its address", "moat.bpf.c", "who->lhi == r->own6[0] && who->llo == r->own6[1]", "who->lhi == r->own6[0]"},
	{"rules of the other direction", "moat.bpf.c", "__u32 policy = out ? r->policy[DIR_OUT] : r->policy[DIR_IN];", "__u32 policy = out ? r->policy[DIR_IN] : r->policy[DIR_OUT];"},
	{"a search of numbers that stops a step early", "search.h", "for (int i = steps - 1; i >= 0; i--) {				\\\n		__u64 step = 1ull << i;					\\\n		__u64 over = lower(n, found + step);			\\\n		__u32 at = base + ((found + step - 1) & (over - 1));	\\\n		__u64 *w = bpf_map_lookup_elem(&words, &at);		\\\n									\\\n		if (!w)							\\\n			return 0;					\\\n		found += step & ((over | lower(key >> 1, *w >> 1)", "for (int i = steps - 1; i >= 1; i--) {				\\\n		__u64 step = 1ull << i;					\\\n		__u64 over = lower(n, found + step);			\\\n		__u32 at = base + ((found + step - 1) & (over - 1));	\\\n		__u64 *w = bpf_map_lookup_elem(&words, &at);		\\\n									\\\n		if (!w)							\\\n			return 0;					\\\n		found += step & ((over | lower(key >> 1, *w >> 1)"},
	{"a search of upper halves that stops a step early", "search.h", "for (int i = steps - 1; i >= 0; i--) {				\\\n		__u64 step = 1ull << i;					\\\n		__u64 over = lower(n, found + step);			\\\n		__u32 at = base + ((found + step - 1) & (over - 1));	\\\n		__u64 *w = bpf_map_lookup_elem(&words, &at);		\\\n									\\\n		if (!w)							\\\n			return 0;					\\\n		found += step & ((over | less(key, *w)", "for (int i = steps - 1; i >= 1; i--) {				\\\n		__u64 step = 1ull << i;					\\\n		__u64 over = lower(n, found + step);			\\\n		__u32 at = base + ((found + step - 1) & (over - 1));	\\\n		__u64 *w = bpf_map_lookup_elem(&words, &at);		\\\n									\\\n		if (!w)							\\\n			return 0;					\\\n		found += step & ((over | less(key, *w)"},
	{"of IPv6 starts with the same upper half the first", "search.h", "return below + count64(base + n + below, c - below, lo);", "return below + count64(base + n + below, c - below, 0);"},
	{"groups of the first VPC for all", "search.h", "struct member4_key k = { .vpc = vpc,", "struct member4_key k = { .vpc = 1,"},
	{"another group's ports", "search.h", "if (found >> 32 != group)", "if (0)"},
	{"0.0.0.0/0 for both families", "search.h", "set = six ? any >> 32 : any;", "set = any;"},
	{"no source check", "moat.bpf.c", "!find(own, word(r->block), who->lhi", "0 && !find(own, word(r->block), who->lhi"},
	{"options of IPv4 ignored", "ipv4.h", "p->l4 = l3 + ihl;", "p->l4 = l3 + 20;"},
	{"extension headers of eight bytes only", "ipv6.h", "len = (h[1] + 1) * 8;", "len = 8;"},
	{"options of IPv4 ignored by the quick way", "moat.bpf.c", "h->version_ihl != 0x45 ||", ""},
	{"the source's port judged by the quick way", "moat.bpf.c", "p->x = proto << 16 | p->dport;", "p->x = proto << 16 | p->sport;"},
	{"TCP judged as UDP by the quick way", "moat.bpf.c", "p->x = proto << 16 | p->dport;", "p->x = IP_UDP << 16 | p->dport;"},
	{"the source's port judged", "moat.bpf.c", "p->x = x_of(IP_TCP, six, p->dport);", "p->x = x_of(IP_TCP, six, p->sport);"},
	{"code of ICMP ignored", "moat.bpf.c", "p->type << 8 | p->code;", "p->type << 8;"},
	{"ICMP of the wrong family judged as its own", "moat.bpf.c", "return X_STRANGE;", "return proto << 16;"},
}

// A sequence of packets finds a defect in how flows are tracked.
func TestBrokenTrackingIsCaught(t *testing.T) {
	caught(t, 2, trackingMutants, func(b *bench) error {
		for _, s := range sequences {
			if errs := b.played(s.script); len(errs) > 0 {
				return fmt.Errorf("%q: %w", s.name, errs[0])
			}
			// The next one begins anew.
			apply(b.t, b.p, &ruleset.Ruleset{})
			if err := b.p.dropFlows(b.p.numbers[eni]); err != nil {
				b.t.Fatal(err)
			}
			b.p.control.NowOffset += 1_000_000
		}
		return nil
	})
}

var trackingMutants = []mutant{
	{"expired flows live", "moat.bpf.c", "!expired(r, proto, six, f, c->now) &&", ""},
	{"flows whose rule went live", "moat.bpf.c", "current(r, f, c->now) && !expired", "!expired"},
	{"replies of nothing begin flows", "moat.bpf.c", "p->tracked = TRACK_REPLY;", "p->tracked = TRACK;"},
	{"a half-open connection is taken for an established one", "moat.bpf.c", "return in & out & SEEN_ACK ? r->tcp_established : 60;", "return r->tcp_established;"},
	{"connections begin in their middle", "moat.bpf.c", "&& !adopts(r, c))", "&& 0)"},
	{"later fragments need no first", "moat.bpf.c", "if (!f || c->now - f->seen > 30 || p->frag_at < f->end)", "if (f && p->frag_at < f->end)"},
	{"fragments may overlap their first", "moat.bpf.c", "|| p->frag_at < f->end)", ")"},
	{"UDP is a stream from the first packet", "moat.bpf.c", "if (proto == IP_UDP && mine & SEEN_ANY)", "if (proto == IP_UDP)"},
}

// A sequence of segments finds a defect in what is tracked of TCP, by the model.
func TestBrokenTCPIsCaught(t *testing.T) {
	caught(t, 2, tcpMutants, func(b *bench) error { return b.tcpDiffers(1, 500_000) })
}

var tcpMutants = []mutant{
	{"any reset resets", "tcp.h", "return resets(f, dir, t, seen) ? refused | SEEN_RST : refused;", "return refused | SEEN_RST;"},
	{"FINs out of the window close", "tcp.h", "(before(t->end + 1, you->ack) || before(you->limit + 1, t->end))", "0"},

	// Which segments count.
	{"no reset resets", "tcp.h", "return resets(f, dir, t, seen) ? refused | SEEN_RST : refused;", "return refused;"},
	{"a refused reset acknowledges", "tcp.h", "? refused | SEEN_RST : refused;", "? refused | SEEN_RST : seen & ~(SEEN_RST | SEEN_FIN);"},
	{"a reset acknowledges", "tcp.h", "? refused | SEEN_RST : refused;", "? seen : refused;"},
	{"fragments count", "tcp.h", "if (!t->header || !(seen & SEEN_ACK))", "if (!(seen & SEEN_ACK))"},
	{"segments without an acknowledgement count", "tcp.h", "if (!t->header || !(seen & SEEN_ACK))", "if (!t->header)"},
	{"segments behind the window count", "tcp.h", "before(t->end + 1, you->ack) || ", ""},
	{"segments ahead of the window count", "tcp.h", " || before(you->limit + 1, t->end))", ")"},
	{"no probes of idle connections", "tcp.h", "before(t->end + 1, you->ack)", "before(t->end, you->ack)"},
	{"no probes of a full window", "tcp.h", "before(you->limit + 1, t->end)", "before(you->limit, t->end)"},
	{"segments are in the window by their beginning", "tcp.h", "before(t->end + 1, you->ack)", "before(t->seq + 1, you->ack)"},
	{"segments leap where no window is known", "tcp.h", "t->end - me->end + NEAR >= 2 * NEAR", "0"},
	{"segments leap back where no window is known", "tcp.h", "t->end - me->end + NEAR >= 2 * NEAR", "(__s32)(t->end - me->end) >= NEAR"},
	{"segments leap where no scale is known", "tcp.h", "!(yours & SIDE_ACKED && (yours >> SIDE_SCALE & 15) < 14)", "!(yours & SIDE_ACKED)"},
	{"segments leap where nothing is acknowledged", "tcp.h", "!(yours & SIDE_ACKED && (yours >> SIDE_SCALE & 15) < 14)", "!((yours >> SIDE_SCALE & 15) < 14)"},
	{"acknowledgements of what was not sent count", "tcp.h", "if (yours & SIDE_SENT && before(you->end, t->ack))", "if (0)"},
	{"acknowledgements long past count", "tcp.h", "if ((__s32)(me->ack - t->ack) > (wide < OLD_ACK ? OLD_ACK : wide))", "if (0)"},
	{"no late acknowledgements in a narrow window", "tcp.h", "(wide < OLD_ACK ? OLD_ACK : wide)", "wide"},
	{"no late acknowledgements in a wide window", "tcp.h", "(wide < OLD_ACK ? OLD_ACK : wide)", "OLD_ACK"},
	{"acknowledgements of nothing count", "tcp.h", "if (!(yours & SIDE_SENT) || you->end - t->ack > 0xffff)", "if (you->end - t->ack > 0xffff)"},
	{"a SYN's sender acknowledges anything", "tcp.h", "if (!(yours & SIDE_SENT) || you->end - t->ack > 0xffff)", "if (!(yours & SIDE_SENT))"},
	{"anything answers a SYN", "tcp.h", "if (t->ack != you->end)", "if (0)"},
	{"who is adopted answers a SYN", "tcp.h", "} else if (yours & SIDE_SENT && (mine >> SIDE_SCALE & 15) < 14) {", "} else if (yours & SIDE_SENT) {"},

	// What they change.
	{"what was sent goes back", "tcp.h", "if (!(mine & SIDE_SENT) || before(me->end, t->end))", "if (1)"},
	{"what was sent stays", "tcp.h", "if (!(mine & SIDE_SENT) || before(me->end, t->end))", "if (!(mine & SIDE_SENT))"},
	{"a SYN's window has a scale", "tcp.h", "(seen & SEEN_SYN ? 0 : mine >> SIDE_SCALE & 15)", "(mine >> SIDE_SCALE & 15)"},
	{"no window has a scale", "tcp.h", "(seen & SEEN_SYN ? 0 : mine >> SIDE_SCALE & 15)", "0"},
	{"what was acknowledged first need not be sent", "tcp.h", "(before(you->end, t->ack) || before(edge, you->end))", "before(edge, you->end)"},
	{"what was sent may be beyond the first window", "tcp.h", "(before(you->end, t->ack) || before(edge, you->end))", "before(you->end, t->ack)"},
	{"acknowledgements go back", "tcp.h", "		if (before(me->ack, t->ack))\n			me->ack", "			me->ack"},
	{"windows shrink", "tcp.h", "		if (before(me->limit, edge))\n			me->limit", "			me->limit"},

	// Resets.
	{"a refused SYN is not over", "tcp.h", "	if (answers(f, dir, t, seen))\n		return 1;\n", ""},
	{"a reset has no FIN's number", "tcp.h", "t->seq - you->ack + fin <= ((__s32)open < 0 ? 0 : open) + fin", "t->seq - you->ack <= ((__s32)open < 0 ? 0 : open)"},
	{"a reset has the number before", "tcp.h", "fin = (dir == DIR_OUT ? f->bits >> 8 : f->bits) & SEEN_FIN;", "fin = 1;"},
	{"a reset has the next number only", "tcp.h", "<= ((__s32)open < 0 ? 0 : open) + fin", "<= fin"},
	{"anything may be open", "tcp.h", "((__s32)open < 0 ? 0 : open)", "open"},
	{"a SYN's sender resets by any number", "tcp.h", "return t->seq == me->end;", "return 1;"},
	{"a SYN's sender cannot reset", "tcp.h", "return t->seq == me->end;", "return 0;"},
	{"who is adopted cannot be reset", "tcp.h", "return you->bits & SIDE_ACKED && t->seq == you->ack;", "return 0;"},
	{"a reset by who is not known has any number", "tcp.h", "return you->bits & SIDE_ACKED && t->seq == you->ack;", "return you->bits & SIDE_ACKED;"},
	{"who goes on believes a reset", "moat.bpf.c", "if (bits & more && (seen & (SEEN_RST | SEEN_ACK)) == SEEN_ACK)", "if (0)"},
	{"whoever goes on revokes a reset", "moat.bpf.c", "	more = c->dir == DIR_OUT ? SEEN_RST : SEEN_RST << 8;", "	more = SEEN_RST | SEEN_RST << 8;"},

	// SYNs and what answers them.
	{"a SYN is answered without an acknowledgement", "tcp.h", "return seen & SEEN_ACK && f->bits & of", "return f->bits & of"},
	{"an answer to no SYN", "tcp.h", "return seen & SEEN_ACK && f->bits & of &&", "return seen & SEEN_ACK &&"},
	{"an answer to any SYN", "tcp.h", " && f->syn - t->ack <= side_of(f, !dir)->bits >> SIDE_DATA;", ";"},
	{"an answer takes all data of a SYN", "tcp.h", "f->syn - t->ack <= side_of(f, !dir)->bits >> SIDE_DATA", "f->syn == t->ack"},
	{"a SYN with a reset is an answer", "moat.bpf.c", "if ((seen & (SEEN_SYN | SEEN_RST)) == SEEN_SYN)", "if (seen & SEEN_SYN)"},
	{"a fragment of a SYN waits for an answer", "tcp.h", "	if (!t->header)\n		return;\n	data =", "	data ="},
	{"a SYN sent again has lost its data", "tcp.h", "if (f->bits & mine && was > data && f->syn - was == end - data)", "if (0)"},
	{"a SYN that was answered is sent again", "tcp.h", "if (f->bits & mine && was > data", "if (was > data"},
	{"a SYN sent again with data has none", "tcp.h", "&& was > data && f->syn - was == end - data)", "&& f->syn - was == end - data)"},
	{"another SYN is the one before", "tcp.h", "was > data && f->syn - was == end - data)", "was > data)"},
	{"a SYN has any length", "tcp.h", "data = data > 2047 ? 2047 : data;", ""},
	{"SYNs of both sides wait", "tcp.h", "__sync_fetch_and_and(&f->bits, ~(FLOW_SYN_IN | FLOW_SYN_OUT));", ""},
	{"a SYN moves what was sent", "moat.bpf.c", "			syn_sent(f, c->dir, &p->t);\n			seen = SEEN_ANY;\n", "			syn_sent(f, c->dir, &p->t);\n			side_of(f, c->dir)->end = p->t.end;\n			seen = SEEN_ANY;\n"},
	{"a SYN sets the flags of its sender", "moat.bpf.c", "			syn_sent(f, c->dir, &p->t);\n			seen = SEEN_ANY;\n", "			syn_sent(f, c->dir, &p->t);\n"},
	{"a SYN's FIN counts", "moat.bpf.c", "			seen &= ~SEEN_FIN;\n", ""},
	{"an adopted FIN is half-open", "moat.bpf.c", "half = seen & SEEN_FIN ? 0 : FLOW_HALF;", "half = FLOW_HALF;"},
	{"the scale of who answers is used alone", "tcp.h", "mine = you->bits >> SIDE_ASKED & t->scale & SCALE_OFFERED ? t->scale & 15 : 0;", "mine = t->scale & 15;"},
	{"the scale of who asks is used alone", "tcp.h", "yours = you->bits >> SIDE_ASKED & t->scale & SCALE_OFFERED ? you->bits >> SIDE_ASKED & 15 : 0;", "yours = you->bits >> SIDE_ASKED & 15;"},
	{"a live connection does not begin again", "tcp.h", "if (me->bits & SIDE_SENT || !(you->bits & SIDE_SENT) || you->bits & SIDE_ACKED || you->end != f->syn) {", "if (0) {"},
	{"one that was answered does not begin again", "tcp.h", "if (me->bits & SIDE_SENT || !(you", "if (!(you"},
	{"one whose SYN is another does not begin again", "tcp.h", " || you->end != f->syn) {", ") {"},
	{"one that begins again needs no rule", "tcp.h", "		f->gen = 0;\n", ""},
	{"one that begins again keeps its numbers", "tcp.h", "		__builtin_memset(f->side, 0, sizeof(f->side));\n", ""},
	{"data of a SYN that the answer leaves are sent", "tcp.h", "	you->end = t->ack; /*", "	/*"},
	{"a SYN that was answered waits", "tcp.h", "	__sync_fetch_and_and(&f->bits, ~of);\n", ""},
	{"the scale is not read", "tcp.h", "if (kind == 3 && size == 3) {", "if (0) {"},
	{"scales above 14", "tcp.h", "(s->options[at + 2] > 14 ? 14 : s->options[at + 2])", "(s->options[at + 2] & 15)"},
	{"options of nothing have a length", "tcp.h", "at += kind == 1 ? 1 : size;", "at += size;"},

	// When it is over.
	{"a reset leaves the ports", "tcp.h", "(bits | bits >> 8) & SEEN_RST || ", ""},
	{"FINs leave the ports", "tcp.h", " || bits & bits >> 8 & SEEN_FIN;", ";"},
	{"one FIN frees the ports", "tcp.h", "bits & bits >> 8 & SEEN_FIN;", "(bits | bits >> 8) & SEEN_FIN;"},
	{"a SYN forgets what lives", "moat.bpf.c", "		if (!over(f->bits)) {", "		if (0) {"},
	{"a SYN of a live connection is not judged", "moat.bpf.c", "		!(proto == IP_TCP && seen & SEEN_SYN);", "		1;"},
	{"a reset is forgotten later", "moat.bpf.c", "		if ((in | out) & SEEN_RST)\n			return 10;\n", ""},
	{"a closed connection is forgotten later", "moat.bpf.c", "		if (in & out & SEEN_FIN)\n			return 60;\n", ""},
	{"one acknowledgement makes a connection last", "moat.bpf.c", "return in & out & SEEN_ACK ? r->tcp_established : 60;", "return (in | out) & SEEN_ACK ? r->tcp_established : 60;"},
	{"an open connection is half-open", "moat.bpf.c", "(bits & bits >> 8 & SEEN_ACK || (bits | bits >> 8) & (SEEN_RST | SEEN_FIN))", "(bits | bits >> 8) & (SEEN_RST | SEEN_FIN)"},
	{"a connection that ends is half-open", "moat.bpf.c", "(bits & bits >> 8 & SEEN_ACK || (bits | bits >> 8) & (SEEN_RST | SEEN_FIN))", "bits & bits >> 8 & SEEN_ACK"},
	{"the length that the header says of a long packet", "ipv4.h", "		len = skb->len - l3; /*", "		/*"},
	{"the length that the header says of a long packet of IPv6", "ipv6.h", "		len = skb->len - l3 - sizeof(*h);\n", "		;\n"},
	{"options of TCP are data", "tcp.h", "t->end = t->seq + len - t->header +", "t->end = t->seq + len - 20 +"},
	{"a FIN has no number", "tcp.h", " + (h->flags & SEEN_FIN) + ", " + "},
	{"a SYN has no number", "tcp.h", " + (h->flags >> 1 & 1);", ";"},
}

// A siege finds a defect in how packets are read.
func TestBrokenReadersAreCaught(t *testing.T) {
	caught(t, 1, readerMutants, func(b *bench) error {
		s := besiege(b)
		for _, f := range []func(){s.lengths, s.chains, func() { s.fragments() }, func() { s.bytes(1, 200_000) }} {
			if f(); s.fault != nil {
				break
			}
		}
		return s.fault
	})
}

var readerMutants = []mutant{
	{"overlapping pieces pass", "moat.bpf.c", "|| p->frag_at < f->end)", ")"},
	{"later pieces pass without a first", "moat.bpf.c", "if (!f || c->now - f->seen > 30 || p->frag_at < f->end)", "if (f && p->frag_at < f->end)"},
	{"pieces of another sender's datagram pass", "moat.bpf.c", ".rhi = who->rhi, .rlo = who->rlo,", ""},
	{"a source route passes", "ipv6.h", "} else if (proto == IP_ROUTING && h[3]) {", "} else if (0) {"},
	{"an extension header may be longer than the packet", "ipv6.h", "if (at + len > p->end)", "if (0)"},
	{"the authentication header is read through", "ipv6.h", "if (proto != IP_HOPOPTS &&", "if (proto != IP_AH && proto != IP_HOPOPTS &&"},
	{"a packet may be longer than it is", "ipv4.h", "|| l3 + len > skb->len)", ")"},
	{"a datagram may be longer than its packet", "moat.bpf.c", "(!p->frag_more && said > len)", "0"},
	{"a segment's header may be longer than its packet", "moat.bpf.c", "(!p->frag_more && (h->offset >> 4) * 4 > len)", "0"},
}

// A row of wireParts finds a check that is missing of what passes without a rule
// and of who a frame is from, or TestRate does.
func TestBrokenLinksAreCaught(t *testing.T) {
	caught(t, 6, slices.Concat(linkMutants, errorMutants), func(b *bench) error {
		if errs := b.onWire(); len(errs) > 0 {
			return errs[0]
		}
		if err := b.rate(); !errors.Is(err, errSlow) {
			return err
		}
		return nil
	})
}

var linkMutants = []mutant{
	{"ARP of another's address", "link.h", "			if (!own_address(c, r, 0, bpf_ntohl(sender), 0))", "			if (0)"},
	{"frames with another's MAC", "moat.bpf.c", "!sends_from(&c, r, MAC(data + 6))", "0"},
	{"advertisements of another's address", "link.h", "(!mine || flags & bpf_htonl(1u << 31))", "(flags & bpf_htonl(1u << 31))"},
	{"reports of MLD from another", "link.h", "!own_link_local(c, r, who->lhi, who->llo)", "0"},
	{"DHCP beyond the link", "link.h", "!on_link(r, 0, who->rlo, 0)", "0"},
	{"source routes", "ipv4.h", "if (kind == 131 || kind == 137 || kind == 7)", "if (0)"},

	// Who the interface is.
	{"the MAC of the record is not its own", "link.h", "	if (r->mac && mac == r->mac)\n		return 1;\n", ""},
	{"no MAC is its own where the record has none", "link.h", "r->mac && mac == r->mac", "mac == r->mac"},
	{"no MAC is its own where the device has none", "link.h", "return l && mac && l->mac == mac;", "return l && l->mac == mac;"},
	{"a group's MAC is learned", "link.h", " && !(mac & 1)", ""},
	{"a MAC is learned where the device was looked at", "link.h", "!l->mac && l->flags & LINK_LEARNS", "!l->mac"},
	{"no MAC is learned", "link.h", "!l->mac && l->flags & LINK_LEARNS", "0"},
	{"each MAC is learned", "link.h", "if (l && !l->mac && l->flags & LINK_LEARNS && !(mac & 1) && (mac == r->mac || !bpf_map_lookup_elem(&macs, &mac)))\n		__sync_val_compare_and_swap(&l->mac, 0, mac);", "if (l && l->flags & LINK_LEARNS)\n		l->mac = mac;"},
	{"a frame from the record's MAC is not the first", "link.h", "(mac == r->mac || !bpf_map_lookup_elem(&macs, &mac))", "mac != r->mac && !bpf_map_lookup_elem(&macs, &mac)"},
	{"the MAC of the device is not its own", "link.h", "return l && mac && l->mac == mac;", "return 0;"},
	{"every link-local prefix is the link's", "link.h", "if (hi != 0xfe80ull << 48)", "if (0)"},
	{"a record without a MAC gives a link-local address", "link.h", "(r->mac && lo == eui64(r->mac))", "lo == eui64(r->mac)"},
	{"the record's MAC gives no link-local address", "link.h", "(r->mac && lo == eui64(r->mac))", "0"},
	{"a device without a MAC gives a link-local address", "link.h", "(l->mac && lo == eui64(l->mac))", "lo == eui64(l->mac)"},
	{"the device's MAC gives no link-local address", "link.h", "(l->mac && lo == eui64(l->mac))", "0"},
	{"fe80:: is its own", "link.h", "(lo && (lo == l->local[0] || lo == l->local[1]))", "(lo == l->local[0] || lo == l->local[1])"},
	{"its first link-local address is not its own", "link.h", "lo == l->local[0] || ", ""},
	{"its second link-local address is not its own", "link.h", " || lo == l->local[1]", ""},
	{"link-local addresses are looked up in the record", "link.h", "	if (six && LINK_LOCAL(hi))\n		return own_link_local(c, r, hi, lo);\n", ""},
	{"the subnet is the interface's addresses", "link.h", "r->block + BLOCK_WORDS + (__u32)own + 3 * (own >> 32), word(r->block + 1)", "r->block + BLOCK_WORDS, own"},
	{"the link-local sender is not checked", "ipv6.h", "LINK_LOCAL(who->lhi) && !own_link_local(c, r, who->lhi, who->llo)", "0"},
	{"it may say to be from the interface's link-local address", "ipv6.h", "LINK_LOCAL(who->rhi) && claims(c, r, who, 1)", "0"},
	{"own link-local addresses are judged by the quick way", "moat.bpf.c", "if (LINK_LOCAL(s->who.lhi) || LINK_LOCAL(s->who.rhi))", "if (LINK_LOCAL(s->who.rhi))"},
	{"others' link-local addresses are judged by the quick way", "moat.bpf.c", "if (LINK_LOCAL(s->who.lhi) || LINK_LOCAL(s->who.rhi))", "if (LINK_LOCAL(s->who.lhi))"},
	{"link-local addresses are looked up again", "moat.bpf.c", "!(who->six && who->lhi >> 54 == 0xfe80 >> 6) &&\n", ""},
	{"it may say to be from the interface", "moat.bpf.c", "if (by && !out && r->flags & RULES_CHECK && find(own, word(r->block), who->rhi, who->rlo, who->six))", "if (0)"},
	{"what leaves may not be to the interface", "link.h", "return c->dir == DIR_IN && own_address", "return own_address"},
	{"frames with another's MAC are dropped without source/dest check", "moat.bpf.c", "if (dir == DIR_OUT && r->flags & RULES_CHECK && !sends_from", "if (dir == DIR_OUT && !sends_from"},
	{"frames with another's MAC are dropped when they come in", "moat.bpf.c", "if (dir == DIR_OUT && r->flags & RULES_CHECK && !sends_from", "if (r->flags & RULES_CHECK && !sends_from"},
	{"what is sent to another is said to be spoofed", "moat.bpf.c", "return dir == DIR_OUT ? DROP_SPOOFED : DROP_DESTINATION;\n	if (by & CLAIMED)", "return DROP_SPOOFED;\n	if (by & CLAIMED)"},
	{"what is sent to another's link-local address is said to be spoofed", "ipv6.h", "return dir == DIR_OUT ? DROP_SPOOFED : DROP_DESTINATION;", "return DROP_SPOOFED;"},
	{"DHCPv6 is judged by the quick way", "moat.bpf.c", "if (type == ETHERTYPE_IPV6 ? ports[1]", "if (0 ? ports[1]"},

	// Rate and counters.
	{"a long frame costs no more than a short one", "link.h", "cost = (skb->len + COST_BYTES - 1) / COST_BYTES", "cost = skb->len ? 1 : 0"},
	{"MLD and DHCP share the budget of ARP", "link.h", "kind == WITHOUT_RULE_MLD || kind == WITHOUT_RULE_DHCP || kind == WITHOUT_RULE_DHCP6;", "0;"},
	{"MLD shares the budget of ARP", "link.h", "kind == WITHOUT_RULE_MLD || kind == WITHOUT_RULE_DHCP ||", "kind == WITHOUT_RULE_DHCP ||"},
	{"DHCP shares the budget of ARP", "link.h", "kind == WITHOUT_RULE_MLD || kind == WITHOUT_RULE_DHCP ||", "kind == WITHOUT_RULE_MLD ||"},
	{"DHCPv6 shares the budget of ARP", "link.h", "|| kind == WITHOUT_RULE_DHCP6;", ";"},
	{"what comes in has a rate", "link.h", "	if (c->dir == DIR_OUT) {\n		struct link *l", "	if (1) {\n		struct link *l"},
	{"ICMP errors may use all of the rate", "link.h", "kind == WITHOUT_RULE_ICMP_ERROR ? RATE_ERRORS : RATE_FIRST", "RATE_FIRST"},
	{"what was spent is never forgotten", "link.h", "			l->spent[0] = l->spent[1] = 0;\n", ""},
	{"what was spent is always forgotten", "link.h", "if (l->second != c->now)", "if (1)"},
	{"no rate", "link.h", "if (*spent + cost > (", "if (0 && *spent + cost > ("},
	{"nothing is spent", "link.h", "		__sync_fetch_and_add(spent, cost);\n", ""},
	{"nothing is counted", "link.h", "		n->without_rule[kind]++;", "		;"},

	// ARP.
	{"ARP of any length", "link.h", "skb->len > 60 || ", ""},
	{"ARP of any hardware", "link.h", "a.hardware_be != bpf_htons(1) || ", ""},
	{"ARP of any protocol", "link.h", "a.protocol_be != bpf_htons(ETHERTYPE_IPV4) ||", ""},
	{"ARP with MACs of any length", "link.h", "a.hardware_len != 6 || ", ""},
	{"ARP with addresses of any length", "link.h", "a.protocol_len != 4 ||", ""},
	{"any operation of ARP", "link.h", "(a.operation_be != bpf_htons(1) && a.operation_be != bpf_htons(2))", "0"},
	{"no answer of ARP", "link.h", " && a.operation_be != bpf_htons(2))", ")"},
	{"padding of what comes in is looked at", "link.h", "if (padding > 0 && c->dir == DIR_OUT)", "if (padding > 0)"},
	{"anything behind ARP", "link.h", " || rest[0] | rest[1] | rest[2])", ")"},
	{"anything in the beginning of ARP's padding", "link.h", "rest[0] | rest[1] | rest[2]", "rest[1] | rest[2]"},
	{"anything in the middle of ARP's padding", "link.h", "rest[0] | rest[1] | rest[2]", "rest[0] | rest[2]"},
	{"anything at the end of ARP's padding", "link.h", "rest[0] | rest[1] | rest[2]", "rest[0] | rest[1]"},
	{"ARP is checked without source/dest check", "link.h", "	if (r->flags & RULES_CHECK) {\n		__builtin_memcpy(&sender", "	if (1) {\n		__builtin_memcpy(&sender"},
	{"ARP that claims the interface's address", "link.h", "			if (own_address(c, r, 0, bpf_ntohl(sender), 0))", "			if (0)"},
	{"ARP with two MACs", "link.h", "if (MAC(a.sender_mac) != frame)", "if (0)"},
	{"no probe of ARP", "link.h", "if (!sender && a.operation_be == bpf_htons(1))", "if (0)"},
	{"answers of ARP from nobody", "link.h", "if (!sender && a.operation_be == bpf_htons(1))", "if (!sender)"},
	{"probes of ARP for any address", "link.h", "				sender = target;", "				return without_rule(skb, c, WITHOUT_RULE_ARP);"},

	// DHCP.
	{"a DHCP server's part", "link.h", "		return r->flags & RULES_CHECK ? DROP_SPOOFED : DECIDE;\n	if (p->frag_more || !p->exact || p->l4 != p->l3 + sizeof(struct ipv4)", "		return DECIDE;\n	if (p->frag_more || !p->exact || p->l4 != p->l3 + sizeof(struct ipv4)"},
	{"no DHCP server's part without source/dest check", "link.h", "		return r->flags & RULES_CHECK ? DROP_SPOOFED : DECIDE;\n	if (p->frag_more || !p->exact || p->l4 != p->l3 + sizeof(struct ipv4)", "		return DROP_SPOOFED;\n	if (p->frag_more || !p->exact || p->l4 != p->l3 + sizeof(struct ipv4)"},
	{"a DHCP server's part from another port", "link.h", "if (out && p->dport == 68)", "if (out && p->sport == 67 && p->dport == 68)"},
	{"fragments of DHCP", "link.h", "p->frag_more || !p->exact || p->l4 != p->l3 + sizeof(struct ipv4) || p->sport", "!p->exact || p->l4 != p->l3 + sizeof(struct ipv4) || p->sport"},
	{"DHCP with something behind it", "link.h", "p->frag_more || !p->exact || p->l4 != p->l3 + sizeof(struct ipv4) || p->sport", "p->frag_more || p->l4 != p->l3 + sizeof(struct ipv4) || p->sport"},
	{"DHCP behind options", "link.h", "p->frag_more || !p->exact || p->l4 != p->l3 + sizeof(struct ipv4) || p->sport", "p->frag_more || !p->exact || p->sport"},
	{"DHCP from any port", "link.h", "p->sport != (out ? 68 : 67) || ", ""},
	{"DHCP to the client's port", "link.h", " || p->dport != (out ? 67 : 68))", ")"},
	{"long DHCP", "link.h", "size > (out ? 576 : 1472) ||", ""},
	{"DHCP requests as long as answers", "link.h", "(out ? 576 : 1472)", "1472"},
	{"DHCP answers as short as requests", "link.h", "(out ? 576 : 1472)", "576"},
	{"any operation of DHCP", "link.h", "b.op != (out ? 1 : 2) || ", ""},
	{"DHCP of any hardware", "link.h", "b.htype != 1 || ", ""},
	{"DHCP with MACs of any length", "link.h", "b.hlen != 6 || ", ""},
	{"BOOTP", "link.h", " || cookie != bpf_htonl(0x63825363))", ")"},
	{"DHCP is checked without source/dest check", "link.h", "	if (r->flags & RULES_CHECK) {\n		if (claims(c, r, who, 0))", "	if (1) {\n		if (claims(c, r, who, 0))"},
	{"DHCP answers that say to be from the interface", "link.h", "		if (claims(c, r, who, 0))", "		if (0)"},
	{"DHCP for any MAC", "link.h", "if (!own_mac(c, r, MAC(b.chaddr)))", "if (0)"},
	{"DHCP through a relay", "link.h", "b.giaddr_be || (b.ciaddr_be", "(b.ciaddr_be"},
	{"DHCP for another's lease", "link.h", "b.giaddr_be || (b.ciaddr_be && !own_address(c, r, 0, bpf_ntohl(b.ciaddr_be), 0))", "b.giaddr_be"},
	{"no DHCP before there is a lease", "link.h", "(b.ciaddr_be && !own_address", "(!own_address"},
	{"answers of DHCP are checked as requests", "link.h", "if (out && (b.giaddr_be", "if ((b.giaddr_be"},
	{"DHCP of any address", "link.h", "if (!own_address(c, r, 0, who->llo, 0) && who->llo != (out ? 0 : 0xffffffff))", "if (0)"},
	{"DHCP of nobody and everybody", "link.h", "who->llo != (out ? 0 : 0xffffffff)", "who->llo != 0 && who->llo != 0xffffffff"},
	{"no DHCP of nobody", "link.h", " && who->llo != (out ? 0 : 0xffffffff))", ")"},
	{"DHCP answers by way of a router", "link.h", "if (!(out && who->rlo == 0xffffffff) && !on_link(r, 0, who->rlo, 0))", "if (out && who->rlo != 0xffffffff && !on_link(r, 0, who->rlo, 0))"},
	{"no DHCP to everybody", "link.h", "if (!(out && who->rlo == 0xffffffff) && !on_link", "if (!on_link"},

	// DHCPv6.
	{"a DHCPv6 server's part", "link.h", "		return r->flags & RULES_CHECK ? DROP_SPOOFED : DECIDE;\n	if (!p->exact || p->l4 != p->l3 + sizeof(struct ipv6)", "		return DECIDE;\n	if (!p->exact || p->l4 != p->l3 + sizeof(struct ipv6)"},
	{"no DHCPv6 server's part without source/dest check", "link.h", "		return r->flags & RULES_CHECK ? DROP_SPOOFED : DECIDE;\n	if (!p->exact || p->l4 != p->l3 + sizeof(struct ipv6)", "		return DROP_SPOOFED;\n	if (!p->exact || p->l4 != p->l3 + sizeof(struct ipv6)"},
	{"a DHCPv6 server's part from another port", "link.h", "if (out && p->dport == 546)", "if (out && p->sport == 547 && p->dport == 546)"},
	{"DHCPv6 with something behind it", "link.h", "!p->exact || p->l4 != p->l3 + sizeof(struct ipv6) || p->sport", "p->l4 != p->l3 + sizeof(struct ipv6) || p->sport"},
	{"DHCPv6 behind headers", "link.h", "!p->exact || p->l4 != p->l3 + sizeof(struct ipv6) || p->sport", "!p->exact || p->sport"},
	{"DHCPv6 from any port", "link.h", "p->sport != (out ? 546 : 547) || ", ""},
	{"DHCPv6 to the client's port", "link.h", " || p->dport != (out ? 547 : 546))", ")"},
	{"short DHCPv6", "link.h", "size < 4 || ", ""},
	{"long DHCPv6", "link.h", "size > (out ? 576 : 1452) || ", ""},
	{"DHCPv6 requests as long as answers", "link.h", "(out ? 576 : 1452)", "1452"},
	{"DHCPv6 answers as short as requests", "link.h", "(out ? 576 : 1452)", "576"},
	{"types of DHCPv6 that wrap", "link.h", " || type > 31)", ")"},
	{"any type of DHCPv6", "link.h", "if (!(may >> type & 1))", "if (0)"},
	{"DHCPv6 is checked without source/dest check", "link.h", "	if (r->flags & RULES_CHECK) {\n		if (claims(c, r, who, 1))", "	if (1) {\n		if (claims(c, r, who, 1))"},
	{"DHCPv6 answers that say to be from the interface", "link.h", "		if (claims(c, r, who, 1))\n			return DROP_SPOOFED;\n", ""},
	{"DHCPv6 of any address", "link.h", "		if (!own_address(c, r, who->lhi, who->llo, 1))\n			return out ? DROP_SPOOFED : DROP_DESTINATION;\n", ""},
	{"DHCPv6 from all servers", "link.h", "!(out && who->rhi == LINK_MULTICAST && who->rlo == 0x10002)", "!(who->rhi == LINK_MULTICAST && who->rlo == 0x10002)"},
	{"DHCPv6 to another scope", "link.h", "!(out && who->rhi == LINK_MULTICAST && who->rlo == 0x10002)", "!(out && who->rlo == 0x10002)"},
	{"DHCPv6 to any group", "link.h", "!(out && who->rhi == LINK_MULTICAST && who->rlo == 0x10002)", "!(out && who->rhi == LINK_MULTICAST)"},
	{"DHCPv6 beyond the link", "link.h", " && !LINK_LOCAL(who->rhi) &&\n	    !on_link(r, who->rhi, who->rlo, 1))\n		return DECIDE;\n	return without_rule(skb, c, WITHOUT_RULE_DHCP6);", " && 0)\n		return DECIDE;\n	return without_rule(skb, c, WITHOUT_RULE_DHCP6);"},

	// Neighbour discovery.
	{"options of any length", "link.h", "if (words != 1 || (type != 1 && type != 2 && type != 14) || had >> type & 1)", "if ((type != 1 && type != 2 && type != 14) || had >> type & 1)"},
	{"options of any type", "link.h", "if (words != 1 || (type != 1 && type != 2 && type != 14) || had >> type & 1)", "if (words != 1 || had >> (type & 31) & 1)"},
	{"options twice", "link.h", " || had >> type & 1)", ")"},
	{"no nonce", "link.h", "(type != 1 && type != 2 && type != 14)", "(type != 1 && type != 2)"},
	{"only plain options in what comes in", "link.h", "if (c->dir == DIR_OUT && p->type != 134) {", "if (p->type != 134) {"},
	{"only plain options of a router", "link.h", "if (c->dir == DIR_OUT && p->type != 134) {", "if (c->dir == DIR_OUT) {"},
	{"options with any MAC", "link.h", "type < 3 && !own_mac(c, r, o >> 16)", "0"},
	{"a nonce is a MAC", "link.h", "type < 3 && !own_mac(c, r, o >> 16)", "!own_mac(c, r, o >> 16)"},
	{"MACs of what comes in are checked", "link.h", "if (c->dir == DIR_OUT && r->flags & RULES_CHECK && type < 3", "if (r->flags & RULES_CHECK && type < 3"},
	{"MACs are checked without source/dest check", "link.h", "if (c->dir == DIR_OUT && r->flags & RULES_CHECK && type < 3", "if (c->dir == DIR_OUT && type < 3"},
	{"a source's MAC is not seen", "link.h", "		if (type == 1)\n			has = 2;\n", ""},
	{"routers", "link.h", "(p->type == 134 || p->type == 137)", "p->type == 137"},
	{"redirects", "link.h", "(p->type == 134 || p->type == 137)", "p->type == 134"},
	{"no routers without source/dest check", "link.h", "if (out && check && (p->type == 134", "if (out && (p->type == 134"},
	{"redirects are neighbour discovery", "link.h", "p->type > 136 || ", ""},
	{"neighbour discovery from beyond the link", "link.h", "p->hops != 255)", "0)"},
	{"neighbour discovery with a code", "link.h", "p->code || !p->exact || p->l4 != p->l3 + sizeof(struct ipv6))\n		return DROP_MALFORMED", "!p->exact || p->l4 != p->l3 + sizeof(struct ipv6))\n		return DROP_MALFORMED"},
	{"neighbour discovery with something behind it", "link.h", "p->code || !p->exact || p->l4 != p->l3 + sizeof(struct ipv6))\n		return DROP_MALFORMED", "p->code || p->l4 != p->l3 + sizeof(struct ipv6))\n		return DROP_MALFORMED"},
	{"neighbour discovery behind headers", "link.h", "p->code || !p->exact || p->l4 != p->l3 + sizeof(struct ipv6))\n		return DROP_MALFORMED", "p->code || !p->exact)\n		return DROP_MALFORMED"},
	{"routers' advertisements from anywhere", "link.h", "if (p->type == 134 && !LINK_LOCAL(who->rhi))", "if (0)"},
	{"what comes in is checked without source/dest check", "link.h", "		if (!check)\n			return without_rule(skb, c, WITHOUT_RULE_ND);\n", ""},
	{"solicitations that say to be from the interface", "link.h", "claims(c, r, who, 1) || (p->type == 136", "(p->type == 136"},
	{"advertisements that claim the interface's address", "link.h", "(p->type == 136 && own_address(c, r, target[0], target[1], 1))", "0"},
	{"no solicitations of the interface's address", "link.h", "(p->type == 136 && own_address(c, r, target[0], target[1], 1))", "own_address(c, r, target[0], target[1], 1)"},
	{"neighbour discovery to another", "link.h", "		if (who->lhi >> 48 != LINK_MULTICAST >> 48 && !own_address(c, r, who->lhi, who->llo, 1))\n			return DROP_DESTINATION;\n		return without_rule(skb, c, WITHOUT_RULE_ND);", "		return without_rule(skb, c, WITHOUT_RULE_ND);"},
	{"no neighbour discovery to groups", "link.h", "		if (who->lhi >> 48 != LINK_MULTICAST >> 48 && !own_address", "		if (!own_address"},
	{"what leaves is checked without source/dest check", "link.h", "	if (check) {\n		__u32 mine", "	if (1) {\n		__u32 mine"},
	{"nobody has a MAC", "link.h", "options == 2 || p->type == 136 ||", "p->type == 136 ||"},
	{"nobody advertises", "link.h", "options == 2 || p->type == 136 ||", "options == 2 ||"},
	{"whether another's address is free", "link.h", " || (p->type == 135 && !mine))", ")"},
	{"nobody asks for routers", "link.h", "(p->type == 135 && !mine)", "!mine"},
	{"neighbour discovery by another", "link.h", "} else if (!own_address(c, r, who->lhi, who->llo, 1)) {", "} else if (0) {"},
	{"advertisements that say it is a router", "link.h", "(!mine || flags & bpf_htonl(1u << 31))", "!mine"},
	{"advertisements are all a router's", "link.h", "flags & bpf_htonl(1u << 31)", "flags"},
	{"asking for routers anywhere", "link.h", "		if (!(who->rhi == LINK_MULTICAST && who->rlo == 2) && !LINK_LOCAL(who->rhi))", "		if (0)"},
	{"asking any group for routers", "link.h", "		if (!(who->rhi == LINK_MULTICAST && who->rlo == 2) && !LINK_LOCAL(who->rhi))", "		if (who->rhi != LINK_MULTICAST && !LINK_LOCAL(who->rhi))"},
	{"asking all routers only", "link.h", "		if (!(who->rhi == LINK_MULTICAST && who->rlo == 2) && !LINK_LOCAL(who->rhi))", "		if (!(who->rhi == LINK_MULTICAST && who->rlo == 2))"},
	{"routers advertise to anybody", "link.h", "	case 134:\n		if (!(who->rhi == LINK_MULTICAST && who->rlo == 1) && !LINK_LOCAL(who->rhi))", "	case 134:\n		if (0)"},
	{"routers advertise to any group", "link.h", "	case 134:\n		if (!(who->rhi == LINK_MULTICAST && who->rlo == 1)", "	case 134:\n		if (who->rhi != LINK_MULTICAST"},
	{"routers advertise to all only", "link.h", "	case 134:\n		if (!(who->rhi == LINK_MULTICAST && who->rlo == 1) && !LINK_LOCAL(who->rhi))", "	case 134:\n		if (!(who->rhi == LINK_MULTICAST && who->rlo == 1))"},
	{"solicitations for somebody away", "link.h", "!LINK_LOCAL(target[0]) && !on_link(r, target[0], target[1], 1) && !own_address(c, r, target[0], target[1], 1)", "0"},
	{"no solicitations for link-local addresses", "link.h", "!LINK_LOCAL(target[0]) && !on_link(r, target[0]", "!on_link(r, target[0]"},
	{"no solicitations for an own address of no subnet", "link.h", " && !own_address(c, r, target[0], target[1], 1))\n			return DECIDE", ")\n			return DECIDE"},
	{"solicitations to anybody", "link.h", "		if (!(who->rhi == target[0] && who->rlo == target[1]) &&\n", "		if (0 &&\n"},
	{"solicitations to addresses that end alike", "link.h", "!(who->rhi == target[0] && who->rlo == target[1]) &&", "!(who->rlo == target[1]) &&"},
	{"solicitations to addresses that begin alike", "link.h", "!(who->rhi == target[0] && who->rlo == target[1]) &&", "!(who->rhi == target[0]) &&"},
	{"no solicitations to who is known", "link.h", "!(who->rhi == target[0] && who->rlo == target[1]) &&", ""},
	{"solicitations of any scope", "link.h", "!(who->rhi == LINK_MULTICAST && who->rlo == (0x1ff000000", "!(who->rlo == (0x1ff000000"},
	{"solicitations to any group", "link.h", " && who->rlo == (0x1ff000000 | (target[1] & 0xffffff)))", ")"},
	{"advertisements to anybody", "link.h", "if (!(who->rhi == LINK_MULTICAST && (who->rlo == 1 || who->rlo == 2)) && !LINK_LOCAL(who->rhi) &&\n		    !on_link(r, who->rhi, who->rlo, 1))", "if (0)"},
	{"advertisements to any group", "link.h", "(who->rhi == LINK_MULTICAST && (who->rlo == 1 || who->rlo == 2))", "(who->rhi == LINK_MULTICAST)"},
	{"no advertisements to all nodes", "link.h", "(who->rlo == 1 || who->rlo == 2)", "(who->rlo == 2)"},
	{"no advertisements to all routers", "link.h", "(who->rlo == 1 || who->rlo == 2)", "(who->rlo == 1)"},
	{"advertisements to groups of any scope", "link.h", "(who->rhi == LINK_MULTICAST && (who->rlo == 1 || who->rlo == 2))", "(who->rlo == 1 || who->rlo == 2)"},
	{"no advertisements to link-local addresses", "link.h", "who->rlo == 2)) && !LINK_LOCAL(who->rhi) &&", "who->rlo == 2)) &&"},
	{"no advertisements on the link", "link.h", "!LINK_LOCAL(who->rhi) &&\n		    !on_link(r, who->rhi, who->rlo, 1))", "!LINK_LOCAL(who->rhi))"},

	// MLD.
	{"a router alert behind another header", "link.h", "p->l4 != p->l3 + sizeof(struct ipv6) + 8 || ", ""},
	{"a router alert in any header", "link.h", "	    first != IP_HOPOPTS || ", "	    "},
	{"a router alert of any type", "link.h", "(h[2] == 5 && h[3] == 2 && !h[4] && !h[5])", "(h[3] == 2 && !h[4] && !h[5])"},
	{"a router alert of any length", "link.h", "(h[2] == 5 && h[3] == 2 && !h[4] && !h[5])", "(h[2] == 5 && !h[4] && !h[5])"},
	{"a router alert of many values", "link.h", "(h[2] == 5 && h[3] == 2 && !h[4] && !h[5])", "(h[2] == 5 && h[3] == 2 && !h[5])"},
	{"a router alert of any value", "link.h", "(h[2] == 5 && h[3] == 2 && !h[4] && !h[5])", "(h[2] == 5 && h[3] == 2 && !h[4])"},
	{"no padding before a router alert", "link.h", " || (h[2] == 1 && !h[3] && h[4] == 5 && h[5] == 2 && !h[6] && !h[7])", ""},
	{"any option before a router alert", "link.h", "(h[2] == 1 && !h[3] && h[4] == 5", "(!h[3] && h[4] == 5"},
	{"longer padding before a router alert", "link.h", "(h[2] == 1 && !h[3] && h[4] == 5", "(h[2] == 1 && h[4] == 5"},
	{"a padded router alert of any type", "link.h", "!h[3] && h[4] == 5 && h[5] == 2", "!h[3] && h[5] == 2"},
	{"a padded router alert of any length", "link.h", "h[4] == 5 && h[5] == 2 && !h[6]", "h[4] == 5 && !h[6]"},
	{"a padded router alert of many values", "link.h", "h[5] == 2 && !h[6] && !h[7]", "h[5] == 2 && !h[7]"},
	{"a padded router alert of any value", "link.h", "h[5] == 2 && !h[6] && !h[7]", "h[5] == 2 && !h[6]"},
	{"queriers", "link.h", "if (out && (p->type == 130 || p->type == 151) && r->flags & RULES_CHECK)", "if (out && p->type == 151 && r->flags & RULES_CHECK)"},
	{"routers of multicast", "link.h", "if (out && (p->type == 130 || p->type == 151) && r->flags & RULES_CHECK)", "if (out && p->type == 130 && r->flags & RULES_CHECK)"},
	{"no queriers without source/dest check", "link.h", "if (out && (p->type == 130 || p->type == 151) && r->flags & RULES_CHECK)", "if (out && (p->type == 130 || p->type == 151))"},
	{"advertisements of routers of multicast are reports", "link.h", "if (p->type == 151 || !p->exact || p->hops != 1", "if (!p->exact || p->hops != 1"},
	{"MLD with something behind it", "link.h", "if (p->type == 151 || !p->exact || p->hops != 1", "if (p->type == 151 || p->hops != 1"},
	{"MLD beyond the link", "link.h", "p->hops != 1 || ", ""},
	{"MLD with a code", "link.h", "p->code || !router_alert", "!router_alert"},
	{"MLD without a router alert", "link.h", "!router_alert(skb, p) || ", ""},
	{"queries from anywhere", "link.h", "if (!LINK_LOCAL(out ? who->lhi : who->rhi))", "if (0)"},
	{"queries to the interface's link-local address only", "link.h", "if (!LINK_LOCAL(out ? who->lhi : who->rhi))", "if (!LINK_LOCAL(who->lhi))"},
	{"queries of any length", "link.h", "if (n > 64 || size != 28 + 16 * n)", "if (n > 64)"},
	{"queries about any number of sources", "link.h", "if (n > 64 || size != 28 + 16 * n)", "if (size != 28 + 16 * n)"},
	{"queries to any group", "link.h", "		if (!out && r->flags & RULES_CHECK && who->lhi >> 48 != LINK_MULTICAST >> 48 &&\n		    !own_address(c, r, who->lhi, who->llo, 1))", "		if (0)"},
	{"queries to groups only", "link.h", "LINK_MULTICAST >> 48 &&\n		    !own_address(c, r, who->lhi, who->llo, 1))\n			return DROP_DESTINATION;\n		return without_rule(skb, c, WITHOUT_RULE_MLD);", "LINK_MULTICAST >> 48)\n			return DROP_DESTINATION;\n		return without_rule(skb, c, WITHOUT_RULE_MLD);"},
	{"queries are checked without source/dest check", "link.h", "if (!out && r->flags & RULES_CHECK && who->lhi >> 48", "if (!out && who->lhi >> 48"},
	{"queries that leave are checked as those that come in", "link.h", "if (!out && r->flags & RULES_CHECK && who->lhi >> 48", "if (who->lhi >> 48"},
	{"reports that come in", "link.h", "	if (!out)\n		return DECIDE;\n	if (r->flags", "	if (r->flags"},
	{"reports are checked without source/dest check", "link.h", "if (r->flags & RULES_CHECK && who->lhi | who->llo && !own_link_local", "if (who->lhi | who->llo && !own_link_local"},
	{"no reports before there is an address", "link.h", "who->lhi | who->llo && !own_link_local", "!own_link_local"},
	{"reports from any of its addresses", "link.h", "!own_link_local(c, r, who->lhi, who->llo)", "!own_address(c, r, who->lhi, who->llo, 1)"},
	{"reports to another scope", "link.h", "who->rhi != LINK_MULTICAST || who->rlo != 0x16 || ", "who->rlo != 0x16 || "},
	{"reports to any group", "link.h", "who->rhi != LINK_MULTICAST || who->rlo != 0x16 || ", "who->rhi != LINK_MULTICAST || "},
	{"reports of nothing", "link.h", "who->rlo != 0x16 || !n || n > 64)", "who->rlo != 0x16 || n > 64)"},
	{"reports of any number of groups", "link.h", "who->rlo != 0x16 || !n || n > 64)", "who->rlo != 0x16 || !n)"},
	{"reports of any length", "link.h", "		if (at != p->end)\n			return DECIDE;\n", ""},
	{"records of type 0", "link.h", "!h[0] || h[0] > 6 || h[1]", "h[0] > 6 || h[1]"},
	{"records of any type", "link.h", "!h[0] || h[0] > 6 || h[1]", "!h[0] || h[1]"},
	{"records with auxiliary data", "link.h", " || h[1] || h[4] != 0xff)", " || h[4] != 0xff)"},
	{"records with fewer than 256 sources", "link.h", "16 * (h[2] << 8 | h[3])", "16 * h[3]"},
	{"records without sources", "link.h", "20 + 16 * (h[2] << 8 | h[3])", "20"},
	{"records of no group", "link.h", " || h[1] || h[4] != 0xff)", " || h[1])"},
	{"the first record only", "link.h", "bpf_skb_load_bytes(skb, at, h, 8) ||", "bpf_skb_load_bytes(skb, p->l4 + 8, h, 8) ||"},
	{"reports of MLDv1 of any length", "link.h", "if (size != 24 || bpf_skb_load_bytes(skb, p->l4 + 8, group, 16))", "if (bpf_skb_load_bytes(skb, p->l4 + 8, group, 16))"},
	{"reports of MLDv1 for no group", "link.h", "	if (group[0] >> 56 != 0xff)\n		return DECIDE;\n", ""},
	{"reports of MLDv1 to anybody", "link.h", "p->type == 131 ? who->rhi != group[0] || who->rlo != group[1] :", "p->type == 131 ? 0 :"},
	{"reports of MLDv1 to groups that end alike", "link.h", "? who->rhi != group[0] || who->rlo != group[1] :", "? who->rlo != group[1] :"},
	{"reports of MLDv1 to groups that begin alike", "link.h", "? who->rhi != group[0] || who->rlo != group[1] :", "? who->rhi != group[0] :"},
	{"leaving to anybody", "link.h", " : who->rhi != LINK_MULTICAST || who->rlo != 2)", " : 0)"},
	{"leaving to routers of any scope", "link.h", " : who->rhi != LINK_MULTICAST || who->rlo != 2)", " : who->rlo != 2)"},
	{"leaving to any group", "link.h", " : who->rhi != LINK_MULTICAST || who->rlo != 2)", " : who->rhi != LINK_MULTICAST)"},

	// Options of IPv4.
	{"loose source routes", "ipv4.h", "kind == 131 || ", ""},
	{"strict source routes", "ipv4.h", "kind == 137 || ", ""},
	{"records of the route", "ipv4.h", " || kind == 7)", ")"},
	{"options are not looked at", "ipv4.h", "if (ihl > 20) {", "if (0) {"},
	{"options behind the end", "ipv4.h", "		if (!kind)\n			return PASS;\n", "		if (!kind) {\n			at++;\n			continue;\n		}\n"},
	{"options of nothing have a length", "ipv4.h", "if (kind == 1) {", "if (0) {"},
	{"an option of no length", "ipv4.h", "size < 2 || at + size > len", "!size || at + size > len"},
	{"an option beyond the header", "ipv4.h", "size < 2 || at + size > len", "size < 2"},
	{"PIM", "ipv4.h", "return p->proto == IP_PIM;", "return 0;"},
	{"queries of IGMP", "ipv4.h", "type == 0x11 || type == 0x30", "type == 0x30"},
	{"advertisements of routers of multicast by IPv4", "ipv4.h", "type == 0x11 || type == 0x30", "type == 0x11"},
	{"multicast routing that comes in is the workload's", "ipv4.h", "if (dir == DIR_OUT && r->flags & RULES_CHECK && routes4(skb, p))", "if (r->flags & RULES_CHECK && routes4(skb, p))"},
	{"no multicast routing without source/dest check", "ipv4.h", "if (dir == DIR_OUT && r->flags & RULES_CHECK && routes4(skb, p))", "if (dir == DIR_OUT && routes4(skb, p))"},
	{"PIM of IPv6", "ipv6.h", "if (dir == DIR_OUT && r->flags & RULES_CHECK && p->proto == IP_PIM)", "if (0)"},
	{"PIM of IPv6 that comes in is the workload's", "ipv6.h", "if (dir == DIR_OUT && r->flags & RULES_CHECK && p->proto == IP_PIM)", "if (r->flags & RULES_CHECK && p->proto == IP_PIM)"},
	{"no PIM of IPv6 without source/dest check", "ipv6.h", "if (dir == DIR_OUT && r->flags & RULES_CHECK && p->proto == IP_PIM)", "if (dir == DIR_OUT && p->proto == IP_PIM)"},
}

// What ICMP errors pass without a rule.
var errorMutants = []mutant{
	{"any type of an error", "ipv4.h", "if (p->type != 3 && p->type != 4 && p->type != 11 && p->type != 12)", "if (0)"},
	{"fragments of an error", "ipv4.h", "if (p->frag_more || !p->exact || p->end - p->l3 > 576)", "if (!p->exact || p->end - p->l3 > 576)"},
	{"errors of any length", "ipv4.h", "if (p->frag_more || !p->exact || p->end - p->l3 > 576)", "if (p->frag_more || !p->exact)"},
	{"errors with something behind them", "ipv4.h", "if (p->frag_more || !p->exact || p->end - p->l3 > 576)", "if (p->frag_more || p->end - p->l3 > 576)"},
	{"a quote of any version", "ipv4.h", "h.version_ihl >> 4 != 4 || ", ""},
	{"a quote with a short header", "ipv4.h", "ihl < 20 || h.frag_be", "h.frag_be"},
	{"a quote of a later fragment", "ipv4.h", " || h.frag_be & bpf_htons(0x1fff))", ")"},
	{"errors to anybody", "ipv4.h", "if (dir == DIR_IN ? k.local_be != bpf_htonl(who->llo) : k.remote_be != bpf_htonl(who->rlo))", "if (0)"},
	{"errors to any remote", "ipv4.h", ": k.remote_be != bpf_htonl(who->rlo))", ": 0)"},
	{"errors to any of its addresses", "ipv4.h", "if (dir == DIR_IN ? k.local_be != bpf_htonl(who->llo) :", "if (dir == DIR_IN ? 0 :"},
	{"a quoted query with a code", "ipv4.h", "			if (code)\n				return 0;\n", ""},
	{"a quote of an error", "ipv4.h", "			} else\n				return 0;\n", "			}\n"},
	{"errors from another's address", "ipv4.h", "(!own_address(c, r, 0, who->llo, 0) || claims(c, r, who, 0))", "claims(c, r, who, 0)"},
	{"errors that say to be from the interface", "ipv4.h", "(!own_address(c, r, 0, who->llo, 0) || claims(c, r, who, 0))", "!own_address(c, r, 0, who->llo, 0)"},
	{"errors of type 0 of IPv6", "ipv6.h", "p->type < 1 || ", ""},
	{"errors of type 5 of IPv6", "ipv6.h", " || p->type > 4)", ")"},
	{"fragments of an error of IPv6", "ipv6.h", "p->frag_more || !p->exact || p->end - p->l3 > 1280", "!p->exact || p->end - p->l3 > 1280"},
	{"errors of any length of IPv6", "ipv6.h", "p->frag_more || !p->exact || p->end - p->l3 > 1280", "p->frag_more || !p->exact"},
	{"errors of IPv6 with something behind them", "ipv6.h", "p->frag_more || !p->exact || p->end - p->l3 > 1280", "p->frag_more || p->end - p->l3 > 1280"},
	{"a quote of any version by IPv6", "ipv6.h", "	if (bpf_ntohl(h.version_flow_be) >> 28 != 6)\n		return 0;\n", ""},
	{"a quote of a later fragment of IPv6", "ipv6.h", " || q.frag_at)", ")"},
	{"errors to addresses that end alike", "ipv6.h", "half(k.remote) != who->rhi || half(k.remote + 8) != who->rlo", "half(k.remote + 8) != who->rlo"},
	{"errors to addresses that begin alike", "ipv6.h", "half(k.remote) != who->rhi || half(k.remote + 8) != who->rlo", "half(k.remote) != who->rhi"},
	{"errors to its addresses that end alike", "ipv6.h", "half(k.local) != who->lhi || half(k.local + 8) != who->llo", "half(k.local + 8) != who->llo"},
	{"errors to its addresses that begin alike", "ipv6.h", "half(k.local) != who->lhi || half(k.local + 8) != who->llo", "half(k.local) != who->lhi"},
	{"a quoted query with a code of IPv6", "ipv6.h", "if (code || (type != 128 && type != 129))", "if (type != 128 && type != 129)"},
	{"a quote of an error of IPv6", "ipv6.h", "if (code || (type != 128 && type != 129))", "if (code)"},
	{"errors from another's address of IPv6", "ipv6.h", "(!own_address(c, r, who->lhi, who->llo, 1) || claims(c, r, who, 1))", "claims(c, r, who, 1)"},
	{"errors of IPv6 that say to be from the interface", "ipv6.h", "(!own_address(c, r, who->lhi, who->llo, 1) || claims(c, r, who, 1))", "!own_address(c, r, who->lhi, who->llo, 1)"},
}

// compiler finds the clang that the programs are made with.
func compiler(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("clang", "--version").Output()
	if err != nil || !strings.Contains(string(out), "clang version 14.") {
		t.Skip("needs clang 14: the programs are not compiled again")
	}
	return "clang"
}

func mutate(t testing.TB, clang string, p *Plane, file, old, new string) *ebpf.CollectionSpec {
	t.Helper()
	return mutate2(t, clang, p, file, [][2]string{{old, new}})
}

// mutate2 compiles the programs with changes to one of their files.
func mutate2(t testing.TB, clang string, p *Plane, file string, changes [][2]string) *ebpf.CollectionSpec {
	t.Helper()
	dir := t.TempDir()
	files, err := filepath.Glob("bpf/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if s := string(b); filepath.Base(f) == file {
			for _, c := range changes {
				if n := strings.Count(s, c[0]); n != 1 {
					t.Fatalf("%s has %q %d times, want once", file, c[0], n)
				}
				s = strings.Replace(s, c[0], c[1], 1)
			}
			b = []byte(s)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(f)), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	object := filepath.Join(dir, "moat.o")
	if out, err := exec.Command(clang, "-O2", "-g", "-mcpu=v3", "-target", "bpfel", "-c", filepath.Join(dir, "moat.bpf.c"), "-o", object).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	spec, err := ebpf.LoadCollectionSpec(object)
	if err != nil {
		t.Fatal(err)
	}
	for name, m := range spec.Maps {
		if of := p.spec.Maps[name]; of != nil {
			m.Pinning, m.MaxEntries = of.Pinning, of.MaxEntries
		}
	}
	return spec
}
