package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"moat/server"
	"moat/store"
)

// testSettings gives the settings of a command line for serve. The
// environment of whoever runs the tests names no server.
func testSettings(t *testing.T, args ...string) *settings {
	t.Helper()
	for _, e := range os.Environ() {
		if name, _, _ := strings.Cut(e, "="); strings.HasPrefix(name, "MOAT_") {
			t.Setenv(name, "")
			os.Unsetenv(name)
		}
	}
	s, f := &settings{}, pflag.NewFlagSet("serve", pflag.ContinueOnError)
	s.flags(f)
	if err := f.Parse(append([]string{"--listen", "127.0.0.1:0", "--log-level", "warn"}, args...)); err != nil {
		t.Fatal(err)
	}
	if err := s.complete(f); err != nil {
		t.Fatal(err)
	}
	return s
}

// start serves a data directory until stop is called.
func start(t *testing.T, dir string, args ...string) (e endpoint, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	os.Remove(filepath.Join(dir, endpointFile))
	s := testSettings(t, append(args, "--data-dir", dir)...)
	go func() { ended <- serve(ctx, s) }()
	stop = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
		ended <- nil
	}
	t.Cleanup(stop)
	for {
		if e, err := readEndpoint(dir); err == nil {
			if resp, err := http.Get(e.URL + "/readyz"); err == nil {
				resp.Body.Close()
				return e, stop
			}
		}
		select {
		case err := <-ended:
			t.Fatalf("serve: %v", err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func keysOf(t *testing.T, name string) map[string]string {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all := map[string]string{}
	if _, err := store.ReadBackup(f, func(_ *store.BackupInfo, k string, v []byte) error { all[k] = string(v); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

// The same backup comes from a running server and from its data directory,
// and a server on what is restored from it has the same root key.
func TestBackupRestoreServe(t *testing.T) {
	tmp := t.TempDir()
	dir, other := filepath.Join(tmp, "data"), filepath.Join(tmp, "other")
	running, stopped := filepath.Join(tmp, "running"), filepath.Join(tmp, "stopped")
	first, stop := start(t, dir)
	if err := testSettings(t, "--data-dir", dir).backup(t.Context(), running, true); err != nil {
		t.Fatal(err)
	}
	t.Setenv("MOAT_ENDPOINT_URL", first.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", first.AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", first.SecretAccessKey)
	t.Setenv("AWS_REGION", "eu-west-1")
	s := &settings{dataDir: filepath.Join(tmp, "none")}
	if err := s.backup(t.Context(), filepath.Join(tmp, "by-environment"), false); err != nil {
		t.Errorf("by the environment: %v", err)
	}
	t.Setenv("AWS_SECRET_ACCESS_KEY", "wrong")
	if err := s.backup(t.Context(), filepath.Join(tmp, "nothing"), false); err == nil || !strings.Contains(err.Error(), "SignatureDoesNotMatch") {
		t.Errorf("by the environment with a wrong key: %v", err)
	}
	if _, err := os.Stat(filepath.Join(tmp, "nothing")); err == nil {
		t.Error("a refused backup left a file")
	}
	stop()
	if err := s.backup(t.Context(), filepath.Join(tmp, "nothing"), false); err == nil || !strings.Contains(err.Error(), "no server answers") {
		t.Errorf("when the server of the environment is stopped: %v", err)
	}
	if err := testSettings(t, "--data-dir", dir).backup(t.Context(), stopped, true); err != nil {
		t.Fatal(err)
	}
	// When it stopped the server stored when keys were used last: a record with
	// its event and what was there before, and the head.
	want, more := keysOf(t, running), 0
	for k, v := range keysOf(t, stopped) {
		if _, there := want[k]; !there {
			more++
		} else if want[k] != v && k != "state" {
			t.Errorf("%s is another in the data directory", k)
		}
		delete(want, k)
	}
	if more != 3 || len(want) != 0 {
		t.Errorf("the data directory has %d more keys, and not %d of the running server's", more, len(want))
	}
	if fi, err := os.Stat(running); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("the backup has mode %v, %v; want 0600", fi.Mode(), err)
	}

	if err := testSettings(t, "--data-dir", other).restore(t.Context(), running, true); err != nil {
		t.Errorf("--check: %v", err)
	}
	if _, err := os.Stat(other); err == nil {
		t.Fatal("--check wrote something")
	}
	if err := testSettings(t, "--data-dir", other).restore(t.Context(), running, false); err != nil {
		t.Fatal(err)
	}
	// The backup has the secrets encrypted, and not what decrypts them.
	key, err := os.ReadFile(filepath.Join(dir, secretFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{running} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte(first.SecretAccessKey)) || bytes.Contains(b, key) {
			t.Error("a secret can be read in the backup")
		}
	}
	s = testSettings(t, "--data-dir", other, "--listen", "127.0.0.1:0")
	if err := serve(t.Context(), s); err == nil || !strings.Contains(err.Error(), "secret.key is not there") {
		t.Fatalf("without the key that encrypts secrets: %v", err)
	}
	if err := os.WriteFile(filepath.Join(other, secretFile), key, 0o600); err != nil {
		t.Fatal(err)
	}
	second, _ := start(t, other)
	if second.AccessKeyID != first.AccessKeyID || second.SecretAccessKey != first.SecretAccessKey {
		t.Error("the restored server has another root key")
	}
	if err := testSettings(t, "--data-dir", dir).restore(t.Context(), running, false); err == nil || !strings.Contains(err.Error(), "it holds data at revision") {
		t.Errorf("restoring onto data: %v", err)
	}
	if err := testSettings(t, "--data-dir", other).restore(t.Context(), running, false); err == nil || !strings.Contains(err.Error(), "is in use by process") {
		t.Errorf("restoring under a running server: %v", err)
	}
}

// What cannot be restored leaves the data directory as it was: not there.
func TestRestoreRefusesBeforeItWrites(t *testing.T) {
	tmp := t.TempDir()
	m := store.NewMemory()
	st, err := store.Open(t.Context(), m, store.Options{NewEventID: func() string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if _, _, err := testSettings(t).readySecrets(t.Context(), st, nil, server.New(st, server.Config{Region: "us-east-1", Account: "123456789012"})); err != nil {
		t.Fatal(err)
	}
	good := filepath.Join(tmp, "good")
	if err := replaceFile(good, func(w io.Writer) error {
		_, err := store.WriteBackup(t.Context(), m, w, "", time.Now())
		return err
	}); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	flipped := append([]byte(nil), whole...)
	flipped[len(flipped)/2] ^= 1
	for name, content := range map[string][]byte{
		"flipped": flipped, "short": whole[:len(whole)-1], "long": append(append([]byte(nil), whole...), 0), "empty": nil, "other": []byte("{}\n"),
	} {
		file, dir := filepath.Join(tmp, name), filepath.Join(tmp, name+"-data")
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		err := testSettings(t, "--data-dir", dir).restore(t.Context(), file, false)
		if err == nil || !strings.Contains(err.Error(), "nothing was written") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s: the data directory was made", name)
		}
	}
	dir := filepath.Join(tmp, "home")
	if err := os.MkdirAll(filepath.Join(dir, "letters"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := testSettings(t, "--data-dir", dir).restore(t.Context(), good, false); err == nil || !strings.Contains(err.Error(), "holds other things (letters)") {
		t.Errorf("into a directory of other things: %v", err)
	}
	if fi, err := os.Stat(dir); err != nil || fi.Mode().Perm() != 0o755 {
		t.Errorf("the other directory has mode %v now, %v", fi.Mode(), err)
	}
}

func TestBackupOfADirectoryWithoutDatabase(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	if err := testSettings(t, "--data-dir", none).backup(t.Context(), "-", true); err == nil || !strings.Contains(err.Error(), "no server has been started") {
		t.Errorf("a directory that is not there: %v", err)
	}
	if _, err := os.Stat(none); err == nil {
		t.Error("a backup made the data directory")
	}
	if err := testSettings(t, "--data-dir", t.TempDir()).backup(t.Context(), "-", true); err == nil || !strings.Contains(err.Error(), "--etcd") {
		t.Errorf("a directory without a database: %v", err)
	}
}

// The last good file stays until the next one is whole.
func TestReplaceFile(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "file")
	write := func(text string, err error) func(io.Writer) error {
		return func(w io.Writer) error {
			io.WriteString(w, text)
			return err
		}
	}
	failed := errors.New("failed")
	if err := replaceFile(name, write("one", nil)); err != nil {
		t.Fatal(err)
	}
	if err := replaceFile(name, write("tw", failed)); !errors.Is(err, failed) {
		t.Errorf("got %v, want the writer's error", err)
	}
	if b, _ := os.ReadFile(name); string(b) != "one" {
		t.Errorf("after a failure the file holds %q, want what it held", b)
	}
	if err := replaceFile(name, write("three", nil)); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(name); string(b) != "three" {
		t.Errorf("the file holds %q", b)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("beside the file there are %v", left)
	}
	if err := replaceFile("/dev/null", write("", nil)); err == nil {
		t.Error("/dev/null was replaced")
	}
}

// Every command reads the configuration file of serve.
func TestConfigurationFileOfOtherCommands(t *testing.T) {
	file := filepath.Join(t.TempDir(), "moat.yaml")
	for _, row := range []struct{ text, wrong string }{
		{"data-dir: /srv/moat\nlisten: 127.0.0.1:1\nhistory: 30d\n", ""},
		{"data-dir: /srv/moat\ncolour: red\n", `there is no setting "colour"`},
	} {
		if err := os.WriteFile(file, []byte(row.text), 0o600); err != nil {
			t.Fatal(err)
		}
		testSettings(t) // clears the environment
		s, f := &settings{}, pflag.NewFlagSet("backup", pflag.ContinueOnError)
		s.placeFlags(f)
		s.etcdFlags(f)
		if err := f.Parse([]string{"--config", file}); err != nil {
			t.Fatal(err)
		}
		err := s.find(f)
		if row.wrong == "" && (err != nil || s.dataDir != "/srv/moat") {
			t.Errorf("data-dir %q, %v", s.dataDir, err)
		}
		if row.wrong != "" && (err == nil || !strings.Contains(err.Error(), row.wrong)) {
			t.Errorf("got %v, want %s", err, row.wrong)
		}
	}
}
