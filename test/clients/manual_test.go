package clients_test

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"moat/test/moattest"
)

var updateManual = flag.Bool("update-manual", false, "write what the commands of README and docs print into those pages")

// TestManual runs what README and docs show: all lines "$ command" in the code blocks of a
// page, in order, from a fresh data directory. It compares what the commands print. Ids and
// the like differ each time, but one id of the page must be one id here. A line "…" stands for
// any lines. Comments of a page that readers do not see prepare this:
//
//	<!-- a fresh data directory -->
//
//	<!-- before the next block:
//	commands
//	-->
func TestManual(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	commands := 0
	for _, path := range append(pages, "../../README.md") {
		for n, s := range sections(t, path) {
			commands += len(s.steps)
			t.Run(fmt.Sprintf("%s/%d", filepath.Base(path), n+1), func(t *testing.T) { s.run(t) })
			if *updateManual {
				s.write(t, path)
			}
		}
	}
	if commands < 10 {
		t.Errorf("the manual shows %d commands: are its blocks read?", commands)
	}
}

// A section is what one reader does.
type section struct{ steps []step }

// A step is a command and what it prints. A hidden one prints anything.
type step struct {
	command string
	want    []string
	hidden  bool
	// With -update-manual, the command and what it printed, in the words of the page.
	typed string
	got   []string
}

// sections gives the sections of a page that have steps.
func sections(t *testing.T, path string) (all []*section) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s, in := &section{}, ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		switch {
		case in == "" && line == "<!-- a fresh data directory -->":
			s = &section{}
		case in == "" && strings.HasPrefix(line, "```"):
			in = "block"
		case in == "" && line == "<!-- before the next block:":
			in = "hidden"
		case in == "hidden" && line == "-->", in != "" && strings.HasPrefix(line, "```"):
			in = ""
		case in == "hidden", in == "block" && strings.HasPrefix(line, "$ "):
			if len(s.steps) == 0 {
				all = append(all, s)
			}
			s.steps = append(s.steps, step{command: strings.TrimPrefix(line, "$ "), hidden: in == "hidden"})
			if in == "block" {
				in = "output"
			}
		case in == "output" && strings.HasPrefix(line, "$ "):
			s.steps = append(s.steps, step{command: line[2:]})
		case in == "output":
			last := &s.steps[len(s.steps)-1]
			last.want = append(last.want, line)
		}
	}
	return all
}

// A reader types what a section shows.
type reader struct {
	*terminal
	server *moattest.Server
	shell  io.Writer
	out    *bufio.Reader
	failed bool // the last command did
	// means has what an id, an address or a path of the page is here.
	means map[string]string
}

// run types the section's commands.
func (s *section) run(t *testing.T) {
	r := newReader(t)
	if slices.ContainsFunc(s.steps, func(p step) bool { return strings.Contains(p.command, "moat demo") }) {
		r.demo()
	}
	if !slices.ContainsFunc(s.steps, func(p step) bool { return strings.HasPrefix(p.command, "eval ") }) {
		r.say(`eval "$(moat env)"`) // what the page takes for granted
	}
	for i, p := range s.steps {
		got := r.typed(p)
		if p.hidden && r.failed {
			t.Fatalf("%s: %s", p.command, strings.Join(got, "\n"))
		}
		if *updateManual {
			r.learn(p.want, got)
			s.steps[i].typed, s.steps[i].got = r.onPage([]string{p.command}, []string{r.here(p.command)})[0], r.onPage(p.want, got)
			continue
		}
		if why := r.differs(p.want, got); why != "" && !p.hidden {
			t.Fatalf("$ %s\n%s\nthe page has\n%s\nit printed\n%s", p.command, why, strings.Join(p.want, "\n"), strings.Join(got, "\n"))
		}
	}
}

func newReader(t *testing.T) *reader {
	t.Helper()
	r := &reader{terminal: newTerminal(t, anyCLI(t)), server: moattest.Start(t), means: map[string]string{}}
	r.set("MOAT_DATA_DIR", r.server.Dir)
	r.set("TZ", "UTC")
	c := exec.Command("bash")
	c.Dir, c.Env = r.home, r.env
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stderr = c.Stdout
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); c.Process.Kill(); c.Wait() })
	r.shell, r.out = in, bufio.NewReader(out)
	// The program, where the README builds it, and sudo, which root does not need.
	r.say("ln -s bin/moat moat; shopt -s expand_aliases; alias sudo=" + map[bool]string{true: "'SUDO_USER=you SUDO_UID=1000 '", false: "false"}[os.Getuid() == 0])
	r.means["/home/you/moat/moat"] = filepath.Join(r.home, "moat")
	return r
}

// demo skips the test where `moat demo` cannot work, and removes the demo in the end.
func (r *reader) demo() {
	if out := r.say(`(eval "$(moat env)"; moat status)`); !regexp.MustCompile(`(?m)^data plane +ebpf$`).MatchString(strings.Join(out, "\n")) {
		r.t.Skipf("the server cannot enforce here: %s", out)
	}
	r.t.Cleanup(func() {
		if _, err := os.Stat(filepath.Join(r.server.Dir, "demo.json")); err == nil {
			r.try("moat demo --clean")
		}
	})
}

// typed types a step and gives the lines that are printed.
func (r *reader) typed(p step) []string {
	command := r.here(p.command)
	asks := regexp.MustCompile(`Go ahead\? \[y/N\] ?(.*)`).FindStringSubmatch(strings.Join(p.want, "\n"))
	switch {
	case strings.HasPrefix(command, "go build "): // newReader has done that
		return p.want
	case strings.HasSuffix(command, "moat serve"): // and that
		return strings.Split(strings.TrimSpace(r.server.Stdout()), "\n")
	case asks != nil:
		return r.say(fmt.Sprintf(`printf '%s\n' | NO_COLOR=1 script -qec '%s' --echo never /dev/null | tr -d '\r' | sed 's/\(Go ahead? .y.N.\) /\1 %s\n/'`, asks[1], command, asks[1]))
	case strings.Contains(command, "cat <&3"):
		return r.held(command, len(p.want))
	}
	return r.say(command)
}

// say types a line and waits until it is done.
func (r *reader) say(line string) (out []string) {
	r.t.Helper()
	const end = "— status "
	fmt.Fprintf(r.shell, "%s\nprintf '%s%%d\\n' $?\n", line, end)
	for {
		l, err := r.out.ReadString('\n')
		l = strings.TrimRight(l, "\n")
		if before, status, ok := strings.Cut(l, end); ok {
			if before != "" {
				out = append(out, before)
			}
			r.failed = status != "0"
			return out
		}
		if err != nil {
			r.t.Fatalf("%s: the shell ended: %v %q", line, err, out)
		}
		out = append(out, l)
	}
}

// here replaces what has another value here than on the page.
func (r *reader) here(text string) string {
	for _, theirs := range slices.Backward(slices.SortedFunc(maps.Keys(r.means), func(a, b string) int { return len(a) - len(b) })) {
		text = strings.ReplaceAll(text, theirs, r.means[theirs])
	}
	return text
}

var (
	// named is what stands for a thing: on the page another than here, and the same
	// thing wherever it stands.
	named = regexp.MustCompile(`\b[a-z]+-[0-9a-f]{17}\b|http://127\.0\.0\.1:\d+|\b172\.31\.\d+\.\d+\b|\b127\.0\.0\.1:\d+|\b[0-9a-f]{64}\b`)
	// passing is different each time.
	passing = regexp.MustCompile(`\d+(\.\d+)? m?s\b( ago)?|just now|\d+ min ago|\d{4}-\d\d-\d\dT? ?\d\d:\d\d:\d\dZ?|\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT|:\d{5}\b|Content-Length: \d+`)
	// env is the command that gives a shell its variables: it names the program's path.
	env    = regexp.MustCompile(`\$\((sudo )?\S*moat env[^)]*\)`)
	spaces = regexp.MustCompile(`  +`)
)

// shape is what a line has in common with another time's.
func shape(s string) string {
	s = strings.ReplaceAll(env.ReplaceAllString(s, "$$(moat env)"), "./moat", "moat")
	s = passing.ReplaceAllString(named.ReplaceAllString(s, "<it>"), "<time>")
	return strings.TrimSpace(spaces.ReplaceAllString(s, "  "))
}

// differs compares what the page has with what was printed, and learns what the names of the
// page are here. It gives the first difference.
func (r *reader) differs(want, got []string) string {
	got = slices.DeleteFunc(slices.Clone(got), func(l string) bool { return strings.TrimSpace(l) == "" })
	want = slices.DeleteFunc(slices.Clone(want), func(l string) bool { return strings.TrimSpace(l) == "" })
	for len(want) > 0 {
		if want[0] == "…" {
			if len(want) == 1 {
				return ""
			}
			for len(got) > 0 && r.line(want[1], got[0], false) != "" {
				got = got[1:]
			}
			want = want[1:]
			continue
		}
		if len(got) == 0 {
			return "it did not print: " + want[0]
		}
		if why := r.line(want[0], got[0], true); why != "" {
			return why
		}
		want, got = want[1:], got[1:]
	}
	if len(got) > 0 {
		return "it printed too: " + got[0]
	}
	return ""
}

// line compares a line.
func (r *reader) line(want, got string, learn bool) string {
	theirs, ours := named.FindAllString(r.paths(want), -1), named.FindAllString(got, -1)
	if a, b := shape(r.paths(want)), shape(got); a != b {
		return fmt.Sprintf("differs: %s\n     got: %s", a, b)
	}
	if !learn {
		return ""
	}
	for i, name := range theirs {
		if known, ok := r.means[name]; ok && known != ours[i] {
			return fmt.Sprintf("%s was %s before, and is %s", name, known, ours[i])
		}
		for other, it := range r.means {
			if it == ours[i] && other != name {
				return fmt.Sprintf("%s is %s, which the page called %s before", ours[i], name, other)
			}
		}
		r.means[name] = ours[i]
	}
	return ""
}

// learn learns the ids of output that may differ in other things too: the first id of a
// kind that the page has there is the first of that kind here, and so on.
func (r *reader) learn(want, got []string) {
	kind := func(id string) string { k, _, ok := strings.Cut(id, "-"); return map[bool]string{true: k}[ok] }
	ours := named.FindAllString(strings.Join(got, "\n"), -1)
	for _, theirs := range named.FindAllString(strings.Join(want, "\n"), -1) {
		i := slices.IndexFunc(ours, func(o string) bool { return kind(o) == kind(theirs) })
		if _, ok := r.means[theirs]; i >= 0 && !ok {
			r.means[theirs] = ours[i]
		}
		if i >= 0 {
			ours = slices.Delete(ours, i, i+1)
		}
	}
}

// onPage gives what the page should have for what was printed.
func (r *reader) onPage(want, got []string) []string {
	r.means["http://127.0.0.1:4599"] = r.server.URL
	if more := slices.Index(want, "…"); more >= 0 && more < len(got) {
		got = append(slices.Clone(got[:more]), "…")
	}
	got = slices.Clone(got)
	for i, g := range got {
		at := slices.IndexFunc(want, func(w string) bool {
			return w != g && !slices.Contains(want, g) && shape(r.paths(w)) == shape(g) && !named.MatchString(g)
		})
		if at >= 0 {
			got[i] = want[at]
		}
	}
	text := strings.Join(got, "\n")
	for _, theirs := range []string{"/home/you/moat/moat", "http://127.0.0.1:4599"} {
		text = strings.ReplaceAll(text, r.means[theirs], theirs)
	}
	if len(got) == 0 {
		return nil
	}
	if len(want) > 0 && want[len(want)-1] == "" {
		text += "\n"
	}
	return strings.Split(text, "\n")
}

// write writes what a section printed into its page.
func (s *section) write(t *testing.T, path string) {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	for _, p := range s.steps {
		if p.hidden || p.typed == "" {
			continue
		}
		old := "$ " + p.command + "\n" + strings.Join(append(slices.Clone(p.want), ""), "\n")
		if strings.Count(page, old) < 1 {
			t.Errorf("not found in %s: %s", path, old)
		}
		page = strings.Replace(page, old, "$ "+p.typed+"\n"+strings.Join(append(slices.Clone(p.got), ""), "\n"), 1)
	}
	if err := os.WriteFile(path, []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
}

// paths replaces the README's path of the program.
func (r *reader) paths(text string) string {
	return strings.ReplaceAll(text, "/home/you/moat/moat", r.means["/home/you/moat/moat"])
}

// held types a command that does not end into a terminal of its own, and gives its first lines.
func (r *reader) held(command string, lines int) []string {
	out := filepath.Join(r.home, "held")
	r.say("{ " + command + "; } > " + out + " 2>&1 &")
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if b, _ := os.ReadFile(out); strings.Count(string(b), "\n") >= lines {
			return strings.Split(strings.TrimSpace(string(b)), "\n")
		}
	}
	b, _ := os.ReadFile(out)
	r.t.Fatalf("%s prints only: %s", command, b)
	return nil
}
