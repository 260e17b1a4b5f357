package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"github.com/google/uuid"

	"moat/dataplane"
	"moat/ruleset"
)

// tracking compares this tree's programs with those of a commit, in turn in one
// run: what tracking and identity cost. Losses of more than 3 percent of the
// processor time that known and new flows take must be excluded by the 95 percent
// interval of the median.
func (b *bench) tracking() error {
	if os.Getuid() != 0 {
		return errors.New("needs root: it makes network namespaces and loads programs into the kernel")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(8))
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	now, err := buildPlaneHost(".", filepath.Join(b.dir, "planehost-now"))
	if err != nil {
		return err
	}
	tree := filepath.Join(b.dir, "before")
	if err := os.MkdirAll(filepath.Join(tree, "bench", "planehost"), 0o755); err != nil {
		return err
	}
	if err := command("", "sh", "-c", `git -c safe.directory='*' archive "$1" | tar -x -C "$2" && cp bench/planehost/main.go "$2/bench/planehost/"`, "sh", b.against, tree); err != nil {
		return err
	}
	before, err := buildPlaneHost(tree, filepath.Join(b.dir, "planehost-before"))
	if err != nil {
		return err
	}
	for _, s := range scenarios {
		section(fmt.Sprintf("Tracking: %s; this tree against commit %s", s.title, b.against))
		if err := b.trackingScenario(s.name, s.bridge, before, now); err != nil {
			return err
		}
		runtime.GC()
	}
	return nil
}

func buildPlaneHost(tree, to string) (string, error) {
	c := exec.Command("go", "build", "-buildvcs=false", "-o", to, "./bench/planehost")
	c.Dir = tree
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the data plane of %s: %w: %s", tree, err, out)
	}
	return to, nil
}

func (b *bench) trackingScenario(name string, bridge bool, before, now string) error {
	var undo []func()
	defer func() {
		for _, f := range slices.Backward(undo) {
			f()
		}
	}()
	var worlds []*world
	for _, x := range []struct{ name, host string }{{"before", before}, {"before again", before}, {"now", now}} {
		w, err := newWorld(x.name, 1000, bridge, runtime.NumCPU()-1, &undo)
		if err != nil {
			return err
		}
		w.name = x.name
		rs := &ruleset.Ruleset{Rev: 1}
		bindings := w.interfaces(rs)
		ordered(rs)
		if w.forget, err = hostPlane(x.host, rs, bindings, &undo); err != nil {
			return err
		}
		if err := w.proves(); err != nil {
			return err
		}
		worlds = append(worlds, w)
	}
	turns, turn := 61, 100*time.Millisecond
	if b.short {
		turns, turn = 5, 30*time.Millisecond
	}
	if b.fixed {
		turns, turn = b.rounds, b.length
	}
	note("processor time that one takes, in %d rounds of %v with 1,000 rules; ratios of the same round, their median and its 95 %% interval", turns, turn)
	fmt.Printf("%-24s %14s %14s   %-26s %-26s\n", "", "before, ns", "now, ns", "A/A", "now / before")
	for _, load := range workloads {
		var turning []*candidate
		for _, w := range worlds {
			turning = append(turning, &candidate{name: w.name, measure: func() (*result, error) {
				t, err := load.run(&w.path, turn)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", load.name, err)
				}
				if load.forget {
					if err := w.forget(); err != nil {
						return nil, err
					}
				}
				return &result{rate: t.work / t.cpu.Seconds()}, nil
			}})
		}
		if err := rounds(turns, turning); err != nil {
			return err
		}
		cost := func(r *result) float64 { return 1e9 / r.rate }
		same, changed := interval(turning[1], turning[0], cost), interval(turning[2], turning[0], cost)
		unit := ""
		if load.unit == "MB" {
			unit = " (a MB)"
		}
		fmt.Printf("%-24s %14.0f %14.0f   %-26s %-26s%s\n", load.name, turning[0].of(cost), turning[2].of(cost), same, changed, unit)
		if load.name == workloads[0].name || load.name == workloads[1].name {
			defer goal(name+", "+load.name, "at most 1.03", changed.String(), changed.high <= 1.03)
		}
	}
	return nil
}

// hostPlane has a data plane of a version hold a world's devices, until undo.
func hostPlane(bin string, rs *ruleset.Ruleset, bindings []dataplane.Binding, undo *[]func()) (forget func() error, err error) {
	const pins = "/sys/fs/bpf/moat-bench"
	c := exec.Command(bin, pins, "bench-"+uuid.NewString())
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	*undo = append(*undo, func() { in.Close(); c.Wait(); os.Remove(pins) })
	answers := bufio.NewReader(out)
	ask := func(what []byte) error {
		if _, err := in.Write(append(what, '\n')); err != nil {
			return err
		}
		_, err := answers.ReadString('\n')
		if errors.Is(err, io.EOF) {
			err = errors.New("the data plane of " + bin + " has ended")
		}
		return err
	}
	what, err := json.Marshal(map[string]any{"Rules": rs, "Bindings": bindings})
	if err != nil {
		return nil, err
	}
	return func() error { return ask(nil) }, ask(what)
}

// A span is a median with its 95 percent interval.
type span struct{ median, low, high float64 }

func (s span) String() string { return fmt.Sprintf("%.3f (%.3f to %.3f)", s.median, s.low, s.high) }

// interval gives the median ratio of a figure to another candidate's in the same
// round. The interval is that of the binomial distribution of ranks, which assumes
// nothing about how the ratios are spread.
func interval(c, base *candidate, f func(*result) float64) span {
	v := make([]float64, len(c.rounds))
	for i := range v {
		v[i] = f(c.rounds[i]) / f(base.rounds[i])
	}
	slices.Sort(v)
	n := float64(len(v))
	low := max(0, int(math.Floor((n-1.96*math.Sqrt(n))/2)))
	return span{median(v), v[low], v[len(v)-1-low]}
}
