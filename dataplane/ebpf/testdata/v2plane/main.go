// This program is built within the tree of an older commit: it is that commit's data
// plane, which does what it is told on its standard input, one order in a line.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"moat/dataplane"
	"moat/dataplane/ebpf"
	"moat/ruleset"
)

// An order has one of its fields set.
type order struct {
	Open    *ebpf.Options
	Apply   *ruleset.Ruleset
	Members []ruleset.Member // of Apply
	Bind    *dataplane.Binding
	Guard   []dataplane.Pattern
}

func main() {
	var p *ebpf.Plane
	for in, ctx := json.NewDecoder(os.Stdin), context.Background(); ; {
		var o order
		err := in.Decode(&o)
		if err != nil {
			break
		}
		switch {
		case o.Open != nil:
			p, err = ebpf.Open(*o.Open)
		case o.Apply != nil:
			o.Apply.Members = ruleset.NewMembers(o.Members...)
			err = p.Apply(ctx, o.Apply)
		case o.Bind != nil:
			err = p.Bind(ctx, *o.Bind)
		case o.Guard != nil:
			err = p.Guard(ctx, o.Guard)
		}
		fmt.Println(err)
	}
	if p != nil {
		p.Close()
	}
}
