/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The filter of an interface: two programs, for what the workload sends and
 * for what it is sent. A packet of a tracked flow passes; another is judged by
 * the policy of its direction; everything that cannot be judged is dropped. A
 * third program, tend, does for user space what must not race with packets. */
#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#include "moat.h"

char _license[] SEC("license") = "Dual BSD/GPL";

/* The network namespace of the devices that this copy of the programs filters:
 * an ifindex alone says nothing. */
const volatile __u32 netns;

/* The size of nearby, less one: it is a power of two. */
const volatile __u32 near = 63;

/* How long a tick is in seconds / 2^32, and the number of the first one. */
const volatile __u32 tick;
const volatile __u64 first_tick;

enum {
	TRACK_NOT   = 0,	/* of no flow: always judged */
	TRACK       = 1,
	TRACK_REPLY = 2,	/* it can be of a flow, but begins none */
};

/* The numbers of a segment, in host order. */
struct segment {
	__u32 seq, end;		/* where it begins, and where the next one does */
	__u32 ack;
	__u16 window;
	__u8 header;		/* length of its header in bytes; 0: there is no segment */
	__u8 scale;		/* that a SYN offers, with SCALE_OFFERED */
};

/* What of a packet matters. Ports in host order. */
struct packet {
	__u32 l3, l4, end;	/* where headers begin and the IP packet ends */
	__u32 x;
	__u32 frag_id;
	__u16 sport, dport;
	__u16 frag_at;		/* in bytes */
	__u8 frag_more;
	__u8 proto, hops;
	__u8 tracked;		/* TRACK_* */
	__u8 type, code;	/* of ICMP */
	__u8 seen;		/* SEEN_* */
	__u8 exact;		/* nothing is behind it in its frame */
	struct segment t;	/* of TCP that is no fragment */
};

/* Whom a packet is between, for permit. */
struct parties {
	__u64 lhi, llo, rhi, rlo;	/* local and remote address; IPv4 in llo, rlo */
	__u32 six, epoch;
};

#include "maps.h"
#include "search.h"
#include "reset.h"

/* What becomes of a packet; else one of DROP_*. The next program decides what
 * passes, of TCX and of clsact alike. */
enum { PASS = -1, NOT_LATER = -2, RESET = -4, DECIDE = -5 };

/* What every step needs. */
struct context {
	__u32 eni, device, now, dir;
	__u32 slot, epoch;	/* of what is in force */
	__u32 l4, end;	/* of a packet that becomes a reset */
	__u32 unknown;	/* it is known that the packet is of no flow */
};

/* Functions that are not static are verified once, not wherever they are
 * called from; so that they take no pointers into maps. Memory that they are
 * given can be no key of a map before Linux 6.9, so that keys of numbers are
 * copied and those of flows are in scratches. */
static __always_inline struct rules *rules_of(struct context *c)
{
	__u32 slot = c->slot;

	return bpf_map_lookup_elem(&slots, &slot);
}

/* The place of an interface's rules in slots, by what is in force. */
static __always_inline __u32 slot_of(__u64 root, __u32 eni)
{
	__u64 two = word((__u32)root + ROOT_WORDS + eni % ENIS / 2);

	return eni & 1 ? two >> 32 : two;
}

/* Seconds since the machine was started, by the kernel's ticks: reading them is
 * one load, where asking for the time is a call. */
static __always_inline __u32 seconds(struct control *c)
{
	return ((bpf_jiffies64() - first_tick) * tick >> 32) + c->now_offset;
}

/* Counts a packet for a rule. */
static __always_inline void hit(__u32 rule, __u32 bytes, __u32 now, __u32 connection)
{
	struct rule_stat *s = bpf_map_lookup_elem(&rule_stats, &rule);

	if (!s)
		return;
	s->packets++;
	s->bytes += bytes;
	s->connections += connection;
	s->last = now;
}

/* x of a packet to a port, or of an ICMP query of a type. */
static __always_inline __u32 x_of(__u8 proto, __u32 six, __u16 port)
{
	if (proto == IP_TCP || proto == IP_UDP)
		return proto << 16 | port;
	if (proto == (six ? IP_ICMPV6 : IP_ICMP))
		return proto << 16 | (__u32)(port & 0xff) << 8;
	if (proto == IP_ICMP || proto == IP_ICMPV6)
		return X_STRANGE;
	return proto << 16;
}

/* Whether the interface may have a flow of x in a direction: judge's answer,
 * SPOOFED, CLAIMED, or 0. */
__noinline __u64 permit(struct rules *r, struct parties *who, __u32 x, __u32 out)
{
	if (!r || !who)
		return 0;

	__u32 own = r->block + BLOCK_WORDS;
	__u32 policy = out ? r->policy[DIR_OUT] : r->policy[DIR_IN];
	__u64 by;

	/* That a link-local address is its own was seen before. */
	if (r->flags & RULES_CHECK && !(who->six && who->lhi >> 54 == 0xfe80 >> 6) &&
	    !(who->six ? who->lhi && who->lhi == r->own6[0] && who->llo == r->own6[1] : who->llo && who->llo == r->own4) &&
	    !find(own, word(r->block), who->lhi, who->llo, who->six))
		return SPOOFED;
	if (!policy)
		return 0;
	by = judge(policy, x, who->rhi, who->rlo,
		   (__u64)who->epoch << JUDGE_EPOCH | r->vpc << JUDGE_VPC | (who->six ? JUDGE_SIX : 0));
	if (by && !out && r->flags & RULES_CHECK && find(own, word(r->block), who->rhi, who->rlo, who->six))
		return CLAIMED;
	return by;
}

/* The same, of what it was asked before in this epoch without asking again. */
static __always_inline __u64 permitted(struct context *c, struct rules *r, struct parties *who, __u32 x, __u32 out, const int six)
{
	__u64 of = (__u64)c->eni << 2 | six << 1 | out, by;
	__u32 at = ((who->rhi ^ who->rlo ^ (__u64)x << 32 ^ of << 56) * 0x9e3779b97f4a7c15) >> (64 - VERDICT_BITS);
	struct verdict *v = bpf_map_lookup_elem(&verdicts, &at);

	if (!v)
		return 0;
	if (v->epoch == c->epoch && v->x == x && v->of == of && v->rlo == who->rlo && v->llo == who->llo &&
	    (!six || (v->rhi == who->rhi && v->lhi == who->lhi)))
		return v->by;
	by = permit(r, who, x, out);
	if ((__u32)by) {
		v->epoch = c->epoch;
		v->x = x;
		v->of = of;
		v->lhi = who->lhi;
		v->llo = who->llo;
		v->rhi = who->rhi;
		v->rlo = who->rlo;
		v->by = by;
	}
	return by;
}

/* Whether the other direction of a flow that 0.0.0.0/0 or ::/0 allows is open
 * to everybody, so that it needs no tracking: EC2 user guide, "Untracked
 * connections". */
static __always_inline __u32 open(struct rules *r, __u32 out, __u32 six)
{
	__u32 other = out ? r->policy[DIR_IN] : r->policy[DIR_OUT];

	return other && word(other + 1) >> 32 & (six ? POLICY_OPEN6 : POLICY_OPEN4);
}

/* Seconds without a packet after which a flow is forgotten. */
static __always_inline __u32 patience(struct rules *r, __u8 proto, __u32 six, __u32 bits)
{
	__u32 in = bits & 0xff, out = bits >> 8 & 0xff;

	if (bits & FLOW_CUT)
		return 10;
	if (proto == IP_TCP) {
		if ((in | out) & SEEN_RST)
			return 10;
		if (in & out & SEEN_FIN)
			return 60;
		return in & out & SEEN_ACK ? r->tcp_established : 60;
	}
	if (proto == IP_UDP)
		return in & out & SEEN_MORE ? r->udp_stream : r->udp;
	if (proto == (six ? IP_ICMPV6 : IP_ICMP))
		return 30;
	return 600;
}

static __always_inline int expired(struct rules *r, __u8 proto, __u32 six, struct flow_value *f, __u32 now)
{
	__s32 idle = now - f->seen;

	return idle > 0 && (__u32)idle > patience(r, proto, six, f->bits);
}

/* Takes an interface's share of a table back. */
static __always_inline void release(struct eni_state *state, const int six)
{
	__u32 zero = 0;
	struct share *s = bpf_map_lookup_elem(&shares, &zero);
	__s64 mine = __sync_fetch_and_add(&state->flows[six], -1);

	if (s && mine > ASSURED)
		__sync_fetch_and_add(&s->used[six], -1);
}

/* Counts a flow for an interface; 0 if the table has no room for it. */
static __always_inline int take(struct eni_state *state, const int six)
{
	__u32 zero = 0;
	struct share *s = bpf_map_lookup_elem(&shares, &zero);
	__s64 mine = __sync_fetch_and_add(&state->flows[six], 1);

	if (!s || mine < ASSURED)
		return 1;
	if (__sync_fetch_and_add(&s->used[six], 1) < s->limit[six])
		return 1;
	release(state, six);
	return 0;
}

static __always_inline void forget(void *flows, void *key, struct eni_state *state, __u32 bits, const int six)
{
	if (bpf_map_delete_elem(flows, key))
		return; /* somebody else did */
	release(state, six);
	if (bits & FLOW_HALF)
		__sync_fetch_and_add(&state->half, -1);
}

__noinline int stray(void)
{
	__u32 zero = 0;
	__u64 *n = bpf_map_lookup_elem(&strays, &zero);

	if (n)
		(*n)++;
	return TC_ACT_SHOT;
}

#include "reclaim.h"

__noinline int refuse(__u32 eni, __u32 why, __u32 device)
{
	struct eni_count *c = bpf_map_lookup_elem(&eni_counts, &eni);

	if (c && why < DROP_REASONS) {
		if (device & DEVICE_OBSERVE)
			c->would_drop++;
		c->drops[why]++;
	}
	if (why == DROP_FLOWS || why == DROP_HALF_OPEN || why == DROP_TABLE_FULL)
		make_room();
	return device & DEVICE_OBSERVE ? PASS : TC_ACT_SHOT;
}

/* A flow whose policy changed: nothing if it may live on, else CUT. */
enum { LIVES = -1 };

static __always_inline int again(struct rules *r, struct flow_value *f, struct parties *who, __u8 proto, __u16 lport, __u16 rport)
{
	__u32 out = f->bits & FLOW_OUT;
	__u32 gen = out ? r->gen[DIR_OUT] : r->gen[DIR_IN];
	__u64 by = permit(r, who, x_of(proto, who->six, out ? rport : lport), out);

	if (!by || by & (SPOOFED | CLAIMED))
		return DROP_CUT;
	f->gen = gen;
	if ((__u32)by)
		f->rule = (__u32)by - 1;
	return LIVES;
}

/* Whether a flow's generation is that of its policy, or need not be. */
static __always_inline int current(struct rules *r, struct flow_value *f, __u32 now)
{
	__u32 gen = f->bits & FLOW_OUT ? r->gen[DIR_OUT] : r->gen[DIR_IN];

	return f->gen == gen || r->flags & RULES_AWS ||
		(r->flags & RULES_DRAIN && now < r->drain_until);
}

static __always_inline void learn(struct __sk_buff *skb, struct context *c, struct eni_state *state)
{
	if (!(c->device & DEVICE_L3))
		bpf_skb_load_bytes(skb, c->dir == DIR_OUT ? 6 : 0, state->mac, 6);
}

#include "tcp.h"

/* Whether a packet is of a flow that lives, of which nothing is to be asked. What
 * opens a TCP connection is always looked at. */
static __always_inline int lives(struct rules *r, struct flow_value *f, struct context *c, __u8 proto, __u32 six, __u32 seen)
{
	return !(f->bits & FLOW_CUT) && current(r, f, c->now) && !expired(r, proto, six, f, c->now) &&
		!(proto == IP_TCP && seen & SEEN_SYN);
}

/* Whether TCP begins a flow in the middle of a connection: one that was open
 * before its interface was enforced. Else what a rule allows of it passes and is
 * not tracked, lest a connection that ended with its rule begins anew by the
 * other side's next packet. */
static __always_inline int adopts(struct rules *r, struct context *c)
{
	return c->device & DEVICE_OBSERVE || (__s32)(c->now - r->adopt_until) < 0;
}

/* Notes a packet of a flow that passes. */
static __always_inline void note(struct __sk_buff *skb, struct context *c, __u32 *eni, struct flow_value *f, __u8 proto, __u32 seen)
{
	__u32 bits = f->bits, mine = c->dir == DIR_OUT ? bits >> 8 : bits, more;
	struct flow_side *me = side_of(f, c->dir);

	__sync_fetch_and_add(&me->packets, 1);
	__sync_fetch_and_add(&me->bytes, skb->len);
	if (proto == IP_UDP && mine & SEEN_ANY)
		seen |= SEEN_MORE;
	more = c->dir == DIR_OUT ? seen << 8 : seen;
	if (more & ~bits) {
		__sync_fetch_and_or(&f->bits, more);
		bits |= more;
		if (bits & FLOW_HALF && (bits & bits >> 8 & SEEN_ACK || (bits | bits >> 8) & (SEEN_RST | SEEN_FIN)) &&
		    __sync_fetch_and_and(&f->bits, ~FLOW_HALF) & FLOW_HALF) {
			struct eni_state *state = bpf_map_lookup_elem(&eni_states, eni);

			if (state) {
				__sync_fetch_and_add(&state->half, -1);
				learn(skb, c, state);
			}
		}
	}
	/* Who was sent a reset and goes on has not believed it (RFC 5961): it was of
	 * somebody who knows the ports and not the numbers. */
	more = c->dir == DIR_OUT ? SEEN_RST : SEEN_RST << 8;
	if (bits & more && (seen & (SEEN_RST | SEEN_ACK)) == SEEN_ACK)
		__sync_fetch_and_and(&f->bits, ~more);
	if (f->seen != c->now)
		f->seen = c->now;
	hit(f->rule, skb->len, c->now, 0);
}

/* A packet of a flow that passes. */
static __noinline int goes_on(struct __sk_buff *skb, struct context *c, struct packet *p, struct flow_value *f, __u32 seen)
{
	__u32 eni = c->eni;

	if (p->proto == IP_TCP) {
		if (asks(IP_TCP, seen)) {
			syn_sent(f, c->dir, &p->t);
			seen = SEEN_ANY;
		} else {
			if ((seen & (SEEN_SYN | SEEN_RST)) == SEEN_SYN)
				syn_answered(f, c->dir, &p->t, c->now);
			seen = follow(f, c->dir, &p->t, seen);
		}
	}
	note(skb, c, &eni, f, p->proto, seen);
	return PASS;
}

/* Enters the packet in scratches as a flow, which a rule allows: by is permit's
 * answer. Gives PASS or the reason to drop it. */
__noinline int begin(struct __sk_buff *skb, struct context *c, __u64 by)
{
	__u32 zero = 0, eni, out, six, seen, half = 0;
	struct scratch *s = bpf_map_lookup_elem(&scratches, &zero);
	struct eni_state *state;
	struct flow_side *me, *you;
	struct rules *r;
	long err = 0;

	if (!c || !s)
		return DROP_INTERNAL;
	eni = c->eni;
	r = rules_of(c);
	state = bpf_map_lookup_elem(&eni_states, &eni);
	if (!r || !state)
		return DROP_INTERNAL;
	out = c->dir == DIR_OUT;
	six = s->who.six;
	seen = s->p.seen;
	me = side_of(&s->v, out);
	you = side_of(&s->v, !out);
	__builtin_memset(&s->v, 0, sizeof(s->v));
	s->v.seen = s->v.begun = c->now;
	s->v.gen = out ? r->gen[DIR_OUT] : r->gen[DIR_IN];
	s->v.rule = (__u32)by - 1;
	me->packets = 1;
	me->bytes = skb->len;
	if (state->flows[0] + state->flows[1] >= r->flow_limit)
		return DROP_FLOWS;
	if (s->p.proto == IP_TCP) {
		if (state->half >= r->half_limit)
			return DROP_HALF_OPEN;
		if (asks(IP_TCP, seen)) {
			syn_sent(&s->v, c->dir, &s->p.t);
			if (s->p.t.header) {
				me->end = s->p.t.end;
				me->bits |= SIDE_SENT;
			}
			seen &= ~SEEN_FIN;
		} else {
			me->bits = you->bits = SCALE_UNKNOWN;
			seen = follow(&s->v, c->dir, &s->p.t, seen);
		}
		half = seen & SEEN_FIN ? 0 : FLOW_HALF;
	}
	s->v.bits |= half | (out ? seen << 8 | FLOW_OUT : seen);
	/* Count first: the one that removes the flow subtracts it again. */
	if (!(six ? take(state, 1) : take(state, 0)))
		return DROP_TABLE_FULL;
	if (half)
		__sync_fetch_and_add(&state->half, 1);
	for (int i = 0; i < 3; i++) {
		err = six ? bpf_map_update_elem(&flows6, &s->k6, &s->v, BPF_NOEXIST) :
			bpf_map_update_elem(&flows4, &s->k4, &s->v, BPF_NOEXIST);
		if (err != -EBUSY)
			break;
	}
	if (err) {
		if (six)
			release(state, 1);
		else
			release(state, 0);
		if (half)
			__sync_fetch_and_add(&state->half, -1);
		if (err != -EEXIST)
			return DROP_TABLE_FULL;
	}
	hit((__u32)by - 1, skb->len, c->now, 1);
	return PASS;
}

/* A packet that has both ports, or none by its protocol: by its flow, or by
 * the policy. Gives PASS or the reason to drop it. */
static __always_inline int decide(struct __sk_buff *skb, struct context *c, struct packet *p,
				  void *flows, void *key, struct parties *who, const int six)
{
	struct rules *r = rules_of(c);
	__u32 dir = c->dir, eni = c->eni;
	struct eni_state *state = bpf_map_lookup_elem(&eni_states, &eni);
	__u16 lport = dir == DIR_OUT ? p->sport : p->dport;
	__u16 rport = dir == DIR_OUT ? p->dport : p->sport;
	struct flow_value *f = 0;
	__u64 by;
	__u32 seen = p->seen, fresh = asks(p->proto, seen);

	if (!r || !state)
		return DROP_INTERNAL;
	if (p->proto == IP_TCP && seen & SEEN_SYN)
		window_scale(skb);
	if (p->tracked && !c->unknown)
		f = bpf_map_lookup_elem(flows, key);
	if (f && expired(r, p->proto, six, f, c->now)) {
		forget(flows, key, state, f->bits, six);
		f = 0;
	}
	if (f && !fresh) {
		__u32 bits = f->bits;

		if (!(bits & FLOW_CUT) && !current(r, f, c->now) &&
		    again(r, f, who, p->proto, lport, rport) != LIVES) {
			if (c->device & DEVICE_OBSERVE)
				return DROP_CUT;
			if (p->proto != IP_TCP) {
				forget(flows, key, state, bits, six);
				return DROP_CUT;
			}
			__sync_fetch_and_or(&f->bits, FLOW_CUT);
			bits |= FLOW_CUT;
		}
		if (bits & FLOW_CUT) {
			if (c->device & DEVICE_OBSERVE)
				return DROP_CUT; /* which it does not */
			if (seen & SEEN_RST)
				return PASS;
			if (skb->mark == TEND_MARK && dir == DIR_IN)
				return PASS;
			f->seen = c->now;
			if (p->frag_more)
				return DROP_CUT;
			c->l4 = p->l4;
			c->end = p->end;
			return RESET;
		}
		return goes_on(skb, c, p, f, seen);
	}

	by = permitted(c, r, who, p->x, dir == DIR_OUT, six);
	if (by & SPOOFED)
		return dir == DIR_OUT ? DROP_SPOOFED : DROP_DESTINATION;
	if (by & CLAIMED)
		return DROP_SPOOFED;
	if (!by)
		return DROP_NO_RULE;
	if (f) {
		/* A SYN. If the flow lives it changes nothing until it is answered. */
		if (!over(f->bits)) {
			return goes_on(skb, c, p, f, seen);
		}
		forget(flows, key, state, f->bits, six);
	}
	if (p->tracked != TRACK || seen & SEEN_RST)
		goto pass;
	if (p->proto == IP_TCP && (seen & (SEEN_SYN | SEEN_ACK)) != SEEN_SYN && !adopts(r, c))
		goto pass;
	if (r->flags & RULES_AWS && (p->proto == IP_TCP || p->proto == IP_UDP)) {
		if (by & BY_ANY && open(r, dir == DIR_OUT, six))
			goto pass;
		/* It may be a reply of such a flow. */
		if (!(p->proto == IP_TCP && (seen & (SEEN_SYN | SEEN_ACK)) == SEEN_SYN) &&
		    open(r, dir == DIR_IN, six) &&
		    permit(r, who, x_of(p->proto, six, p->sport), dir == DIR_IN) & BY_ANY)
			goto pass;
	}
	return begin(skb, c, by);
pass:
	hit((__u32)by - 1, skb->len, c->now, 0);
	return PASS;
}

/* Of the packet in scratches. */
__noinline int decide4(struct __sk_buff *skb, struct context *c)
{
	__u32 zero = 0;
	struct scratch *s = bpf_map_lookup_elem(&scratches, &zero);

	if (!c || !s)
		return DROP_INTERNAL;
	return decide(skb, c, &s->p, &flows4, &s->k4, &s->who, 0);
}

__noinline int decide6(struct __sk_buff *skb, struct context *c)
{
	__u32 zero = 0;
	struct scratch *s = bpf_map_lookup_elem(&scratches, &zero);

	if (!c || !s)
		return DROP_INTERNAL;
	return decide(skb, c, &s->p, &flows6, &s->k6, &s->who, 1);
}

/* Reads what the transport's header says, of a packet or of its first
 * fragment. Gives PASS or the reason to drop it. */
__noinline int transport(struct __sk_buff *skb, struct packet *p, __u32 six)
{
	if (!p)
		return DROP_INTERNAL;

	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	__u32 len = p->end - p->l4;
	__u8 *t = data + (p->l4 & 0x3ff);

	p->seen = SEEN_ANY;
	p->tracked = TRACK;
	switch (p->proto) {
	case IP_TCP: {
		struct tcp *h = (void *)t;

		if (len < sizeof(*h) || (void *)(h + 1) > end)
			return DROP_MALFORMED;
		if (h->offset < 0x50 || (!p->frag_more && (h->offset >> 4) * 4 > len))
			return DROP_MALFORMED;
		if (!p->frag_more)
			segment(&p->t, h, len);
		p->sport = bpf_ntohs(h->sport_be);
		p->dport = bpf_ntohs(h->dport_be);
		p->seen |= h->flags & (SEEN_FIN | SEEN_SYN | SEEN_RST | SEEN_ACK);
		p->x = x_of(IP_TCP, six, p->dport);
		return PASS;
	}
	case IP_UDP: {
		__u16 *h = (void *)t;
		__u32 said;

		if (len < 8 || (void *)(t + 8) > end)
			return DROP_MALFORMED;
		said = bpf_ntohs(h[2]);
		if (said < 8 || (!p->frag_more && said > len))
			return DROP_MALFORMED;
		p->sport = bpf_ntohs(h[0]);
		p->dport = bpf_ntohs(h[1]);
		p->x = x_of(IP_UDP, six, p->dport);
		return PASS;
	}
	case IP_ICMP:
	case IP_ICMPV6:
		if (p->proto == (six ? IP_ICMP : IP_ICMPV6))
			break;
		if (len < 8 || (void *)(t + 8) > end)
			return DROP_MALFORMED;
		p->type = t[0];
		p->code = t[1];
		p->x = p->proto << 16 | p->type << 8 | p->code;
		/* A query's identifier is the port of who asks. */
		if (p->code)
			p->tracked = TRACK_NOT;
		else if (six ? p->type == 128 : p->type == 8 || p->type == 13 || p->type == 15 || p->type == 17) {
			p->sport = bpf_ntohs(*(__u16 *)(t + 4));
			p->dport = p->type;
		} else if (six ? p->type == 129 : p->type == 0 || p->type == 14 || p->type == 16 || p->type == 18) {
			p->dport = bpf_ntohs(*(__u16 *)(t + 4));
			p->sport = six ? 128 : p->type == 0 ? 8 : p->type - 1;
			/* One that nobody asked for does not begin a flow. */
			p->tracked = TRACK_REPLY;
		} else
			p->tracked = TRACK_NOT;
		return PASS;
	}
	p->x = x_of(p->proto, six, 0);
	return PASS;
}

static __always_inline void frag_key(struct frag_key *k, struct context *c, struct packet *p, struct parties *who)
{
	*k = (struct frag_key) {
		.lhi = who->lhi, .llo = who->llo, .rhi = who->rhi, .rlo = who->rlo,
		.eni = c->eni, .id = p->frag_id, .dir = c->dir, .six = who->six,
		/* IPv6: what a later fragment says of its protocol means nothing. */
		.proto = who->six ? 0 : p->proto,
	};
}

/* Of a fragment that is not the first: PASS if the first one passed, and this
 * one does not reach into it; of a first one: nothing but a look at lengths. */
__noinline int fragment(struct context *c, struct packet *p, struct parties *who)
{
	if (!c || !p || !who)
		return DROP_INTERNAL;

	struct frag_key k;
	__u32 size = p->end - p->l4;
	struct frag_value *f;

	if (!size || p->frag_at + size > 65535 || (p->frag_more && size & 7))
		return DROP_FRAGMENT;
	if (!p->frag_at)
		return NOT_LATER;
	frag_key(&k, c, p, who);
	f = bpf_map_lookup_elem(&frags, &k);
	if (!f || c->now - f->seen > 30 || p->frag_at < f->end)
		return DROP_FRAGMENT;
	return PASS;
}

/* Remembers a first fragment that passes, for the later ones. */
__noinline int remember(struct context *c)
{
	__u32 zero = 0;
	struct scratch *s = bpf_map_lookup_elem(&scratches, &zero);
	struct frag_key k;
	struct frag_value v;

	if (!c || !s)
		return DROP_INTERNAL;
	if (!s->p.frag_more || s->p.frag_at)
		return PASS;
	frag_key(&k, c, &s->p, &s->who);
	v.end = s->p.end - s->p.l4;
	v.seen = c->now;
	bpf_map_update_elem(&frags, &k, &v, BPF_ANY);
	return PASS;
}

#include "link.h"
#include "ipv4.h"
#include "ipv6.h"

enum { LOOK = -6 };

/* Whether a TCP header lies in the packet. quick has checked that, but the verifier
 * of Linux 6.1 does not remember it. */
static __always_inline int holds(struct __sk_buff *skb, struct tcp *h)
{
	return (void *)(h + 1) <= (void *)(long)skb->data_end;
}

/* The common case, without a call: a whole packet of TCP or UDP without options
 * whose flow lives passes. One that is of no flow is judged. Gives PASS, a reason
 * to drop it, or LOOK: whatever this does not see through is left to those who do. */
static __always_inline int quick(struct __sk_buff *skb, struct context *c, struct rules *r, __u32 l3, __u32 type, const int dir)
{
	void *end = (void *)(long)skb->data_end, *ip = (void *)(long)skb->data + l3;
	struct flow_value *f;
	struct scratch *s;
	struct packet *p;
	__u16 *ports;
	__u32 len, seen = SEEN_ANY, zero = 0;
	__u8 proto;

	asm volatile("" : "+r"(ip)); /* one pointer, of which the verifier knows the bounds */
	if (type == ETHERTYPE_IPV4) {
		struct ipv4 *h = ip;

		ports = (void *)(h + 1);
		if ((void *)(ports + 4) > end || h->version_ihl != 0x45 || h->frag_be & bpf_htons(0x3fff))
			return LOOK;
		len = bpf_ntohs(h->len_be);
		if (l3 + len > skb->len || len < sizeof(*h))
			return LOOK;
		len -= sizeof(*h);
		proto = h->proto;
	} else if (type == ETHERTYPE_IPV6) {
		struct ipv6 *h = ip;

		ports = (void *)(h + 1);
		if ((void *)(ports + 4) > end || (h->version_flow_be & bpf_htonl(0xf0000000)) != bpf_htonl(0x60000000))
			return LOOK;
		len = bpf_ntohs(h->len_be);
		if (l3 + sizeof(*h) + len > skb->len)
			return LOOK;
		proto = h->proto;
	} else {
		return LOOK;
	}
	if (proto == IP_TCP) {
		struct tcp *h = (void *)ports;

		if ((void *)(h + 1) > end || h->offset < 0x50 || (h->offset >> 4) * 4 > len)
			return LOOK;
		seen |= h->flags & (SEEN_FIN | SEEN_SYN | SEEN_RST | SEEN_ACK);
	} else if (proto == IP_UDP) {
		__u32 said = bpf_ntohs(ports[2]);

		if (said < 8 || said > len)
			return LOOK;
		/* DHCP has a law of its own, in a flow too. */
		if (type == ETHERTYPE_IPV6 ? ports[1] == bpf_htons(546) || ports[1] == bpf_htons(547) :
		    ports[1] == bpf_htons(67) || ports[1] == bpf_htons(68))
			return LOOK;
	} else {
		return LOOK;
	}
	if (type == ETHERTYPE_IPV4) {
		struct ipv4 *h = ip;
		struct flow4_key k = {
			.eni = c->eni,
			.local_be = dir == DIR_OUT ? h->src_be : h->dst_be,
			.remote_be = dir == DIR_OUT ? h->dst_be : h->src_be,
			.lport_be = ports[dir == DIR_OUT ? 0 : 1],
			.rport_be = ports[dir == DIR_OUT ? 1 : 0],
			.proto = proto,
		};

		f = bpf_map_lookup_elem(&flows4, &k);
	} else {
		struct ipv6 *h = ip;
		struct flow6_key k = {
			.eni = c->eni,
			.lport_be = ports[dir == DIR_OUT ? 0 : 1],
			.rport_be = ports[dir == DIR_OUT ? 1 : 0],
			.proto = proto,
		};

		__builtin_memcpy(k.local, dir == DIR_OUT ? h->src_be : h->dst_be, 16);
		__builtin_memcpy(k.remote, dir == DIR_OUT ? h->dst_be : h->src_be, 16);
		f = bpf_map_lookup_elem(&flows6, &k);
	}
	if (!f)
		goto judge;
	if (!lives(r, f, c, proto, type == ETHERTYPE_IPV6, seen))
		return LOOK;
	if (proto == IP_TCP) {
		struct segment t;

		if (!holds(skb, (void *)ports))
			return LOOK;
		segment(&t, (void *)ports, len);
		seen = follow(f, dir, &t, seen);
	}
	note(skb, c, &c->eni, f, proto, seen);
	return PASS;

judge:
	s = bpf_map_lookup_elem(&scratches, &zero);
	if (!s)
		return DROP_INTERNAL;
	p = &s->p;
	p->sport = bpf_ntohs(ports[0]);
	p->dport = bpf_ntohs(ports[1]);
	c->unknown = 1;
	p->frag_more = 0;
	p->proto = proto;
	p->tracked = TRACK;
	p->seen = seen;
	p->x = proto << 16 | p->dport;
	if (proto == IP_TCP) {
		if (!holds(skb, (void *)ports))
			return LOOK;
		segment(&p->t, (void *)ports, len);
		p->l4 = l3 + (type == ETHERTYPE_IPV4 ? sizeof(struct ipv4) : sizeof(struct ipv6));
	}
	s->who.epoch = c->epoch;
	s->who.six = type == ETHERTYPE_IPV6;
	if (type == ETHERTYPE_IPV4) {
		struct ipv4 *h = ip;

		s->k4.eni = c->eni;
		s->k4.local_be = dir == DIR_OUT ? h->src_be : h->dst_be;
		s->k4.remote_be = dir == DIR_OUT ? h->dst_be : h->src_be;
		s->k4.lport_be = ports[dir == DIR_OUT ? 0 : 1];
		s->k4.rport_be = ports[dir == DIR_OUT ? 1 : 0];
		*(__u32 *)&s->k4.proto = 0;
		s->k4.proto = proto;
		s->who.lhi = s->who.rhi = 0;
		s->who.llo = bpf_ntohl(s->k4.local_be);
		s->who.rlo = bpf_ntohl(s->k4.remote_be);
		return decide4(skb, c);
	} else {
		struct ipv6 *h = ip;

		s->k6.eni = c->eni;
		__builtin_memcpy(s->k6.local, dir == DIR_OUT ? h->src_be : h->dst_be, 16);
		__builtin_memcpy(s->k6.remote, dir == DIR_OUT ? h->dst_be : h->src_be, 16);
		s->k6.lport_be = ports[dir == DIR_OUT ? 0 : 1];
		s->k6.rport_be = ports[dir == DIR_OUT ? 1 : 0];
		*(__u32 *)&s->k6.proto = 0;
		s->k6.proto = proto;
		s->who.lhi = half(s->k6.local);
		s->who.llo = half(s->k6.local + 8);
		s->who.rhi = half(s->k6.remote);
		s->who.rlo = half(s->k6.remote + 8);
		if (mapped(s->who.lhi, s->who.llo) || mapped(s->who.rhi, s->who.rlo))
			return DROP_MALFORMED;
		if (LINK_LOCAL(s->who.lhi) || LINK_LOCAL(s->who.rhi))
			return LOOK;
		return decide6(skb, c);
	}
}

static __always_inline int filter(struct __sk_buff *skb, const int dir)
{
	__u32 index = skb->ifindex, place = index & near;
	__u64 *word = bpf_map_lookup_elem(&nearby, &place), is = word ? *(volatile __u64 *)word : 0;
	struct context c = {};
	struct control *ctl;
	struct rules *r;
	__u64 root;
	__u32 zero = 0, linear, want, type, l3 = 14;
	int why;

	ctl = bpf_map_lookup_elem(&controls, &zero);
	if (!ctl)
		return stray();
	root = *(volatile __u64 *)&ctl->root;
	c.epoch = root >> 32;
	c.now = seconds(ctl);
	c.dir = dir;
	if (is >> 32 == index && !(is & DEVICE_TRIAL)) {
		c.eni = is >> 16 & 0xffff;
		c.device = is & 0xffff;
	} else {
		struct device_key where = { .netns = netns, .index = index };
		struct device *device = bpf_map_lookup_elem(&devices, &where);

		if (!device)
			return stray();
		c.eni = device->eni;
		c.device = device->flags;
		/* It is enforced on trial, and nobody has confirmed it. */
		if (device->until && (__s32)(c.now - device->until) >= 0)
			c.device |= DEVICE_OBSERVE;
	}
	c.slot = slot_of(root, c.eni);
	r = bpf_map_lookup_elem(&slots, &c.slot);
	if (!r)
		return stray();
	if (!r->block)
		return refuse(c.eni, DROP_NO_INTERFACE, c.device);
	if (skb->vlan_present)
		return refuse(c.eni, DROP_VLAN, c.device);

	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	if (c.device & DEVICE_L3) {
		l3 = 0;
		asm volatile("" : "+r"(data)); /* lest the compiler makes one test of two */
		if (data + 1 > end)
			goto pull;
		type = *(__u8 *)data >> 4 == 4 ? ETHERTYPE_IPV4 : *(__u8 *)data >> 4 == 6 ? ETHERTYPE_IPV6 : 0;
	} else {
		if (data + 14 > end) {
			if (bpf_skb_pull_data(skb, 14))
				return refuse(c.eni, DROP_MALFORMED, c.device);
			data = (void *)(long)skb->data;
			end = (void *)(long)skb->data_end;
			if (data + 14 > end)
				return refuse(c.eni, DROP_MALFORMED, c.device);
		}
		if (dir == DIR_OUT && r->flags & RULES_CHECK && !sends_from(&c, r, MAC(data + 6)))
			return refuse(c.eni, DROP_MAC_SPOOFED, c.device);
		type = bpf_ntohs(*(__u16 *)(data + 12));
	}
	why = quick(skb, &c, r, l3, type, dir);
	if (why == PASS)
		return PASS;
	if (why != LOOK)
		return refuse(c.eni, why, c.device);
pull:
	/* Headers of this length at most are looked at. */
	linear = skb->data_end - skb->data;
	want = skb->len < 256 ? skb->len : 256;
	if (linear < want && bpf_skb_pull_data(skb, want))
		return refuse(c.eni, DROP_MALFORMED, c.device);
	data = (void *)(long)skb->data;
	end = (void *)(long)skb->data_end;
	if (c.device & DEVICE_L3) {
		asm volatile("" : "+r"(data));
		if (data + 1 > end)
			return refuse(c.eni, DROP_MALFORMED, c.device);
		type = *(__u8 *)data >> 4 == 4 ? ETHERTYPE_IPV4 : *(__u8 *)data >> 4 == 6 ? ETHERTYPE_IPV6 : 0;
	} else {
		if (data + 14 > end)
			return refuse(c.eni, DROP_MALFORMED, c.device);
		type = bpf_ntohs(*(__u16 *)(data + 12));
	}
	switch (type) {
	case ETHERTYPE_IPV4:
		why = ipv4(skb, &c, l3);
		if (why == DECIDE)
			why = decide4(skb, &c);
		if (why == PASS)
			why = remember(&c);
		break;
	case ETHERTYPE_IPV6:
		why = ipv6(skb, &c, l3);
		if (why == DECIDE)
			why = decide6(skb, &c);
		if (why == PASS)
			why = remember(&c);
		break;
	case ETHERTYPE_ARP:
		why = arp(skb, &c);
		break;
	case ETHERTYPE_VLAN:
	case ETHERTYPE_QINQ:
		why = DROP_VLAN;
		break;
	default:
		why = DROP_PROTOCOL;
	}
	if (why == PASS)
		return PASS;
	if (why == RESET) {
		/* What is left of the packet is a reset. */
		refuse(c.eni, DROP_CUT, 0);
		if (!reset(skb, l3, c.l4, c.end, (type == ETHERTYPE_IPV6 ? RESET_SIX : 0) |
			   (c.device & DEVICE_L3 ? RESET_L3 : 0) |
			   ((dir == DIR_OUT) == !(c.device & DEVICE_WORKLOAD) ? 0 : RESET_INGRESS)))
			return PASS;
		return TC_ACT_SHOT;
	}
	return refuse(c.eni, why, c.device);
}

SEC("tc")
int from_workload(struct __sk_buff *skb)
{
	return filter(skb, DIR_OUT);
}

SEC("tc")
int to_workload(struct __sk_buff *skb)
{
	return filter(skb, DIR_IN);
}

#include "tend.h"
#include "walk.h"
