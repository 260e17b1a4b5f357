/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The sequence numbers of a TCP flow: enough to distinguish a RST, FIN or SYN that
 * the peers would act on from a forged one. A forged one passes, since the peers
 * ignore it too (RFC 5961), and does not change the flow. No packet is dropped
 * because of its numbers. */
#pragma once

/* Reads the numbers of a segment of len bytes, including its header. */
static __always_inline void segment(struct segment *t, struct tcp *h, __u32 len)
{
	t->header = h->offset >> 4 << 2;
	t->seq = bpf_ntohl(h->seq_be);
	t->end = t->seq + len - t->header + (h->flags & SEEN_FIN) + (h->flags >> 1 & 1);
	t->ack = bpf_ntohl(h->ack_be);
	t->window = bpf_ntohs(h->window_be);
}

/* What one side of a flow has sent: the workload's if out, or the other's. */
static __always_inline struct flow_side *side_of(struct flow_value *f, __u32 out)
{
	return out ? &f->side[DIR_OUT] : &f->side[DIR_IN];
}

/* Whether one sequence number comes before another. */
static __always_inline int before(__u32 a, __u32 b)
{
	return (__s32)(a - b) < 0;
}

/* A flow whose handshake was not seen is assumed to use the largest window scale. */
enum { SCALE_UNKNOWN = 14 << SIDE_SCALE, SCALE_OFFERED = 16 };

/* An acknowledgement may be this far behind the last one, or the width of the
 * window if that is more. */
enum { OLD_ACK = 66000 };

enum { NEAR = 1 << 20 };

/* Whether a SYN asks for a connection. */
static __always_inline int asks(__u8 proto, __u32 seen)
{
	return proto == IP_TCP && (seen & (SEEN_SYN | SEEN_ACK | SEEN_RST)) == SEEN_SYN;
}

/* Whether the connection of a flow is over, so that its ports are free. */
static __always_inline int over(__u32 bits)
{
	return bits & FLOW_CUT || (bits | bits >> 8) & SEEN_RST || bits & bits >> 8 & SEEN_FIN;
}

/* Whether a segment acknowledges the SYN that waits for an answer, with its data or
 * without: RFC 7413. */
static __always_inline int answers(struct flow_value *f, __u32 dir, struct segment *t, __u32 seen)
{
	__u32 of = dir == DIR_OUT ? FLOW_SYN_IN : FLOW_SYN_OUT;

	return seen & SEEN_ACK && f->bits & of && f->syn - t->ack <= side_of(f, !dir)->bits >> SIDE_DATA;
}

/* Whether the receiver would accept a reset: the receiver may expect its sequence
 * number next, or it answers a SYN. */
static __always_inline int resets(struct flow_value *f, __u32 dir, struct segment *t, __u32 seen)
{
	struct flow_side *me = side_of(f, dir), *you = side_of(f, !dir);
	__u32 open = me->end - you->ack, fin = (dir == DIR_OUT ? f->bits >> 8 : f->bits) & SEEN_FIN;

	if (answers(f, dir, t, seen))
		return 1;
	/* A reset may have the number of the FIN before it: tcp_reset_check of Linux. */
	if (me->bits & SIDE_SENT && you->bits & SIDE_ACKED)
		return t->seq - you->ack + fin <= ((__s32)open < 0 ? 0 : open) + fin;
	if (me->bits & SIDE_SENT)
		return t->seq == me->end;
	return you->bits & SIDE_ACKED && t->seq == you->ack;
}

/* Updates the numbers of a flow by a segment, if it is in the window. Returns the
 * flags that change the flow: SEEN_* without a forged RST, FIN or acknowledgement. */
static __always_inline __u32 follow(struct flow_value *f, __u32 dir, struct segment *t, __u32 seen)
{
	struct flow_side *me = side_of(f, dir), *you = side_of(f, !dir);
	__u32 mine = me->bits, yours = you->bits, refused = seen & ~(SEEN_RST | SEEN_FIN | SEEN_ACK), edge;

	if (seen & SEEN_RST && t->header)
		return resets(f, dir, t, seen) ? refused | SEEN_RST : refused;
	/* No peer takes a segment without an acknowledgement: RFC 9293, 3.10.7. Of a
	 * fragment the length is not known. */
	if (!t->header || !(seen & SEEN_ACK))
		return refused;
	/* One more on either side is a probe of an idle connection or of a full window. */
	if (yours & SIDE_ACKED && (before(t->end + 1, you->ack) || before(you->limit + 1, t->end)))
		return refused;
	/* If the window is not known, because the other side has acknowledged nothing
	 * or its scale was not seen, a segment must be near the one before. */
	if (mine & SIDE_SENT && !(yours & SIDE_ACKED && (yours >> SIDE_SCALE & 15) < 14) &&
	    t->end - me->end + NEAR >= 2 * NEAR)
		return refused;
	if (mine & SIDE_ACKED) {
		__s32 wide = me->limit - me->ack;

		/* What was not sent, or is long past: RFC 5961, 5.2. */
		if (yours & SIDE_SENT && before(you->end, t->ack))
			return refused;
		if ((__s32)(me->ack - t->ack) > (wide < OLD_ACK ? OLD_ACK : wide))
			return refused;
	} else if (mine & SIDE_SENT) {
		/* The sender of a SYN acknowledges what answered it: the other side's SYN,
		 * and what came with it in a window without scale. */
		if (!(yours & SIDE_SENT) || you->end - t->ack > 0xffff)
			return refused;
	} else if (yours & SIDE_SENT && (mine >> SIDE_SCALE & 15) < 14) {
		/* Who was sent a SYN acknowledges it. */
		if (t->ack != you->end)
			return refused;
	}
	if (!(mine & SIDE_SENT) || before(me->end, t->end))
		me->end = t->end;
	edge = t->ack + ((__u32)t->window << (seen & SEEN_SYN ? 0 : mine >> SIDE_SCALE & 15));
	if (!(mine & SIDE_ACKED)) {
		me->ack = t->ack;
		me->limit = edge;
		if (yours & SIDE_SENT && (before(you->end, t->ack) || before(edge, you->end)))
			you->end = t->ack;
		me->bits |= SIDE_SENT | SIDE_ACKED;
	} else {
		if (before(me->ack, t->ack))
			me->ack = t->ack;
		if (before(me->limit, edge))
			me->limit = edge;
	}
	return seen;
}

/* Reads the window scale that the SYN in scratches offers; 0 for none: RFC 7323. */
__noinline int window_scale(struct __sk_buff *skb)
{
	__u32 zero = 0, at = 0, len;
	struct scratch *s = bpf_map_lookup_elem(&scratches, &zero);

	if (!s)
		return 0;
	s->p.t.scale = 0;
	len = s->p.t.header - sizeof(struct tcp) - 1;
	asm volatile("" : "+r"(len)); /* Linux 6.1's verifier knows bounds of the tested register only */
	if (len >= sizeof(s->options))
		return 0;
	len++;
	if (bpf_skb_load_bytes(skb, s->p.l4 + sizeof(struct tcp), s->options, len))
		return 0;
	for (int i = 0; i < 20; i++) {
		__u8 kind, size;

		if (at + 3 > len || at > sizeof(s->options) - 3)
			return 0;
		kind = s->options[at];
		size = s->options[at + 1];
		if (kind == 3 && size == 3) {
			s->p.t.scale = SCALE_OFFERED | (s->options[at + 2] > 14 ? 14 : s->options[at + 2]);
			return 0;
		}
		if (!kind || (kind != 1 && size < 2))
			return 0;
		at += kind == 1 ? 1 : size;
	}
	return 0;
}

/* Records that one side asks for a connection, by a SYN that a rule allows. */
static __always_inline void syn_sent(struct flow_value *f, __u32 dir, struct segment *t)
{
	struct flow_side *me = side_of(f, dir);
	__u32 mine = dir == DIR_OUT ? FLOW_SYN_OUT : FLOW_SYN_IN, data, was, end;

	if (!t->header)
		return;
	data = t->end - t->seq - 1;
	data = data > 2047 ? 2047 : data;
	end = t->end;
	was = me->bits >> SIDE_DATA;
	/* Sent again without its data, it may still be answered with them. */
	if (f->bits & mine && was > data && f->syn - was == end - data) {
		end = f->syn;
		data = was;
	}
	f->syn = end;
	me->bits = (me->bits & 0xffff) | t->scale << SIDE_ASKED | data << SIDE_DATA;
	__sync_fetch_and_and(&f->bits, ~(FLOW_SYN_IN | FLOW_SYN_OUT));
	__sync_fetch_and_or(&f->bits, mine);
}

/* Handles the answer to a SYN that syn_sent recorded. If the flow belongs to an
 * earlier connection, it starts over, and its next packet is judged by the rules. */
static __always_inline void syn_answered(struct flow_value *f, __u32 dir, struct segment *t, __u32 now)
{
	struct flow_side *me = side_of(f, dir), *you = side_of(f, !dir);
	__u32 of = dir == DIR_OUT ? FLOW_SYN_IN : FLOW_SYN_OUT, mine, yours;

	if (!t->header || !answers(f, dir, t, SEEN_ACK))
		return;
	/* Scales are used if both sides offer one. */
	yours = you->bits >> SIDE_ASKED & t->scale & SCALE_OFFERED ? you->bits >> SIDE_ASKED & 15 : 0;
	mine = you->bits >> SIDE_ASKED & t->scale & SCALE_OFFERED ? t->scale & 15 : 0;
	if (me->bits & SIDE_SENT || !(you->bits & SIDE_SENT) || you->bits & SIDE_ACKED || you->end != f->syn) {
		f->gen = 0;
		f->begun = now;
		f->bits = (f->bits & FLOW_HALF) | SEEN_ANY | SEEN_ANY << 8 | (dir == DIR_OUT ? SEEN_SYN : SEEN_SYN << 8 | FLOW_OUT);
		__builtin_memset(f->side, 0, sizeof(f->side));
	}
	you->end = t->ack; /* data of the SYN that it does not take are sent again */
	__sync_fetch_and_and(&f->bits, ~of);
	you->bits = SIDE_SENT | yours << SIDE_SCALE;
	me->bits = mine << SIDE_SCALE;
}
