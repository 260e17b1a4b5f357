package ebpf

// The programs are compiled ahead, so that building needs no C compiler; clang
// 14 and libbpf-dev make the same bytes again:
//
//	go generate ./dataplane/ebpf
//
//go:generate go run github.com/cilium/ebpf/cmd/bpf2go@v0.22.0 -target bpfel -cflags "-O2 -g -Wall -Werror -mcpu=v3" -type device_key -type device -type rules -type control -type member4_key -type member6_key -type flow4_key -type flow6_key -type flow_side -type flow_value -type frag_key -type frag_value -type eni_state -type link -type share -type reclaim -type eni_count -type rule_stat -type binding -type tending -type walk bpf bpf/moat.bpf.c

// The doorman is a program of its own: a kernel that has no such programs takes
// the others.
//
//go:generate go run github.com/cilium/ebpf/cmd/bpf2go@v0.22.0 -target bpfel -cflags "-O2 -g -Wall -Werror -mcpu=v3" -type pattern -type doorman -type known doorman bpf/doorman.bpf.c

// What carries the flows of layout 2 is loaded only where there are any.
//
//go:generate go run github.com/cilium/ebpf/cmd/bpf2go@v0.22.0 -target bpfel -cflags "-O2 -g -Wall -Werror -mcpu=v3" upgrade bpf/upgrade.bpf.c
