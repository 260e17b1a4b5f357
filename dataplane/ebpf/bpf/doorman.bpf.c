/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The doorman: IP packets from and to devices whose names fit a pattern pass
 * only once an interface's filter is on the device. A filter can be put on a
 * device only when that is there; netfilter's hooks are there before. */
#include "kernel.h"
#include <bpf/bpf_helpers.h>

#include "moat.h"

char _license[] SEC("license") = "Dual BSD/GPL";

const volatile __u32 netns;

enum { NF_DROP = 0, NF_ACCEPT = 1 };

/* What of the kernel's own structures is read; the loader finds the places. */
struct net_device {
	char name[16];
	int ifindex;
} __attribute__((preserve_access_index));

struct nf_hook_state {
	struct net_device *in, *out;
} __attribute__((preserve_access_index));

struct bpf_nf_ctx {
	const struct nf_hook_state *state;
} __attribute__((preserve_access_index));

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct device_key);
	__type(value, struct device);
} devices SEC(".maps");

/* A pattern, made ready: bit i of take[c] says that the byte c may be what the
 * pattern has at place i, bit i of stay that any bytes may be before that, and
 * end is the bit after the last place. */
struct pattern {
	__u32 take[256];
	__u32 stay;
	__u32 end;
};

enum { PATTERNS = 32 };

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * PATTERNS);
	__type(key, __u32);
	__type(value, struct pattern);
} patterns SEC(".maps");

/* What was found of a name. */
struct known {
	__u64 name[2];
	__u32 round;
	__u32 guarded;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct known);
} knowns SEC(".maps");

/* round is another one whenever patterns change; its lowest bit says which half
 * of them is in force. */
struct doorman {
	__u32 round;
	__u32 patterns;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct doorman);
} doormen SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} turned_away SEC(".maps");

__noinline int fits(__u32 n, __u64 first, __u64 second)
{
	struct pattern *p = bpf_map_lookup_elem(&patterns, &n);
	__u32 at = 1;

	if (!p)
		return 0;
	for (int i = 0; i < 16; i++) {
		__u64 half = i < 8 ? first : second;
		__u8 c = half >> (i & 7) * 8;

		if (!c)
			break;
		at = (at & p->take[c]) << 1 | (at & p->stay);
	}
	return !!(at & p->end);
}

__noinline int guarded(__u64 first, __u64 second, __u32 round, __u32 count)
{
	for (__u32 n = 0; n < PATTERNS; n++) {
		if (n >= count)
			break;
		if (fits((round & 1) * PATTERNS + n, first, second))
			return 1;
	}
	return 0;
}

static __always_inline int check(struct net_device *dev)
{
	struct device_key where = { .netns = netns };
	__u32 zero = 0, index;
	struct doorman *d = bpf_map_lookup_elem(&doormen, &zero);
	struct device *device;
	struct known *k, fresh = {};
	__u64 *n;

	if (!dev || !d)
		return NF_ACCEPT;
	index = dev->ifindex;
	where.index = index;
	device = bpf_map_lookup_elem(&devices, &where);
	if (device && device->attached)
		return NF_ACCEPT;
	bpf_probe_read_kernel(fresh.name, sizeof(fresh.name), dev->name);
	k = bpf_map_lookup_elem(&knowns, &index);
	if (!k || k->name[0] != fresh.name[0] || k->name[1] != fresh.name[1] || k->round != d->round) {
		fresh.round = d->round;
		fresh.guarded = guarded(fresh.name[0], fresh.name[1], fresh.round, d->patterns);
		bpf_map_update_elem(&knowns, &index, &fresh, BPF_ANY);
	} else {
		fresh.guarded = k->guarded;
	}
	if (!fresh.guarded)
		return NF_ACCEPT;
	n = bpf_map_lookup_elem(&turned_away, &zero);
	if (n)
		++*n;
	return NF_DROP;
}

SEC("netfilter")
int doorman_in(struct bpf_nf_ctx *ctx)
{
	return check(ctx->state->in);
}

SEC("netfilter")
int doorman_out(struct bpf_nf_ctx *ctx)
{
	return check(ctx->state->out);
}
