package main

import (
	"fmt"
	"path/filepath"
	"sync/atomic"

	"moat/store"
)

func (b *bench) writes() error {
	section("Create and authorize: durable, synced, with their audit events")
	groups := 20_000 // so many that they stay small
	if b.short {
		groups = 2000
	}
	d, err := b.dataset("write", groups, 2)
	if err != nil {
		return err
	}
	defer d.stop()
	bare, err := startBareEtcd(filepath.Join(b.dir, "bare"))
	if err != nil {
		return err
	}
	defer bare.stop()
	createBatch, authBatch, err := sampleBatches()
	if err != nil {
		return err
	}
	p, motoSigner, motoVPC, err := b.startMoto()
	if err != nil {
		return err
	}
	defer p.stop()

	one, many, slow := 400, 6000, 60
	if b.short {
		one, many, slow = 100, 1000, 20
	}
	var serial atomic.Int64
	create := func(s *signer, vpc string, n, conns int) func() load {
		return func() load {
			at := int(serial.Add(int64(n))) - n
			return load{addr: s.addr, conns: conns, reqs: s.requests(n, "CreateSecurityGroup", func(i int) params {
				name := fmt.Sprintf("made-%09d", at+i)
				return createGroup(name, vpc, name)
			})}
		}
	}
	// Each round adds a rule to each group in turn, so that groups stay small.
	auth := func(s *signer, ids []string, n, conns int) func() load {
		return func() load {
			at := int(serial.Add(int64(n))) - n
			return load{addr: s.addr, conns: conns, reqs: s.requests(n, "AuthorizeSecurityGroupIngress", func(i int) params {
				return authorize(ids[(at+i)%len(ids)], "", (at+i)/len(ids)%60_000, 1)
			})}
		}
	}
	var motoIDs []string
	if p != nil {
		if motoIDs, err = fill(motoSigner, motoVPC, 100, 0, 1); err != nil {
			return err
		}
	}
	etcd := func(name string, batch *store.Batch) *candidate {
		return &candidate{name: name, measure: func() (*result, error) { return bare.write(one, batch) }}
	}
	for _, w := range []struct {
		name       string
		ours, moto func(n, conns int) func() load
		batch      *store.Batch
	}{
		{"create",
			func(n, conns int) func() load { return create(&d.signer, d.vpc, n, conns) },
			func(n, conns int) func() load { return create(motoSigner, motoVPC, n, conns) }, createBatch},
		{"authorize",
			func(n, conns int) func() load { return auth(&d.signer, d.IDs, n, conns) },
			func(n, conns int) func() load { return auth(motoSigner, motoIDs, n, conns) }, authBatch},
	} {
		base, again := etcd("etcd", w.batch), etcd("etcd again", w.batch)
		single := &candidate{name: "moat, 1 connection", load: w.ours(one, 1)}
		group := &candidate{name: "moat, 32 connections", load: w.ours(many, 32)}
		cs := []*candidate{base, single, again, group}
		var moto *candidate
		if p != nil {
			moto = &candidate{name: "moto", load: w.moto(slow, 1)}
			cs = append(cs, moto)
		}
		if err := rounds(b.rounds, cs); err != nil {
			return err
		}
		over := make([]float64, len(single.rounds))
		noise := make([]float64, len(single.rounds))
		for i := range over {
			over[i] = medianMs(single.rounds[i]) - medianMs(base.rounds[i])
			noise[i] = medianMs(again.rounds[i]) - medianMs(base.rounds[i])
		}
		fmt.Printf("%-10s bare etcd %.3f ms (A/A %+.3f), moat at 1 connection %.3f ms, %.0f/s; at 32 connections %.0f/s, median %.2f ms\n", w.name,
			base.of(medianMs), median(noise), single.of(medianMs), single.of(rate), group.of(rate), group.of(medianMs))
		goal(w.name+", 1 connection: median above the bare transaction", "at most 0.3 ms", fmt.Sprintf("%.3f ms", median(over)), median(over) <= 0.3)
		if moto != nil {
			times := group.against(moto, rate)
			goal(fmt.Sprintf("%s, 32 connections, against moto (%.0f/s)", w.name, moto.of(rate)), "at least 20 times", fmt.Sprintf("%.0f times (%.0f/s)", times, group.of(rate)), times >= 20)
		}
		times := group.of(rate) / recordedMotoCreate
		goal(w.name+", 32 connections, against moto's recorded 190/s", "at least 20 times", fmt.Sprintf("%.0f times (%.0f/s)", times, group.of(rate)), times >= 20)
	}
	return nil
}
