package cli

import (
	"strings"
	"testing"
)

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
	} {
		_, err := readBindings(write(t, "bind.yaml", row.text))
		if row.want == "" && err != nil || row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)) {
			t.Errorf("%s got %v, want %q", row.text, err, row.want)
		}
	}
}
