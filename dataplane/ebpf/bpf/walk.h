/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Iterators over the tables of flows: user space reads the keys of those that it
 * asks for, and of no others. */
#pragma once

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 session, number;
};

struct bpf_iter__bpf_map_elem {
	struct bpf_iter_meta *meta;
	void *map, *key, *value;
};

static __always_inline int asked(__u64 *bits, __u32 n, __u32 size)
{
	return n < size && bits[n / 64] >> n % 64 & 1;
}

static __always_inline int wanted(__u32 eni, struct flow_value *f, __u8 proto, __u32 six)
{
	__u32 zero = 0;
	struct control *ctl = bpf_map_lookup_elem(&controls, &zero);
	struct walk *w = bpf_map_lookup_elem(&walks, &zero);
	struct rules *r;
	__u32 slot;

	if (!ctl || !w)
		return 0;
	if (w->what == WALK_OF)
		return asked(w->enis, eni, WALK_ENIS);
	slot = slot_of(*(volatile __u64 *)&ctl->root, eni);
	r = bpf_map_lookup_elem(&slots, &slot);
	if (!r)
		return 0;
	if (w->what == WALK_EXPIRED)
		return expired(r, proto, six, f, w->now);
	return w->what == WALK_STALE && !(f->bits & FLOW_CUT) && asked(w->enis, eni, WALK_ENIS) &&
		f->gen != (f->bits & FLOW_OUT ? r->gen[DIR_OUT] : r->gen[DIR_IN]) &&
		(asked(w->wholly, eni, WALK_ENIS) || !asked(w->kept, f->rule, WALK_RULES));
}

SEC("iter/bpf_map_elem")
int walk4(struct bpf_iter__bpf_map_elem *ctx)
{
	struct flow4_key *key = ctx->key, k;
	struct flow_value *f = ctx->value;

	if (!key || !f || !wanted(key->eni, f, key->proto, 0))
		return 0;
	k = *key;
	bpf_seq_write(ctx->meta->seq, &k, sizeof(k));
	return 0;
}

SEC("iter/bpf_map_elem")
int walk6(struct bpf_iter__bpf_map_elem *ctx)
{
	struct flow6_key *key = ctx->key, k;
	struct flow_value *f = ctx->value;

	if (!key || !f || !wanted(key->eni, f, key->proto, 1))
		return 0;
	k = *key;
	bpf_seq_write(ctx->meta->seq, &k, sizeof(k));
	return 0;
}
