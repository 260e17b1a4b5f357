package clients_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	"moat/test/moattest"
)

// script runs a program of a client against a server of its own, which it
// finds by the environment that `moat env` gives, and returns what it prints.
func script(t *testing.T, program ...string) string {
	t.Helper()
	server := moattest.Start(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, program[0], program[1:]...)
	c.Env = append(moattest.CleanEnv(), "HOME="+t.TempDir(), "AWS_EC2_METADATA_DISABLED=true", "LC_ALL=C.UTF-8")
	for name, value := range server.Env {
		c.Env = append(c.Env, name+"="+value)
	}
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(program, " "), err, &stderr)
	}
	return string(out)
}

// TestBoto3Resources: boto3's resources find each other, and its waiters see
// what happens and do not see what does not.
func TestBoto3Resources(t *testing.T) {
	ran := false
	for _, python := range interpreters("/usr/bin/python3", "python3") {
		if exec.Command(python, "-c", "import boto3").Run() != nil {
			continue
		}
		ran = true
		t.Run(python, func(t *testing.T) {
			out := script(t, python, "testdata/resources.py", imageForInstances(t))
			var said struct {
				Version string
				Waiters int
				Missed  []string
			}
			if err := json.Unmarshal([]byte(out), &said); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			t.Logf("boto3 %s: %d waiters", said.Version, said.Waiters)
			// Those about associations of groups with VPCs are in boto.py.
			for _, name := range said.Missed {
				if !strings.HasPrefix(name, "security_group_vpc_association_") {
					t.Errorf("it has a waiter %s that was not used", name)
				}
			}
		})
	}
	if !ran {
		t.Skip("no boto3: apt-get install python3-boto3")
	}
}

// javaScriptSDK is a version 3 of the AWS SDK for JavaScript.
const javaScriptSDK = "@aws-sdk/client-ec2@3.1169.0"

// TestJavaScriptSDK runs a script with the AWS SDK for JavaScript from npm.
func TestJavaScriptSDK(t *testing.T) {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("no %s: apt-get install nodejs npm; it is to be of version 20 or later", program)
		}
	}
	out, err := exec.Command("node", "-p", `process.versions.node.split(".")[0] >= 20`).Output()
	if strings.TrimSpace(string(out)) != "true" {
		t.Skipf("node is older than version 20, which %s needs (%v)", javaScriptSDK, err)
	}
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "npm", "install", "--prefix", dir, "--no-audit", "--no-fund", "--ignore-scripts", javaScriptSDK).CombinedOutput(); err != nil {
		t.Skipf("npm cannot install %s: %v\n%s", javaScriptSDK, err, out)
	}
	t.Logf("@aws-sdk/client-ec2 %s", script(t, "node", "testdata/sdk.mjs", dir))
}

// TestFog runs a script with fog-aws, the Ruby client that Debian has.
func TestFog(t *testing.T) {
	if exec.Command("ruby", "-e", `require "fog/aws"`).Run() != nil {
		t.Skip("no ruby with fog-aws: apt-get install ruby-fog-aws")
	}
	t.Logf("fog-aws %s", script(t, "ruby", "-W0", "testdata/fog.rb"))
}
