/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What user space and the programs share: maps' keys and values, each with a
 * Go twin that bpf2go makes of it, and the layout of words. Numbers are in
 * host order unless a name ends in _be. */
#pragma once

#include "kernel.h"

/* A device with an interface on it. */
struct device_key {
	__u32 netns;		/* inode of its network namespace */
	__u32 index;
};

struct device {
	__u32 eni;		/* the interface's number: its place in the root */
	__u32 flags;		/* DEVICE_* */
	__u32 until;		/* seconds of now() from which on it observes; 0: none */
	__u32 attached;		/* 1 when both programs are on it */
};

enum {
	DEVICE_OBSERVE  = 1 << 0,	/* judge and count, drop nothing */
	DEVICE_WORKLOAD = 1 << 1,	/* what the workload sends leaves by it */
	DEVICE_L3       = 1 << 2,	/* it has no Ethernet header */
};

/* A device in a word of a copy's table: index << 32 | eni << 16 | DEVICE_*, and
 * DEVICE_TRIAL if what devices has of it must be read. */
enum { DEVICE_TRIAL = 1 << 3 };

/* What is in force for an interface: what the root in force names. What it does
 * not name belongs to user space, but for what packets may still look at. */
struct rules {
	__u32 block;		/* place in words of its addresses; 0: it passes nothing */
	__u32 policy[2];	/* place in words, by DIR_* */
	__u32 gen[2];		/* grows when a policy may have come to allow less */
	__u32 vpc;		/* number of its VPC, for members */
	__u32 flags;		/* RULES_* */
	__u32 tcp_established;	/* idle times in seconds */
	__u16 udp_stream;
	__u16 udp;
	__u32 flow_limit;	/* allowance of tracked flows, and of half-open ones */
	__u32 half_limit;
	__u32 drain_until;	/* seconds of now() */
	/* What spares most packets a search: one own address of each family, 0 for
	 * none. */
	__u32 own4;
	__u32 adopt_until;	/* seconds of now(), before which TCP that was open already is tracked */
	__u64 own6[2];
	__u64 mac;		/* as it lies in memory */
};

enum {
	RULES_CHECK = 1 << 0,	/* source/dest check */
	RULES_AWS   = 1 << 1,	/* tracked flows outlive their rule, open ones are not tracked */
	RULES_DRAIN = 1 << 2,	/* flows without a rule live until drain_until */
};

struct control {
	/* What is in force: epoch << 32 | place of the root in words. Each update
	 * makes a new root and is one store of this; the epoch is one more then. */
	__u64 root;
	__u64 now_offset;	/* seconds added to the clock, for tests */
	__u64 gens;		/* the last one of rules.gen */
};

/* words is an arena of blocks. Place 0 is nothing.
 *
 * A table of addresses is a list of starts: IPv4 ones of a word, start in the
 * upper half, value in the lower; IPv6 ones as three lists, of the starts' upper
 * halves, of their lower halves, of values. Starts are sorted and cut all
 * addresses into ranges; the value of a range without one is 0.
 *
 * A policy:
 *   0  number of IPv4 starts, number of IPv6 starts (upper half)
 *   1  size of the table of groups, a power of two or 0, POLICY_* (upper half)
 *   2  port set of 0.0.0.0/0, port set of ::/0 (upper half)
 *   3  place of its rules' table of counters, its source
 *   4… table of addresses, its values port sets
 *      table of groups: number in the upper half, port set in the lower; a
 *      group is at its number modulo the size or one of the PROBES places from
 *      there, and not after an empty one
 *      port sets: their number of ranges, then the ranges, disjoint and
 *      sorted, lo << 40 | hi << 16 | rule; lo and hi are protocol << 16 | port
 *      or type << 8 | code, and rule counts from 1
 *      counters of the rules, two in a word
 *      source
 * All places in it are relative to the policy.
 *
 * A block of an interface:
 *   0  numbers of starts of own addresses, IPv4 and IPv6 (upper half)
 *   1  the same of those on its link: its subnet
 *   2  place of its source, relative
 *   3… two tables, their values 1; source
 *
 * A root: revision of the ruleset, place of the block of names, 0, then for each
 * interface by its number its place in slots, two in a word; 0: no ruleset has it.
 *
 * A set of groups: their number, then the groups' numbers.
 *
 * The history of a member's groups: their number, then since << 32 | place of the
 * set, the newest first, the last one whatever the epoch.
 *
 * A source is what user space made a block of: its length in bytes, then the
 * bytes. */
enum {
	POLICY_WORDS = 4,
	BLOCK_WORDS  = 3,
	ROOT_WORDS   = 3,
	ENIS         = 4096,
	HISTORY      = 8,	/* at most so many sets has a history */
	POLICY_OPEN4 = 1 << 0,	/* allows everything to or from everybody, per family */
	POLICY_OPEN6 = 1 << 1,
	PROBES       = 8,
	SET_GROUPS   = 64,	/* at most so many groups has an address */
};

/* x of a protocol without ports is protocol << 16; that of ICMP over IPv6 or
 * ICMPv6 over IPv4, which only a rule for all protocols allows: */
enum { X_STRANGE = 1 };

/* The groups of an address: the place of their set in words, or with
 * MEMBER_HISTORY of its history, and in the upper 16 bits what tells the key. A
 * value of a hash is recycled at once, so that a slow reader could see another's;
 * one aligned word with a sign of its key cannot mislead. */
#define MEMBER_HISTORY (1ull << 32)

struct member4_key {
	__u32 vpc;
	__u32 addr_be;
};

struct member6_key {
	__u32 vpc;
	__u8 addr[16];
};

/* A tracked flow as an interface sees it: one entry for both directions. For
 * ICMP queries the side that asks has the identifier as its port, the other
 * the query's type. */
struct flow4_key {
	__u32 eni;
	__u32 local_be, remote_be;
	__u16 lport_be, rport_be;
	__u8 proto;
	__u8 pad[3];
};

struct flow6_key {
	__u32 eni;
	__u8 local[16], remote[16];
	__u16 lport_be, rport_be;
	__u8 proto;
	__u8 pad[3];
};

enum { DIR_IN = 0, DIR_OUT = 1 };

/* What one side of a flow has sent. Only TCP has sequence numbers. */
struct flow_side {
	__u64 packets, bytes;	/* bytes with all headers */
	__u32 end;		/* sequence number after the last byte that it sent */
	__u32 ack;		/* its highest acknowledgement */
	__u32 limit;		/* the highest right edge of a window that it offered */
	__u32 bits;		/* SIDE_*, its window scale << SIDE_SCALE */
};

enum {
	SIDE_SENT  = 1 << 0,	/* end is known */
	SIDE_ACKED = 1 << 1,	/* ack and limit are known */
	SIDE_SCALE = 8,		/* shift of the scale in use */
	SIDE_ASKED = 16,	/* shift of the scale in the SYN that waits for an answer */
	SIDE_DATA  = 21,	/* shift of how many bytes of data it has, 2047 at most */
};

struct flow_value {
	__u32 seen;		/* seconds of now(), when it last had a packet */
	__u32 gen;		/* of the policy that admitted it; 0 is of none */
	__u32 rule;		/* the counter of the rule that did */
	__u32 bits;		/* SEEN_* of packets in, << 8 those of packets out, FLOW_* */
	__u32 begun;		/* seconds of now(), when it was admitted */
	__u32 syn;		/* what a SYN|ACK must acknowledge to begin the connection */
	struct flow_side side[2];	/* by DIR_* of what it sends */
};

enum {
	SEEN_FIN = 1, SEEN_SYN = 2, SEEN_RST = 4, SEEN_ACK = 16,
	SEEN_ANY = 64,		/* a packet at all */
	SEEN_MORE = 128,	/* a second one */
	FLOW_OUT  = 1 << 16,	/* it was admitted as a packet out */
	FLOW_HALF = 1 << 17,	/* it counts as half-open */
	FLOW_CUT  = 1 << 18,	/* no rule allows it any more: only resets pass */
	FLOW_SYN_IN  = 1 << 19,	/* a SYN in waits for its SYN|ACK */
	FLOW_SYN_OUT = 1 << 20,
};

/* A fragmented packet whose first fragment passed. */
struct frag_key {
	__u64 lhi, llo, rhi, rlo;	/* local and remote address */
	__u32 eni;
	__u32 id;
	__u8 proto;
	__u8 dir;
	__u8 six;
	__u8 pad[5];
};

struct frag_value {
	__u32 end;		/* where the first fragment ends, in bytes */
	__u32 seen;
};

/* What an interface has tracked now. */
struct eni_state {
	__s64 flows[2];		/* IPv4, IPv6 */
	__s64 half;
	__u8 mac[8];		/* the workload's, when it was last learned */
};

/* Three quarters of each table are for whoever comes first, the rest for those
 * that have few flows: ASSURED each. used counts the flows that interfaces have
 * above that. */
enum { ASSURED = 64 };

struct share {
	__s64 used[2];		/* IPv4, IPv6 */
	__s64 limit[2];
};

enum {
	DROP_NO_INTERFACE = 0,	/* no ruleset has it */
	DROP_NO_RULE      = 1,
	DROP_MALFORMED    = 2,
	DROP_FRAGMENT     = 3,	/* its first fragment is not known, or overlaps */
	DROP_VLAN         = 4,
	DROP_PROTOCOL     = 5,	/* neither IP nor ARP */
	DROP_SPOOFED      = 6,	/* it claims an address or a role that its sender does not have */
	DROP_EXTENSIONS   = 7,	/* too many IPv6 extension headers, or a source route */
	DROP_FLOWS        = 8,	/* the allowance of tracked flows is used up */
	DROP_HALF_OPEN    = 9,
	DROP_TABLE_FULL   = 10,	/* or what of it is for all */
	DROP_CUT          = 11,	/* its rule went away */
	DROP_INTERNAL     = 12,	/* a map has no entry where one must be */
	DROP_ARP_SPOOFED  = 13,
	DROP_DESTINATION  = 14,	/* sent to the interface, but for another address, multicast or broadcast */
	DROP_MAC_SPOOFED  = 15,	/* the frame's source is not the interface's */
	DROP_OPTIONS      = 16,	/* IPv4 options that choose or record a route */
	DROP_RATE         = 17,	/* too much of what passes without a rule */
	DROP_REASONS      = 18,
};

/* What passes without a rule. */
enum {
	WITHOUT_RULE_ARP        = 0,
	WITHOUT_RULE_ND         = 1,
	WITHOUT_RULE_MLD        = 2,
	WITHOUT_RULE_DHCP       = 3,
	WITHOUT_RULE_DHCP6      = 4,
	WITHOUT_RULE_ICMP_ERROR = 5,	/* about a tracked flow */
	WITHOUT_RULE_KINDS      = 6,
};

/* Who an interface is on its link, beside its record's MAC. User space writes it
 * when the interface is bound; 0 is none. */
struct link {
	__u64 mac;		/* of its device, or of the first frame that it sent: as it lies in memory */
	__u64 local[2];		/* lower halves of link-local addresses that no MAC gives, host order */
	__u32 flags;		/* LINK_* */
	__u32 second;		/* in which spent was; programs write both */
	__u32 spent[2];		/* of RATE_FIRST and RATE_SECOND */
};

enum { LINK_LEARNS = 1 << 0 };	/* nobody could look: mac is what it sends from first */

/* Counters of an interface, one for each processor. */
struct eni_count {
	__u64 would_drop;
	__u64 drops[18];	/* by DROP_* */
	__u64 without_rule[6];	/* by WITHOUT_RULE_* */
};

struct rule_stat {
	__u64 packets, bytes, connections;
	__u64 last;		/* seconds of now() */
};

/* When expired flows were removed: programs do it where no process does. */
struct reclaim {
	__u32 collected;	/* seconds of now(), when a process last looked to it */
	__u32 next[2];		/* and when a program may again; IPv4, IPv6 */
	__u32 pad;
};

/* What user space asks of the program tend; its packet is this after an
 * Ethernet header, and comes back with the answers. */
enum {
	TEND_EXPIRE = 1,	/* remove the flows that are expired */
	TEND_JUDGE  = 2,	/* cut the flows that no rule allows any more */
	TEND_DROP   = 3,	/* remove the flows */
	TEND_KEYS   = 32,
	TENDED_NOTHING = 0, TENDED_REMOVED = 1, TENDED_CUT = 2,
};

struct tending {
	__u32 what;		/* TEND_* */
	__u32 six;
	__u32 n;
	__u8 done[32];		/* TENDED_*, by key */
	struct flow6_key keys[32];	/* of IPv4 the beginning is a flow4_key */
};

/* What user space asks of the iterators over flows. */
enum {
	WALK_EXPIRED = 1,	/* the expired ones */
	WALK_STALE   = 2,	/* those whose policy changed, of enis; but those of kept rules only of wholly */
	WALK_OF      = 3,	/* those of enis */
	WALK_ENIS    = 4096,
	WALK_RULES   = 131072,
};

struct walk {
	__u32 what;		/* WALK_* */
	__u32 now;		/* iterators have no such clock */
	__u64 enis[WALK_ENIS / 64], wholly[WALK_ENIS / 64];
	__u64 kept[WALK_RULES / 64];	/* rules that allow all they allowed before */
};
