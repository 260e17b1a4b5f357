/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

const struct tending *tending_type __attribute__((unused)); /* so that it has a Go twin */

static __always_inline __u8 tend_flow(void *flows, void *key, __u32 eni, __u32 what,
				      struct parties *who, __u8 proto, __u16 lport, __u16 rport, const int six)
{
	__u32 zero = 0;
	struct control *ctl = bpf_map_lookup_elem(&controls, &zero);
	struct flow_value *f = bpf_map_lookup_elem(flows, key);
	struct eni_state *state = bpf_map_lookup_elem(&eni_states, &eni);
	struct rules *r;
	__u64 root;
	__u32 now, slot;

	if (!ctl || !f || !state)
		return TENDED_NOTHING;
	root = *(volatile __u64 *)&ctl->root;
	who->epoch = root >> 32;
	slot = slot_of(root, eni);
	r = bpf_map_lookup_elem(&slots, &slot);
	if (!r)
		return TENDED_NOTHING;
	now = seconds(ctl);
	switch (what) {
	case TEND_EXPIRE:
		if (!expired(r, proto, six, f, now))
			return TENDED_NOTHING;
		break;
	case TEND_JUDGE:
		if (f->bits & FLOW_CUT || current(r, f, now) || again(r, f, who, proto, lport, rport) == LIVES)
			return TENDED_NOTHING;
		if (proto == IP_TCP) {
			__sync_fetch_and_or(&f->bits, FLOW_CUT);
			f->seen = now;
			return TENDED_CUT;
		}
		break;
	case TEND_DROP:
		break;
	default:
		return TENDED_NOTHING;
	}
	forget(flows, key, state, f->bits, six);
	return TENDED_REMOVED;
}

enum {
	TEND_BODY = 14,
	TEND_DONE = TEND_BODY + __builtin_offsetof(struct tending, done),
	TEND_KEY  = TEND_BODY + __builtin_offsetof(struct tending, keys),
};

__noinline int tend4(struct __sk_buff *skb, __u32 at, __u32 what)
{
	struct flow4_key k;
	struct parties who = {};

	if (bpf_skb_load_bytes(skb, at, &k, sizeof(k)))
		return TENDED_NOTHING;
	who.llo = bpf_ntohl(k.local_be);
	who.rlo = bpf_ntohl(k.remote_be);
	return tend_flow(&flows4, &k, k.eni, what, &who, k.proto, bpf_ntohs(k.lport_be), bpf_ntohs(k.rport_be), 0);
}

__noinline int tend6(struct __sk_buff *skb, __u32 at, __u32 what)
{
	struct flow6_key k;
	struct parties who = { .six = 1 };
	__u64 a[4];

	if (bpf_skb_load_bytes(skb, at, &k, sizeof(k)))
		return TENDED_NOTHING;
	__builtin_memcpy(a, k.local, 16);
	__builtin_memcpy(a + 2, k.remote, 16);
	who.lhi = bpf_be64_to_cpu(a[0]);
	who.llo = bpf_be64_to_cpu(a[1]);
	who.rhi = bpf_be64_to_cpu(a[2]);
	who.rlo = bpf_be64_to_cpu(a[3]);
	return tend_flow(&flows6, &k, k.eni, what, &who, k.proto, bpf_ntohs(k.lport_be), bpf_ntohs(k.rport_be), 1);
}

/* Run by user space on a struct tending. Flows are removed here, not from there,
 * because only here the look at a flow and its end are next to each other. */
SEC("tc")
int tend(struct __sk_buff *skb)
{
	__u32 head[3];

	if (bpf_skb_load_bytes(skb, TEND_BODY, head, sizeof(head)))
		return 1;
	for (__u32 i = 0; i < TEND_KEYS; i++) {
		__u32 at = TEND_KEY + i * sizeof(struct flow6_key);
		__u8 done;

		if (i >= head[2])
			break;
		done = head[1] ? tend6(skb, at, head[0]) : tend4(skb, at, head[0]);
		if (done)
			bpf_skb_store_bytes(skb, TEND_DONE + i, &done, 1, 0);
	}
	return 0;
}

/* Run by user space, which must have the programs' clock. */
SEC("tc")
int clock(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct control *ctl = bpf_map_lookup_elem(&controls, &zero);

	return ctl ? seconds(ctl) : 0;
}

/* Run by user space on a packet for a device, to provoke an answer from the
 * workload behind it: it goes out by the device's egress, or comes in. */
SEC("tc")
int inject(struct __sk_buff *skb)
{
	skb->mark = TEND_MARK;
	return bpf_clone_redirect(skb, skb->ifindex, skb->cb[0] ? BPF_F_INGRESS : 0);
}
