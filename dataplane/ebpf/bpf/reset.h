/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Ends a TCP connection: a packet of it becomes a reset for its receiver, and
 * another goes back to its sender. The sequence numbers are the packet's own,
 * so that both believe it. */
#pragma once

enum {
	RESET_SIX     = 1 << 0,
	RESET_L3      = 1 << 1,
	RESET_INGRESS = 1 << 2,	/* the sender is reached by the device's ingress */
};

/* The mark of a packet with which tend provokes an answer. */
#define TEND_MARK 0x6d6f6174

struct reset {
	__u32 l3, l4, flags, partial;
	__u32 addrs[8];
	__u8 mac[12];
	struct tcp t;
};

/* Writes the headers of a reset; with BACK in flags of the one to the sender. */
#define BACK 256

__noinline int write_reset(struct __sk_buff *skb, struct reset *s, __u32 seq_be, __u32 ack_be, __u32 flags)
{
	if (!s)
		return 1;

	__u32 back = flags & BACK;
	struct tcp t = {
		.sport_be = back ? s->t.dport_be : s->t.sport_be,
		.dport_be = back ? s->t.sport_be : s->t.dport_be,
		.seq_be = seq_be, .ack_be = ack_be, .offset = 0x50, .flags = flags,
	};
	__u32 six = s->flags & RESET_SIX, pseudo = bpf_htonl(IP_TCP) , len = bpf_htonl(sizeof(t));
	__u32 rest[2] = { pseudo, len };
	__u32 swapped[8];
	__s64 sum;
	int err = 0;

	/* Swapping addresses leaves their sum as it is. */
	sum = bpf_csum_diff(0, 0, s->addrs, sizeof(s->addrs), 0);
	sum = bpf_csum_diff(0, 0, rest, sizeof(rest), sum);
	if (!s->partial)
		sum = bpf_csum_diff(0, 0, (__be32 *)&t, sizeof(t), sum);
	sum = (sum & 0xffff) + ((__u64)sum >> 16 & 0xffff) + ((__u64)sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	t.check = s->partial ? sum : ~sum;

	if (six) {
		for (int i = 0; i < 4; i++) {
			swapped[i] = s->addrs[back ? i + 4 : i];
			swapped[i + 4] = s->addrs[back ? i : i + 4];
		}
		err |= bpf_skb_store_bytes(skb, s->l3 + 8, swapped, 32, BPF_F_RECOMPUTE_CSUM);
	} else {
		swapped[0] = s->addrs[back ? 1 : 0];
		swapped[1] = s->addrs[back ? 0 : 1];
		err |= bpf_skb_store_bytes(skb, s->l3 + 12, swapped, 8, BPF_F_RECOMPUTE_CSUM);
	}
	err |= bpf_skb_store_bytes(skb, s->l4, &t, sizeof(t), BPF_F_RECOMPUTE_CSUM);
	if (!(s->flags & RESET_L3)) {
		err |= bpf_skb_store_bytes(skb, 0, s->mac + (back ? 6 : 0), 6, 0);
		err |= bpf_skb_store_bytes(skb, 6, s->mac + (back ? 0 : 6), 6, 0);
	}
	return err;
}

/* Gives 0 when the packet has become a reset. */
__noinline int reset(struct __sk_buff *skb, __u32 l3, __u32 l4, __u32 end, __u32 flags)
{
	struct reset s = { .l3 = l3, .l4 = l4, .flags = flags };
	__u32 six = flags & RESET_SIX, payload, acks;
	__u16 before, after, len;

	if (bpf_skb_load_bytes(skb, l4, &s.t, sizeof(s.t)))
		return 1;
	if (bpf_skb_load_bytes(skb, l3 + (six ? 8 : 12), s.addrs, 8))
		return 1;
	if (six && bpf_skb_load_bytes(skb, l3 + 8, s.addrs, 32))
		return 1;
	if (!(flags & RESET_L3) && bpf_skb_load_bytes(skb, 0, s.mac, 12))
		return 1;
	payload = end - l4 - (s.t.offset >> 4) * 4 + !!(s.t.flags & SEEN_SYN) + !!(s.t.flags & SEEN_FIN);

	/* A packet of this host may have its checksum still to be completed, by
	 * the device. Then changing the header's sum changes nothing. */
	before = s.t.check;
	if (bpf_l4_csum_replace(skb, l4 + __builtin_offsetof(struct tcp, check), 0, bpf_htons(1), 2) ||
	    bpf_skb_load_bytes(skb, l4 + __builtin_offsetof(struct tcp, check), &after, 2))
		return 1;
	s.partial = before == after;

	if (bpf_skb_change_tail(skb, l4 + sizeof(s.t), 0))
		return 1;
	if (six) {
		len = bpf_htons(l4 - l3 - 40 + sizeof(s.t));
		if (bpf_skb_store_bytes(skb, l3 + 4, &len, 2, BPF_F_RECOMPUTE_CSUM))
			return 1;
	} else {
		__u16 old;

		len = bpf_htons(l4 - l3 + sizeof(s.t));
		if (bpf_skb_load_bytes(skb, l3 + 2, &old, 2) ||
		    bpf_l3_csum_replace(skb, l3 + 10, old, len, 2) ||
		    bpf_skb_store_bytes(skb, l3 + 2, &len, 2, BPF_F_RECOMPUTE_CSUM))
			return 1;
	}
	acks = s.t.flags & SEEN_ACK;
	if (acks) {
		if (write_reset(skb, &s, s.t.ack_be, 0, BACK | SEEN_RST))
			return 1;
	} else if (write_reset(skb, &s, 0, bpf_htonl(bpf_ntohl(s.t.seq_be) + payload), BACK | SEEN_RST | SEEN_ACK)) {
		return 1;
	}
	bpf_clone_redirect(skb, skb->ifindex, flags & RESET_INGRESS ? BPF_F_INGRESS : 0);
	return write_reset(skb, &s, s.t.seq_be, acks ? s.t.ack_be : 0, acks ? SEEN_RST | SEEN_ACK : SEEN_RST);
}
