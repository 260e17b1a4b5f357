/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Carries the tracked flows of layout 2 into the tables of this layout. Packets
 * may change both meanwhile: the programs of layout 2 filter until a device's
 * programs are replaced, those of this layout from then on. User space runs
 * carry_flows repeatedly. A run reads every flow, and writes only what changed. */
#include "kernel.h"
#include <bpf/bpf_helpers.h>

#include "moat.h"

char _license[] SEC("license") = "Dual BSD/GPL";

/* A flow of layout 2. Its key and the meaning of its fields have not changed. It
 * uses the lower 19 of its bits. */
struct v2_flow {
	__u32 seen, gen, rule, bits;
};

/* A run marks a flow of layout 2 in the upper bits, which the programs and the
 * server of layout 2 ignore: CARRIED, and the SEEN_* flags that the flow was carried
 * with. A flow that begins again has no mark. */
enum {
	V2_BITS      = 0x7ffff,
	CARRIED_SHIFT  = 19,
	CARRIED_FLAGS  = 0xfff,
	CARRIED        = 1u << 31,
};

/* SIDE_* of a side whose numbers are not known, with the largest window scale. */
enum { SIDE_UNKNOWN = 14 << SIDE_SCALE };

struct upgrade {
	__u32 fresh;		/* the new tables are being filled: marks are of an earlier process */
	__u32 since;		/* a marked flow without a packet since then has not changed */
	__u32 now;		/* both in seconds of now() */
	__u32 pad;
	/* What the run did. */
	__u64 added, changed, removed;
	__u64 lost;		/* for which there was no room */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct upgrade);
} upgrades SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 262144);
	__type(key, struct flow4_key);
	__type(value, struct v2_flow);
} v2_flows4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 262144);
	__type(key, struct flow6_key);
	__type(value, struct v2_flow);
} v2_flows6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 262144);
	__type(key, struct flow4_key);
	__type(value, struct flow_value);
} flows4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 262144);
	__type(key, struct flow6_key);
	__type(value, struct flow_value);
} flows6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct eni_state);
} eni_states SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct share);
} shares SEC(".maps");

/* The six flags of each direction without gaps, and back. */
static __always_inline __u32 pack(__u32 bits)
{
	return (bits & 0x07) | (bits & 0x10) >> 1 | (bits & 0xc0) >> 2 |
		(bits & 0x0700) >> 2 | (bits & 0x1000) >> 3 | (bits & 0xc000) >> 4;
}

static __always_inline __u32 unpack(__u32 flags)
{
	return (flags & 0x07) | (flags & 0x08) << 1 | (flags & 0x30) << 2 |
		(flags & 0x1c0) << 2 | (flags & 0x200) << 3 | (flags & 0xc00) << 4;
}

/* Counts a flow for its interface. It was admitted, so that no limit applies. */
static __always_inline void count(struct eni_state *state, struct share *s, __u32 bits, const int six)
{
	if (__sync_fetch_and_add(&state->flows[six], 1) >= ASSURED)
		__sync_fetch_and_add(&s->used[six], 1);
	if (bits & FLOW_HALF)
		__sync_fetch_and_add(&state->half, 1);
}

static __always_inline void uncount(struct eni_state *state, struct share *s, __u32 bits, const int six)
{
	if (__sync_fetch_and_add(&state->flows[six], -1) > ASSURED)
		__sync_fetch_and_add(&s->used[six], -1);
	if (bits & FLOW_HALF)
		__sync_fetch_and_add(&state->half, -1);
}

/* Whether the connection of a flow is over. */
static __always_inline int over(__u32 bits)
{
	return bits & FLOW_CUT || (bits | bits >> 8) & SEEN_RST || bits & bits >> 8 & SEEN_FIN;
}

/* Whether the new programs have seen no packet of a carried flow. */
static __always_inline int untouched(struct flow_value *f)
{
	return !f->side[DIR_IN].packets && !f->side[DIR_OUT].packets;
}

/* Whether the new table has the flow of layout 2, and not a later one of the same
 * ports: that one began after the last packet of layout 2. */
static __always_inline int same(struct flow_value *f, struct v2_flow *old)
{
	return (__s32)(f->begun - old->seen) <= 0;
}

static __always_inline long carry(void *flows, void *key, __u32 eni, __u8 proto, struct v2_flow *old, const int six)
{
	__u32 zero = 0, bits = *(volatile __u32 *)&old->bits, flags = pack(bits), then = bits >> CARRIED_SHIFT & CARRIED_FLAGS, carried;
	struct upgrade *u = bpf_map_lookup_elem(&upgrades, &zero);
	struct eni_state *state;
	struct share *s;
	struct flow_value *f, v = {};
	long err = 0;

	if (!u)
		return 1;
	carried = u->fresh ? 0 : bits & CARRIED;
	if (carried && then == flags && (__s32)(old->seen - u->since) < 0)
		return 0;
	state = bpf_map_lookup_elem(&eni_states, &eni);
	s = bpf_map_lookup_elem(&shares, &zero);
	if (!state || !s)
		return 0;
	f = bpf_map_lookup_elem(flows, key);
	if (!f) {
		if (carried)
			return 0; /* it ended in the new table */
		v.seen = old->seen;
		v.gen = old->gen;
		v.rule = old->rule;
		v.bits = bits & V2_BITS;
		v.begun = u->now;
		if (proto == IP_TCP)
			v.side[DIR_IN].bits = v.side[DIR_OUT].bits = SIDE_UNKNOWN;
		count(state, s, bits, six);
		for (int i = 0; i < 3; i++) {
			err = bpf_map_update_elem(flows, key, &v, BPF_NOEXIST);
			if (err != -EBUSY)
				break;
		}
		if (err) {
			uncount(state, s, bits, six);
			if (err != -EEXIST)
				u->lost++;
			return 0; /* the next run looks again */
		}
		u->added++;
	} else if (!carried) {
		/* It began again. */
		if (untouched(f) || (same(f, old) && over(f->bits))) {
			if ((f->bits ^ bits) & FLOW_HALF)
				__sync_fetch_and_add(&state->half, bits & FLOW_HALF ? 1 : -1);
			f->gen = old->gen;
			f->rule = old->rule;
			f->bits = bits & V2_BITS;
			u->changed++;
		}
	} else if (then != flags && same(f, old)) {
		then = unpack(then);
		__sync_fetch_and_or(&f->bits, (bits & ~then & 0xffff) | (bits & FLOW_CUT));
		__sync_fetch_and_and(&f->bits, ~(then & ~bits));
		if (!(bits & FLOW_HALF) && __sync_fetch_and_and(&f->bits, ~FLOW_HALF) & FLOW_HALF)
			__sync_fetch_and_add(&state->half, -1);
		u->changed++;
	}
	if (f) {
		if (untouched(f)) {
			f->gen = old->gen;
			f->rule = old->rule;
		}
		if ((__s32)(old->seen - f->seen) > 0)
			f->seen = old->seen;
	}
	if (!(bits & CARRIED) || bits >> CARRIED_SHIFT != (CARRIED >> CARRIED_SHIFT | flags)) {
		__sync_fetch_and_and(&old->bits, ~(CARRIED_FLAGS << CARRIED_SHIFT));
		__sync_fetch_and_or(&old->bits, CARRIED | flags << CARRIED_SHIFT);
	}
	return 0;
}

static long carry_one4(void *map, struct flow4_key *key, struct v2_flow *old, void *none)
{
	return carry(&flows4, key, key->eni, key->proto, old, 0);
}

static long carry_one6(void *map, struct flow6_key *key, struct v2_flow *old, void *none)
{
	return carry(&flows6, key, key->eni, key->proto, old, 1);
}

/* Removes a flow that was carried, has had no packet since, and has ended in
 * layout 2. */
static __always_inline long drop(void *flows, void *from, void *key, __u32 eni, struct flow_value *f, const int six)
{
	__u32 zero = 0, bits = f->bits;
	struct upgrade *u = bpf_map_lookup_elem(&upgrades, &zero);
	struct eni_state *state = bpf_map_lookup_elem(&eni_states, &eni);
	struct share *s = bpf_map_lookup_elem(&shares, &zero);

	if (!u || !state || !s || !untouched(f) || bpf_map_lookup_elem(from, key) || bpf_map_delete_elem(flows, key))
		return 0;
	uncount(state, s, bits, six);
	u->removed++;
	return 0;
}

static long drop_one4(void *map, struct flow4_key *key, struct flow_value *f, void *none)
{
	return drop(&flows4, &v2_flows4, key, key->eni, f, 0);
}

static long drop_one6(void *map, struct flow6_key *key, struct flow_value *f, void *none)
{
	return drop(&flows6, &v2_flows6, key, key->eni, f, 1);
}

/* Programs of this type run in the caller's context. Packets do not wait for them,
 * however many flows there are. */
SEC("syscall")
int carry_flows(void *ctx)
{
	bpf_for_each_map_elem(&v2_flows4, carry_one4, 0, 0);
	bpf_for_each_map_elem(&v2_flows6, carry_one6, 0, 0);
	return 0;
}

SEC("syscall")
int drop_flows(void *ctx)
{
	bpf_for_each_map_elem(&flows4, drop_one4, 0, 0);
	bpf_for_each_map_elem(&flows6, drop_one6, 0, 0);
	return 0;
}
