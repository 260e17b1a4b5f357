package ebpf

import (
	"errors"
	"fmt"
	"testing"

	"moat/dataplane"
)

// What another program takes off a device is missed and put back, with links and
// with filters, in one direction or both; after a restart too, which nothing of it
// may prevent. A neighbour that nobody touched stays as it is.
func TestTakenOff(t *testing.T) {
	for _, clsact := range []bool{false, true} {
		for _, dirs := range [][]int{{dirIn}, {dirOut}, {dirIn, dirOut}} {
			for _, restart := range []bool{false, true} {
				t.Run(fmt.Sprintf("clsact %v, directions %v, restart %v", clsact, dirs, restart), func(t *testing.T) {
					l := newLab(t)
					o := Options{Identity: "t-off", ForceClsact: clsact}
					p := open(t, o)
					if err := p.Bind(t.Context(), l.binding); err != nil {
						t.Fatal(err)
					}
					if err := in(t, l.host, func() error { return takeOff(l.binding.Device, dirs...) }); err != nil {
						t.Fatal(err)
					}
					missed := func() error {
						t.Helper()
						all, err := p.Look(t.Context(), false)
						if err != nil || len(all) != 1 || all[0].Index == 0 {
							t.Fatalf("a look finds %+v, %v", all, err)
						}
						return all[0].Degraded
					}
					if restart {
						p.Close()
						p = open(t, o)
					} else if err := missed(); !errors.Is(err, dataplane.ErrTakenOff) {
						t.Errorf("degraded is %v, want ErrTakenOff", err)
					}
					if err := p.Bind(t.Context(), l.binding); err != nil {
						t.Fatal(err)
					}
					if err := missed(); err != nil {
						t.Errorf("put back, and still degraded: %v", err)
					}
				})
			}
		}
	}
}
