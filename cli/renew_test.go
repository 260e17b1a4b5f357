package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cilium/ebpf"

	"moat/server"
	"moat/test/clause"
)

// A server that cannot read what it has in the kernel leaves it in force, and
// says what to do; done, everything is enforced anew, and nothing else.
func TestDetachForce(t *testing.T) {
	clause.Holds(t, "F55", "F56", "F57", "F63")
	for _, row := range []struct {
		name, says string
		damage     func(t *testing.T, pins string)
	}{
		{"rules that are none", "is not a ruleset", func(t *testing.T, pins string) {
			controls, err := ebpf.LoadPinnedMap(filepath.Join(pins, "v3", "controls"), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer controls.Close()
			words, err := ebpf.LoadPinnedMap(filepath.Join(pins, "v3", "words"), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer words.Close()
			var control [3]uint64
			if err := controls.Lookup(uint32(0), &control); err != nil {
				t.Fatal(err)
			}
			// Where the root says that names are, is nothing.
			if err := words.Put(uint32(control[0])+1, uint64(1)<<31); err != nil {
				t.Fatal(err)
			}
		}},
		{"rules of an older layout", "have this one take their place by `moat detach --force`", func(t *testing.T, pins string) {
			if err := os.Rename(filepath.Join(pins, "v3"), filepath.Join(pins, "v1")); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			l := newLAN(t, "force", "10.213.7.77", "10.213.7.78")
			l.listen(80)
			l.listen(81)
			dir := dataDir(t)
			at := []string{"--data-dir", dir}
			e, stop := start(t, dir)
			if reason := whyNotEnforce(); reason != "" {
				t.Skip(reason)
			}
			force := func() (string, error) { return moat(t, append([]string{"detach", "--force"}, at...)...) }
			eni, group := l.workload(e, "10.213.7.64/28")
			allow(t, e, group, 80)
			mustMoat(t, append([]string{"attach", eni, "--dev", l.dev}, at...)...)
			l.want(true, 80, "allowed")
			if out, err := force(); err == nil {
				t.Errorf("a server that has nothing wrong: %s", out)
			}
			stop()
			pins := filepath.Join(pinDir, strings.TrimSpace(read(t, filepath.Join(dir, identityFile))))
			row.damage(t, pins)
			e, stop = start(t, dir)
			var st server.Status
			until(t, "status says what is wrong", func() bool {
				st = server.Status{}
				return e.admin(t.Context(), "status", nil, &st) == nil && strings.Contains(st.Error, row.says) && strings.Contains(st.Error, "moat detach --force")
			})
			l.want(true, 80, "what was in force, allowed")
			l.want(false, 81, "what was in force, denied")

			open := make(chan struct{})
			leak := make(chan bool)
			go func() { // there is no moment in which the device passes everything
				leaked := false
				for {
					select {
					case <-open:
						leak <- leaked
						return
					default:
						leaked = leaked || l.reaches(81)
					}
				}
			}()
			out, err := force()
			close(open)
			if err != nil || !strings.Contains(out, "is enforced") {
				t.Fatalf("%s: %v", out, err)
			}
			if <-leak {
				t.Error("a packet that no rule allows came through meanwhile")
			}
			if all, _ := filepath.Glob(filepath.Join(pins, "*")); len(all) != 1 || filepath.Base(all[0]) != "v3" {
				t.Errorf("pinned are %v", all)
			}
			l.want(true, 80, "enforced anew, allowed")
			l.want(false, 81, "enforced anew, denied")
			allow(t, e, group, 81)
			l.want(true, 81, "a new rule")
			stop()

			if out, err := force(); err != nil || !strings.Contains(out, l.dev) {
				t.Errorf("with no server: %s %v", out, err)
			}
			if _, err := os.Stat(pins); !os.IsNotExist(err) {
				t.Errorf("pins are left: %v", err)
			}
			l.listen(82)
			l.want(true, 82, "taken out of the kernel")
			_, stop = start(t, dir)
			until(t, "started again, it is enforced", func() bool { return !l.reaches(82) })
			stop()
		})
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
