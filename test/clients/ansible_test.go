package clients_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"moat/test/moattest"
	"moat/vpc"
)

// TestAnsible: the amazon.aws collection makes a network with groups, an
// interface and an instance, finds nothing to do the second time, changes what
// was edited and only that, and takes everything away again.
func TestAnsible(t *testing.T) {
	if _, err := exec.LookPath("ansible-playbook"); err != nil {
		t.Skip("no ansible: apt-get install ansible")
	}
	for _, module := range []string{"ansible_collections.amazon.aws", "boto3"} {
		if exec.Command("/usr/bin/python3", "-c", "import "+module).Run() != nil {
			t.Skipf("ansible is here, and /usr/bin/python3 has no %s: apt-get install ansible python3-boto3", module)
		}
	}
	server := moattest.Start(t)
	image := imageForInstances(t)
	all := []string{"vpc", "subnet", "gateway", "routes", "web", "database", "key", "interface", "instance", "address"}
	var kept []string // by the collection's ec2_key and ec2_eip, which look at nothing that was edited
	for _, name := range all {
		if name != "key" && name != "address" {
			kept = append(kept, name)
		}
	}
	for _, run := range []struct {
		what    string
		args    []string
		changed []string
		long    bool
	}{
		{"the first time everything is made", []string{"present.yml"}, all, false},
		{"the second time nothing is", []string{"present.yml"}, nil, false},
		{"after an edit everything edited is changed", []string{"-e", `{"grown":true}`, "present.yml"}, kept, false},
		{"and then nothing is", []string{"-e", `{"grown":true}`, "present.yml"}, nil, true},
		{"everything is taken away", []string{"absent.yml"}, []string{"address", "instance", "interface", "groups", "key", "routes", "gateway", "subnet", "vpc"}, false},
		{"and then there is nothing to take", []string{"absent.yml"}, nil, true},
	} {
		if run.long && os.Getenv("MOAT_TEST_LONG") == "" {
			continue // half a minute: with MOAT_TEST_LONG=1
		}
		began := time.Now()
		changed := playbook(t, server, append([]string{"-e", "image=" + image}, run.args...)...)
		t.Logf("%s: %v", run.what, time.Since(began).Round(time.Second))
		if !slices.Equal(changed, run.changed) {
			t.Fatalf("%s: changed %v, want %v", run.what, changed, run.changed)
		}
	}
}

// playbook runs a playbook of testdata/ansible and gives the names of the tasks
// that changed something.
func playbook(t *testing.T, server *moattest.Server, args ...string) (changed []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, "ansible-playbook", append([]string{"-i", "localhost,", "-c", "local", "-e", "ansible_python_interpreter=/usr/bin/python3"}, args...)...)
	c.Dir = filepath.Join("testdata", "ansible")
	home := t.TempDir()
	c.Env = append(moattest.CleanEnv(), "HOME="+home, "ANSIBLE_LOCAL_TEMP="+home, "LC_ALL=C.UTF-8", "AWS_EC2_METADATA_DISABLED=true",
		"ANSIBLE_STDOUT_CALLBACK=json", "ANSIBLE_PIPELINING=true", "ANSIBLE_DEPRECATION_WARNINGS=false",
		"AWS_URL="+server.URL) // the collection's name for it
	for name, value := range server.Env {
		c.Env = append(c.Env, name+"="+value)
	}
	out, err := c.Output()
	start := max(strings.IndexByte(string(out), '{'), 0) // after warnings
	var said struct {
		Plays []struct {
			Tasks []struct {
				Task  struct{ Name string }
				Hosts map[string]struct {
					Changed, Failed bool
					Msg             any
					Exception       string
				}
			}
		}
	}
	if jsonErr := json.Unmarshal(out[start:], &said); jsonErr != nil {
		t.Fatalf("%v: %v: %s", err, jsonErr, out)
	}
	for _, play := range said.Plays {
		for _, task := range play.Tasks {
			for _, result := range task.Hosts {
				if result.Failed {
					t.Errorf("%s failed: %v\n%s", task.Task.Name, result.Msg, result.Exception)
				}
				if result.Changed {
					changed = append(changed, task.Task.Name)
				}
			}
		}
	}
	if err != nil {
		t.Fatalf("ansible-playbook %s: %v", strings.Join(args, " "), err)
	}
	return changed
}

// imageForInstances is an image of the catalogue, for the machine types that
// the tests launch.
func imageForInstances(t *testing.T) string {
	t.Helper()
	for _, i := range vpc.Images("us-east-1") {
		if i.Arch == "x86_64" {
			return i.ID
		}
	}
	t.Fatal("the catalogue has no image for x86_64")
	return ""
}
