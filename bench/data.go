package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// A dataset is a moat server with groups in it.
type dataset struct {
	*moat
	IDs []string
	// Probe is a VPC with probeGroups groups and its default one, the same in
	// every dataset.
	Probe string
}

const probeGroups = 4

// dataset starts a server on a directory of its own for a purpose, with groups
// of rules each, which it fills unless an earlier run did.
func (b *bench) dataset(purpose string, groups, rules int) (*dataset, error) {
	dir := filepath.Join(b.dir, fmt.Sprintf("%s-%d-%d", purpose, groups, rules))
	list := filepath.Join(dir, "bench.json")
	m, _, err := startMoat(b.bin, dir)
	if err != nil {
		return nil, err
	}
	d := &dataset{moat: m}
	if data, err := os.ReadFile(list); err == nil {
		return d, json.Unmarshal(data, d)
	}
	began := time.Now()
	if err := d.fill(groups, rules); err != nil {
		m.stop()
		return nil, err
	}
	if groups >= 1000 {
		note("%d groups with %d rules each made in %.1f s through the API", groups, rules, time.Since(began).Seconds())
	}
	data, err := json.Marshal(struct {
		IDs   []string
		Probe string
	}{d.IDs, d.Probe})
	if err == nil {
		err = os.WriteFile(list, data, 0o600)
	}
	return d, err
}

func (d *dataset) fill(groups, rules int) (err error) {
	if d.IDs, err = fill(&d.signer, d.vpc, groups, rules, 64); err != nil {
		return err
	}
	c := &conn{addr: d.signer.addr}
	defer c.close()
	if _, err := c.do(d.request("CreateVpc", params{"CidrBlock", "10.9.0.0/16"}), true); err != nil {
		return err
	}
	d.Probe = element(c.body, "vpcId")
	for i := range probeGroups {
		if _, err := c.do(d.request("CreateSecurityGroup", createGroup(groupName(i), d.Probe, "probe")), false); err != nil {
			return err
		}
	}
	return nil
}
