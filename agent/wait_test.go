package agent_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"moat/agent"
	"moat/dataplane/ebpf"
	"moat/flow"
	"moat/state"
	"moat/store"
	"moat/vpc"
)

// BenchmarkWaitKernel measures what a write waits for the kernel, on a host whose
// rules refer to a group of 100,000 members: from the answer of the store until
// packets obey. As root:
//
//	go test ./agent -run XXX -bench WaitKernel -benchtime 300x
func BenchmarkWaitKernel(b *testing.B) {
	if os.Getuid() != 0 {
		b.Skip("needs root: it makes a network namespace and loads programs into the kernel")
	}
	netns := "moat-t-" + uuid.NewString()[:8]
	for _, line := range []string{"netns add " + netns, "-n " + netns + " link add d0 type veth peer name d1"} {
		if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
			b.Fatalf("ip %s: %v: %s", line, err, out)
		}
		b.Cleanup(func() { exec.Command("ip", "netns", "del", netns).Run() })
	}
	st, err := store.Open(b.Context(), store.NewMemory(), store.Options{NewEventID: uuid.NewString})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { st.Close() })
	id, pins := uuid.NewString(), "/sys/fs/bpf/moat-test"
	plane, err := ebpf.Open(ebpf.Options{Identity: id, PinDir: pins})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		plane.Unbind(context.Background(), eni)
		plane.Close()
		os.RemoveAll(pins + "/" + id)
		os.Remove(pins)
	})
	n := uint64(0)
	write := func(plan func(tx *state.Txn)) uint64 {
		b.Helper()
		_, rev, err := st.Write(b.Context(), &store.Write{
			Call: state.Call{Scope: scope, Now: time.Now(), Random: func() uint64 { n++; return n << 36 }},
			Plan: func(tx *state.Txn) (any, error) { plan(tx); return nil, nil },
		})
		if err != nil {
			b.Fatal(err)
		}
		return rev
	}
	member := func(i int) *vpc.Interface {
		return &vpc.Interface{ID: vpc.InterfaceID(fmt.Sprintf("eni-m%d", i)), VPC: "vpc-1", Subnet: "subnet-1", Groups: []vpc.GroupID{"sg-all"},
			Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 1 + byte(i>>16), byte(i >> 8), byte(i)})}}
	}
	group := func(port int32) func(tx *state.Txn) {
		return func(tx *state.Txn) {
			g := &vpc.SecurityGroup{ID: "sg-web", VPC: "vpc-1", Name: "web", Rules: []vpc.Rule{
				{ID: "sgr-a", Protocol: flow.TCP, Ports: flow.PortRange{From: 22, To: 22}, Peer: vpc.Peer{Ref: "sg-all"}}}}
			for r := range int32(100) {
				p := 1000 + (port+r)%50_000
				g.Rules = append(g.Rules, vpc.Rule{ID: vpc.RuleID(fmt.Sprintf("sgr-%d", r)), Protocol: flow.TCP, Ports: flow.PortRange{From: p, To: p}, Peer: vpc.Peer{CIDR: netip.MustParsePrefix("0.0.0.0/0")}})
			}
			state.Groups.Put(tx, g)
		}
	}
	write(func(tx *state.Txn) {
		state.VPCs.Put(tx, &vpc.VPC{ID: "vpc-1"})
		state.Subnets.Put(tx, &vpc.Subnet{ID: "subnet-1", VPC: "vpc-1"})
		state.Interfaces.Put(tx, &vpc.Interface{ID: eni, VPC: "vpc-1", Groups: []vpc.GroupID{"sg-web"}, Attachment: &vpc.Attachment{Device: &vpc.Device{Host: host, Name: "d0", Netns: "/run/netns/" + netns}}})
	})
	for i := 0; i < 100_000; i += 500 {
		write(func(tx *state.Txn) {
			for j := range 500 {
				state.Interfaces.Put(tx, member(i+j))
			}
		})
	}
	rev := write(group(0))
	a := agent.New(agent.Config{Source: st, Plane: plane, Host: host})
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan struct{})
	go func() { defer close(done); a.Run(ctx) }()
	b.Cleanup(func() { cancel(); <-done })
	if err := a.Wait(ctx, rev); err != nil {
		b.Fatal(err)
	}
	for _, row := range []struct {
		what  string
		write func(i int) func(tx *state.Txn)
	}{
		{"a rule changes", func(i int) func(tx *state.Txn) { return group(int32(i)) }},
		{"a member joins or leaves", func(i int) func(tx *state.Txn) {
			return func(tx *state.Txn) {
				if i%2 == 0 {
					state.Interfaces.Put(tx, member(100_000))
				} else {
					state.Interfaces.Delete(tx, member(100_000).ID)
				}
			}
		}},
		{"another group changes", func(i int) func(tx *state.Txn) {
			return func(tx *state.Txn) {
				state.Groups.Put(tx, &vpc.SecurityGroup{ID: "sg-other", VPC: "vpc-1", Description: fmt.Sprint(i)})
			}
		}},
	} {
		b.Run(row.what, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				rev := write(row.write(len(took)))
				began := time.Now()
				if err := a.Wait(ctx, rev); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms/median")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms/99th")
			b.ReportMetric(0, "ns/op")
		})
	}
}
