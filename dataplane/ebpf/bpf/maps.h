/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct device_key);
	__type(value, struct device);
} devices SEC(".maps");

/* The same for the devices of this copy's namespace, found without a hash: the
 * place is the index, cut to the size. Where two devices have one place, devices
 * knows the other. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 64);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, __u64);
} nearby SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct control);
} controls SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct rules);
} slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2097152); /* 16 MiB */
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, __u64);
} words SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 131072);
	__type(key, struct member4_key);
	__type(value, __u64);
} members4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, struct member6_key);
	__type(value, __u64);
} members6 SEC(".maps");

/* Full means full: a table that forgets the oldest would let one interface's
 * flood cut the flows of others. */
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
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct frag_key);
	__type(value, struct frag_value);
} frags SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct eni_state);
} eni_states SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct link);
} links SEC(".maps");

/* MACs that are others' and that no interface learns: those of interfaces' records
 * and of the host's devices. User space writes them; when it is full the rest may
 * be learned. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, __u32);
} macs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct share);
} shares SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct eni_count);
} eni_counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 131072);
	__type(key, __u32);
	__type(value, struct rule_stat);
} rule_stats SEC(".maps");

/* Drops at devices that no interface is known for. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} strays SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct walk);
} walks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct reclaim);
} reclaims SEC(".maps");

/* Which interface is bound to which device: for user space only. */
struct binding {
	__u8 interface[32];
	__u8 device[16];
	__u8 netns_path[200];
	__u32 netns;
	__u32 index;
	__u32 flags;		/* DEVICE_* */
	__u32 clsact;		/* 1: attached by filters, not by links */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct binding);
} bindings SEC(".maps");

/* What one packet needs beside the stack, which is short. Programs of a
 * processor do not interrupt each other. */
struct scratch {
	struct packet p;
	struct parties who;
	union {
		struct flow4_key k4;
		struct flow6_key k6;
	};
	struct flow_value v;	/* of a new flow */
	__u8 options[40];	/* of TCP */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

/* What permit said of late of packets that are of no flow: who opens a
 * connection often opens more. It is permit's answer in an epoch, in which it
 * always gives the same. */
struct verdict {
	__u64 by;
	__u64 lhi, llo, rhi, rlo;
	__u64 of;		/* eni << 2 | six << 1 | out */
	__u32 epoch, x;
	__u64 pad;		/* a line of the cache each */
};

enum { VERDICT_BITS = 8 };

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1 << VERDICT_BITS);
	__type(key, __u32);
	__type(value, struct verdict);
} verdicts SEC(".maps");
