package clients_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"moat/test/moattest"
)

// An awsCLI is one version of the AWS CLI on this machine.
type awsCLI struct {
	path, version string
	// env: it reads AWS_ENDPOINT_URL, which came with 1.29 and 2.13.
	env bool
	// failure is its exit status for an error of the service, 254 since 2.0.
	failure int
}

// eachCLI runs a test with every AWS CLI found: Debian's, and that of PATH.
func eachCLI(t *testing.T, test func(t *testing.T, cli awsCLI)) {
	found := false
	for _, path := range interpreters("/usr/bin/aws", "aws") {
		out, err := exec.Command(path, "--version").CombinedOutput()
		m := regexp.MustCompile(`aws-cli/((\d+)\.(\d+)\.\d+)`).FindSubmatch(out)
		if err != nil || m == nil {
			t.Logf("%s is no AWS CLI that works: %v %s", path, err, out)
			continue
		}
		major, _ := strconv.Atoi(string(m[2]))
		minor, _ := strconv.Atoi(string(m[3]))
		cli := awsCLI{path: path, version: string(m[1]), env: major == 1 && minor >= 29 || major == 2 && minor >= 13 || major > 2, failure: 254}
		if major == 1 {
			cli.failure = 255
		}
		found = true
		t.Run("aws-cli-"+cli.version, func(t *testing.T) {
			t.Parallel() // a CLI spends its time starting
			test(t, cli)
		})
	}
	if !found {
		t.Skip("no AWS CLI: apt-get install awscli")
	}
}

// A terminal is a shell of a user who has moat and aws in PATH, and no other
// configuration of AWS.
type terminal struct {
	t     *testing.T
	shell string
	home  string
	env   []string
}

// newTerminal makes one. A CLI that does not read AWS_ENDPOINT_URL is given it
// as --endpoint-url, so that commands can stand as the documentation has them.
func newTerminal(t *testing.T, cli awsCLI) *terminal {
	t.Helper()
	home := t.TempDir()
	bin := filepath.Join(home, "bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(moattest.Binary(t), filepath.Join(bin, "moat")); err != nil {
		t.Fatal(err)
	}
	if cli.path != "" {
		script := "#!/bin/sh\nexec '" + cli.path + "' \"$@\"\n"
		if !cli.env {
			script = "#!/bin/sh\nexec '" + cli.path + "' ${AWS_ENDPOINT_URL:+--endpoint-url \"$AWS_ENDPOINT_URL\"} \"$@\"\n"
		}
		if err := os.WriteFile(filepath.Join(bin, "aws"), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return &terminal{t: t, shell: "sh", home: home, env: append(moattest.CleanEnv(),
		"HOME="+home, "PATH="+bin+":"+os.Getenv("PATH"), "AWS_PAGER=", "AWS_EC2_METADATA_DISABLED=true")}
}

// use evaluates what `moat env` prints, as the banner of the server says.
func (x *terminal) use(dir string) {
	x.t.Helper()
	x.set("MOAT_DATA_DIR", dir)
	out := x.run(`eval "$(moat env)" && env -0`)
	for _, line := range strings.Split(out, "\x00") {
		if name, value, _ := strings.Cut(line, "="); strings.HasPrefix(name, "AWS_") || strings.HasPrefix(name, "MOAT_") {
			x.set(name, value)
		}
	}
}

func (x *terminal) set(name, value string) { x.env = append(x.env, name+"="+value) }

// try runs a command line.
func (x *terminal) try(line string) (stdout, stderr string, status int) {
	x.t.Helper()
	c := exec.Command(x.shell, "-c", line)
	c.Env, c.Dir = x.env, x.home
	var out, errOut bytes.Buffer
	c.Stdout, c.Stderr = &out, &errOut
	err := c.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return out.String(), errOut.String(), exit.ExitCode()
	}
	if err != nil {
		x.t.Fatalf("%s: %v", line, err)
	}
	return out.String(), errOut.String(), 0
}

// run wants success and gives what was printed.
func (x *terminal) run(line string) string {
	x.t.Helper()
	out, errOut, status := x.try(line)
	if status != 0 {
		x.t.Fatalf("%s\nexit status %d\n%s%s", line, status, out, errOut)
	}
	return out
}

// json wants success and a JSON object.
func (x *terminal) json(line string) map[string]any {
	x.t.Helper()
	out := x.run(line)
	var v map[string]any
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		x.t.Fatalf("%s prints no JSON: %v\n%s", line, err, out)
	}
	return v
}

// fails wants the CLI's exit status for an error of the service, nothing on
// standard output, and its sentence about the error. A message that begins
// with ~ is a regular expression.
func (x *terminal) fails(cli awsCLI, line, code, operation, message string) {
	x.t.Helper()
	out, errOut, status := x.try(line)
	if status != cli.failure || out != "" {
		x.t.Errorf("%s\nexit status %d, want %d\n%s%s", line, status, cli.failure, out, errOut)
	}
	pattern, ok := strings.CutPrefix(message, "~")
	if !ok {
		pattern = regexp.QuoteMeta(message)
	}
	want := `^\n?(aws: \[ERROR\]: )?An error occurred \(` + regexp.QuoteMeta(code) + `\) when calling the ` + operation + ` operation: ` + pattern + `\n$`
	if !regexp.MustCompile(want).MatchString(errOut) {
		x.t.Errorf("%s\nsays %q\nwant (%s) %s: %s", line, errOut, code, operation, message)
	}
}

// at gives what is in a JSON value at a path such as SecurityGroups.0.GroupId.
func at(v any, path string) any {
	for _, step := range strings.Split(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

// want compares values by their JSON, in which the order of members is one.
func want(t *testing.T, what string, got any, wantJSON string) {
	t.Helper()
	var w any
	if err := json.Unmarshal([]byte(wantJSON), &w); err != nil {
		t.Fatalf("%s: %v", wantJSON, err)
	}
	g, _ := json.Marshal(got)
	v, _ := json.Marshal(w)
	if !bytes.Equal(g, v) {
		t.Errorf("%s is %s, want %s", what, g, v)
	}
}

// listeners gives the TCP and UDP sockets on which a process accepts traffic
// from outside, as "tcp 127.0.0.1:4599" in hexadecimal of the kernel.
func listeners(t *testing.T, pid int) (found []string) {
	t.Helper()
	fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil || len(fds) == 0 {
		t.Fatalf("the descriptors of process %d cannot be read: %v", pid, err)
	}
	var sockets []string
	for _, fd := range fds {
		if to, _ := os.Readlink(fd); strings.HasPrefix(to, "socket:[") {
			sockets = append(sockets, strings.TrimSuffix(strings.TrimPrefix(to, "socket:["), "]"))
		}
	}
	const listen, unconnected = "0A", "07"
	for _, family := range []string{"tcp", "tcp6", "udp", "udp6"} {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, family))
		if err != nil {
			continue // no such family in this kernel
		}
		for _, line := range strings.Split(string(b), "\n")[1:] {
			f := strings.Fields(line)
			if len(f) > 9 && (f[3] == listen || f[3] == unconnected && strings.HasPrefix(family, "udp")) && slices.Contains(sockets, f[9]) {
				found = append(found, family+" "+f[1])
			}
		}
	}
	return found
}
