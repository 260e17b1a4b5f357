/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Room for new flows where no process makes it: when there is none left, a
 * packet that is dropped for it removes flows that are expired. */
#pragma once

enum {
	RECLAIM_SOME  = 1024,	/* so many at once: some tenths of a millisecond */
	RECLAIM_AFTER = 5,	/* seconds without a process that collects */
	RECLAIM_PAUSE = 10,	/* seconds between two looks that have found less */
};

struct reclaiming {
	__u64 root;
	__u32 now, removed;
};

static __always_inline long reclaim_flow(struct reclaiming *w, __u32 eni, __u8 proto, void *flows, void *key,
					 struct flow_value *f, const int six)
{
	__u32 slot = slot_of(w->root, eni), bits = f->bits;
	struct rules *r = bpf_map_lookup_elem(&slots, &slot);
	struct eni_state *state = bpf_map_lookup_elem(&eni_states, &eni);

	if (!r || !state || !expired(r, proto, six, f, w->now))
		return 0;
	forget(flows, key, state, bits, six);
	return ++w->removed >= RECLAIM_SOME;
}

static long reclaim4(void *map, struct flow4_key *key, struct flow_value *f, struct reclaiming *w)
{
	return reclaim_flow(w, key->eni, key->proto, &flows4, key, f, 0);
}

static long reclaim6(void *map, struct flow6_key *key, struct flow_value *f, struct reclaiming *w)
{
	return reclaim_flow(w, key->eni, key->proto, &flows6, key, f, 1);
}

/* Removes expired flows of a family; 0 if there are none, or if that is another's
 * to do. A look at all flows takes some hundredths of a second: when it finds few,
 * the next one has to wait. One function for each table, since old kernels want to
 * know which one it is. */
#define MAKE_ROOM(name, flows, reclaim_one, six)				\
__noinline int name(__u32 now)						\
{									\
	__u32 zero = 0, next;						\
	struct control *ctl = bpf_map_lookup_elem(&controls, &zero);	\
	struct reclaim *c = bpf_map_lookup_elem(&reclaims, &zero);	\
	struct reclaiming w = { .now = now };				\
									\
	if (!ctl || !c || (__s32)(now - c->collected) < RECLAIM_AFTER)	\
		return 0;						\
	next = c->next[six];						\
	if ((next && (__s32)(now - next) < 0) ||			\
	    __sync_val_compare_and_swap(&c->next[six], next, now + RECLAIM_PAUSE) != next) \
		return 0;						\
	w.root = *(volatile __u64 *)&ctl->root;				\
	bpf_for_each_map_elem(&flows, reclaim_one, &w, 0);		\
	if (w.removed >= RECLAIM_SOME)					\
		c->next[six] = now; /* there may be more */		\
	return w.removed;						\
}

MAKE_ROOM(make_room4, flows4, reclaim4, 0)
MAKE_ROOM(make_room6, flows6, reclaim6, 1)

/* For the packets after one that was dropped for want of room. */
static __always_inline void make_room(void)
{
	__u32 zero = 0;
	struct control *ctl = bpf_map_lookup_elem(&controls, &zero);

	if (ctl && !make_room4(seconds(ctl)))
		make_room6(seconds(ctl)); /* an allowance is of both families */
}
