// Command planehost holds a data plane for the benchmark, so that those of two
// versions can be measured in one run: it is built from either tree. It reads what
// is to be bound and in force from standard input, and then, for each further
// line, has the data plane forget its flows. It answers each with a line.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"

	"moat/dataplane"
	"moat/dataplane/ebpf"
	"moat/ruleset"
)

func main() {
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "planehost:", err)
		os.Exit(1)
	}
}

func run(pins, identity string) error {
	ctx := context.Background()
	var in struct {
		Rules    *ruleset.Ruleset
		Bindings []dataplane.Binding
	}
	lines := bufio.NewReader(os.Stdin)
	line, err := lines.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &in)
	}
	if err != nil {
		return err
	}
	plane, err := ebpf.Open(ebpf.Options{Identity: identity, PinDir: pins})
	if err != nil {
		return err
	}
	defer os.RemoveAll(pins + "/" + identity)
	defer plane.Close()
	bind := func() error {
		for _, b := range in.Bindings {
			if err := plane.Unbind(ctx, b.Interface); err != nil {
				return err
			}
			if err := plane.Bind(ctx, b); err != nil {
				return err
			}
		}
		return nil
	}
	if err := bind(); err != nil {
		return err
	}
	if err := plane.Apply(ctx, in.Rules); err != nil {
		return err
	}
	for {
		fmt.Println("ok")
		if _, err := lines.ReadString('\n'); err != nil {
			for _, b := range in.Bindings {
				plane.Unbind(ctx, b.Interface)
			}
			return nil
		}
		if err := bind(); err != nil {
			return err
		}
	}
}
