/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Searches in words. Each is a function of numbers without a branch but for a
 * place outside of the arena, so that the verifier sees one path. */
#pragma once

static __always_inline __u64 word(__u32 at)
{
	__u64 *w = bpf_map_lookup_elem(&words, &at);

	return w ? *w : 0;
}

/* 1 if a < b, else 0. */
static __always_inline __u64 less(__u64 a, __u64 b)
{
	__u64 x = ((~a & b) | ((~a | b) & (a - b))) >> 63;

	asm volatile("" : "+r"(x)); /* lest the compiler makes it a branch */
	return x;
}

/* The same of numbers below 2^63. */
static __always_inline __u64 lower(__u64 a, __u64 b)
{
	__u64 x = (a - b) >> 63;

	asm volatile("" : "+r"(x));
	return x;
}

/* How many of n sorted words at base are ≤ key, whose lowest bit is set. */
#define COUNT(name, steps)						\
__noinline __u32 name(__u32 base, __u32 n, __u64 key)			\
{									\
	__u64 found = 0;						\
									\
	_Pragma("unroll")						\
	for (int i = steps - 1; i >= 0; i--) {				\
		__u64 step = 1ull << i;					\
		__u64 over = lower(n, found + step);			\
		__u32 at = base + ((found + step - 1) & (over - 1));	\
		__u64 *w = bpf_map_lookup_elem(&words, &at);		\
									\
		if (!w)							\
			return 0;					\
		found += step & ((over | lower(key >> 1, *w >> 1)) - 1);		\
	}								\
	return found;							\
}

COUNT(count_of_7, 3)
COUNT(count_of_63, 6)
COUNT(count_of_2047, 11)
COUNT(count_of_many, 20)

static __always_inline __u32 count(__u32 base, __u32 n, __u64 key)
{
	if (n < 8)
		return count_of_7(base, n, key);
	if (n < 64)
		return count_of_63(base, n, key);
	if (n < 2048)
		return count_of_2047(base, n, key);
	return count_of_many(base, n, key);
}

/* The same of numbers of 64 bits. */
#define COUNT64(name, steps)						\
__noinline __u32 name(__u32 base, __u32 n, __u64 key)			\
{									\
	__u64 found = 0;						\
									\
	_Pragma("unroll")						\
	for (int i = steps - 1; i >= 0; i--) {				\
		__u64 step = 1ull << i;					\
		__u64 over = lower(n, found + step);			\
		__u32 at = base + ((found + step - 1) & (over - 1));	\
		__u64 *w = bpf_map_lookup_elem(&words, &at);		\
									\
		if (!w)							\
			return 0;					\
		found += step & ((over | less(key, *w)) - 1);		\
	}								\
	return found;							\
}

COUNT64(count64_of_7, 3)
COUNT64(count64_of_63, 6)
COUNT64(count64_of_2047, 11)
COUNT64(count64_of_many, 19)

static __always_inline __u32 count64(__u32 base, __u32 n, __u64 key)
{
	if (n < 8)
		return count64_of_7(base, n, key);
	if (n < 64)
		return count64_of_63(base, n, key);
	if (n < 2048)
		return count64_of_2047(base, n, key);
	return count64_of_many(base, n, key);
}

/* How many of n IPv6 starts are ≤ hi, lo. */
__noinline __u32 count6(__u32 base, __u32 n, __u64 hi, __u64 lo)
{
	__u32 c = count64(base, n, hi), below;

	/* Of those with the same upper half the lower ones decide. */
	if (!c || word(base + c - 1) != hi)
		return c;
	if (c == 1 || word(base + c - 2) != hi)
		return c - (lo < word(base + n + c - 1));
	below = hi ? count64(base, n, hi - 1) : 0;
	if (below >= c)
		return 0;
	return below + count64(base + n + below, c - below, lo);
}

/* The value that a table of addresses with n4 and n6 starts gives one. */
__noinline __u32 find(__u32 table, __u64 sizes, __u64 hi, __u64 lo, __u32 six)
{
	__u32 n4 = sizes, n6 = sizes >> 32, c;

	if (!six) {
		if (!n4)
			return 0;
		c = count(table, n4, lo << 32 | 0xffffffff);
		return c ? word(table + c - 1) : 0;
	}
	if (!n6)
		return 0;
	table += n4;
	c = count6(table, n6, hi, lo);
	return c ? word(table + 2 * n6 + c - 1) : 0;
}

/* The rule of a port set that allows x; 0 for none. */
__noinline __u32 ports(__u32 set, __u32 x)
{
	__u32 n = word(set), c;
	__u64 range;

	if (!n)
		return 0;
	if (n == 1) {
		range = word(set + 1);
		if (range >> 40 > x)
			return 0;
	} else {
		c = count(set + 1, n, (__u64)x << 40 | 0xffffffffff);
		if (!c)
			return 0;
		range = word(set + c);
	}
	return (range >> 16 & 0xffffff) >= x ? range & 0xffff : 0;
}

enum {
	JUDGE_SIX    = 1,
	JUDGE_VPC    = 1,		/* shifts; a VPC's number has 31 bits */
	JUDGE_EPOCH  = 32,
};

/* 16 bits that tell a member from another. */
static __always_inline __u64 sign(__u32 vpc, __u64 hi, __u64 lo)
{
	return ((hi ^ lo * 0x9e3779b97f4a7c15) + vpc) * 0xc2b2ae3d27d4eb4f >> 48;
}

/* The set of groups of a remote address; 0 for none. */
__noinline __u32 groups_of(__u64 hi, __u64 lo, __u64 how)
{
	__u32 vpc = (__u32)how >> JUDGE_VPC, six = how & JUDGE_SIX, epoch = how >> JUDGE_EPOCH, n;
	__u64 *value, v, w;

	if (six) {
		struct member6_key k = { .vpc = vpc };
		__u64 be[2] = { bpf_cpu_to_be64(hi), bpf_cpu_to_be64(lo) };

		__builtin_memcpy(k.addr, be, 16);
		value = bpf_map_lookup_elem(&members6, &k);
	} else {
		struct member4_key k = { .vpc = vpc, .addr_be = bpf_htonl((__u32)lo) };

		value = bpf_map_lookup_elem(&members4, &k);
	}
	if (!value)
		return 0;
	v = *(volatile __u64 *)value;
	if (v >> 48 != sign(vpc, hi, lo))
		return 0;
	if (!(v & MEMBER_HISTORY))
		return v;
	n = word(v);
	for (__u32 i = 0; i < HISTORY; i++) {
		w = word((__u32)v + 1 + i);
		if (i + 1 >= n || (__s32)(epoch - (__u32)(w >> 32)) >= 0)
			return w;
	}
	return 0;
}

#define BY_ANY   (1ull << 32)	/* 0.0.0.0/0 or ::/0 allows it */
#define SPOOFED  (1ull << 34)	/* not the interface's address */
#define CLAIMED  (1ull << 35)	/* from another, which claims to be the interface */

/* What a policy says of x to or from an address: the counter of the rule that
 * allows it + 1, with BY_ANY; 0 for no. */
__noinline __u64 judge(__u32 policy, __u32 x, __u64 hi, __u64 lo, __u64 how)
{
	__u64 sizes = word(policy), more = word(policy + 1), any = word(policy + 2);
	__u32 six = how & JUDGE_SIX, groups = more, table = policy + POLICY_WORDS;
	__u32 rule = 0, set;
	__u64 by = 0, counters;

	set = six ? any >> 32 : any;
	if (set) {
		rule = ports(policy + set, x);
		if (rule)
			by = BY_ANY;
	}
	if (!rule) {
		set = find(table, sizes, hi, lo, six);
		if (set)
			rule = ports(policy + set, x);
	}
	if (!rule && groups) {
		__u32 of = groups_of(hi, lo, how), n, i, probe;

		if (!of)
			return 0;
		table += (__u32)sizes + 3 * (sizes >> 32);
		n = word(of);
		for (i = 0; i < SET_GROUPS; i++) {
			__u64 group, found = 0;

			if (i >= n)
				break;
			group = word(of + 1 + i);
			for (probe = 0; probe < PROBES; probe++) {
				found = word(table + ((group + probe) & (groups - 1)));
				if (!found || found >> 32 == group)
					break;
			}
			if (found >> 32 != group)
				continue;
			rule = ports(policy + (__u32)found, x);
			if (rule)
				break;
		}
	}
	if (!rule)
		return 0;
	counters = word(policy + (__u32)word(policy + 3) + (rule - 1) / 2);
	return ((rule - 1) & 1 ? counters >> 32 : counters & 0xffffffff) + 1 | by;
}
