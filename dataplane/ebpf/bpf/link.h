/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Checks who a frame is from, and passes without a rule what a link needs to work:
 * ARP, neighbour discovery, MLD and DHCP. Each must have the form that its protocol
 * requires, have a permitted sender and receiver, and stay within a rate. */
#pragma once

#define LINK_LOCAL(hi) ((hi) >> 54 == 0xfe80 >> 6)
#define LINK_MULTICAST (0xff02ull << 48)

/* A frame's address as it lies in memory, in the lower six bytes. */
#define MAC(bytes) (*(__u32 *)(bytes) | (__u64)*(__u16 *)((bytes) + 4) << 32)

/* What an interface may send in a second without a rule. ARP, neighbour discovery
 * and ICMP errors share one budget, MLD and DHCP another, so that an interface that
 * looks for many neighbours can still renew its lease. Strangers can make it send
 * ICMP errors, which get half. Each 128 bytes cost one. */
enum { RATE_FIRST = 1024, RATE_ERRORS = 512, RATE_SECOND = 256, COST_BYTES = 128 };

static __always_inline struct link *link_of(__u32 eni)
{
	return bpf_map_lookup_elem(&links, &eni);
}

/* Whether a MAC is one of the interface's. */
static __always_inline int own_mac(struct context *c, struct rules *r, __u64 mac)
{
	struct link *l;

	if (r->mac && mac == r->mac)
		return 1;
	l = link_of(c->eni);
	return l && mac && l->mac == mac;
}

/* Whether a frame that the workload sends is from one of its MACs. If user space
 * could not read the device's MAC, the source of the first frame becomes its MAC. */
static __always_inline int sends_from(struct context *c, struct rules *r, __u64 mac)
{
	struct link *l = link_of(c->eni);

	if (l && !l->mac && l->flags & LINK_LEARNS && !(mac & 1) && (mac == r->mac || !bpf_map_lookup_elem(&macs, &mac)))
		__sync_val_compare_and_swap(&l->mac, 0, mac);
	return own_mac(c, r, mac);
}

/* The lower half of the link-local address derived from a MAC: RFC 4291, appendix A. */
static __always_inline __u64 eui64(__u64 mac)
{
	mac = bpf_cpu_to_be64(mac) >> 16;
	return (mac >> 24 << 40 | 0xfffe000000 | (mac & 0xffffff)) ^ 2ull << 56;
}

static __always_inline int own_link_local(struct context *c, struct rules *r, __u64 hi, __u64 lo)
{
	struct link *l = link_of(c->eni);

	if (hi != 0xfe80ull << 48)
		return 0;
	return (r->mac && lo == eui64(r->mac)) ||
		(l && ((l->mac && lo == eui64(l->mac)) || (lo && (lo == l->local[0] || lo == l->local[1]))));
}

/* Whether an address is the interface's. */
static __always_inline int own_address(struct context *c, struct rules *r, __u64 hi, __u64 lo, const int six)
{
	if (six && LINK_LOCAL(hi))
		return own_link_local(c, r, hi, lo);
	return find(r->block + BLOCK_WORDS, word(r->block), hi, lo, six) != 0;
}

/* Whether a packet to the interface claims to come from the interface. */
static __always_inline int claims(struct context *c, struct rules *r, struct parties *who, const int six)
{
	return c->dir == DIR_IN && own_address(c, r, who->rhi, who->rlo, six);
}

/* Whether an address is in the interface's subnet. */
static __always_inline int on_link(struct rules *r, __u64 hi, __u64 lo, const int six)
{
	__u64 own = word(r->block);

	return find(r->block + BLOCK_WORDS + (__u32)own + 3 * (own >> 32), word(r->block + 1), hi, lo, six) != 0;
}

/* Counts what passes without a rule. Returns PASS, or the reason to drop it. */
__noinline int without_rule(struct __sk_buff *skb, struct context *c, __u32 kind)
{
	if (!c)
		return DROP_INTERNAL;

	__u32 eni = c->eni, cost = (skb->len + COST_BYTES - 1) / COST_BYTES;
	__u32 second = kind == WITHOUT_RULE_MLD || kind == WITHOUT_RULE_DHCP || kind == WITHOUT_RULE_DHCP6;
	struct eni_count *n = bpf_map_lookup_elem(&eni_counts, &eni);

	if (c->dir == DIR_OUT) {
		struct link *l = link_of(eni);
		__u32 *spent;

		if (!l)
			return DROP_INTERNAL;
		if (l->second != c->now) {
			l->second = c->now;
			l->spent[0] = l->spent[1] = 0;
		}
		spent = second ? &l->spent[1] : &l->spent[0];
		if (*spent + cost > (second ? RATE_SECOND : kind == WITHOUT_RULE_ICMP_ERROR ? RATE_ERRORS : RATE_FIRST))
			return DROP_RATE;
		__sync_fetch_and_add(spent, cost);
	}
	if (n && kind < WITHOUT_RULE_KINDS)
		n->without_rule[kind]++;
	return PASS;
}

/* ARP for IPv4 passes. An interface may not claim another's address, or prevent
 * another from getting one: RFC 5227. */
__noinline int arp(struct __sk_buff *skb, struct context *c)
{
	struct rules *r;
	struct arp a;
	__u64 frame = 0;
	__u32 sender, target;
	int padding; /* signed: Linux 6.1's verifier then knows that it is not 0 */
	__u64 rest[3] = {};

	if (!c)
		return DROP_INTERNAL;
	r = rules_of(c);
	if (!r)
		return DROP_INTERNAL;
	if (skb->len > 60 || bpf_skb_load_bytes(skb, 14, &a, sizeof(a)) || bpf_skb_load_bytes(skb, 6, &frame, 6))
		return DROP_MALFORMED;
	if (a.hardware_be != bpf_htons(1) || a.protocol_be != bpf_htons(ETHERTYPE_IPV4) ||
	    a.hardware_len != 6 || a.protocol_len != 4 ||
	    (a.operation_be != bpf_htons(1) && a.operation_be != bpf_htons(2)))
		return DROP_MALFORMED;
	/* A workload's frame is not padded yet, or is padded with zeros. */
	padding = skb->len - 14 - sizeof(a);
	if (padding > 0 && c->dir == DIR_OUT) {
		if (padding > 18 || bpf_skb_load_bytes(skb, 14 + sizeof(a), rest, padding) || rest[0] | rest[1] | rest[2])
			return DROP_MALFORMED;
	}
	if (r->flags & RULES_CHECK) {
		__builtin_memcpy(&sender, a.sender, 4);
		__builtin_memcpy(&target, a.target, 4);
		if (c->dir == DIR_IN) {
			if (own_address(c, r, 0, bpf_ntohl(sender), 0))
				return DROP_ARP_SPOOFED;
		} else {
			if (MAC(a.sender_mac) != frame)
				return DROP_ARP_SPOOFED;
			if (!sender && a.operation_be == bpf_htons(1))
				sender = target; /* a probe is for one's own */
			if (!own_address(c, r, 0, bpf_ntohl(sender), 0))
				return DROP_ARP_SPOOFED;
		}
	}
	return without_rule(skb, c, WITHOUT_RULE_ARP);
}

/* The beginning of a message of DHCP for IPv4: RFC 2131. */
struct bootp {
	__u8 op, htype, hlen, hops;
	__u32 xid, secs_flags;
	__u32 ciaddr_be, yiaddr_be, siaddr_be, giaddr_be;
	__u8 chaddr[16];
};

enum { BOOTP_COOKIE = 236 };

/* DHCP of a client, and replies to it; no workload may act as a server. Returns
 * PASS, a reason to drop the packet, or DECIDE if the rules judge it. */
__noinline int dhcp4(struct __sk_buff *skb, struct context *c, struct packet *p, struct parties *who)
{
	if (!c || !p || !who)
		return DROP_INTERNAL;

	struct rules *r = rules_of(c);
	__u32 out = c->dir == DIR_OUT, cookie, size = p->end - p->l4 - 8;
	struct bootp b;

	if (!r)
		return DROP_INTERNAL;
	/* Clients listen on port 68, whatever port a server sends from. */
	if (out && p->dport == 68)
		return r->flags & RULES_CHECK ? DROP_SPOOFED : DECIDE;
	if (p->frag_more || !p->exact || p->l4 != p->l3 + sizeof(struct ipv4) || p->sport != (out ? 68 : 67) || p->dport != (out ? 67 : 68))
		return DECIDE;
	/* Nothing is behind the packet: what is not in it cannot be loaded. */
	if (size > (out ? 576 : 1472) || bpf_skb_load_bytes(skb, p->l4 + 8, &b, sizeof(b)) ||
	    bpf_skb_load_bytes(skb, p->l4 + 8 + BOOTP_COOKIE, &cookie, 4))
		return DECIDE;
	if (b.op != (out ? 1 : 2) || b.htype != 1 || b.hlen != 6 || cookie != bpf_htonl(0x63825363))
		return DECIDE;
	if (r->flags & RULES_CHECK) {
		if (claims(c, r, who, 0))
			return DROP_SPOOFED;
		if (!own_mac(c, r, MAC(b.chaddr)))
			return out ? DROP_SPOOFED : DROP_DESTINATION;
		/* A client renews, releases and declines its own lease, not through a relay. */
		if (out && (b.giaddr_be || (b.ciaddr_be && !own_address(c, r, 0, bpf_ntohl(b.ciaddr_be), 0))))
			return DROP_SPOOFED;
		if (!own_address(c, r, 0, who->llo, 0) && who->llo != (out ? 0 : 0xffffffff))
			return out ? DROP_SPOOFED : DROP_DESTINATION;
	}
	if (!(out && who->rlo == 0xffffffff) && !on_link(r, 0, who->rlo, 0))
		return DECIDE;
	return without_rule(skb, c, WITHOUT_RULE_DHCP);
}

/* The same for IPv6: RFC 8415. */
__noinline int dhcp6(struct __sk_buff *skb, struct context *c, struct packet *p, struct parties *who)
{
	if (!c || !p || !who)
		return DROP_INTERNAL;

	struct rules *r = rules_of(c);
	__u32 out = c->dir == DIR_OUT, size = p->end - p->l4 - 8, may;
	__u8 type;

	if (!r)
		return DROP_INTERNAL;
	if (out && p->dport == 546)
		return r->flags & RULES_CHECK ? DROP_SPOOFED : DECIDE;
	if (!p->exact || p->l4 != p->l3 + sizeof(struct ipv6) || p->sport != (out ? 546 : 547) || p->dport != (out ? 547 : 546))
		return DECIDE;
	if (size < 4 || size > (out ? 576 : 1452) || bpf_skb_load_bytes(skb, p->l4 + 8, &type, 1) || type > 31)
		return DECIDE;
	/* Solicit, request, confirm, renew, rebind, release, decline and information
	 * request; advertise, reply and reconfigure. */
	may = out ? 1 << 1 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 8 | 1 << 9 | 1 << 11 : 1 << 2 | 1 << 7 | 1 << 10;
	if (!(may >> type & 1))
		return DECIDE;
	if (r->flags & RULES_CHECK) {
		if (claims(c, r, who, 1))
			return DROP_SPOOFED;
		if (!own_address(c, r, who->lhi, who->llo, 1))
			return out ? DROP_SPOOFED : DROP_DESTINATION;
	}
	/* To all servers, or one on the link; from one on the link. */
	if (!(out && who->rhi == LINK_MULTICAST && who->rlo == 0x10002) && !LINK_LOCAL(who->rhi) &&
	    !on_link(r, who->rhi, who->rlo, 1))
		return DECIDE;
	return without_rule(skb, c, WITHOUT_RULE_DHCP6);
}

/* Checks the options of a neighbour discovery message, which begin at at; at may
 * lie behind the packet. The length of each option must end within the packet. A
 * workload may send only its own MAC and a nonce, each once. Returns 0 if an option
 * is wrong, -1 if it has another's MAC, 2 if there is a source MAC, and otherwise
 * 1. */
__noinline int discovery_options(struct __sk_buff *skb, struct context *c, struct packet *p, __u32 at)
{
	if (!c || !p)
		return 0;

	struct rules *r = rules_of(c);
	__u64 o; /* type, length, address */
	__u32 had = 0;
	__u8 type, words;
	int has = 1;

	if (!r)
		return 0;
	for (int i = 0; i < 32; i++) {
		if (at == p->end)
			return has;
		if (bpf_skb_load_bytes(skb, at, &o, 8))
			return 0;
		type = o;
		words = o >> 8;
		if (c->dir == DIR_OUT && p->type != 134) {
			if (words != 1 || (type != 1 && type != 2 && type != 14) || had >> type & 1)
				return 0;
			had |= 1 << type;
		}
		if (c->dir == DIR_OUT && r->flags & RULES_CHECK && type < 3 && !own_mac(c, r, o >> 16))
			return -1;
		if (type == 1)
			has = 2;
		at += words * 8; /* one of no length never gets to the end */
	}
	return 0;
}

/* Neighbour discovery passes: RFC 4861. An interface may not claim another's
 * address, prevent another from getting one, or act as a router. Returns PASS, a
 * reason to drop the packet, or DECIDE. */
__noinline int discovery(struct __sk_buff *skb, struct context *c, struct packet *p, struct parties *who)
{
	if (!c || !p || !who)
		return DROP_INTERNAL;

	struct rules *r = rules_of(c);
	__u32 check, out = c->dir == DIR_OUT, flags, fixed;
	__u64 target[2] = {};
	int options;

	if (!r)
		return DROP_INTERNAL;
	check = r->flags & RULES_CHECK;
	if (out && check && (p->type == 134 || p->type == 137))
		return DROP_SPOOFED;
	if (p->type > 136 || p->hops != 255)
		return DECIDE;
	/* A fragment, which has a header of its own (RFC 6980), or a message where a
	 * receiver might not look for it. */
	if (p->code || !p->exact || p->l4 != p->l3 + sizeof(struct ipv6))
		return DROP_MALFORMED;
	fixed = p->type == 133 ? 8 : p->type == 134 ? 16 : 24;
	if (p->type >= 135) {
		if (bpf_skb_load_bytes(skb, p->l4 + 4, &flags, 4) || bpf_skb_load_bytes(skb, p->l4 + 8, target, 16))
			return DROP_MALFORMED;
		target[0] = bpf_be64_to_cpu(target[0]);
		target[1] = bpf_be64_to_cpu(target[1]);
	}
	options = discovery_options(skb, c, p, p->l4 + fixed);
	if (options <= 0)
		return options ? DROP_SPOOFED : DROP_MALFORMED;
	if (!out) {
		if (p->type == 134 && !LINK_LOCAL(who->rhi))
			return DROP_MALFORMED;
		if (!check)
			return without_rule(skb, c, WITHOUT_RULE_ND);
		if (claims(c, r, who, 1) || (p->type == 136 && own_address(c, r, target[0], target[1], 1)))
			return DROP_SPOOFED;
		if (who->lhi >> 48 != LINK_MULTICAST >> 48 && !own_address(c, r, who->lhi, who->llo, 1))
			return DROP_DESTINATION;
		return without_rule(skb, c, WITHOUT_RULE_ND);
	}
	if (check) {
		__u32 mine = own_address(c, r, target[0], target[1], 1);

		if (!(who->lhi | who->llo)) {
			/* It has no address yet: it asks for routers, or whether its address
			 * is free. */
			if (options == 2 || p->type == 136 || (p->type == 135 && !mine))
				return DROP_SPOOFED;
		} else if (!own_address(c, r, who->lhi, who->llo, 1)) {
			return DROP_SPOOFED;
		}
		if (p->type == 136 && (!mine || flags & bpf_htonl(1u << 31)))
			return DROP_SPOOFED;
	}
	/* To the receivers that it is meant for, on the link: otherwise the rules judge it. */
	switch (p->type) {
	case 133:
		if (!(who->rhi == LINK_MULTICAST && who->rlo == 2) && !LINK_LOCAL(who->rhi))
			return DECIDE;
		break;
	case 134:
		if (!(who->rhi == LINK_MULTICAST && who->rlo == 1) && !LINK_LOCAL(who->rhi))
			return DECIDE;
		break;
	case 135:
		if (!LINK_LOCAL(target[0]) && !on_link(r, target[0], target[1], 1) && !own_address(c, r, target[0], target[1], 1))
			return DECIDE;
		if (!(who->rhi == target[0] && who->rlo == target[1]) &&
		    !(who->rhi == LINK_MULTICAST && who->rlo == (0x1ff000000 | (target[1] & 0xffffff))))
			return DECIDE;
		break;
	case 136:
		/* to all nodes or, for a new address, all routers: RFC 9131 */
		if (!(who->rhi == LINK_MULTICAST && (who->rlo == 1 || who->rlo == 2)) && !LINK_LOCAL(who->rhi) &&
		    !on_link(r, who->rhi, who->rlo, 1))
			return DECIDE;
		break;
	}
	return without_rule(skb, c, WITHOUT_RULE_ND);
}

/* Whether the one extension header of a packet is a router alert: RFC 2711. */
static __always_inline int router_alert(struct __sk_buff *skb, struct packet *p)
{
	__u8 h[8], first;

	if (p->l4 != p->l3 + sizeof(struct ipv6) + 8 || bpf_skb_load_bytes(skb, p->l3 + __builtin_offsetof(struct ipv6, proto), &first, 1) ||
	    first != IP_HOPOPTS || bpf_skb_load_bytes(skb, p->l3 + sizeof(struct ipv6), h, 8))
		return 0;
	return (h[2] == 5 && h[3] == 2 && !h[4] && !h[5]) || (h[2] == 1 && !h[3] && h[4] == 5 && h[5] == 2 && !h[6] && !h[7]);
}

/* MLD, without which a bridge that snoops forwards no neighbour discovery. Reports
 * of a workload and queries of a router pass; no workload may be a querier. RFC
 * 2710, RFC 3810. Returns PASS, a reason to drop the packet, or DECIDE. */
__noinline int mld(struct __sk_buff *skb, struct context *c, struct packet *p, struct parties *who)
{
	if (!c || !p || !who)
		return DROP_INTERNAL;

	struct rules *r = rules_of(c);
	__u32 out = c->dir == DIR_OUT, size = p->end - p->l4, n;
	__u64 group[2];
	__u8 h[8];

	if (!r)
		return DROP_INTERNAL;
	if (out && (p->type == 130 || p->type == 151) && r->flags & RULES_CHECK)
		return DROP_SPOOFED;
	if (p->type == 151 || !p->exact || p->hops != 1 || p->code || !router_alert(skb, p) || bpf_skb_load_bytes(skb, p->l4, h, 8))
		return DECIDE;
	n = h[6] << 8 | h[7];
	if (p->type == 130) {
		__u8 sources[2];

		if (!LINK_LOCAL(out ? who->lhi : who->rhi))
			return DECIDE;
		if (size != 24) {
			if (bpf_skb_load_bytes(skb, p->l4 + 26, sources, 2))
				return DECIDE;
			n = sources[0] << 8 | sources[1];
			if (n > 64 || size != 28 + 16 * n)
				return DECIDE;
		}
		if (!out && r->flags & RULES_CHECK && who->lhi >> 48 != LINK_MULTICAST >> 48 &&
		    !own_address(c, r, who->lhi, who->llo, 1))
			return DROP_DESTINATION;
		return without_rule(skb, c, WITHOUT_RULE_MLD);
	}
	if (!out)
		return DECIDE;
	if (r->flags & RULES_CHECK && who->lhi | who->llo && !own_link_local(c, r, who->lhi, who->llo))
		return DROP_SPOOFED;
	if (p->type == 143) {
		__u32 at = p->l4 + 8;

		if (who->rhi != LINK_MULTICAST || who->rlo != 0x16 || !n || n > 64)
			return DECIDE;
		for (__u32 i = 0; i < 64; i++) {
			if (i >= n)
				break;
			/* type, words of auxiliary data, sources; the group */
			if (bpf_skb_load_bytes(skb, at, h, 8) || !h[0] || h[0] > 6 || h[1] || h[4] != 0xff)
				return DECIDE;
			at += 20 + 16 * (h[2] << 8 | h[3]);
		}
		if (at != p->end)
			return DECIDE;
		return without_rule(skb, c, WITHOUT_RULE_MLD);
	}
	if (size != 24 || bpf_skb_load_bytes(skb, p->l4 + 8, group, 16))
		return DECIDE;
	group[0] = bpf_be64_to_cpu(group[0]);
	group[1] = bpf_be64_to_cpu(group[1]);
	if (group[0] >> 56 != 0xff)
		return DECIDE;
	if (p->type == 131 ? who->rhi != group[0] || who->rlo != group[1] : who->rhi != LINK_MULTICAST || who->rlo != 2)
		return DECIDE;
	return without_rule(skb, c, WITHOUT_RULE_MLD);
}
