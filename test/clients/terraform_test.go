package clients_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"moat/test/ec2client"
	"moat/test/moattest"
)

// TestTerraform takes the resources of testdata/terraform through their lives
// with Terraform and the AWS provider: apply, change in place, import into a
// second state, destroy from there; after each a plan that is empty. It takes
// two to three minutes.
//
// It needs terraform in PATH, and provider hashicorp/aws 5.100.0 from where
// the user's configuration of Terraform has it (TF_CLI_CONFIG_FILE,
// ~/.terraformrc), or in the filesystem mirror that is the directory
// MOAT_TEST_TF_MIRROR; without, it is skipped.
func TestTerraform(t *testing.T) {
	if testing.Short() {
		t.Skip("Terraform takes its time: without -short")
	}
	program, err := exec.LookPath("terraform")
	if err != nil {
		t.Skip("no terraform in PATH")
	}
	mirror := os.Getenv("MOAT_TEST_TF_MIRROR")
	server := moattest.Start(t)
	work := t.TempDir()
	tf := terraform{program: program, dir: work, env: append(moattest.CleanEnv(),
		"AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull, "AWS_EC2_METADATA_DISABLED=true",
		"CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1", "TF_INPUT=0", "TF_DATA_DIR="+filepath.Join(work, "data"))}
	for name, value := range server.Env {
		tf.env = append(tf.env, name+"="+value)
	}
	if mirror != "" {
		rc := filepath.Join(work, "rc")
		write(t, rc, fmt.Appendf(nil, "provider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", mirror))
		tf.env = append(tf.env, "TF_CLI_CONFIG_FILE="+rc)
	}
	config, err := os.ReadFile("testdata/terraform/main.tf")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(work, "main.tf"), config)
	if status, out := tf.run(t, "init"); status != 0 {
		if mirror != "" {
			t.Fatalf("terraform init with the mirror in %s:\n%s", mirror, out)
		}
		t.Skipf("no provider hashicorp/aws 5.100.0 (MOAT_TEST_TF_MIRROR may name the directory of a filesystem mirror):\n%s", out)
	}

	client := ec2client.New(server.Env)
	before := whatIs(t, client)
	tf.must(t, "apply", "-auto-approve")
	if slices.Equal(before, whatIs(t, client)) {
		t.Fatal("apply has made nothing")
	}
	tf.planIsEmpty(t)

	out := tf.must(t, "apply", "-auto-approve", "-var=step=second")
	if !strings.Contains(out, " 0 added, ") || !strings.Contains(out, " 0 destroyed.") || strings.Contains(out, " 0 changed, ") {
		t.Errorf("the second step did not change in place, and only that:\n%s", out)
	}
	tf.planIsEmpty(t, "-var=step=second")

	second := tf
	second.dir = t.TempDir()
	imports, n := importBlocks(t, filepath.Join(tf.dir, "terraform.tfstate"))
	write(t, filepath.Join(second.dir, "main.tf"), config)
	write(t, filepath.Join(second.dir, "imports.tf"), imports)
	lock, err := os.ReadFile(filepath.Join(tf.dir, ".terraform.lock.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(second.dir, ".terraform.lock.hcl"), lock)
	out = second.must(t, "apply", "-auto-approve", "-var=step=second")
	if want := fmt.Sprintf("%d imported, 0 added, 0 changed, 0 destroyed.", n); !strings.Contains(out, want) {
		t.Errorf("the import was not: %s\n%s", want, out)
	}
	second.planIsEmpty(t, "-var=step=second")

	second.must(t, "destroy", "-auto-approve", "-var=step=second")
	if after := whatIs(t, client); !slices.Equal(before, after) {
		t.Errorf("before apply there was\n%s\nand after destroy\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
	}
}

// A terraform is a working directory.
type terraform struct {
	program, dir string
	env          []string
}

func (tf *terraform) run(t *testing.T, args ...string) (status int, out string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, tf.program, append(args, "-no-color")...)
	c.Dir, c.Env = tf.dir, tf.env
	c.WaitDelay = 10 * time.Second
	var buf bytes.Buffer
	c.Stdout, c.Stderr = &buf, &buf
	began := time.Now()
	err := c.Run()
	t.Logf("terraform %s: %.1f s", strings.Join(args, " "), time.Since(began).Seconds())
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatalf("terraform %s: %v\n%s", args[0], err, &buf)
	}
	return c.ProcessState.ExitCode(), buf.String()
}

func (tf *terraform) must(t *testing.T, args ...string) string {
	t.Helper()
	status, out := tf.run(t, args...)
	if status != 0 {
		t.Fatalf("terraform %s ended with %d:\n%s", strings.Join(args, " "), status, out)
	}
	return out
}

func (tf *terraform) planIsEmpty(t *testing.T, args ...string) {
	t.Helper()
	if status, out := tf.run(t, append([]string{"plan", "-detailed-exitcode"}, args...)...); status != 0 {
		t.Errorf("terraform plan ended with %d, where 0 is nothing to do:\n%s", status, out)
	}
}

// importBlocks says in Terraform's language to import each resource of a
// state, by the ids that the provider's documentation gives for it.
func importBlocks(t *testing.T, file string) (blocks []byte, n int) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var state struct {
		Resources []struct {
			Mode, Type, Name string
			Instances        []struct{ Attributes map[string]any }
		}
	}
	if err := json.Unmarshal(data, &state); err != nil {
		t.Fatal(err)
	}
	for _, r := range state.Resources {
		if r.Mode != "managed" {
			continue
		}
		a := r.Instances[0].Attributes
		id := a["id"]
		switch r.Type {
		case "aws_route_table_association":
			id = fmt.Sprint(a["subnet_id"], "/", a["route_table_id"])
		case "aws_network_interface_sg_attachment":
			id = fmt.Sprint(a["network_interface_id"], "_", a["security_group_id"])
		case "aws_security_group_rule":
			id = fmt.Sprintf("%v_%v_%v_%v_%v", a["security_group_id"], a["type"], a["protocol"], a["from_port"], a["to_port"])
			if cidrs, _ := a["cidr_blocks"].([]any); len(cidrs) > 0 {
				for _, c := range cidrs {
					id = fmt.Sprint(id, "_", c)
				}
			} else {
				id = fmt.Sprint(id, "_", a["source_security_group_id"])
			}
		}
		blocks = fmt.Appendf(blocks, "import {\n  to = %s.%s\n  id = %q\n}\n", r.Type, r.Name, id)
		n++
	}
	return blocks, n
}

// ids finds those of resources that a client made, not of what hangs on them.
var ids = regexp.MustCompile(`<(vpcId|subnetId|internetGatewayId|routeTableId|groupId|prefixListId|networkInterfaceId|instanceId|keyPairId|allocationId|vpcPeeringConnectionId|volumeId)>([^<]+)<`)

// whatIs lists the resources of the kinds in testdata/terraform. Instances and
// peering connections that have ended are shown for a while, and do not count.
func whatIs(t *testing.T, c *ec2client.Client) (found []string) {
	t.Helper()
	for _, call := range [][]string{
		{"DescribeVpcs"}, {"DescribeSubnets"}, {"DescribeInternetGateways"}, {"DescribeRouteTables"}, {"DescribeSecurityGroups"},
		{"DescribeManagedPrefixLists"}, {"DescribeNetworkInterfaces"}, {"DescribeKeyPairs"}, {"DescribeAddresses"}, {"DescribeVolumes"},
		{"DescribeInstances", "Filter.1.Name", "instance-state-name", "Filter.1.Value.1", "pending", "Filter.1.Value.2", "running", "Filter.1.Value.3", "stopping", "Filter.1.Value.4", "stopped"},
		{"DescribeVpcPeeringConnections", "Filter.1.Name", "status-code", "Filter.1.Value.1", "pending-acceptance", "Filter.1.Value.2", "active"},
	} {
		r, err := c.Do(t.Context(), call[0], call[1:]...)
		if err != nil || !r.OK() {
			t.Fatalf("%s: %v, %v", call[0], r, err)
		}
		for _, m := range ids.FindAllSubmatch(r.Body, -1) {
			found = append(found, fmt.Sprintf("%s %s", m[1], m[2]))
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func write(t *testing.T, file string, data []byte) {
	t.Helper()
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
