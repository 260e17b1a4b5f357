package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"moat/server"
	"moat/sigv4"
	"moat/trail"
)

const lookupTarget = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents"

type lookedUp struct {
	Type    string `json:"__type"`
	Message string `json:"message"`
	Events  []struct {
		EventId, EventName, ReadOnly, AccessKeyId, EventSource, Username, CloudTrailEvent string
		EventTime                                                                         json.Number
		Resources                                                                         []struct{ ResourceType, ResourceName string }
	}
	NextToken string
}

func (l lookedUp) names() (out []string) {
	for _, e := range l.Events {
		out = append(out, e.EventName)
	}
	return out
}

// cloudTrail calls CloudTrail as it is called.
func (c caller) cloudTrail(target, body string) (status int, out lookedUp) {
	c.t.Helper()
	if c.sign.service == "ec2" {
		c.sign.service = "cloudtrail"
	}
	if c.sign.at.IsZero() {
		c.sign.at = time.Now()
	}
	sign := c.sign
	sign.unsigned = true // by hand, so that the target is signed too
	sign.change = func(r *http.Request) {
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
		r.Header.Set("X-Amz-Target", target)
		if !c.sign.unsigned {
			resign(r, body, c.sign)
		}
	}
	resp := sign.post(c.t, c.url, body)
	text := read(c.t, resp)
	if got := resp.Header.Get("Content-Type"); got != "application/x-amz-json-1.1" {
		c.t.Errorf("%s %s: Content-Type %q", target, body, got)
	}
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		c.t.Fatalf("%s: %v: %s", body, err, text)
	}
	return resp.StatusCode, out
}

func (c caller) lookup(body string) lookedUp {
	c.t.Helper()
	status, out := c.cloudTrail(lookupTarget, body)
	if status != 200 {
		c.t.Fatalf("%s: %d %s %s", body, status, out.Type, out.Message)
	}
	return out
}

func resign(r *http.Request, body string, s signer) {
	sigv4.Sign(r, []byte(body), sigv4.Credential{AccessKeyID: s.key, Date: s.at.UTC().Format("20060102"), Region: s.region, Service: s.service}, s.secret, s.token, s.at)
}

func attribute(key, value string) string {
	return fmt.Sprintf(`{"LookupAttributes":[{"AttributeKey":%q,"AttributeValue":%q}]}`, key, value)
}

func apiOf(t *testing.T, ts *httptest.Server) *server.Server {
	t.Helper()
	api, ok := ts.Config.Handler.(*server.Server)
	if !ok {
		t.Fatalf("the handler is %T", ts.Config.Handler)
	}
	return api
}

// What is looked up is found, by each attribute, and its neighbours are not.
func TestLookupEvents(t *testing.T) {
	ts, _ := newAPI(t, nil)
	root := rootOf(t, ts)
	group := element(root.must("ec2:CreateSecurityGroup", "GroupName", "web", "GroupDescription", "d"), "groupId")
	other := element(root.must("ec2:CreateSecurityGroup", "GroupName", "db", "GroupDescription", "d"), "groupId")
	root.must("ec2:AuthorizeSecurityGroupIngress", "GroupId", group, "IpPermissions.1.IpProtocol", "tcp", "IpPermissions.1.FromPort", "22",
		"IpPermissions.1.ToPort", "22", "IpPermissions.1.IpRanges.1.CidrIp", "10.0.0.0/8", "IpPermissions.1.IpRanges.1.Description", "x")
	alice, key := root.newUser("alice")
	alice.refused("UnauthorizedOperation", "ec2:DeleteSecurityGroup", "GroupId", other)
	root.must("ec2:DescribeSecurityGroups")
	there := root.with(func(s *signer) { s.region = "eu-west-1" })
	there.must("ec2:CreateSecurityGroup", "GroupName", "far", "GroupDescription", "d")
	if err := apiOf(t, ts).StoreRefusals(t.Context(), false); err != nil {
		t.Fatal(err)
	}

	all := root.lookup(`{}`)
	want := []string{"DeleteSecurityGroup", "CreateAccessKey", "CreateUser", "AuthorizeSecurityGroupIngress", "CreateSecurityGroup", "CreateSecurityGroup"}
	if got := all.names(); !slices.Equal(got[:min(len(got), len(want))], want) {
		t.Errorf("the newest first: %v, want %v", got, want)
	}
	if got := there.lookup(`{}`).names(); !slices.Contains(got, "CreateUser") || slices.Contains(got, "AuthorizeSecurityGroupIngress") {
		t.Errorf("in another region: %v", got)
	}
	for _, row := range []struct{ key, value, want string }{
		{"EventId", all.Events[3].EventId, "AuthorizeSecurityGroupIngress"},
		{"EventId", "00000000-0000-0000-0000-000000000000", ""},
		{"EventName", "AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupIngress"},
		{"EventName", "AuthorizeSecurityGroupEgress", ""},
		{"Username", "alice", "DeleteSecurityGroup"},
		{"Username", "alic", ""},
		{"ResourceName", group, "AuthorizeSecurityGroupIngress CreateSecurityGroup"},
		{"ResourceName", other, "DeleteSecurityGroup CreateSecurityGroup"},
		{"ResourceName", "alice", "CreateAccessKey CreateUser"},
		{"ResourceType", "AWS::EC2::SecurityGroup", "DeleteSecurityGroup AuthorizeSecurityGroupIngress CreateSecurityGroup CreateSecurityGroup"},
		{"ResourceType", "AWS::EC2::Instance", ""},
		{"EventSource", "iam.amazonaws.com", "CreateAccessKey CreateUser"},
		{"EventSource", "s3.amazonaws.com", ""},
		{"AccessKeyId", key, "DeleteSecurityGroup CreateAccessKey"},
		{"ReadOnly", "true", ""},
	} {
		got := root.lookup(attribute(row.key, row.value))
		var names []string
		for _, e := range got.Events {
			if e.EventSource != "moat" {
				names = append(names, e.EventName)
			}
		}
		if text := strings.Join(names, " "); text != row.want && !(row.key == "AccessKeyId" && strings.HasPrefix(row.want, text) && text != "") {
			t.Errorf("%s %s: %s, want %s", row.key, row.value, text, row.want)
		}
	}

	// Page by page it is the same.
	var paged []string
	body, pages := `{"MaxResults":1}`, 0
	for ; ; pages++ {
		page := root.lookup(body)
		paged = append(paged, page.names()...)
		if page.NextToken == "" {
			break
		}
		body = fmt.Sprintf(`{"MaxResults":1,"NextToken":%q}`, page.NextToken)
	}
	if !slices.Equal(paged, all.names()) || pages < 6 {
		t.Errorf("in %d pages: %v, want %v", pages, paged, all.names())
	}
	token := root.lookup(`{"MaxResults":1}`).NextToken
	at, _ := all.Events[0].EventTime.Int64()
	if n := len(root.lookup(fmt.Sprintf(`{"StartTime":%d}`, at+3600)).Events) + len(root.lookup(fmt.Sprintf(`{"EndTime":%d}`, at-3600)).Events); n != 0 {
		t.Errorf("%d events an hour before or after", n)
	}
	if n := len(root.lookup(fmt.Sprintf(`{"StartTime":%d.5,"EndTime":%d}`, at-3600, at+3600)).Events); n != len(all.Events) {
		t.Errorf("%d events within two hours, of %d", n, len(all.Events))
	}

	for _, row := range []struct {
		what, target, body, code string
		by                       caller
	}{
		{"no attribute of CloudTrail's", lookupTarget, attribute("Colour", "red"), "InvalidLookupAttributesException", root},
		{"two attributes", lookupTarget, `{"LookupAttributes":[{"AttributeKey":"Username","AttributeValue":"a"},{"AttributeKey":"Username","AttributeValue":"b"}]}`, "InvalidLookupAttributesException", root},
		{"ReadOnly that is neither", lookupTarget, attribute("ReadOnly", "maybe"), "InvalidLookupAttributesException", root},
		{"no page", lookupTarget, `{"MaxResults":0}`, "InvalidMaxResultsException", root},
		{"a large page", lookupTarget, `{"MaxResults":51}`, "InvalidMaxResultsException", root},
		{"the end before the start", lookupTarget, `{"StartTime":2,"EndTime":1}`, "InvalidTimeRangeException", root},
		{"no token", lookupTarget, `{"NextToken":"x"}`, "InvalidNextTokenException", root},
		{"the token of another question", lookupTarget, fmt.Sprintf(`{"NextToken":%q,"LookupAttributes":[{"AttributeKey":"Username","AttributeValue":"alice"}]}`, token), "InvalidNextTokenException", root},
		{"no category", lookupTarget, `{"EventCategory":"x"}`, "InvalidEventCategoryException", root},
		{"no JSON", lookupTarget, `{`, "SerializationException", root},
		{"JSON of another kind", lookupTarget, `{"MaxResults":"many"}`, "SerializationException", root},
		{"a list for a structure", lookupTarget, `[]`, "SerializationException", root},
		{"another operation", strings.Replace(lookupTarget, "LookupEvents", "CreateTrail", 1), `{}`, "UnknownOperationException", root},
		{"no permission", lookupTarget, `{}`, "AccessDeniedException", alice},
		{"no signature", lookupTarget, `{}`, "MissingAuthenticationTokenException", root.with(func(s *signer) { s.unsigned = true })},
		{"a wrong secret", lookupTarget, `{}`, "InvalidSignatureException", root.as(testKey, "wrong")},
		{"a key of nobody", lookupTarget, `{}`, "UnrecognizedClientException", root.as("AKIANOBODYNOBODYNOBO", "wrong")},
		{"another service's signature", lookupTarget, `{}`, "InvalidSignatureException", root.with(func(s *signer) { s.service = "iam" })},
	} {
		status, out := row.by.cloudTrail(row.target, row.body)
		if status != 400 || out.Type != row.code || out.Message == "" {
			t.Errorf("%s: %d %s %s, want 400 %s", row.what, status, out.Type, out.Message, row.code)
		}
	}
	root.must("iam:PutUserPolicy", "UserName", "alice", "PolicyName", "p", "PolicyDocument", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"cloudtrail:LookupEvents","Resource":"*"}]}`)
	if len(alice.lookup(`{}`).Events) == 0 {
		t.Error("with permission nothing is found")
	}
}

// A record has the shape of those that CloudTrail was seen to write.
func TestCloudTrailRecords(t *testing.T) {
	ts, st := newAPI(t, nil)
	root := rootOf(t, ts)
	group := element(root.must("ec2:CreateSecurityGroup", "GroupName", "web", "GroupDescription", "d"), "groupId")
	answer := root.must("ec2:AuthorizeSecurityGroupIngress", "GroupId", group, "IpPermissions.1.IpProtocol", "tcp", "IpPermissions.1.FromPort", "22",
		"IpPermissions.1.ToPort", "22", "IpPermissions.1.IpRanges.1.CidrIp", "10.0.0.0/8", "IpPermissions.1.IpRanges.1.Description", "x")
	root.must("ec2:AuthorizeSecurityGroupIngress", "GroupId", group, "IpProtocol", "tcp", "FromPort", "80", "ToPort", "80", "CidrIp", "10.0.0.0/8")
	root.refused("InvalidPermission.Duplicate", "ec2:AuthorizeSecurityGroupIngress", "GroupId", group, "IpProtocol", "tcp", "FromPort", "80", "ToPort", "80", "CidrIp", "10.0.0.0/8")
	if err := apiOf(t, ts).StoreRefusals(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	found := root.lookup(attribute("EventName", "AuthorizeSecurityGroupIngress"))
	if len(found.Events) != 3 {
		t.Fatalf("%d events", len(found.Events))
	}
	record := func(i int) map[string]any {
		var m map[string]any
		if err := json.Unmarshal([]byte(found.Events[i].CloudTrailEvent), &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	same := func(what string, got any, want string) {
		t.Helper()
		b, err := json.Marshal(got)
		var w any
		if err2 := json.Unmarshal([]byte(want), &w); err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		wanted, _ := json.Marshal(w)
		if string(b) != string(wanted) {
			t.Errorf("%s:\n got %s\nwant %s", what, b, wanted)
		}
	}
	rule := element(answer, "securityGroupRuleId")
	permissions := record(2)
	same("requestParameters", permissions["requestParameters"], `{"groupId":"`+group+`","ipPermissions":{"items":[{"ipProtocol":"tcp","fromPort":22,"toPort":22,"groups":{},"ipRanges":{"items":[{"cidrIp":"10.0.0.0/8","description":"x"}]},"ipv6Ranges":{},"prefixListIds":{}}]}}`)
	elements, _ := permissions["responseElements"].(map[string]any)
	same("_return", elements["_return"], `true`)
	set, _ := json.Marshal(elements["securityGroupRuleSet"])
	for _, want := range []string{`"items":[{`, `"securityGroupRuleId":"` + rule + `"`, `"fromPort":22`, `"isEgress":false`, `"cidrIpv4":"10.0.0.0/8"`} {
		if !strings.Contains(string(set), want) {
			t.Errorf("securityGroupRuleSet has not %s: %s", want, set)
		}
	}
	same("userIdentity", permissions["userIdentity"], `{"type":"Root","principalId":"123456789012","arn":"arn:aws:iam::123456789012:root","accountId":"123456789012","accessKeyId":"`+testKey+`"}`)
	if id := element(answer, "requestId"); permissions["requestID"] != id || elements["requestId"] != id {
		t.Errorf("requestID %v, want %s", permissions["requestID"], id)
	}
	for k, want := range map[string]any{"eventSource": "ec2.amazonaws.com", "awsRegion": "us-east-1", "eventType": "AwsApiCall", "readOnly": false, "managementEvent": true,
		"recipientAccountId": account, "sourceIPAddress": "127.0.0.1", "eventID": found.Events[2].EventId, "eventCategory": "Management"} {
		if permissions[k] != want {
			t.Errorf("%s is %v, want %v", k, permissions[k], want)
		}
	}
	same("flat parameters", record(1)["requestParameters"], `{"groupId":"`+group+`","cidrIp":"10.0.0.0/8","ipProtocol":"tcp","fromPort":80,"toPort":80,"ipPermissions":{}}`)
	refused := record(0)
	if refused["errorCode"] != "Client.InvalidPermission.Duplicate" || refused["responseElements"] != nil || !strings.Contains(fmt.Sprint(refused["errorMessage"]), "already exists") {
		t.Errorf("a refusal: %v", refused)
	}

	// A role's session, of which no secret is kept.
	root.must("iam:CreateRole", "RoleName", "deploy", "AssumeRolePolicyDocument", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"sts:AssumeRole"}]}`)
	root.must("iam:AttachRolePolicy", "RoleName", "deploy", "PolicyArn", "arn:aws:iam::aws:policy/AmazonEC2FullAccess")
	alice, _ := root.newUser("alice")
	root.must("iam:AttachUserPolicy", "UserName", "alice", "PolicyArn", "arn:aws:iam::aws:policy/AdministratorAccess")
	body := alice.must("sts:AssumeRole", "RoleArn", "arn:aws:iam::123456789012:role/deploy", "RoleSessionName", "s1")
	session := alice.as(element(body, "AccessKeyId"), element(body, "SecretAccessKey")).with(func(s *signer) { s.token = element(body, "SessionToken") })
	session.must("ec2:CreateTags", "ResourceId.1", group, "Tag.1.Key", "a", "Tag.1.Value", strings.Repeat("%", 256), "Tag.2.Key", "b", "Tag.2.Value", "<b>")
	pair := session.must("ec2:CreateKeyPair", "KeyName", "k")
	found = root.lookup(attribute("Username", "s1"))
	if len(found.Events) != 2 {
		t.Fatalf("%v", found.names())
	}
	identity, _ := json.Marshal(record(1)["userIdentity"])
	for _, want := range []string{`"type":"AssumedRole"`, `"arn":"arn:aws:sts::123456789012:assumed-role/deploy/s1"`, `"sessionIssuer":{`, `"userName":"deploy"`, `"creationDate":"2`} {
		if !strings.Contains(string(identity), want) {
			t.Errorf("userIdentity has not %s: %s", want, identity)
		}
	}
	same("resourcesSet", record(1)["requestParameters"].(map[string]any)["resourcesSet"], `{"items":[{"resourceId":"`+group+`"}]}`)
	issued := root.lookup(attribute("EventName", "AssumeRole"))
	if len(issued.Events) != 1 || !strings.Contains(issued.Events[0].CloudTrailEvent, element(body, "AccessKeyId")) || issued.Events[0].ReadOnly != "true" {
		t.Errorf("AssumeRole: %+v", issued)
	}
	everything, _, err := st.Events(t.Context(), trail.Place{}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range everything {
		text := string(trail.Encode(e))
		for _, secret := range []string{element(body, "SecretAccessKey"), element(body, "SessionToken"), alice.sign.secret, "PRIVATE KEY", element(pair, "keyMaterial")} {
			if secret != "" && strings.Contains(text, secret) {
				t.Errorf("the event of %s has a secret", e.Action)
			}
		}
	}
}

// A long request is cut in its event, which says so; what it did is kept.
func TestLongRequestsAreCut(t *testing.T) {
	ts, st := newAPI(t, nil)
	root := rootOf(t, ts)
	params := []string{"GroupName", "web", "GroupDescription", "d", "TagSpecification.1.ResourceType", "security-group"}
	for i := range 50 {
		params = append(params, fmt.Sprintf("TagSpecification.1.Tag.%d.Key", i+1), fmt.Sprintf("%03d", i), fmt.Sprintf("TagSpecification.1.Tag.%d.Value", i+1), strings.Repeat("=", 256))
	}
	group := element(root.must("ec2:CreateSecurityGroup", params...), "groupId")
	e := lastEvent(t, st)
	if len(e.Request) > trail.MaxRequest || e.Cut < 5000 || len(e.Rules) != 1 || !slices.ContainsFunc(e.Changed, func(k string) bool { return strings.HasSuffix(k, group) }) {
		t.Errorf("%d bytes of the request are kept, %d are not; %v %v", len(e.Request), e.Cut, e.Rules, e.Changed)
	}
	if found := root.lookup(attribute("ResourceName", group)); len(found.Events) != 1 || !strings.Contains(found.Events[0].CloudTrailEvent, `"omitted":true`) {
		t.Errorf("%+v", found)
	}
}

// moat log, blame and verify by their API: who may not is refused, and each
// question has its neighbour that finds nothing.
func TestLogAndBlame(t *testing.T) {
	ts, st := newAPI(t, nil)
	root := rootOf(t, ts)
	group := element(root.must("ec2:CreateSecurityGroup", "GroupName", "web", "GroupDescription", "d"), "groupId")
	root.must("ec2:AuthorizeSecurityGroupIngress", "GroupId", group, "IpProtocol", "tcp", "FromPort", "8000", "ToPort", "8100", "CidrIp", "10.0.0.0/8")
	alice(t, st, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:*","Resource":"*"}]}`)
	user := root.as(aliceKey, aliceSecret)
	id := element(user.must("ec2:AuthorizeSecurityGroupIngress", "GroupId", group, "IpProtocol", "tcp", "FromPort", "22", "ToPort", "22", "CidrIp", "192.0.2.1/32"), "securityGroupRuleId")
	get := func(call string, out any) (int, string) {
		status, text := admin(t, ts.URL, "GET", call, "")
		if status == 200 {
			if err := json.Unmarshal([]byte(text), out); err != nil {
				t.Fatal(err)
			}
		}
		return status, text
	}
	for _, row := range []struct {
		q    server.TrailQuery
		want int
	}{
		{server.TrailQuery{Group: "web"}, 3},
		{server.TrailQuery{Group: group}, 3},
		{server.TrailQuery{Group: "db"}, 0},
		{server.TrailQuery{Group: "web", Call: "AuthorizeSecurityGroupIngress", Port: 22}, 1},
		{server.TrailQuery{Group: "web", Call: "AuthorizeSecurityGroupIngress", Port: 8050}, 1},
		{server.TrailQuery{Group: "web", Call: "AuthorizeSecurityGroupIngress", Port: 8101}, 0},
		{server.TrailQuery{By: "alice"}, 1},
		{server.TrailQuery{By: "arn:aws:iam::123456789012:user/alice"}, 1},
		{server.TrailQuery{By: aliceKey}, 1},
		{server.TrailQuery{By: "bob"}, 0},
		{server.TrailQuery{Rule: id}, 1},
		{server.TrailQuery{Group: "web", Refused: true}, 0},
		{server.TrailQuery{Group: "web", Since: time.Now().Add(time.Hour)}, 0},
		{server.TrailQuery{Group: "web", Until: time.Now().Add(time.Hour), Limit: 2}, 2},
	} {
		var out server.Log
		if status, text := get("log?"+row.q.Encode(), &out); status != 200 || len(out.Events) != row.want {
			t.Errorf("%+v: %d, %d events, want %d: %s", row.q, status, len(out.Events), row.want, text)
		}
	}
	var blame server.Blame
	if status, text := get("blame?group=web", &blame); status != 200 || len(blame.Rules) != 3 {
		t.Fatalf("%d %s", status, text)
	}
	by := map[string]string{}
	for _, r := range blame.Rules {
		if r.Event == nil {
			t.Fatalf("nobody is known for %s", r.Rule)
		}
		by[r.Rule] = r.Event.User + " " + r.Event.Action
	}
	if by["in tcp 22 192.0.2.1/32"] != "alice AuthorizeSecurityGroupIngress" || by["in tcp 8000-8100 10.0.0.0/8"] != "root AuthorizeSecurityGroupIngress" || by["out all all 0.0.0.0/0"] != "root CreateSecurityGroup" {
		t.Errorf("%v", by)
	}
	// Who changed a rule last is named.
	root.must("ec2:ModifySecurityGroupRules", "GroupId", group, "SecurityGroupRule.1.SecurityGroupRuleId", id, "SecurityGroupRule.1.SecurityGroupRule.IpProtocol", "tcp",
		"SecurityGroupRule.1.SecurityGroupRule.FromPort", "22", "SecurityGroupRule.1.SecurityGroupRule.ToPort", "22", "SecurityGroupRule.1.SecurityGroupRule.CidrIpv4", "192.0.2.2/32")
	if get("blame?group=web", &blame); !slices.ContainsFunc(blame.Rules, func(r server.BlameRule) bool {
		return r.ID == id && r.Rule == "in tcp 22 192.0.2.2/32" && r.Event != nil && r.Event.User == "root" && r.Event.Rules[0].Did == "changed"
	}) {
		t.Errorf("%+v", blame)
	}
	if f := moat(t, ts.URL, aliceKey, aliceSecret, "log", nil, nil); f == nil {
		t.Error("alice may look at the log")
	}
	var report server.TrailReport
	if status, text := get("log-verify", &report); status != 200 || report.Found != 0 || report.Events == 0 {
		t.Errorf("%d %s", status, text)
	}
	if status, text := get("log-verify?head="+report.Head, &report); status != 200 || report.Found != 0 {
		t.Errorf("%d %s", status, text)
	}
	if status, _ := get("log-verify?head=12", &report); status != 400 {
		t.Errorf("a head that is none: %d", status)
	}
	var export server.Export
	if status, text := get("log-export", &export); status != 200 || len(export.Records) != report.Events || !strings.Contains(string(export.Records[0]), "moatHash") {
		t.Errorf("%d, %d records of %d: %.300s", status, len(export.Records), report.Events, text)
	}
}
