package main

import "fmt"

func (b *bench) list() error {
	section("Unfiltered describe of 1,000 groups")
	p, s, vpc, err := b.startMoto()
	if err != nil {
		return err
	}
	defer p.stop()
	groups := 1000
	for _, rules := range []int{2, 20} {
		d, err := b.dataset("list", groups, rules)
		if err != nil {
			return err
		}
		defer d.stop()
		req := [][]byte{d.request("DescribeSecurityGroups", nil)}
		r, err := run(load{addr: d.signer.addr, reqs: req, conns: 1})
		if err != nil {
			return err
		}
		size := r.timings[0].bytes
		cold := r.timings[0]
		empty, err := startEmpty(size)
		if err != nil {
			return err
		}
		defer empty.stop()
		var moto *candidate
		if p != nil && rules == 2 {
			if _, err := fill(s, vpc, groups, rules, 1); err != nil {
				return err
			}
			ask := [][]byte{s.request("DescribeSecurityGroups", nil)}
			moto = &candidate{name: "moto", load: func() load { return load{addr: p.addr, reqs: ask, conns: 1, For: b.length} }}
		}
		note("%d rules each: %.2f MB; the first time %.1f ms, first byte after %.2f ms", rules, float64(size)/1e6, ms(cold.whole), ms(cold.first))
		for _, conns := range []int{1, 4} {
			to := func(addr string) func() load {
				return func() load { return load{addr: addr, reqs: req, conns: conns, For: b.length} }
			}
			prepared := &candidate{name: "prepared body", on: empty, load: to(empty.addr)}
			again := &candidate{name: "prepared body again", on: empty, load: to(empty.addr)}
			ours := &candidate{name: "moat", on: d.process, load: to(d.signer.addr)}
			cs := []*candidate{prepared, ours, again}
			if moto != nil && conns == 1 {
				cs = append(cs, moto)
			}
			if err := rounds(b.rounds, cs); err != nil {
				return err
			}
			share := ours.against(prepared, byteRate)
			fmt.Printf("%d rules, %d connections: prepared body %.0f MB/s (A/A %.2f), moat %.0f MB/s, %.0f/s; first byte %.2f ms against %.2f ms; cpu %.2f ms against %.2f ms\n", rules, conns,
				prepared.of(byteRate)/1e6, again.against(prepared, byteRate), ours.of(byteRate)/1e6, ours.of(rate), ours.of(firstMs), prepared.of(firstMs), ours.cpuEach()/1000, prepared.cpuEach()/1000)
			if rules == 20 {
				goal(fmt.Sprintf("list, %d rules, %d connections: share of the prepared body's bytes", rules, conns), "at least 0.5", fmt.Sprintf("%.2f", share), share >= 0.5)
			}
			if conns > 1 {
				continue
			}
			goal(fmt.Sprintf("list, %d rules: first byte", rules), "at most 1 ms", fmt.Sprintf("%.2f ms", ours.of(firstMs)), ours.of(firstMs) <= 1)
			if rules == 2 {
				times := ours.of(rate) / recordedMotoList
				goal("list, 2 rules, against moto's recorded 1.1/s", "at least 500 times", fmt.Sprintf("%.0f times", times), times >= 500)
			}
			if moto != nil {
				times := ours.against(moto, rate)
				goal(fmt.Sprintf("list, 2 rules, against moto (%.2f/s)", moto.of(rate)), "at least 500 times", fmt.Sprintf("%.0f times", times), times >= 500)
			}
		}
	}
	return nil
}
