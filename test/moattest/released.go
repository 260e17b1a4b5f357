package moattest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

// Layout2 is the last commit whose data plane has layout 2 of the kernel's maps.
const Layout2 = "bc3fe7714f8e8f2954a9464169fd76c39bf81b47"

var released struct {
	sync.Mutex
	bins map[string]string // by commit and package
}

// Released builds a program as it was at a commit of this repository's history, once in
// a test process, and returns its path. files are added to the module, by their paths.
// The test is skipped where git or that history is missing.
func Released(tb testing.TB, commit, pkg string, files map[string]string) string {
	tb.Helper()
	released.Lock()
	defer released.Unlock()
	if bin := released.bins[commit+pkg]; bin != "" {
		return bin
	}
	root, err := moduleRoot()
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := exec.LookPath("git"); err != nil {
		tb.Skipf("needs git: it builds %s as of commit %.7s", pkg, commit)
	}
	// The checkout may belong to somebody else.
	git := func(args ...string) *exec.Cmd {
		return exec.Command("git", append([]string{"-c", "safe.directory=*", "-C", root}, args...)...)
	}
	if out, err := git("cat-file", "-e", commit+"^{tree}").CombinedOutput(); err != nil {
		tb.Skipf("needs the history of the repository: it builds %s as of commit %.7s, which is not there (a shallow clone?): %s", pkg, commit, bytes.TrimSpace(out))
	}
	dir, err := workDir()
	if err != nil {
		tb.Fatal(err)
	}
	tree, done, err := treeDir(fmt.Sprintf("moat-test-%.7s-%s", commit, filepath.Base(pkg)), dir)
	if err != nil {
		tb.Fatal(err)
	}
	defer done()
	archive := git("archive", commit)
	unpack := exec.Command("tar", "-x", "-C", tree)
	var said bytes.Buffer
	archive.Stderr, unpack.Stderr = &said, &said
	if unpack.Stdin, err = archive.StdoutPipe(); err != nil {
		tb.Fatal(err)
	}
	if err := unpack.Start(); err != nil {
		tb.Fatal(err)
	}
	if err := archive.Run(); err != nil {
		tb.Fatalf("git archive %s: %v: %s", commit, err, &said)
	}
	if err := unpack.Wait(); err != nil {
		tb.Fatalf("tar: %v: %s", err, &said)
	}
	for name, text := range files {
		at := filepath.Join(tree, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			tb.Fatal(err)
		}
	}
	bin := filepath.Join(dir, fmt.Sprintf("%.7s-%s", commit, filepath.Base(pkg)))
	c := exec.Command("go", "build", "-buildvcs=false", "-o", bin, pkg)
	c.Dir = tree
	if out, err := c.CombinedOutput(); err != nil {
		tb.Fatalf("go build %s as of %.7s: %v\n%s", pkg, commit, err, out)
	}
	if released.bins == nil {
		released.bins = map[string]string{}
	}
	released.bins[commit+pkg] = bin
	return bin
}

// treeDir makes a folder of a name in the user's cache, for one caller at a time: done
// removes it. Go does not compile again what it has compiled at the same path before.
// Where there is no cache, the folder is in other.
func treeDir(name, other string) (dir string, done func(), err error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		dir, err = os.MkdirTemp(other, "tree-")
		return dir, func() { os.RemoveAll(dir) }, err
	}
	dir = filepath.Join(cache, name)
	for {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return "", nil, err
		}
		f, err := os.Open(dir)
		if err != nil {
			continue // another test has just removed it
		}
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
			f.Close()
			return "", nil, err
		}
		mine, err := f.Stat()
		if err != nil {
			f.Close()
			return "", nil, err
		}
		if is, err := os.Stat(dir); err != nil || !os.SameFile(is, mine) {
			f.Close()
			continue
		}
		return dir, func() {
			os.RemoveAll(dir)
			f.Close()
		}, nil
	}
}
