package awscli_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"moat/test/moattest"
)

// A home is a home directory in which a command line runs.
type home struct {
	t   *testing.T
	dir string
	env []string
}

func newHome(t *testing.T, files map[string]string) *home {
	h := &home{t: t, dir: t.TempDir()}
	for name, text := range files {
		path := filepath.Join(h.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// run runs a program with variables and words in one line, and gives what it
// wrote and its status.
func (h *home) run(bin, stdin, line string) result {
	h.t.Helper()
	c := exec.Command(bin)
	c.Env = append([]string{"HOME=" + h.dir, "PATH=" + os.Getenv("PATH"), "AWS_EC2_METADATA_DISABLED=true", "AWS_MAX_ATTEMPTS=1"}, h.env...)
	for i, w := range split(h.t, line) {
		if name, _, ok := strings.Cut(w, "="); ok && len(c.Args) == 1 && strings.ToUpper(name) == name && i < 9 && !strings.HasPrefix(w, "-") {
			c.Env = append(c.Env, w)
			continue
		}
		c.Args = append(c.Args, w)
	}
	c.Dir = h.dir
	c.Stdin = strings.NewReader(stdin)
	var out, stderr bytes.Buffer
	c.Stdout, c.Stderr = &out, &stderr
	_ = c.Run()
	return result{out.String(), stderr.String(), c.ProcessState.ExitCode()}
}

// Where the endpoint, the region and the keys come from, by the order that the
// AWS CLI documents.
func TestConfiguration(t *testing.T) {
	s := moattest.Start(t, "--auth", "any", "--wait-enforced", "none")
	h := newHome(t, map[string]string{
		".aws/config": `
[default]
region = us-east-1
endpoint_url = ` + s.URL + `
[profile text]
region=eu-west-1
output = text
services = here
endpoint_url = http://127.0.0.1:1
[services here]
ec2 =
  endpoint_url = ` + s.URL + `
sts =
  endpoint_url = ` + s.URL + `
[profile "two words"]
region = us-west-2
endpoint_url = ` + s.URL + `
[profile process]
region = us-east-1
endpoint_url = ` + s.URL + `
credential_process = ./keys
[profile wrong]
region = us-east-1
output = xml
endpoint_url = ` + s.URL + `
`,
		".aws/credentials": `
[default]
aws_access_key_id = 111111111111
aws_secret_access_key = x
[text]
aws_access_key_id = 222222222222
aws_secret_access_key = x
[two words]
aws_access_key_id = 333333333333
aws_secret_access_key = x
[wrong]
aws_access_key_id = 333333333333
aws_secret_access_key = x
`,
		"keys": "#!/bin/sh\necho '{\"Version\":1,\"AccessKeyId\":\"444444444444\",\"SecretAccessKey\":\"x\"}'\n",
	})
	const account, zone = " --query Account --output text", " ec2 describe-availability-zones --query AvailabilityZones[0].RegionName --output text"
	for _, row := range []struct{ line, want string }{
		{"sts get-caller-identity" + account, "111111111111"},
		{"AWS_ACCESS_KEY_ID=555555555555 AWS_SECRET_ACCESS_KEY=x sts get-caller-identity" + account, "555555555555"},
		{"AWS_ACCESS_KEY_ID=555555555555 AWS_SECRET_ACCESS_KEY=x sts get-caller-identity --profile text" + account, "222222222222"},
		{"AWS_ACCESS_KEY_ID=555555555555 AWS_SECRET_ACCESS_KEY=x AWS_PROFILE=text sts get-caller-identity" + account, "555555555555"},
		{"AWS_PROFILE=text sts get-caller-identity" + account, "222222222222"},
		{"AWS_DEFAULT_PROFILE=text sts get-caller-identity" + account, "222222222222"},
		{"sts get-caller-identity --profile 'two words'" + account, "333333333333"},
		{"--profile process sts get-caller-identity" + account, "444444444444"},
		{"sts get-caller-identity --profile text --query Account", "222222222222"}, // output = text
		{zone, "us-east-1"},
		{"--profile text" + zone, "eu-west-1"},
		{"AWS_DEFAULT_REGION=us-west-1" + zone, "us-west-1"},
		{"AWS_REGION=us-west-2 AWS_DEFAULT_REGION=us-west-1" + zone, "us-west-2"},
		{"AWS_REGION=us-west-2 --region eu-north-1" + zone, "eu-north-1"},
		{"AWS_ENDPOINT_URL=http://127.0.0.1:1 --endpoint-url " + s.URL + zone, "us-east-1"},
		{"AWS_ENDPOINT_URL=http://127.0.0.1:1 AWS_ENDPOINT_URL_EC2=" + s.URL + zone, "us-east-1"},
		{"AWS_ENDPOINT_URL=http://127.0.0.1:1" + zone, `Could not connect to the endpoint URL: "http://127.0.0.1:1/"`},
		{"AWS_ENDPOINT_URL_EC2=http://127.0.0.1:2" + zone, `Could not connect to the endpoint URL: "http://127.0.0.1:2/"`},
		{"AWS_ENDPOINT_URL_STS=http://127.0.0.1:2" + zone, "us-east-1"},
		{"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true AWS_ENDPOINT_URL=http://127.0.0.1:1 HTTPS_PROXY=http://127.0.0.1:3" + zone, `Failed to connect to proxy URL: "http://127.0.0.1:3"`},
		{"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true HTTPS_PROXY=http://127.0.0.1:3 --debug" + zone, `POST https://ec2.us-east-1.amazonaws.com/`},
		{"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true HTTPS_PROXY=http://127.0.0.1:3 --debug --region cn-north-1" + zone, `POST https://ec2.cn-north-1.amazonaws.com.cn/`},
		{"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true HTTPS_PROXY=http://127.0.0.1:3 --debug --region eu-west-1 iam list-users", `POST https://iam.amazonaws.com/`},
		{"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true HTTPS_PROXY=http://127.0.0.1:3 --debug --region eu-west-1 sts get-caller-identity", `POST https://sts.eu-west-1.amazonaws.com/`},
		{"--profile nothing" + zone, "The config profile (nothing) could not be found"},
		{"--profile wrong sts get-caller-identity", "Unknown output type: xml"},
		{"AWS_CONFIG_FILE=nothing" + zone, "You must specify a region"},
		{"AWS_SHARED_CREDENTIALS_FILE=nothing" + zone, "Unable to locate credentials"},
	} {
		r := h.run(moattest.Binary(t), "", row.line)
		if got := r.out + r.err; !strings.Contains(got, row.want) {
			t.Errorf("%s\n got %q (exit %d)\nwant %q", row.line, got, r.status, row.want)
		}
	}
}

// A profile that assumes a role asks the server that it is configured for.
func TestAssumedRole(t *testing.T) {
	s := moattest.Start(t, "--wait-enforced", "none")
	bin := moattest.Binary(t)
	root := newHome(t, nil)
	for k, v := range s.Env {
		root.env = append(root.env, k+"="+v)
	}
	do := func(line string) string {
		r := root.run(bin, "", line)
		if r.status != 0 {
			t.Fatalf("%s: %s", line, r.err)
		}
		return strings.TrimSpace(r.out)
	}
	do("iam create-user --user-name u")
	do(`iam put-user-policy --user-name u --policy-name all --policy-document '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'`)
	keys := strings.Fields(do("iam create-access-key --user-name u --query AccessKey.[AccessKeyId,SecretAccessKey] --output text"))
	role := do(`iam create-role --role-name guard --assume-role-policy-document '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}' --query Role.Arn --output text`)
	h := newHome(t, map[string]string{".aws/config": "[profile base]\naws_access_key_id = " + keys[0] + "\naws_secret_access_key = " + keys[1] +
		"\n[profile guard]\nrole_arn = " + role + "\nsource_profile = base\nrole_session_name = night\nregion = us-east-1\nendpoint_url = " + s.URL + "\n"})
	if r := h.run(bin, "", "--profile guard sts get-caller-identity --query Arn --output text"); !strings.HasSuffix(r.out, ":assumed-role/guard/night\n") {
		t.Errorf("the role says it is %q%s", r.out, r.err)
	}
	if r := h.run(bin, "", "--profile base --region us-east-1 --endpoint-url "+s.URL+" sts get-caller-identity --query Arn --output text"); !strings.HasSuffix(r.out, ":user/u\n") {
		t.Errorf("the user says it is %q%s", r.out, r.err)
	}
}

// The form of errors of the newest AWS CLI, in moat's own name.
func TestErrorForms(t *testing.T) {
	s := moattest.Start(t, "--auth", "any", "--wait-enforced", "none")
	h := newHome(t, nil)
	h.env = []string{"AWS_ACCESS_KEY_ID=111111111111", "AWS_SECRET_ACCESS_KEY=x", "AWS_REGION=us-east-1", "AWS_ENDPOINT_URL=" + s.URL}
	const missing = "An error occurred (InvalidGroup.NotFound) when calling the DescribeSecurityGroups operation: The security group 'sg-00000000000000000' does not exist"
	for _, row := range []struct {
		line   string
		status int
		want   string
	}{
		{"ec2 describe-security-groups --group-ids sg-00000000000000000", 254, "\nmoat: [ERROR]: " + missing + "\n"},
		{"ec2 describe-security-groups --group-ids sg-00000000000000000 --cli-error-format legacy", 254, "\n" + missing + "\n"},
		{"AWS_CLI_ERROR_FORMAT=legacy ec2 describe-security-groups --group-ids sg-00000000000000000", 254, "\n" + missing + "\n"},
		{"ec2 describe-security-groups --group-ids sg-00000000000000000 --cli-error-format json", 254, "{\n    \"Code\": \"InvalidGroup.NotFound\",\n    \"Message\": \"The security group 'sg-00000000000000000' does not exist\"\n}\n"},
		{"MOAT_CLI_COMPAT=2.9.19 --endpoint-url " + s.URL + " ec2 describe-security-groups --group-ids sg-00000000000000000", 254, "\n" + missing + "\n"},
		{"ec2 create-security-group --description x", 252, "\nusage: moat [options] <command> <subcommand> [<subcommand> ...] [parameters]\nTo see help text, you can run:\n\n  moat help\n  moat <command> help\n  moat <command> <subcommand> help\n\nmoat: [ERROR]: the following arguments are required: --group-name\n"},
		{"ec2 describe-security-groups --max-results 3", 252, "\nmoat: [ERROR]: Parameter validation failed:\nInvalid value for parameter MaxResults, value: 3, valid min value: 5\n"},
		{"ec2 describe-vpcs --cli-compat 1.0", 252, "\nmoat: [ERROR]: --cli-compat 1.0: the one version there is a table of is 2.9.19\n"},
		{"ec2 wait security-group-vpc-association-associated --group-ids sg-1 --nonsense", 252, "\nusage: moat [options] <command> <subcommand> [<subcommand> ...] [parameters]\nTo see help text, you can run:\n\n  moat help\n  moat <command> help\n  moat <command> <subcommand> help\n\nmoat: [ERROR]: Unknown options: --group-ids, --nonsense, sg-1\n"},
	} {
		if r := h.run(moattest.Binary(t), "", row.line); r.status != row.status || r.err != row.want || r.out != "" {
			t.Errorf("%s\n got %q%q (exit %d)\nwant %q (exit %d)", row.line, r.out, r.err, r.status, row.want, row.status)
		}
	}
}

// Every action that is served is a command, with options that its own
// skeleton fills.
func TestEveryActionIsACommand(t *testing.T) {
	h := newHome(t, nil)
	bin := moattest.Binary(t)
	list := h.run(bin, "", "actions")
	n := 0
	for line := range strings.Lines(list.out) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		n++
		out, err := exec.Command("sh", "-c", `exec "$0" "$1" "$(echo "$2" | sed 's/\([a-z0-9]\)\([A-Z]\)/\1-\2/g' | tr A-Z a-z)" --generate-cli-skeleton`, bin, f[0], f[1]).CombinedOutput()
		var v map[string]any
		if err != nil || json.Unmarshal(out, &v) != nil {
			t.Errorf("%s %s: %v\n%s", f[0], f[1], err, out)
		}
	}
	if n < 30 {
		t.Errorf("moat actions lists %d actions", n)
	}
}

// configure writes and says what the AWS CLI does.
func TestConfigureAsTheAWSCLI(t *testing.T) {
	cli := realCLI(t)
	bin := moattest.Binary(t)
	for i, files := range []map[string]string{nil, {
		".aws/config":      "# mine\n[default]\nregion = us-east-1\n\n[profile other]\noutput = text\ns3 =\n    max_queue = 5\n",
		".aws/credentials": "[other]\naws_access_key_id = AKIAOTHEROTHER\naws_secret_access_key = secretother\n[default]\naws_access_key_id=AKIADEFAULT\naws_secret_access_key=secretdefault",
	}} {
		if i == 0 && os.Getenv("MOAT_TEST_CLI") != "all" {
			continue // takes as long again
		}
		real, ours := newHome(t, files), newHome(t, files)
		for _, step := range []struct{ line, in string }{
			{"configure list", ""},
			{"configure", "AKIANEW\nsecretnew\n\ntext\n"},
			{"configure", "\n\n\n\n"},
			{"configure list", ""},
			{"configure get region", ""},
			{"configure get aws_access_key_id", ""},
			{"configure get nothing", ""},
			{"configure set region eu-west-1", ""},
			{"configure set output json --profile third", ""},
			{"configure set profile.fourth.region us-west-2", ""},
			{"configure set default.s3.max_queue 9", ""},
			{"configure set aws_secret_access_key changed --profile other", ""},
			{"configure get profile.fourth.region", ""},
			{"configure get default.s3.max_queue", ""},
			{"configure list --profile third", ""},
			{"AWS_REGION=us-west-1 AWS_PROFILE=third configure list", ""},
			{"configure list-profiles", ""},
			{"configure get region --profile nothing", ""},
			{"configure set", ""},
			{"configure nonsense", ""},
			{"configure --profile fifth", "AKIAFIFTH\nsecretfifth\nus-east-2\nyaml\n"},
		} {
			a, b := real.run(cli, step.in, step.line), ours.run(bin, step.in, "MOAT_CLI_COMPAT=2.9.19 "+step.line)
			for _, h := range []*home{real, ours} {
				for _, f := range []string{"config", "credentials"} {
					text, _ := os.ReadFile(filepath.Join(h.dir, ".aws", f))
					info := "no file"
					if i, err := os.Stat(filepath.Join(h.dir, ".aws", f)); err == nil {
						info = i.Mode().String()
					}
					if h == real {
						a.out += "\n--- " + f + " " + info + "\n" + string(text)
					} else {
						b.out += "\n--- " + f + " " + info + "\n" + string(text)
					}
				}
			}
			if a != b {
				t.Errorf("%s\n--- aws: exit %d\n%s\n%s\n--- moat: exit %d\n%s\n%s", step.line, a.status, a.out, a.err, b.status, b.out, b.err)
			}
		}
	}
}

// Under the name aws, what is none of ours goes to the AWS CLI behind us.
func TestStandsInForAWS(t *testing.T) {
	s := moattest.Start(t, "--auth", "any", "--wait-enforced", "none")
	h := newHome(t, map[string]string{"behind/aws": "#!/bin/sh\necho behind \"$@\"\nexit 7\n"})
	if err := os.MkdirAll(filepath.Join(h.dir, "front"), 0o755); err != nil {
		t.Fatal(err)
	}
	front := filepath.Join(h.dir, "front", "aws")
	if err := os.Symlink(moattest.Binary(t), front); err != nil {
		t.Fatal(err)
	}
	h.env = []string{"AWS_ACCESS_KEY_ID=111111111111", "AWS_SECRET_ACCESS_KEY=x", "AWS_REGION=us-east-1", "AWS_ENDPOINT_URL=" + s.URL,
		"PATH=" + filepath.Join(h.dir, "front") + ":" + filepath.Join(h.dir, "behind") + ":/usr/bin:/bin"}
	for _, row := range []struct {
		line   string
		status int
		want   string
	}{
		{"sts get-caller-identity --query Account --output text", 0, "111111111111\n"},
		{"--output text ec2 describe-vpcs --query Vpcs[0].CidrBlock", 0, "172.31.0.0/16\n"},
		{"s3 ls s3://bucket", 7, "behind s3 ls s3://bucket\n"},
		{"--region eu-west-1 s3api list-buckets --max-items 2", 7, "behind --region eu-west-1 s3api list-buckets --max-items 2\n"},
		{"ec2 describe-spot-price-history", 7, "behind ec2 describe-spot-price-history\n"},
		{"configure sso", 7, "behind configure sso\n"},
		{"--version", 7, "behind --version\n"},
		{"PATH=" + filepath.Join(h.dir, "front") + " s3 ls", 252, ""},
		{"ec2 describe-vpcs --nonsense", 252, ""},
	} {
		r := h.run(front, "", row.line)
		if r.status != row.status || r.out != row.want {
			t.Errorf("%s\n got %q%q (exit %d)\nwant %q (exit %d)", row.line, r.out, r.err, r.status, row.want, row.status)
		}
		if row.status == 252 && !strings.Contains(r.err, "aws: [ERROR]: ") {
			t.Errorf("%s: its error does not say aws: %s", row.line, r.err)
		}
	}
}

// Shells complete commands, options, words, ids and names.
func TestCompletion(t *testing.T) {
	s := moattest.Start(t, "--auth", "any", "--wait-enforced", "none")
	h := newHome(t, nil)
	bin := moattest.Binary(t)
	h.env = []string{"AWS_ACCESS_KEY_ID=111111111111", "AWS_SECRET_ACCESS_KEY=x", "AWS_REGION=us-east-1", "AWS_ENDPOINT_URL=" + s.URL}
	id := strings.TrimSpace(h.run(bin, "", "ec2 create-security-group --group-name web --description x --query GroupId --output text").out)
	for _, row := range []struct{ line, want, not string }{
		{"ec2 describe-security-g", "describe-security-groups", "describe-vpcs"},
		{"ec2 describe-security-groups --gr", "--group-ids", "--filters"},
		{"ec2 describe-security-groups --group-ids ''", id + "\tweb", "vpc-"},
		{"ec2 describe-security-groups --group-ids " + id[:8], id, "default"},
		{"ec2 describe-security-groups --group-names ''", "web", "sg-"},
		{"ec2 authorize-security-group-ingress --group-id " + id + " --source-group sg-", id, "--"},
		{"ec2 authorize-security-group-ingress --group-id " + id + " --", "--protocol", "--ip-protocol"},
		{"ec2 create-vpc --instance-tenancy ''", "dedicated", "vpc-"},
		{"ec2 describe-vpcs --output ''", "yaml-stream", "vpc-"},
		{"--region us-east-1 ec2 describe-vpcs --vpc-ids vpc-", "vpc-", "sg-"},
		{"ec2 wait security-group-", "security-group-exists", "instance"},
		{"ec2 describe-availability-zones --zone-names us-", "us-east-1a", "sg-"},
		{"sts get-caller-i", "get-caller-identity", "describe"},
		{"ec2 describe-vpcs --region eu-", "eu-west-1", "us-east-1"},
	} {
		words := split(t, row.line)
		if !strings.HasPrefix(row.line, "--") {
			r := h.run(bin, "", "__complete "+row.line)
			if !strings.Contains(r.out, row.want) || strings.Contains(r.out, row.not) && row.not != "" && strings.Contains(strings.ReplaceAll(r.out, "--color", ""), row.not) {
				t.Errorf("%s\n got %q\nwant %q and not %q", row.line, r.out, row.want, row.not)
			}
		}
		last := words[len(words)-1]
		line := "aws " + strings.Join(words[:len(words)-1], " ") + " " + last
		h.env = append(h.env, "COMP_LINE="+line, "COMP_POINT=1000")
		completer := filepath.Join(h.dir, "aws_completer")
		_ = os.Symlink(bin, completer)
		r := h.run(completer, "", "")
		want, _, _ := strings.Cut(row.want, "\t")
		if !strings.Contains(r.out, want) {
			t.Errorf("aws_completer for %q\n got %q%q\nwant %q", line, r.out, r.err, want)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if r := h.run(bin, "", "completion "+shell); r.status != 0 || !strings.Contains(r.out, "moat") {
			t.Errorf("completion %s: exit %d, %q", shell, r.status, r.err)
		}
	}
}
