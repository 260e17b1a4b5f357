package awscli_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"moat/test/moattest"
)

// A typist sits at a shell, at a terminal of its own.
type typist struct {
	t      *testing.T
	master *os.File
	mu     sync.Mutex
	screen strings.Builder
}

// sitDown starts a shell.
func sitDown(t *testing.T, env []string, words ...string) *typist {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: 200})
	}
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer slave.Close()
	c := exec.Command(words[0], words[1:]...)
	c.Env, c.Stdin, c.Stdout, c.Stderr = env, slave, slave, slave
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	y := &typist{t: t, master: master}
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			y.mu.Lock()
			y.screen.Write(buf[:n])
			y.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return y
}

// types types something and waits until the screen shows, after what it showed
// before, what is wanted. It gives all that came.
func (y *typist) types(keys, want string) string {
	y.t.Helper()
	y.mu.Lock()
	y.screen.Reset()
	y.mu.Unlock()
	if _, err := y.master.WriteString(keys); err != nil {
		y.t.Fatal(err)
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		y.mu.Lock()
		text := y.screen.String()
		y.mu.Unlock()
		if strings.Contains(text, "command not found") {
			y.t.Fatalf("after %q the terminal shows %q", keys, text)
		}
		if strings.Contains(text, want) {
			return text
		}
		if time.Now().After(end) {
			y.t.Fatalf("after %q the terminal shows no %q but %q", keys, want, text)
		}
	}
}

// bashCompletion is the package bash-completion. Bash must complete with it and
// without it.
const bashCompletion = "/usr/share/bash-completion/bash_completion"

var bash = []string{"bash", "--norc", "--noprofile", "-i"}

// Completion in the shells themselves, by the tabulator key: commands, options,
// words, ids by their beginning, and names beside ids.
func TestCompletionInShells(t *testing.T) {
	s := moattest.Start(t, "--auth", "any", "--wait-enforced", "none")
	h := newHome(t, nil)
	h.env = []string{"AWS_ACCESS_KEY_ID=111111111111", "AWS_SECRET_ACCESS_KEY=x", "AWS_REGION=us-east-1", "AWS_ENDPOINT_URL=" + s.URL}
	bin := moattest.Binary(t)
	id := strings.TrimSpace(h.run(bin, "", "ec2 create-security-group --group-name storefront --description x --query GroupId --output text").out)
	for _, shell := range []struct {
		name  string
		words []string
		setUp string
		list  string // the keys that list what there is, of which bash first completes what all begin with
	}{
		{"bash", bash, ". <(moat completion bash); PS1='> '", "\t\t\t"},
		{"bash with bash-completion", bash, ". " + bashCompletion + "; . <(moat completion bash); PS1='> '", "\t\t\t"},
		{"zsh", []string{"zsh", "-f", "-i"}, "autoload -U compinit; compinit -u -D; . <(moat completion zsh); PS1='> '", "\t\t"},
		{"fish", []string{"fish", "--no-config", "-i"}, "moat completion fish | source; function fish_prompt; echo -n '> '; end", "\t\t"},
	} {
		t.Run(shell.name, func(t *testing.T) {
			if _, err := exec.LookPath(shell.words[0]); err != nil {
				t.Skipf("no %s (apt-get install %[1]s)", shell.words[0])
			}
			if _, err := os.Stat(bashCompletion); err != nil && strings.Contains(shell.setUp, bashCompletion) {
				t.Skip("no bash-completion (apt-get install bash-completion)")
			}
			env := append([]string{"HOME=" + h.dir, "PATH=" + filepath.Dir(bin) + ":" + os.Getenv("PATH"), "TERM=xterm", "LANG=C.UTF-8", "AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER="}, h.env...)
			y := sitDown(t, env, shell.words...)
			y.types(shell.setUp+"; echo se''t\r", "set")
			// erase empties the line.
			erase := func() { y.types("\x15", "") }
			y.types("moat ec2 describe-security-group-ru\t", "les")
			erase()
			y.types("moat ec2 describe-security-groups --max-it\t", "ems")
			erase()
			y.types("moat ec2 create-vpc --instance-tenancy ded\t", "icated")
			erase()
			y.types("moat ec2 describe-security-groups --group-ids "+id[:14]+"\t", id[14:])
			erase()
			y.types("moat ec2 describe-security-groups --group-names stor\t", "efront")
			erase()
			y.types("moat ec2 describe-security-groups --group-ids "+shell.list, "storefront") // beside its id
			erase()
			// And it is the group that was meant.
			y.types("moat ec2 describe-security-groups --output text --query 'SecurityGroups[].GroupName' --group-ids "+id[:14]+"\t", id[14:])
			y.types("\r", "storefront")
		})
	}
}

// TestBashCompletionScript puts a script in the place of moat and checks what
// bash asks it, and what bash makes of its answer.
func TestBashCompletionScript(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("no bash (apt-get install bash)")
	}
	script, err := exec.Command(moattest.Binary(t), "completion", "bash").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, setUp := range []string{". ./completion", ". " + bashCompletion + "; . ./completion"} {
		t.Run(setUp, func(t *testing.T) {
			if _, err := os.Stat(bashCompletion); err != nil && strings.Contains(setUp, bashCompletion) {
				t.Skip("no bash-completion (apt-get install bash-completion)")
			}
			dir := t.TempDir()
			write := func(name, text string) {
				t.Helper()
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			write("completion", string(script))
			write("moat", "#!/bin/sh\nprintf '[%s]' \"$@\" >asked\ncat answer\n")
			write("notes.txt", "kept")
			y := sitDown(t, []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "TERM=xterm", "LANG=C.UTF-8"}, bash...)
			y.types("cd "+dir+"; "+setUp+"; PS1='> '; echo se''t\r", "set")
			for _, row := range []struct{ answer, keys, asked, shown string }{
				{":4", "moat ls \t.", "[ls][]", "."},
				{"sg-1\tweb\nsg-2\tdb\n:4", "moat show s\t\t\t", "[show][sg-]", "sg-1  (web)"},
				{"sg-1\tweb\n:4", "moat show s\t.", "[show][s]", "show sg-1 ."},
				// What bash splits at : and = is one word.
				{"tag:Name=\n:6", "moat find tag:Na\t.", "[find][tag:Na]", "tag:Name=."},
				{"tag:Name=web\n:4", "moat find --x tag:Name=\t.", "[find][--x][tag:Name=]", "tag:Name=web ."},
				{"json\ntext\n:4", "moat ls --output=j\t.", "[ls][--output=j]", "--output=json ."},
				{":4", "moat ls --output=\t.", "[ls][--output=]", "."},
				{":4", "moat ls a:b::c=d= e \t.", "[ls][a:b::c=d=][e][]", "."},
				{"fd00::1\n:4", "moat why 'a b'=c fd00:\t.", "[why][a b=c][fd00:]", "fd00::1 ."},
				// Files are completed, unless the program says that there are none.
				{":0", "moat ls not\t.", "[ls][not]", "notes.txt ."},
				{":0", "moat ls --file=not\t.", "[ls][--file=not]", "notes.txt ."},
				{":4", "moat ls not\t.", "[ls][not]", "."},
				{"txt\n:8", "moat ls not\t.", "[ls][not]", "notes.txt ."},
				{":16", "moat ls \t.", "[ls][]", "."},
				// A redirection is not opened.
				{":4", "moat ls >not\t.", "", "notes.txt ."},
				{":4", "moat ls > not\t.", "", "notes.txt ."},
				{":4", "moat ls 2> not\t.", "", "notes.txt ."},
			} {
				write("asked", "")
				write("answer", row.answer+"\n")
				text := y.types(row.keys, row.shown)
				asked, err := os.ReadFile(filepath.Join(dir, "asked"))
				if err != nil {
					t.Fatal(err)
				}
				want := ""
				if row.asked != "" {
					want = "[__complete]" + row.asked
				}
				if string(asked) != want {
					t.Errorf("%q: asked %s, want %s", row.keys, asked, want)
				}
				if strings.Contains(text, "notes") != strings.Contains(row.shown, "notes") {
					t.Errorf("%q: the terminal shows %q", row.keys, text)
				}
				y.types("\x15", "")
			}
			if b, err := os.ReadFile(filepath.Join(dir, "notes.txt")); err != nil || string(b) != "kept" {
				t.Errorf("notes.txt is %q, %v", b, err)
			}
		})
	}
}
