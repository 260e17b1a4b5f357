package main

import (
	"fmt"
	"time"
)

func (b *bench) big() error {
	groups := 100_000
	if b.short {
		groups = 3000
	}
	section(fmt.Sprintf("%d groups with 20 rules each", groups))
	d, err := b.dataset("big", groups, 20)
	if err != nil {
		return err
	}
	anon, file := d.rss()
	note("when filled: %s anonymous, %s of the mapped file", mib(anon), mib(file))
	dir, ids := d.dir, d.IDs
	d.stop()

	const restarts = 3
	var took []float64
	var m *moat
	for range restarts {
		if m != nil {
			m.stop()
		}
		var t time.Duration
		if m, t, err = startMoat(b.bin, dir); err != nil {
			return err
		}
		took = append(took, t.Seconds())
	}
	defer func() { m.stop() }()
	anon, file = m.rss()
	note("when ready: %s anonymous, %s of the mapped file", mib(anon), mib(file))
	most := int64(0)
	stop := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for {
			a, _ := m.rss()
			most = max(most, a)
			select {
			case <-stop:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	// Rules that no earlier run has added.
	fresh := 100 + int(time.Now().Unix()%50_000)
	writes := 3000
	if b.short {
		writes = 500
	}
	var medians []float64
	for round := range 3 {
		r, err := run(load{addr: m.signer.addr, conns: 1, reqs: m.requests(writes, "AuthorizeSecurityGroupIngress", func(i int) params {
			at := i * len(ids) / writes
			return authorize(ids[at], "", fresh+round, 1)
		})})
		if err != nil {
			return err
		}
		medians = append(medians, medianMs(r))
	}
	// Reads of all kinds, so that the caches are as full as they get.
	ask := m.requests(2000, "DescribeSecurityGroups", func(i int) params { return params{"GroupId.1", ids[i*len(ids)/2000]} })
	r, err := run(load{addr: m.signer.addr, reqs: ask, conns: 16, For: 2 * time.Second})
	if err != nil {
		return err
	}
	list := [][]byte{m.request("DescribeSecurityGroups", nil)}
	all, err := run(load{addr: m.signer.addr, reqs: list, conns: 1})
	if err != nil {
		return err
	}
	close(stop)
	<-watched
	anon, file = m.rss()
	note("after %d writes, %d reads and a list of everything (%.0f MB in %.1f s, first byte after %.1f ms): %s anonymous, %s of the mapped file",
		3*writes, len(r.timings), float64(all.timings[0].bytes)/1e6, all.timings[0].whole.Seconds(), ms(all.timings[0].first), mib(anon), mib(file))
	goal("anonymous memory, the most of the whole time since ready", "at most 1536, aim 1024 MiB", mib(most), most <= 1536<<20)
	goal("restart to ready", "at most 6 s, aim 3 s", fmt.Sprintf("%.2f s", median(took)), median(took) <= 6)
	goal("a write at 1 connection, median", "below 2 ms", fmt.Sprintf("%.2f ms", median(medians)), median(medians) < 2)
	return nil
}
