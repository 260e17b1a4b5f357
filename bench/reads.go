package main

import (
	"fmt"
	"time"
)

// recorded are rates of moto's server with 10,000 groups, of the same on two
// cores with little in it, and so on: what to compare with where moto is not
// installed, or takes too long.
const (
	recordedMotoDescribe = 57.0  // by id, 10,000 groups
	recordedMotoCreate   = 190.0 //
	recordedMotoList     = 1.1   // unfiltered, 1,000 groups
)

// asked is a kind of question with equal answers in every dataset: nth gives
// the question about group i.
type asked struct {
	name, action string
	nth          func(d *dataset, i int) params
}

var questions = []asked{
	{"by id", "DescribeSecurityGroups", func(d *dataset, i int) params { return params{"GroupId.1", d.IDs[i]} }},
	{"by tag", "DescribeSecurityGroups", func(d *dataset, i int) params {
		return params{"Filter.1.Name", "tag:team", "Filter.1.Value.1", groupName(i)}
	}},
	{"by name", "DescribeSecurityGroups", func(d *dataset, i int) params {
		// The probe's VPC has groups of the first names too.
		return params{"Filter.1.Name", "group-name", "Filter.1.Value.1", groupName(max(i, probeGroups))}
	}},
	{"by VPC", "DescribeSecurityGroups", func(d *dataset, i int) params {
		return params{"Filter.1.Name", "vpc-id", "Filter.1.Value.1", d.Probe}
	}},
	{"rules of a group", "DescribeSecurityGroupRules", func(d *dataset, i int) params {
		return params{"Filter.1.Name", "group-id", "Filter.1.Value.1", d.IDs[i]}
	}},
}

// pool is how many different groups are asked for, spread over all.
const pool = 4000

func (d *dataset) ask(q asked) [][]byte {
	n := min(pool, len(d.IDs))
	return d.requests(n, q.action, func(i int) params { return q.nth(d, i*len(d.IDs)/n) })
}

func (b *bench) reads() error {
	section("Describe: the same question to 10 and to many groups, two rules each")
	sizes := []int{10, 10_000, 100_000}
	if b.short {
		sizes = []int{10, 500, 3000}
	}
	empty, err := startEmpty(0)
	if err != nil {
		return err
	}
	defer empty.stop()
	var sets []*dataset
	for _, n := range sizes {
		d, err := b.dataset("read", n, 2)
		if err != nil {
			return err
		}
		defer d.stop()
		sets = append(sets, d)
	}
	note("share: of the empty handler's rate; cpu: microseconds of the server's processor time for a request")
	fmt.Printf("%-16s %5s %7s %5s %5s", "question", "conns", "empty/s", "cpu", "A/A")
	for _, n := range sizes {
		fmt.Printf(" | %8s %5s %5s", fmt.Sprintf("%d/s", n), "cpu", "share")
	}
	fmt.Printf(" | last/first\n")
	for _, q := range questions {
		reqs := make([][][]byte, len(sets))
		for i, d := range sets {
			reqs[i] = d.ask(q)
			if _, err := run(load{addr: d.signer.addr, reqs: reqs[i], conns: 4}); err != nil {
				return err
			}
		}
		for _, conns := range []int{1, 16} {
			to := func(addr string, reqs [][]byte) func() load {
				return func() load { return load{addr: addr, reqs: reqs, conns: conns, For: b.length} }
			}
			cs := []*candidate{
				{name: "empty", on: empty, load: to(empty.addr, reqs[0])},
				{name: "empty again", on: empty, load: to(empty.addr, reqs[0])},
			}
			for i, d := range sets {
				cs = append(cs, &candidate{name: "moat", on: d.process, load: to(d.signer.addr, reqs[i])})
			}
			if err := rounds(b.rounds, cs); err != nil {
				return err
			}
			fmt.Printf("%-16s %5d %7.0f %5.1f %5.2f", q.name, conns, cs[0].of(rate), cs[0].cpuEach(), cs[1].against(cs[0], rate))
			worst := 1.0
			for _, c := range cs[2:] {
				share := c.against(cs[0], rate)
				worst = min(worst, share)
				fmt.Printf(" | %8.0f %5.1f %5.2f", c.of(rate), c.cpuEach(), share)
			}
			flat := cs[len(cs)-1].against(cs[2], rate)
			fmt.Printf(" | %.2f\n", flat)
			if conns > 1 || q.name == "by id" {
				goal(fmt.Sprintf("%s, %d connections: share of the empty handler", q.name, conns), "at least 0.5", fmt.Sprintf("%.2f", worst), worst >= 0.5)
				goal(fmt.Sprintf("%s, %d connections: %d groups against %d", q.name, conns, sizes[len(sizes)-1], sizes[0]), "0.9 to 1.1", fmt.Sprintf("%.2f", flat), flat >= 0.9 && flat <= 1.1)
			}
		}
	}
	return b.motoDescribe(sets[1])
}

// motoDescribe compares describes by id with moto's, with equally many groups
// and as many connections.
func (b *bench) motoDescribe(d *dataset) error {
	const conns = 16
	reqs := d.ask(questions[0])
	ours := &candidate{name: "moat", load: func() load { return load{addr: d.signer.addr, reqs: reqs, conns: conns, For: b.length} }}
	p, s, vpc, err := b.startMoto()
	if err != nil {
		return err
	}
	if p == nil {
		if err := rounds(b.rounds, []*candidate{ours}); err != nil {
			return err
		}
		times := ours.of(rate) / recordedMotoDescribe
		goal("by id against moto's recorded 57 a second", "at least 100 times", fmt.Sprintf("%.0f times", times), times >= 100)
		return nil
	}
	defer p.stop()
	began := time.Now()
	ids, err := fill(s, vpc, len(d.IDs), 0, 1)
	if err != nil {
		return err
	}
	note("moto: %d groups without rules made in %.0f s", len(ids), time.Since(began).Seconds())
	theirs := s.requests(len(ids), "DescribeSecurityGroups", func(i int) params { return params{"GroupId.1", ids[i]} })
	moto := &candidate{name: "moto", load: func() load { return load{addr: p.addr, reqs: theirs, conns: conns, For: b.length} }}
	if err := rounds(b.rounds, []*candidate{moto, ours}); err != nil {
		return err
	}
	times := ours.against(moto, rate)
	goal(fmt.Sprintf("by id, %d connections, %d groups, against moto (%.0f/s)", conns, len(ids), moto.of(rate)), "at least 100 times",
		fmt.Sprintf("%.0f times (%.0f/s)", times, ours.of(rate)), times >= 100)
	return nil
}

// startMoto is startMoto, and no process where moto is not to be had.
func (b *bench) startMoto() (*process, *signer, string, error) {
	if !b.moto {
		return nil, nil, "", nil
	}
	p, s, vpc, err := startMoto()
	if err == errNoMoto {
		note("moto's server is not installed (pip install 'moto[server]'): recorded figures stand in for it")
		return nil, nil, "", nil
	}
	return p, s, vpc, err
}
