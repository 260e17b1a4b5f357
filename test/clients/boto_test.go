package clients_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"testing"

	"moat/ec2"
	"moat/iamapi"
	"moat/sts"
	"moat/test/moattest"
	"moat/vpc"
)

// tooNew are the actions that came after Debian 12's boto3, 1.26.27.
var tooNew = []string{
	"AssociateSecurityGroupVpc", "DescribeSecurityGroupVpcAssociations", "DisassociateSecurityGroupVpc", "GetSecurityGroupsForVpc",
}

// TestBoto3 runs a script of boto3's users with Debian's boto3, and with that
// of another python in PATH if it has one.
func TestBoto3(t *testing.T) {
	args := []string{"testdata/boto.py", ""} // and an image for its instances
	for _, i := range vpc.Images("us-east-1") {
		if i.Arch == "x86_64" {
			args[1] = i.ID
		}
	}
	for _, a := range ec2.Actions {
		args = append(args, a.Info().Name)
	}
	boto3Calls(t, args)
}

// TestBoto3IAM is TestBoto3 for IAM and STS.
func TestBoto3IAM(t *testing.T) {
	args := []string{"testdata/iam.py"}
	for _, a := range slices.Concat(iamapi.Actions, sts.Actions) {
		args = append(args, a.Info().Name)
	}
	boto3Calls(t, args)
}

// boto3Calls runs a script with each boto3, which is to call every action that
// it is given and that the boto3 knows.
func boto3Calls(t *testing.T, args []string) {
	ran := false
	for _, python := range interpreters("/usr/bin/python3", "python3") {
		if exec.Command(python, "-c", "import boto3").Run() != nil {
			continue
		}
		ran = true
		t.Run(python, func(t *testing.T) {
			server := moattest.Start(t)
			c := exec.Command(python, args...)
			c.Env = append(moattest.CleanEnv(), "HOME="+t.TempDir(), "AWS_EC2_METADATA_DISABLED=true")
			for name, value := range server.Env {
				c.Env = append(c.Env, name+"="+value)
			}
			var stderr bytes.Buffer
			c.Stderr = &stderr
			out, err := c.Output()
			if err != nil {
				t.Fatalf("%v\n%s", err, &stderr)
			}
			var said struct {
				Version         string
				Missed, Unknown []string
				Called          int
			}
			if err := json.Unmarshal(out, &said); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			t.Logf("boto3 %s had an answer from %d actions", said.Version, said.Called)
			if len(said.Missed) > 0 {
				t.Errorf("it knows and has not called %v", said.Missed)
			}
			for _, name := range said.Unknown {
				if !slices.Contains(tooNew, name) {
					t.Errorf("it does not know %s", name)
				}
			}
		})
	}
	if !ran {
		t.Skip("no boto3: apt-get install python3-boto3")
	}
}

// interpreters gives the programs of these names that exist, each once.
func interpreters(names ...string) (paths []string) {
	var files []os.FileInfo
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		file, err := os.Stat(path)
		if err != nil || slices.ContainsFunc(files, func(f os.FileInfo) bool { return os.SameFile(f, file) }) {
			continue
		}
		files, paths = append(files, file), append(paths, path)
	}
	return paths
}
