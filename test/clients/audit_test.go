package clients_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"moat/test/moattest"
)

// TestAuditTrail is what somebody does who wants to know who opened a port: with
// the AWS CLI, and with moat's own commands.
func TestAuditTrail(t *testing.T) {
	eachCLI(t, func(t *testing.T, cli awsCLI) {
		export := filepath.Join(t.TempDir(), "audit.jsonl")
		server := moattest.Start(t, "--audit-export", export)
		root := newTerminal(t, cli)
		root.use(server.Dir)
		root.run(`aws iam create-user --user-name alice`)
		root.run(`aws iam attach-user-policy --user-name alice --policy-arn arn:aws:iam::aws:policy/AmazonEC2FullAccess`)
		key := at(root.json(`aws iam create-access-key --user-name alice`), "AccessKey")
		alice := newTerminal(t, cli)
		alice.env = append(alice.env, root.env...)
		alice.set("HOME", alice.home)
		alice.set("AWS_ACCESS_KEY_ID", at(key, "AccessKeyId").(string))
		alice.set("AWS_SECRET_ACCESS_KEY", at(key, "SecretAccessKey").(string))
		group := at(root.json(`aws ec2 create-security-group --group-name web --description web`), "GroupId").(string)
		alice.run(`aws ec2 authorize-security-group-ingress --group-id ` + group + ` --protocol tcp --port 22 --cidr 203.0.113.25/32`)
		alice.fails(cli, `aws cloudtrail lookup-events`, "AccessDeniedException", "LookupEvents",
			"User: arn:aws:iam::123456789012:user/alice is not authorized to perform: cloudtrail:LookupEvents because no identity-based policy allows the cloudtrail:LookupEvents action")

		opened := root.json(`aws cloudtrail lookup-events --lookup-attributes AttributeKey=ResourceName,AttributeValue=` + group)
		want(t, "calls", names(opened), `["AuthorizeSecurityGroupIngress","CreateSecurityGroup"]`)
		want(t, "who", at(opened, "Events.0.Username"), `"alice"`)
		var record map[string]any
		if err := json.Unmarshal([]byte(at(opened, "Events.0.CloudTrailEvent").(string)), &record); err != nil {
			t.Fatal(err)
		}
		want(t, "identity", at(record, "userIdentity.arn"), `"arn:aws:iam::123456789012:user/alice"`)
		want(t, "port", at(record, "requestParameters.ipPermissions.items.0.fromPort"), `22`)
		when, _ := at(opened, "Events.0.EventTime").(string)
		if cli.failure == 254 { // version 2 prints times in ISO 8601
			if _, err := time.Parse("2006-01-02T15:04:05-07:00", when); err != nil {
				t.Errorf("EventTime %v: %v", at(opened, "Events.0.EventTime"), err)
			}
		}
		all := root.json(`aws cloudtrail lookup-events --page-size 2`)
		if n := len(names(all)); n < 7 {
			t.Errorf("in pages: %v", names(all))
		}
		want(t, "the newest", len(names(root.json(`aws cloudtrail lookup-events --max-items 3`))), `3`)
		want(t, "nothing", len(names(root.json(`aws cloudtrail lookup-events --start-time 2001-01-01 --end-time 2001-01-02`))), `0`)
		root.fails(cli, `aws cloudtrail lookup-events --lookup-attributes AttributeKey=Username,AttributeValue=a AttributeKey=EventName,AttributeValue=b`,
			"InvalidLookupAttributesException", "LookupEvents", "Only one lookup attribute can be specified.")
		root.fails(cli, `aws cloudtrail lookup-events --start-time 2026-01-02 --end-time 2026-01-01`, "InvalidTimeRangeException", "LookupEvents", "StartTime must be before EndTime.")

		if out := root.run(`moat log web --port 22`); !strings.Contains(out, "alice") || !strings.Contains(out, "+ tcp/22 from 203.0.113.25/32") {
			t.Errorf("moat log: %s", out)
		}
		if out := root.run(`moat log --by bob`); out != "nothing was found\n" {
			t.Errorf("moat log of nobody: %s", out)
		}
		lines := strings.Split(strings.TrimSpace(root.run(`moat log --json --limit 2`)), "\n")
		if len(lines) != 2 || !json.Valid([]byte(lines[0])) {
			t.Errorf("moat log --json: %v", lines)
		}
		if out := root.run(`moat blame web`); !strings.Contains(out, "tcp/22 from 203.0.113.25/32") || !strings.Contains(out, "alice") || !strings.Contains(out, "CreateSecurityGroup") {
			t.Errorf("moat blame: %s", out)
		}
		verified := root.run(`moat log verify`)
		_, head, ok := strings.Cut(strings.TrimSpace(verified), "\nhead ")
		if !ok || !strings.Contains(verified, "as they were written") {
			t.Fatalf("moat log verify: %s", verified)
		}
		server.Kill()
		server.Again()
		root.use(server.Dir)
		if out := root.run(`moat log verify --head ` + head); !strings.Contains(out, "as they were written") {
			t.Errorf("after a kill, with the head of before: %s", out)
		}
		wrong := head[:len(head)-1] + map[bool]string{true: "1", false: "0"}[head[len(head)-1] == '0']
		if out, _, status := root.try(`moat log verify --head ` + wrong); status != 1 || !strings.Contains(out, "not the one whose head was noted") {
			t.Errorf("with another head: %d %s", status, out)
		}
		exported := strings.Count(root.run(`moat log export`), "\n")
		root.run(`aws ec2 delete-security-group --group-id ` + group)
		if server.Stop() != 0 {
			t.Error("the server did not stop cleanly")
		}
		b, err := os.ReadFile(export)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
			var r map[string]any
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			place, _ := at(r, "additionalEventData.moatRevision").(string)
			if place == "" || seen[place] {
				t.Errorf("the export has %q twice, or without a place: %s", place, line)
			}
			seen[place] = true
		}
		if len(seen) <= exported || !strings.Contains(string(b), `"eventName":"DeleteSecurityGroup"`) {
			t.Errorf("the export has %d events, want more than %d, and the last ones", len(seen), exported)
		}
	})
}

func names(found map[string]any) []any {
	events, _ := found["Events"].([]any)
	out := []any{}
	for _, e := range events {
		out = append(out, at(e, "EventName"))
	}
	return out
}

// TestAuditTrailByBoto3 pages through the trail with boto3's paginator, and
// catches its exceptions by their classes.
func TestAuditTrailByBoto3(t *testing.T) {
	const program = `
import boto3, datetime, os
def client(service): return boto3.client(service, endpoint_url=os.environ['AWS_ENDPOINT_URL'])
ec2, trail = client('ec2'), client('cloudtrail')
for i in range(5):
    g = ec2.create_security_group(GroupName='g%d' % i, Description='d')['GroupId']
names = [e['EventName'] for p in trail.get_paginator('lookup_events').paginate(PaginationConfig={'PageSize': 2}) for e in p['Events']]
assert names.count('CreateSecurityGroup') == 5, names
e = trail.lookup_events(LookupAttributes=[{'AttributeKey': 'ResourceName', 'AttributeValue': g}])['Events']
assert len(e) == 1 and e[0]['Resources'] == [{'ResourceType': 'AWS::EC2::SecurityGroup', 'ResourceName': g}] or len(e[0]['Resources']) == 2, e
assert abs((datetime.datetime.now(datetime.timezone.utc) - e[0]['EventTime']).total_seconds()) < 600, e
for kind, args in [('InvalidMaxResultsException', {'MaxResults': 51}), ('InvalidNextTokenException', {'NextToken': 'x'}),
                   ('InvalidTimeRangeException', {'StartTime': 2, 'EndTime': 1}), ('InvalidEventCategoryException', {'EventCategory': 'x'})]:
    try:
        trail.lookup_events(**args)
        raise SystemExit(kind + ' is not raised')
    except getattr(trail.exceptions, kind):
        pass
print('ok')
`
	ran := false
	for _, python := range interpreters("/usr/bin/python3", "python3") {
		if exec.Command(python, "-c", "import boto3").Run() != nil {
			continue
		}
		ran = true
		t.Run(filepath.Base(filepath.Dir(python))+"-"+filepath.Base(python), func(t *testing.T) {
			server := moattest.Start(t)
			c := exec.Command(python, "-c", program)
			c.Env = moattest.CleanEnv()
			for name, value := range server.Env {
				c.Env = append(c.Env, name+"="+value)
			}
			if out, err := c.CombinedOutput(); err != nil || string(out) != "ok\n" {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	if !ran {
		t.Skip("no boto3: apt-get install python3-boto3")
	}
}
