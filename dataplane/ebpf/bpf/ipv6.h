/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

/* So many extension headers, and bytes before the transport's, are followed. */
enum { EXTENSIONS = 8, EXTENSION_BYTES = 220 };

/* Follows a chain of extension headers from *at, of type *proto, to the
 * transport's. Gives PASS or the reason to drop the packet. */
__noinline int extensions(struct __sk_buff *skb, struct packet *p)
{
	if (!p)
		return DROP_INTERNAL;

	__u32 at = p->l4;
	__u8 proto = p->proto;

	for (int i = 0; i <= EXTENSIONS; i++) {
		__u8 h[8];
		__u32 len;

		/* AH is a protocol that rules are about, as over IPv4. */
		if (proto != IP_HOPOPTS && proto != IP_ROUTING && proto != IP_FRAGMENT && proto != IP_DSTOPTS) {
			p->proto = proto;
			p->l4 = at;
			return PASS;
		}
		if (i == EXTENSIONS || at > EXTENSION_BYTES)
			return DROP_EXTENSIONS;
		if (at + 8 > p->end || bpf_skb_load_bytes(skb, at, h, 8))
			return DROP_MALFORMED;
		len = (h[1] + 1) * 8;
		if (proto == IP_FRAGMENT) {
			if (p->frag_at || p->frag_more)
				return DROP_FRAGMENT; /* a second one */
			len = 8;
			p->frag_at = (h[2] << 8 | h[3]) & 0xfff8;
			p->frag_more = h[3] & 1;
			p->frag_id = h[4] << 24 | h[5] << 16 | h[6] << 8 | h[7];
		} else if (proto == IP_ROUTING && h[3]) {
			return DROP_EXTENSIONS; /* it would go on to another address */
		}
		if (at + len > p->end)
			return DROP_MALFORMED;
		at += len;
		if (proto == IP_FRAGMENT && p->frag_at) {
			/* What follows is no header. */
			p->proto = h[0];
			p->l4 = at;
			return PASS;
		}
		proto = h[0];
		/* This makes the compiler end the loop with a jump. The verifier of Linux
		 * 6.1 refuses a loop that runs on into its first instruction. */
		asm volatile("" : "+r"(i));
	}
	return DROP_EXTENSIONS;
}

/* Half of an address, in host order. */
static __always_inline __u64 half(const __u8 *a)
{
	__u32 be[2];

	__builtin_memcpy(be, a, 8);
	return (__u64)bpf_ntohl(be[0]) << 32 | bpf_ntohl(be[1]);
}

__noinline int related6(struct __sk_buff *skb, struct context *c, struct packet *p, struct parties *who)
{
	if (!c || !p || !who)
		return 0;

	struct rules *r = rules_of(c);
	__u32 dir = c->dir;
	struct flow6_key k = { .eni = c->eni };
	struct flow_value *f;
	struct packet q = {};
	struct ipv6 h;
	__u16 ports[4] = {};

	if (!r)
		return 0;
	if (p->type < 1 || p->type > 4)
		return 0;
	if (p->frag_more || !p->exact || p->end - p->l3 > 1280)
		return 0; /* RFC 4443, 2.4 */
	q.l4 = p->l4 + 8;
	q.end = p->end;
	if (bpf_skb_load_bytes(skb, q.l4, &h, sizeof(h)))
		return 0;
	if (bpf_ntohl(h.version_flow_be) >> 28 != 6)
		return 0;
	q.proto = h.proto;
	q.l4 += sizeof(h);
	if (extensions(skb, &q) != PASS || q.frag_at)
		return 0;
	k.proto = q.proto;
	__builtin_memcpy(k.local, dir == DIR_IN ? h.src_be : h.dst_be, 16);
	__builtin_memcpy(k.remote, dir == DIR_IN ? h.dst_be : h.src_be, 16);
	/* It must go to the sender of the quoted packet. */
	if (dir == DIR_IN ? half(k.local) != who->lhi || half(k.local + 8) != who->llo :
	    half(k.remote) != who->rhi || half(k.remote + 8) != who->rlo)
		return 0;
	if (q.proto == IP_TCP || q.proto == IP_UDP || q.proto == IP_ICMPV6) {
		if (bpf_skb_load_bytes(skb, q.l4, ports, 8))
			return 0;
		if (q.proto == IP_ICMPV6) {
			__u8 type = bpf_ntohs(ports[0]) >> 8, code = bpf_ntohs(ports[0]);
			__u16 id = ports[2];

			if (code || (type != 128 && type != 129))
				return 0;
			ports[0] = type == 128 ? id : bpf_htons(128);
			ports[1] = type == 128 ? bpf_htons(128) : id;
		}
		k.lport_be = dir == DIR_IN ? ports[0] : ports[1];
		k.rport_be = dir == DIR_IN ? ports[1] : ports[0];
	}
	f = bpf_map_lookup_elem(&flows6, &k);
	return f && !(f->bits & FLOW_CUT) && current(r, f, c->now) && !expired(r, k.proto, 1, f, c->now);
}

static __always_inline int mapped(__u64 hi, __u64 lo)
{
	return !hi && lo >> 32 == 0xffff;
}

__noinline int ipv6(struct __sk_buff *skb, struct context *c, __u32 l3)
{
	if (!c || l3 > 14)
		return DROP_INTERNAL;

	struct rules *r = rules_of(c);
	__u32 dir = c->dir;
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct ipv6 *h;
	struct flow6_key *k;
	struct packet *p;
	struct parties *who;
	struct scratch *s;
	__u32 zero = 0, len;
	int why;

	s = bpf_map_lookup_elem(&scratches, &zero);
	if (!r || !s)
		return DROP_INTERNAL;
	p = &s->p;
	who = &s->who;
	k = &s->k6;
	__builtin_memset(p, 0, sizeof(*p));
	__builtin_memset(k, 0, sizeof(*k));
	p->l3 = l3;
	k->eni = c->eni;
	who->lhi = who->rhi = 0;
	who->epoch = c->epoch;
	who->six = 1;
	asm volatile("" : "+r"(l3)); /* for the verifier, who may have forgotten its bounds */
	h = data + (l3 & 15);
	if ((void *)(h + 1) > end)
		return DROP_MALFORMED;
	len = bpf_ntohs(h->len_be);
	if (!len && skb->gso_size)
		len = skb->len - l3 - sizeof(*h);
	if (bpf_ntohl(h->version_flow_be) >> 28 != 6 || l3 + sizeof(*h) + len > skb->len)
		return DROP_MALFORMED;
	p->l4 = l3 + sizeof(*h);
	p->end = p->l4 + len;
	p->exact = p->end == skb->len;
	p->proto = h->proto;
	p->hops = h->hops;

	__builtin_memcpy(k->local, dir == DIR_OUT ? h->src_be : h->dst_be, 16);
	__builtin_memcpy(k->remote, dir == DIR_OUT ? h->dst_be : h->src_be, 16);
	who->lhi = half(k->local);
	who->llo = half(k->local + 8);
	who->rhi = half(k->remote);
	who->rlo = half(k->remote + 8);
	/* IPv4 addresses in IPv6 clothes are never on the wire. */
	if (mapped(who->lhi, who->llo) || mapped(who->rhi, who->rlo))
		return DROP_MALFORMED;

	why = extensions(skb, p);
	if (why != PASS)
		return why;
	if (p->frag_at || p->frag_more) {
		why = fragment(c, p, who);
		if (why != NOT_LATER)
			return why;
	}
	if (p->l4 > EXTENSION_BYTES + 256)
		return DROP_EXTENSIONS;
	why = transport(skb, p, 1);
	if (why != PASS)
		return why;
	if (r->flags & RULES_CHECK && LINK_LOCAL(who->lhi) && !own_link_local(c, r, who->lhi, who->llo))
		return dir == DIR_OUT ? DROP_SPOOFED : DROP_DESTINATION;
	if (r->flags & RULES_CHECK && LINK_LOCAL(who->rhi) && claims(c, r, who, 1))
		return DROP_SPOOFED;
	if (dir == DIR_OUT && r->flags & RULES_CHECK && p->proto == IP_PIM)
		return DROP_SPOOFED;
	why = DECIDE;
	if (p->proto == IP_UDP && (p->dport == 546 || p->dport == 547)) {
		why = dhcp6(skb, c, p, who);
	} else if (p->proto == IP_ICMPV6 && !p->tracked) {
		if (p->type >= 133 && p->type <= 137)
			why = discovery(skb, c, p, who);
		else if ((p->type >= 130 && p->type <= 132) || p->type == 143 || p->type == 151)
			why = mld(skb, c, p, who);
		else if (related6(skb, c, p, who)) {
			if (r->flags & RULES_CHECK && (!own_address(c, r, who->lhi, who->llo, 1) || claims(c, r, who, 1)))
				return DROP_SPOOFED;
			why = without_rule(skb, c, WITHOUT_RULE_ICMP_ERROR);
		}
	}
	if (why == DECIDE) {
		k->proto = p->proto;
		k->lport_be = bpf_htons(dir == DIR_OUT ? p->sport : p->dport);
		k->rport_be = bpf_htons(dir == DIR_OUT ? p->dport : p->sport);
	}
	return why;
}
