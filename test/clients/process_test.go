package clients_test

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"moat/ec2query"
	"moat/sigv4"
	"moat/test/moattest"
)

// TestProcess: what one server leaves on a machine, and what it says.
func TestProcess(t *testing.T) {
	server := moattest.Start(t)
	t.Logf("ready after %v on an empty data directory", server.ToReady.Round(time.Millisecond))
	if server.ToReady > 20*time.Second {
		t.Errorf("ready after %v", server.ToReady)
	}

	// It listens on its port and nowhere else.
	var port int
	fmt.Sscan(server.Port(), &port)
	if got, want := listeners(t, server.Pid()), fmt.Sprintf("[tcp 0100007F:%04X]", port); fmt.Sprint(got) != want {
		t.Errorf("the process listens on %v, want %s", got, want)
	}

	// What it says leads to the next command, which works as it is printed.
	var line string
	for _, l := range strings.Split(server.Stdout(), "\n") {
		if strings.Contains(l, "moat env") {
			line = strings.TrimSpace(l)
		}
	}
	x := newTerminal(t, awsCLI{})
	if got := x.run(line + `; printf %s "$AWS_ENDPOINT_URL"`); got != server.URL {
		t.Errorf("after %q the endpoint is %q, want %s", line, got, server.URL)
	}
	for name, want := range map[string]string{
		"AWS_ENDPOINT_URL": server.URL, "AWS_REGION": "us-east-1", "MOAT_ENDPOINT_URL": server.URL, "MOAT_DATA_DIR": server.Dir,
	} {
		if server.Env[name] != want {
			t.Errorf("moat env gives %s=%q, want %q", name, server.Env[name], want)
		}
	}

	// Nobody else can read its data.
	err := filepath.WalkDir(server.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		if d.IsDir() {
			want = 0o700
		}
		if got := info.Mode().Perm(); got&0o077 != 0 || info.Mode().IsRegular() && got != want || d.IsDir() && got != want {
			t.Errorf("%s has mode %v, want %v", path, got, want)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}

	// A second server on the directory is told who holds it, and changes nothing.
	c := exec.Command(moattest.Binary(t), "serve", "--listen", "127.0.0.1:0", "--data-dir", server.Dir)
	c.Env = moattest.CleanEnv()
	out, err := c.CombinedOutput()
	if c.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), fmt.Sprintf("is in use by process %d (moat)", server.Pid())) {
		t.Errorf("a second server: %v, %s", err, out)
	}
	if got := moattest.Environment(t, server.Dir)["AWS_ENDPOINT_URL"]; got != server.URL {
		t.Errorf("after the second server moat env gives %s, want %s", got, server.URL)
	}

	// SIGTERM ends it with 0, and the directory can be used again at once.
	keys := server.Env["AWS_ACCESS_KEY_ID"]
	if status := server.Stop(); status != 0 {
		t.Errorf("after SIGTERM the status is %d, want 0", status)
	}
	server.Again()
	if server.Env["AWS_ACCESS_KEY_ID"] != keys {
		t.Error("a restart made another root key")
	}
}

// TestServersSideBySide: two servers on one machine share nothing.
func TestServersSideBySide(t *testing.T) {
	eachCLI(t, func(t *testing.T, cli awsCLI) {
		a, b := moattest.Start(t), moattest.Start(t, "--region", "eu-west-1", "--account", "111122223333")
		xa, xb := newTerminal(t, cli), newTerminal(t, cli)
		xa.use(a.Dir)
		xb.use(b.Dir)
		id := strings.TrimSpace(xa.run(`aws ec2 create-security-group --group-name only-a --description d --query GroupId --output text`))
		xb.fails(cli, `aws ec2 describe-security-groups --group-ids `+id, "InvalidGroup.NotFound", "DescribeSecurityGroups", "The security group '"+id+"' does not exist")
		want(t, "the account of the second", at(xb.json(`aws sts get-caller-identity`), "Account"), `"111122223333"`)
		want(t, "the zone of the second", at(xb.json(`aws ec2 describe-availability-zones`), "AvailabilityZones.0.RegionName"), `"eu-west-1"`)
		xa.fails(cli, `AWS_ENDPOINT_URL=`+b.URL+` aws ec2 describe-vpcs`, "AuthFailure", "DescribeVpcs", "AWS was not able to validate the provided access credentials")
	})
}

// TestEnvIsShellSafe: no data directory, however it is called, makes a shell
// run what its name says.
func TestEnvIsShellSafe(t *testing.T) {
	dir := filepath.Join(t.TempDir(), `it's "a" $(touch pwned) $HOME;touch pwned`+"\n`touch pwned`")
	server := moattest.StartIn(t, dir)
	for _, shell := range []string{"sh", "bash", "dash", "zsh", "busybox sh"} {
		name, arg, _ := strings.Cut(shell, " ")
		if _, err := exec.LookPath(name); err != nil {
			continue
		}
		args := []string{"-c", `eval "$("$1" env --data-dir "$2")" && printf '%s|%s|%s' "$MOAT_DATA_DIR" "$AWS_ENDPOINT_URL" "$AWS_SECRET_ACCESS_KEY"`, "sh", moattest.Binary(t), dir}
		if arg != "" {
			args = append([]string{arg}, args...)
		}
		c := exec.Command(name, args...)
		c.Dir, c.Env = t.TempDir(), moattest.CleanEnv()
		out, err := c.CombinedOutput()
		if want := dir + "|" + server.URL + "|" + server.Env["AWS_SECRET_ACCESS_KEY"]; err != nil || string(out) != want {
			t.Errorf("%s: %v: %q, want %q", shell, err, out, want)
		}
		if left, _ := os.ReadDir(c.Dir); len(left) > 0 {
			t.Errorf("%s made %v", shell, left)
		}
	}
	c := exec.Command(moattest.Binary(t), "env", "--data-dir", filepath.Join(dir, "none"))
	c.Env = moattest.CleanEnv()
	var out, errOut bytes.Buffer
	c.Stdout, c.Stderr = &out, &errOut
	if err := c.Run(); err == nil || out.Len() > 0 || !strings.Contains(errOut.String(), "no server has been started") {
		t.Errorf("moat env of a directory without server: %v, %q, %q", err, out.String(), errOut.String())
	}
}

// TestRefusalsByHand: what no client can be made to send, signed by hand.
func TestRefusalsByHand(t *testing.T) {
	server := moattest.Start(t)
	const describe = "Action=DescribeVpcs&Version=2016-11-15"
	const failure = "AWS was not able to validate the provided access credentials"
	type request struct {
		service, form, contentType string
		at                         time.Time
		spoil                      func(*http.Request)
	}
	for _, row := range []struct {
		what          string
		request       request
		status        int
		code, message string
	}{
		{"nothing wrong", request{}, 200, "", ""},
		{"a clock 14 minutes behind", request{at: time.Now().Add(-14 * time.Minute)}, 200, "", ""},
		{"a clock 14 minutes ahead", request{at: time.Now().Add(14 * time.Minute)}, 200, "", ""},
		{"a clock 16 minutes behind", request{at: time.Now().Add(-16 * time.Minute)}, 401, "AuthFailure", failure},
		{"a clock 16 minutes ahead", request{at: time.Now().Add(16 * time.Minute)}, 401, "AuthFailure", failure},
		{"a clock behind, at STS", request{service: "sts", form: "Action=GetCallerIdentity&Version=2011-06-15", at: time.Now().Add(-16 * time.Minute)},
			403, "SignatureDoesNotMatch", "Signature expired: "},
		{"a clock ahead, at STS", request{service: "sts", form: "Action=GetCallerIdentity&Version=2011-06-15", at: time.Now().Add(16 * time.Minute)},
			403, "SignatureDoesNotMatch", "Signature not yet current: "},
		{"a body changed on its way", request{spoil: func(r *http.Request) {
			r.Body = io.NopCloser(strings.NewReader(strings.Replace(describe, "Vpcs", "Tags", 1)))
		}},
			401, "AuthFailure", failure},
		{"no signature", request{spoil: func(r *http.Request) { r.Header.Del("Authorization") }}, 400, "MissingParameter", "The request must contain the parameter AWSAccessKeyId"},
		{"no signature, at STS", request{service: "sts", form: "Action=GetCallerIdentity&Version=2011-06-15", spoil: func(r *http.Request) { r.Header.Del("Authorization") }},
			403, "MissingAuthenticationToken", "Request is missing Authentication Token"},
		{"an Authorization that is none", request{spoil: func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }}, 401, "AuthFailure", failure},
		{"another service's signature", request{service: "s3"}, 401, "AuthFailure", failure},
		{"a malformed body", request{form: describe + "&VpcId.1=%zz"}, 400, "MalformedQueryString", ""},
		{"JSON", request{form: `{"Action":"DescribeVpcs"}`, contentType: "application/json"}, 400, "MalformedQueryString", ""},
		{"an unknown action", request{form: "Action=DescribeVpc&Version=2016-11-15"}, 400, "InvalidAction", "The action DescribeVpc is not valid for this web service."},
		{"an unknown parameter", request{form: describe + "&VpcIds.1=vpc-1"}, 400, "UnknownParameter", "The parameter VpcIds.1 is not recognized"},
	} {
		if row.request.form == "" {
			row.request.form = describe
		}
		if row.request.service == "" {
			row.request.service = "ec2"
		}
		if row.request.at.IsZero() {
			row.request.at = time.Now()
		}
		if row.request.contentType == "" {
			row.request.contentType = "application/x-www-form-urlencoded; charset=utf-8"
		}
		r, err := http.NewRequest(http.MethodPost, server.URL+"/", strings.NewReader(row.request.form))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", row.request.contentType)
		sigv4.Sign(r, []byte(row.request.form), sigv4.Credential{AccessKeyID: server.Env["AWS_ACCESS_KEY_ID"], Region: "us-east-1", Service: row.request.service},
			server.Env["AWS_SECRET_ACCESS_KEY"], "", row.request.at)
		if row.request.spoil != nil {
			row.request.spoil(r)
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatalf("%s: %v", row.what, err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			t.Fatalf("%s: %v", row.what, err)
		}
		if response.StatusCode != row.status {
			t.Errorf("%s: status %d, want %d: %s", row.what, response.StatusCode, row.status, body)
			continue
		}
		if row.status == 200 {
			continue
		}
		if f, _, err := ec2query.DecodeError(body); err != nil || f.Code != row.code || !strings.HasPrefix(f.Message, row.message) {
			t.Errorf("%s: %v %s\nwant %s: %s", row.what, err, body, row.code, row.message)
		}
	}
}
