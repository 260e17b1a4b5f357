// Command bench measures what Moat promises about its speed and its memory,
// each figure in one run with what it is compared to: docs/benchmarks.md.
//
//	go run ./bench           everything, about a quarter of an hour
//	go run ./bench -short    a minute, to see that it works
//	go run ./bench -only reads,writes,list,big
//	go run ./bench -only permissions
//	go run ./bench -only cli
//	go run ./bench -only firewall    as root: the firewall beside nftables and no filter
//	go run ./bench -only tracking    as root: the firewall beside that of an earlier commit
//	go run ./bench -only fleet       calls that wait for simulated hosts, on a real etcd
//
// It tells what was measured and whether it is what was promised. It never
// fails for being slow: a busy machine is no defect.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// A bench is one run of this program.
type bench struct {
	dir    string // of the data
	bin    string // moat
	short  bool
	rounds int
	length time.Duration // of a round
	fixed  bool          // rounds and length were asked for
	moto   bool
	// against is the commit that tracking compares with.
	against string
}

func main() {
	if len(os.Args) == 4 && os.Args[1] == "empty" {
		fmt.Fprintln(os.Stderr, serveEmpty(os.Args[2], os.Args[3]))
		os.Exit(1)
	}
	var b bench
	var keep, only string
	flag.BoolVar(&b.short, "short", false, "small data and few rounds")
	flag.StringVar(&only, "only", "reads,writes,list,big", "sections to run")
	flag.IntVar(&b.rounds, "rounds", 0, "rounds of each measurement (default 9; short 3)")
	flag.DurationVar(&b.length, "length", 0, "length of a candidate's turn in a round (default 400ms; short 150ms)")
	flag.BoolVar(&b.moto, "moto", true, "compare with moto's server, if it is installed")
	flag.StringVar(&b.against, "against", "bc3fe77", "commit whose firewall tracking compares with")
	flag.StringVar(&keep, "data", "", "directory for the data, kept and used again (default: a temporary one)")
	flag.StringVar(&b.bin, "moat", "", "the binary (default: built from this source)")
	flag.Parse()
	b.fixed = b.rounds > 0 && b.length > 0
	if b.rounds == 0 {
		b.rounds = 9
		if b.short {
			b.rounds = 3
		}
	}
	if b.length == 0 {
		b.length = 400 * time.Millisecond
		if b.short {
			b.length = 150 * time.Millisecond
		}
	}
	if err := b.run(keep, only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (b *bench) run(keep, only string) (err error) {
	tmp, err := os.MkdirTemp("", "moat-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if b.dir = keep; keep == "" {
		b.dir = tmp
	}
	if b.bin == "" && only != "firewall" && only != "tracking" && only != "fleet" {
		if b.bin, err = buildMoat(tmp); err != nil {
			return err
		}
	}
	fmt.Printf("moat's benchmark: %d processors, %s, rounds of %v, medians of %d; ratios are of the same round\n",
		runtime.NumCPU(), runtime.Version(), b.length, b.rounds)
	for _, s := range []struct {
		name string
		run  func() error
	}{{"reads", b.reads}, {"writes", b.writes}, {"list", b.list}, {"big", b.big}, {"permissions", b.permissions}, {"firewall", b.firewall}, {"tracking", b.tracking}, {"fleet", b.fleet}, {"cli", b.cli}} {
		if slices.Contains(strings.Split(only, ","), s.name) {
			if err := s.run(); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
		}
	}
	return nil
}
