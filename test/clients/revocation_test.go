package clients_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"moat/test/etcdtest"
	"moat/test/moattest"
)

// TestRevocation: of two servers on one etcd, what one was told to take away
// the other refuses from the next call on, which is over within 100 ms.
// MOAT_TEST_REVOCATIONS says how often each way is tried.
func TestRevocation(t *testing.T) {
	rounds := 3
	if s := os.Getenv("MOAT_TEST_REVOCATIONS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatalf("MOAT_TEST_REVOCATIONS: %v", err)
		}
		rounds = n
	}
	ran := false
	for _, python := range interpreters("/usr/bin/python3", "python3") {
		if exec.Command(python, "-c", "import boto3").Run() != nil {
			continue
		}
		ran = true
		t.Run(python, func(t *testing.T) {
			etcd := etcdtest.Start(t)
			key := make([]byte, 32)
			rand.Read(key)
			file := filepath.Join(t.TempDir(), "secret.key")
			if err := os.WriteFile(file, []byte(base64.StdEncoding.EncodeToString(key)+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			one := moattest.Start(t, "--etcd", etcd.Endpoint(), "--secret-key-file", file)
			other := moattest.Start(t, "--etcd", etcd.Endpoint(), "--secret-key-file", file)
			c := exec.Command(python, "testdata/revoke.py", one.URL, other.URL, strconv.Itoa(rounds))
			c.Env = append(moattest.CleanEnv(), "HOME="+t.TempDir(), "AWS_EC2_METADATA_DISABLED=true")
			for name, value := range one.Env {
				c.Env = append(c.Env, name+"="+value)
			}
			var stderr bytes.Buffer
			c.Stderr = &stderr
			out, err := c.Output()
			if err != nil {
				t.Fatalf("%v\n%s", err, &stderr)
			}
			var took map[string][]float64
			if err := json.Unmarshal(out, &took); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if len(took) < 13 {
				t.Errorf("only %d ways were tried", len(took))
			}
			for _, what := range slices.Sorted(maps.Keys(took)) {
				ms := slices.Sorted(slices.Values(took[what]))
				median, worst := ms[len(ms)/2], ms[len(ms)-1]
				t.Logf("%-50s refused after %5.1f ms at the median of %d, %5.1f at worst", what, median, len(ms), worst)
				if median > 100 {
					t.Errorf("%s: refused after %.1f ms, want at most 100", what, median)
				}
			}
		})
	}
	if !ran {
		t.Skip("no boto3: apt-get install python3-boto3")
	}
}
