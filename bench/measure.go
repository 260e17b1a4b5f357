package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A candidate is one of those that are measured against each other.
type candidate struct {
	name string
	on   *process
	// load gives what to send in a round; it is not part of what is timed.
	load func() load
	// measure replaces sending a load, for what is no server.
	measure func() (*result, error)

	rounds []*result
	cpu    time.Duration // that on used in the rounds
}

// rounds measures candidates in turn, in an order that rotates, so that what
// drifts on the machine meets all of them alike. The first round warms up and
// does not count.
func rounds(n int, cs []*candidate) error {
	for i := range n + 1 {
		for j := range cs {
			c := cs[(i+j)%len(cs)]
			var r *result
			var err error
			l := load{}
			if c.load != nil {
				l = c.load()
			}
			var before time.Duration
			if c.on != nil {
				before = c.on.cpu()
			}
			if c.measure != nil {
				r, err = c.measure()
			} else {
				r, err = run(l)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			if i > 0 {
				c.rounds = append(c.rounds, r)
				if c.on != nil {
					r.cpu = c.on.cpu() - before
					c.cpu += r.cpu
				}
			}
		}
	}
	return nil
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	v = slices.Sorted(slices.Values(v))
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

// of gives the median of a figure over the rounds.
func (c *candidate) of(f func(*result) float64) float64 {
	v := make([]float64, len(c.rounds))
	for i, r := range c.rounds {
		v[i] = f(r)
	}
	return median(v)
}

// against gives the median over the rounds of a figure divided by that of
// another candidate in the same round.
func (c *candidate) against(base *candidate, f func(*result) float64) float64 {
	v := make([]float64, len(c.rounds))
	for i := range c.rounds {
		v[i] = f(c.rounds[i]) / f(base.rounds[i])
	}
	return median(v)
}

// cpuEach gives the processor time that the server spent on a request, in
// microseconds. Unlike a rate it hardly changes when the machine is busy.
func (c *candidate) cpuEach() float64 {
	n := 0
	for _, r := range c.rounds {
		n += len(r.timings)
	}
	return float64(c.cpu) / float64(time.Microsecond) / float64(max(n, 1))
}

func rate(r *result) float64       { return r.rate }
func cpuOfOne(r *result) float64   { return float64(r.cpu) / float64(max(len(r.timings), 1)) }
func byteRate(r *result) float64   { return r.byteps }
func medianMs(r *result) float64   { return ms(r.median(whole)) }
func firstMs(r *result) float64    { return ms(r.median(first)) }
func ms(d time.Duration) float64   { return float64(d) / float64(time.Millisecond) }
func mib(n int64) string           { return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20)) }
func section(title string)         { fmt.Printf("\n%s\n%s\n", title, strings.Repeat("-", len(title))) }
func note(format string, a ...any) { fmt.Printf("    "+format+"\n", a...) }

// goal prints a figure of the issue, what was measured and whether it is met.
func goal(what, want string, got string, met bool) {
	mark := "ok  "
	if !met {
		mark = "MISS"
	}
	fmt.Printf("%s %-58s %-26s %s\n", mark, what, want, got)
}
