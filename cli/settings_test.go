package cli

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"moat/vpc"
)

// completed gives the settings of a command line, or why they are refused.
func completed(args ...string) (*settings, error) {
	s, f := &settings{}, pflag.NewFlagSet("serve", pflag.ContinueOnError)
	s.flags(f)
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	return s, s.complete(f)
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	name = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestConfigurationFile(t *testing.T) {
	testSettings(t)                                        // clears the environment
	for _, c := range []struct{ name, text, want string }{ // want "" for accepted
		{"words, numbers, lists", "account: 123456789012\nregions: [us-east-1, eu-west-1]\nhistory: 12h\ninsecure-listen: true\n", ""},
		{"an account is text, also when it looks like an octal number", "account: 012345670123\n", ""},
		{"an account of 11 digits", "account: 12345678901\n", `--account "12345678901"`},
		{"a key without a value", "data-dir:\n", "data-dir: want a value"},
		{"a key with a mapping", "data-dir: {a: b}\n", "data-dir: want a value"},
		{"a list with nothing in it", "regions: [us-east-1, ~]\n", "regions: want a value"},
		{"a key that does not exist", "data_dir: /x\n", `no setting "data_dir"`},
		{"a key twice", "account: 123456789012\naccount: 123456789013\n", "already defined"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := completed("--config", write(t, "moat.yaml", c.text))
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v (account %s, data directory %s), want %s", err, s.account, s.dataDir, c.want)
			}
		})
	}
	s, err := completed("--config", write(t, "moat.yaml", "account: 012345670123\n"))
	if err != nil || s.account != "012345670123" {
		t.Errorf("account %s, %v", s.account, err)
	}
}

func TestQuotasFile(t *testing.T) {
	testSettings(t)
	for _, c := range []struct{ name, text, want string }{
		{"one quota", "rules-per-security-group: 3\n", ""},
		{"nothing", "", ""},
		{"none at all", "vpcs-per-region: 0\n", ""},
		{"less than none", "rules-per-security-group: -1\n", "rules-per-security-group: -1"},
		{"one that does not exist", "rules: 1\n", "rules not found"},
		{"no number", "vpcs-per-region: many\n", "many"},
		{"a second document, which would not be read", "vpcs-per-region: 1\n---\nvpcs-per-region: 2\n", "one YAML document"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := readQuotas(write(t, "quotas.yaml", c.text))
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
	if q, err := readQuotas(write(t, "quotas.yaml", "rules-per-security-group: 3\n")); err != nil || q.RulesPerGroup != 3 || q.VPCsPerRegion != 5 {
		t.Errorf("got %+v, %v: want 3 rules, and the rest as AWS has it", q, err)
	}
}

// The manual shows every quota with its default.
func TestManualHasEveryQuota(t *testing.T) {
	b, err := os.ReadFile("../docs/serve.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(b), "```yaml\nsecurity-groups-per-region")
	text, _, _ = strings.Cut("security-groups-per-region"+text, "```")
	q, err := readQuotas(write(t, "quotas.yaml", text))
	if err != nil || *q != *vpc.DefaultQuotas() {
		t.Errorf("the manual's quotas are %+v, %v", q, err)
	}
	for f := range reflect.TypeFor[vpc.Quotas]().Fields() {
		if name := f.Tag.Get("yaml"); !strings.Contains(text, "\n"+name+":") && !strings.HasPrefix(text, name+":") {
			t.Errorf("the manual lacks %s", name)
		}
	}
}

func TestEmptyVariableIsNone(t *testing.T) {
	testSettings(t)
	t.Setenv("MOAT_DATA_DIR", "")
	if s, err := completed(); err != nil || s.dataDir != defaultDataDir() {
		t.Errorf("data directory %q, %v", s.dataDir, err)
	}
}

func TestEtcdKeyWithoutCertificate(t *testing.T) {
	testSettings(t)
	if _, err := completed("--etcd-key", "key.pem"); err == nil {
		t.Error("a key without its certificate is not used, and was not refused")
	}
}

// TestDirectoryOfOthers holds that a directory such as /tmp keeps its mode.
func TestDirectoryOfOthers(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "thesis"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := lockDataDir(dir); err == nil || !strings.Contains(err.Error(), "thesis") {
		t.Errorf("got %v, want a refusal that names what is there", err)
	}
	if fi, err := os.Stat(dir); err != nil || fi.Mode().Perm() != 0o755 {
		t.Errorf("mode %v, %v: want it as it was", fi.Mode(), err)
	}
	if err := os.Remove(filepath.Join(dir, "thesis")); err != nil {
		t.Fatal(err)
	}
	unlock, err := lockDataDir(dir)
	if err != nil {
		t.Fatalf("an empty directory: %v", err)
	}
	unlock()
	if fi, err := os.Stat(dir); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("mode %v, %v: want it private", fi.Mode(), err)
	}
}

func TestNextCommandIsForAnyDirectory(t *testing.T) {
	here := t.TempDir()
	t.Chdir(here)
	if got, want := envCommandLine("data"), " --data-dir "+shellQuote(filepath.Join(here, "data")); !strings.HasSuffix(got, want) {
		t.Errorf("%s: want it to end with%s", got, want)
	}
}
