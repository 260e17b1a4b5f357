package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"

	"moat/dataplane/ebpf"
	"moat/ruleset"
)

// scenarios are where the firewall is measured, with the shares of the
// unfiltered rate to hold with 1,000 rules, in the order of workloads; 0 where
// it is to be in the noise.
var scenarios = []struct {
	name, title string
	bridge      bool
	shares      [5]float64
}{
	{"NIC", "Firewall: the host's own NIC, one interface", false, [...]float64{0.92, 0.78, 0.90, 0.90, 0}},
	{"bridge", "Firewall: a bridge, both ends enforced", true, [...]float64{0.90, 0.70, 0.88, 0.94, 0}},
}

var ruleCounts = []int{10, 1000, 10_000}

// firewall compares Moat's data plane, with all that it does by default, with
// no filter and with nftables.
func (b *bench) firewall() error {
	if os.Getuid() != 0 {
		return errors.New("needs root: it makes network namespaces and loads programs into the kernel")
	}
	for _, tool := range []string{"ip", "nft", "sysctl"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("needs %s: apt-get install iproute2 nftables procps", tool)
		}
	}
	// Threads that call the kernel directly do not give up their place in the
	// runtime, and cannot be stopped for its collector.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(8))
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	for _, s := range scenarios {
		section(s.title)
		if err := b.scenario(s.name, s.bridge, s.shares); err != nil {
			return err
		}
		runtime.GC()
	}
	return nil
}

func (b *bench) scenario(name string, bridge bool, shares [5]float64) error {
	var undo []func()
	defer func() {
		for _, f := range slices.Backward(undo) {
			f()
		}
	}()
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, unix.SIGTERM)
	defer signal.Stop(interrupted)

	worlds, err := worlds(bridge, &undo)
	if err != nil {
		return err
	}
	for _, w := range worlds {
		if err := w.proves(); err != nil {
			return err
		}
	}
	turns, turn := 21, 100*time.Millisecond
	if b.short {
		turns, turn = 3, 50*time.Millisecond
	}
	if b.fixed {
		turns, turn = b.rounds, b.length
	}
	note("work per second of processor time, in %d rounds of %v; each column is the share of no filter's in the same round", turns, turn)
	fmt.Printf("%-24s %20s %5s", "", "no filter", "A/A")
	for _, w := range worlds[2:] {
		fmt.Printf(" | %9s", w.name)
	}
	fmt.Println()
	var goals []func()
	for i, load := range workloads {
		cs := map[string]*candidate{}
		var turning []*candidate
		for _, w := range worlds {
			c := &candidate{name: w.name, measure: func() (*result, error) {
				select {
				case s := <-interrupted:
					return nil, errors.New(s.String())
				default:
				}
				t, err := load.run(&w.path, turn)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", load.name, err)
				}
				// The tables are for all on this machine together.
				if load.forget && w.forget != nil {
					if err := w.forget(); err != nil {
						return nil, err
					}
				}
				return &result{rate: t.work / t.cpu.Seconds(), byteps: t.work / t.wall.Seconds()}, nil
			}}
			cs[w.name] = c
			turning = append(turning, c)
		}
		if err := rounds(turns, turning); err != nil {
			return err
		}
		none := turning[0]
		share := func(kind string, n int) float64 { return cs[fmt.Sprintf("%s %d", kind, n)].against(none, rate) }
		fmt.Printf("%-24s %20s %5.2f", load.name, fmt.Sprintf("%.0f %s/s", none.of(rate), load.unit), turning[1].against(none, rate))
		for _, c := range turning[2:] {
			fmt.Printf(" | %9.3f", c.against(none, rate))
		}
		fmt.Println()
		goals = append(goals, func() {
			what := name + ", " + load.name
			got := share("moat", 1000)
			if shares[i] == 0 {
				noise := max(0.03, spread(turning[1], none))
				goal(what, fmt.Sprintf("in the noise, 1 ± %.2f", noise), fmt.Sprintf("%.3f", got), got >= 1-noise)
				return
			}
			goal(what+", 1,000 rules", fmt.Sprintf("at least %.2f, aim 0.95", shares[i]), fmt.Sprintf("%.3f", got), got >= shares[i])
			for _, n := range ruleCounts {
				m, f := share("moat", n), share("nft", n)
				goal(fmt.Sprintf("%s, %d rules, against nftables", what, n), "ahead", fmt.Sprintf("%.3f to %.3f", m, f), m > f)
			}
			for _, n := range []int{10, 10_000} {
				r := cs[fmt.Sprintf("moat %d", n)].against(cs["moat 1000"], rate)
				goal(fmt.Sprintf("%s, %d rules against 1,000", what, n), "0.95 to 1.05", fmt.Sprintf("%.3f", r), math.Abs(r-1) <= 0.05)
			}
		})
	}
	fmt.Println()
	for _, g := range goals {
		g()
	}
	return nil
}

// worlds makes all candidates: no filter twice, then Moat and nftables with
// each number of rules.
func worlds(bridge bool, undo *[]func()) ([]*world, error) {
	const pins = "/sys/fs/bpf/moat-bench"
	ctx := context.Background()
	id := "bench-" + uuid.NewString()
	plane, err := ebpf.Open(ebpf.Options{Identity: id, PinDir: pins})
	if err != nil {
		return nil, err
	}
	*undo = append(*undo, func() {
		plane.Close()
		os.RemoveAll(pins + "/" + id)
		os.Remove(pins)
	})
	var all []*world
	add := func(kind string, rules int) (*world, error) {
		w, err := newWorld(kind, rules, bridge, runtime.NumCPU()-1, undo)
		all = append(all, w)
		return w, err
	}
	for _, name := range []string{"none", "none again"} {
		if _, err := add(name, 0); err != nil {
			return nil, err
		}
	}
	rs := &ruleset.Ruleset{Rev: 1}
	for _, n := range ruleCounts {
		w, err := add("moat", n)
		if err != nil {
			return nil, err
		}
		bindings := w.interfaces(rs)
		w.forget = func() error {
			for _, x := range bindings {
				if err := errors.Join(plane.Unbind(ctx, x.Interface), plane.Bind(ctx, x)); err != nil {
					return err
				}
			}
			return nil
		}
		if err := w.forget(); err != nil {
			return nil, err
		}
	}
	ordered(rs)
	if err := plane.Apply(ctx, rs); err != nil {
		return nil, err
	}
	for _, n := range ruleCounts {
		w, err := add("nft", n)
		if err == nil {
			err = w.nft()
		}
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// spread gives how far the quartiles of a figure against another's are from 1.
func spread(c, base *candidate) float64 {
	v := make([]float64, len(c.rounds))
	for i := range v {
		v[i] = rate(c.rounds[i]) / rate(base.rounds[i])
	}
	slices.Sort(v)
	return max(1-v[len(v)/4], v[len(v)*3/4]-1)
}
