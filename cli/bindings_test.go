package cli

import (
	"slices"
	"strings"
	"testing"

	"moat/dataplane"
)

// The machine's own devices are guarded only if the file says so.
func TestGuardedOwnNames(t *testing.T) {
	all, err := readBindings(write(t, "bind.yaml", "- {device: vnet*, interface: a}\n- {device: eth0, interface: b, side: workload, guard: true}\n- {device: eth1, interface: c, side: workload}\n"))
	if err != nil {
		t.Fatal(err)
	}
	names, err := guardedNames(nil, all)
	if err != nil || !slices.Equal(names, []dataplane.Pattern{"vnet*"}) {
		t.Errorf("guarded names %q, %v", names, err)
	}
	if own := ownNames(all); !slices.Equal(own, []dataplane.Pattern{"eth0"}) {
		t.Errorf("guarded devices of the machine %q", own)
	}
}

// What a file of --bind may name, and what a refusal says.
func TestBindingsFile(t *testing.T) {
	const loopback = "fits lo, by which the machine speaks to itself"
	for _, row := range []struct{ text, want string }{ // want "" for accepted
		{"- {device: vnet*, interface: \"vm {device}\"}\n", ""},
		{"- {device: lo, interface: web}\n", loopback},
		{"- {device: lo, interface: web, side: workload}\n", loopback},
		{"- {device: lo, interface: web, side: workload, netns: /run/netns/moat-t-nowhere}\n", loopback},
		{"- {device: \"l?\", interface: web, side: workload}\n", loopback},
		{"- {device: \"*\", interface: \"{device}\", side: workload, netns: /proc/thread-self/ns/net}\n", loopback},
		{"- {device: \"*\", interface: \"{device}\", side: workload, netns: /run/netns/moat-t-nowhere}\n", ""}, // lo is left out
		{"- {device: lo0, interface: web}\n", ""},
		{"- {device: eth0, interface: web, side: left}\n", `side "left"`},
		{"- {device: eth0}\n", "binding 1: want device"},
		{"- {device: eth0, interface: web, side: workload, guard: true}\n", ""},
		{"- {device: vnet0, interface: web, guard: true}\n", "guard is for side workload"},
		{"- {device: eth0, interface: web, side: workload, netns: /run/netns/moat-t-nowhere, guard: true}\n", "guard is for side workload"},
	} {
		_, err := readBindings(write(t, "bind.yaml", row.text))
		if row.want == "" && err != nil || row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)) {
			t.Errorf("%s got %v, want %q", row.text, err, row.want)
		}
	}
}
