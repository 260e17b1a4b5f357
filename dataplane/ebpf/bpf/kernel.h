/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The part of the kernel's interface that the programs need, so that no header
 * of the building machine's architecture is. */
#pragma once

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u16 __sum16;
typedef __u32 __wsum;

enum bpf_map_type {
	BPF_MAP_TYPE_HASH         = 1,
	BPF_MAP_TYPE_ARRAY        = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH     = 9,
};

enum {
	BPF_ANY            = 0,
	BPF_NOEXIST        = 1,
	BPF_F_MMAPABLE     = 1 << 10,
	BPF_F_INGRESS      = 1 << 0,
	BPF_F_RECOMPUTE_CSUM = 1 << 0,
};

enum { TC_ACT_UNSPEC = -1, TC_ACT_OK = 0, TC_ACT_SHOT = 2 };

enum { EEXIST = 17, E2BIG = 7, EBUSY = 16 };

/* What a program sees of a packet. */
struct __sk_buff {
	__u32 len;
	__u32 pkt_type;
	__u32 mark;
	__u32 queue_mapping;
	__u32 protocol;
	__u32 vlan_present;
	__u32 vlan_tci;
	__u32 vlan_proto;
	__u32 priority;
	__u32 ingress_ifindex;
	__u32 ifindex;
	__u32 tc_index;
	__u32 cb[5];
	__u32 hash;
	__u32 tc_classid;
	__u32 data;
	__u32 data_end;
	__u32 napi_id;
	__u32 family;
	__u32 remote_ip4;
	__u32 local_ip4;
	__u32 remote_ip6[4];
	__u32 local_ip6[4];
	__u32 remote_port;
	__u32 local_port;
	__u32 data_meta;
	__u64 flow_keys;
	__u64 tstamp;
	__u32 wire_len;
	__u32 gso_segs;
	__u64 sk;
	__u32 gso_size;
};

enum {
	ETHERTYPE_IPV4 = 0x0800, ETHERTYPE_ARP = 0x0806, ETHERTYPE_VLAN = 0x8100,
	ETHERTYPE_IPV6 = 0x86dd, ETHERTYPE_QINQ = 0x88a8,
};

enum {
	IP_HOPOPTS = 0, IP_ICMP = 1, IP_IGMP = 2, IP_TCP = 6, IP_UDP = 17, IP_ROUTING = 43,
	IP_FRAGMENT = 44, IP_AH = 51, IP_ICMPV6 = 58, IP_DSTOPTS = 60, IP_PIM = 103,
};

struct ipv4 {
	__u8 version_ihl, tos;
	__u16 len_be, id_be, frag_be;
	__u8 ttl, proto;
	__u16 check;
	__u32 src_be, dst_be;
};

struct ipv6 {
	__u32 version_flow_be;
	__u16 len_be;
	__u8 proto, hops;
	__u32 src_be[4], dst_be[4];
};

struct tcp {
	__u16 sport_be, dport_be;
	__u32 seq_be, ack_be;
	__u8 offset, flags;
	__u16 window_be;
	__u16 check;
	__u16 urgent_be;
};

struct arp {
	__u16 hardware_be, protocol_be;
	__u8 hardware_len, protocol_len;
	__u16 operation_be;
	__u8 sender_mac[6], sender[4];
	__u8 target_mac[6], target[4];
};
