/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

/* Whether an ICMP error is about a live flow of the interface, told by the
 * packet that it quotes. */
__noinline int related4(struct __sk_buff *skb, struct context *c, struct packet *p, struct parties *who)
{
	if (!c || !p || !who)
		return 0;

	struct rules *r = rules_of(c);
	__u32 dir = c->dir;
	struct flow4_key k = { .eni = c->eni };
	struct flow_value *f;
	struct ipv4 h;
	__u32 at = p->l4 + 8, ihl;
	__u16 ports[4] = {};

	if (!r)
		return 0;
	if (p->type != 3 && p->type != 4 && p->type != 11 && p->type != 12)
		return 0;
	if (p->frag_more || !p->exact || p->end - p->l3 > 576)
		return 0; /* RFC 1812, 4.3.2.3 */
	if (bpf_skb_load_bytes(skb, at, &h, sizeof(h)))
		return 0;
	ihl = (h.version_ihl & 15) * 4;
	if (h.version_ihl >> 4 != 4 || ihl < 20 || h.frag_be & bpf_htons(0x1fff))
		return 0;
	k.proto = h.proto;
	/* Who gets the error sent what is quoted. */
	k.local_be = dir == DIR_IN ? h.src_be : h.dst_be;
	k.remote_be = dir == DIR_IN ? h.dst_be : h.src_be;
	if (dir == DIR_IN ? k.local_be != bpf_htonl(who->llo) : k.remote_be != bpf_htonl(who->rlo))
		return 0;
	if (h.proto == IP_TCP || h.proto == IP_UDP || h.proto == IP_ICMP) {
		if (bpf_skb_load_bytes(skb, at + ihl, ports, 8))
			return 0;
		if (h.proto == IP_ICMP) {
			__u8 type = bpf_ntohs(ports[0]) >> 8, code = bpf_ntohs(ports[0]);
			__u16 id = ports[2];

			if (code)
				return 0;
			if (type == 8 || type == 13 || type == 15 || type == 17) {
				ports[0] = id;
				ports[1] = bpf_htons(type);
			} else if (type == 0 || type == 14 || type == 16 || type == 18) {
				ports[0] = bpf_htons(type ? type - 1 : 8);
				ports[1] = id;
			} else
				return 0;
		}
		k.lport_be = dir == DIR_IN ? ports[0] : ports[1];
		k.rport_be = dir == DIR_IN ? ports[1] : ports[0];
	}
	f = bpf_map_lookup_elem(&flows4, &k);
	return f && !(f->bits & FLOW_CUT) && current(r, f, c->now) && !expired(r, k.proto, 0, f, c->now);
}

/* Drops a packet whose options choose its route or record it: RFC 7126. Returns
 * PASS or the reason. */
__noinline int options4(struct __sk_buff *skb, __u32 l3_end, __u32 len)
{
	__u32 zero = 0, at = 0, next;
	struct scratch *s = bpf_map_lookup_elem(&scratches, &zero);

	len--;
	asm volatile("" : "+r"(len)); /* Linux 6.1's verifier knows bounds of the tested register only */
	if (!s || len >= sizeof(s->options))
		return DROP_INTERNAL;
	len++;
	if (bpf_skb_load_bytes(skb, l3_end, s->options, len))
		return DROP_MALFORMED;
	for (int i = 0; i < sizeof(s->options); i++) {
		__u8 kind, size;

		if (at >= len || at >= sizeof(s->options))
			return PASS;
		kind = s->options[at];
		if (!kind)
			return PASS;
		if (kind == 1) {
			at++;
			continue;
		}
		next = at + 1;
		asm volatile("" : "+r"(next)); /* as above */
		if (next >= sizeof(s->options))
			return DROP_MALFORMED;
		size = s->options[next];
		if (size < 2 || at + size > len)
			return DROP_MALFORMED;
		if (kind == 131 || kind == 137 || kind == 7)
			return DROP_OPTIONS;
		at += size;
	}
	return PASS;
}

/* Whether only multicast routers send such a packet: an IGMP query, an
 * advertisement of a multicast router (RFC 4286), or PIM. */
__noinline int routes4(struct __sk_buff *skb, struct packet *p)
{
	__u8 type;

	if (!p)
		return 0;
	if (p->proto != IP_IGMP || bpf_skb_load_bytes(skb, p->l4, &type, 1))
		return p->proto == IP_PIM;
	return type == 0x11 || type == 0x30;
}

__noinline int ipv4(struct __sk_buff *skb, struct context *c, __u32 l3)
{
	if (!c || l3 > 14)
		return DROP_INTERNAL;

	struct rules *r = rules_of(c);
	__u32 dir = c->dir;
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct ipv4 *h;
	struct flow4_key *k;
	struct packet *p;
	struct parties *who;
	struct scratch *s;
	__u32 zero = 0, len, ihl;
	int why;

	s = bpf_map_lookup_elem(&scratches, &zero);
	if (!r || !s)
		return DROP_INTERNAL;
	p = &s->p;
	who = &s->who;
	k = &s->k4;
	__builtin_memset(p, 0, sizeof(*p));
	__builtin_memset(k, 0, sizeof(*k));
	p->l3 = l3;
	k->eni = c->eni;
	who->lhi = who->rhi = 0;
	who->epoch = c->epoch;
	who->six = 0;
	asm volatile("" : "+r"(l3)); /* for the verifier, who may have forgotten its bounds */
	h = data + (l3 & 15);
	if ((void *)(h + 1) > end)
		return DROP_MALFORMED;
	ihl = (h->version_ihl & 15) * 4;
	len = bpf_ntohs(h->len_be);
	if (!len && skb->gso_size)
		len = skb->len - l3; /* more than 64 KiB, of our own stack */
	if (h->version_ihl >> 4 != 4 || ihl < 20 || len < ihl || l3 + len > skb->len)
		return DROP_MALFORMED;
	p->l4 = l3 + ihl;
	p->end = l3 + len;
	p->exact = p->end == skb->len;
	p->proto = h->proto;
	p->hops = h->ttl;
	p->frag_id = h->id_be;
	p->frag_at = (bpf_ntohs(h->frag_be) & 0x1fff) * 8;
	p->frag_more = !!(h->frag_be & bpf_htons(0x2000));

	k->local_be = dir == DIR_OUT ? h->src_be : h->dst_be;
	k->remote_be = dir == DIR_OUT ? h->dst_be : h->src_be;
	k->proto = p->proto;
	who->llo = bpf_ntohl(k->local_be);
	who->rlo = bpf_ntohl(k->remote_be);

	if (ihl > 20) {
		why = options4(skb, l3 + 20, ihl - 20);
		if (why != PASS)
			return why;
	}
	if (p->frag_at || p->frag_more) {
		why = fragment(c, p, who);
		if (why != NOT_LATER)
			return why;
	}
	why = transport(skb, p, 0);
	if (why != PASS)
		return why;

	/* DHCP is never filtered: EC2 user guide, "Security groups". */
	why = DECIDE;
	if (dir == DIR_OUT && r->flags & RULES_CHECK && routes4(skb, p))
		return DROP_SPOOFED;
	if (p->proto == IP_UDP && (p->dport == 67 || p->dport == 68))
		why = dhcp4(skb, c, p, who);
	else if (p->proto == IP_ICMP && !p->tracked && related4(skb, c, p, who)) {
		if (r->flags & RULES_CHECK && (!own_address(c, r, 0, who->llo, 0) || claims(c, r, who, 0)))
			return DROP_SPOOFED;
		why = without_rule(skb, c, WITHOUT_RULE_ICMP_ERROR);
	}
	if (why == DECIDE) {
		k->lport_be = bpf_htons(dir == DIR_OUT ? p->sport : p->dport);
		k->rport_be = bpf_htons(dir == DIR_OUT ? p->dport : p->sport);
	}
	return why;
}
