package server_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"moat/server"
	"moat/sigv4"
	"moat/state"
	"moat/store"
	"moat/vpc"
)

// admin makes a call of the operator and gives its status and answer.
func admin(t *testing.T, url, method, call, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(method, url+server.AdminPath+call, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	sigv4.Sign(r, []byte(body), sigv4.Credential{AccessKeyID: testKey, Region: "us-east-1", Service: server.ServiceMoat}, testSecret, "", time.Now())
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp.StatusCode, read(t, resp)
}

// A guardrail binds the root too, in the words that the client shows, also as a
// dry run; what stands is listed; taken away, it binds nobody.
func TestGuardrailsBindTheRoot(t *testing.T) {
	ts, _ := newAPI(t, nil)
	do := func(form string) (int, string) {
		resp := signed().post(t, ts.URL, "Version=2016-11-15&"+form)
		return resp.StatusCode, read(t, resp)
	}
	id := func(form, element string) string {
		status, text := do(form)
		_, rest, ok := strings.Cut(text, "<"+element+">")
		if status != 200 || !ok {
			t.Fatalf("%s: %d %s", form, status, text)
		}
		v, _, _ := strings.Cut(rest, "<")
		return v
	}
	vpc := id("Action=CreateVpc&CidrBlock=10.0.0.0/16", "vpcId")
	subnet := id("Action=CreateSubnet&VpcId="+vpc+"&CidrBlock=10.0.0.0/24", "subnetId")
	group := id("Action=CreateSecurityGroup&GroupName=db&GroupDescription=d&VpcId="+vpc, "groupId")
	eni := id("Action=CreateNetworkInterface&SubnetId="+subnet+"&SecurityGroupId.1="+group+
		"&TagSpecification.1.ResourceType=network-interface&TagSpecification.1.Tag.1.Key=tier&TagSpecification.1.Tag.1.Value=db", "networkInterfaceId")
	open := func(port, cidr string) (int, string) {
		return do("Action=AuthorizeSecurityGroupIngress&GroupId=" + group + "&IpProtocol=tcp&FromPort=" + port + "&ToPort=" + port + "&CidrIp=" + cidr)
	}
	if status, text := open("22", "203.0.113.0/24"); status != 200 {
		t.Fatal(text)
	}
	const sentence = "no interface tagged tier=db may be reachable from outside the VPC on any port"
	if status, text := admin(t, ts.URL, "POST", "guardrail-set", `{"name":"db","sentence":"no interfaces tagged"}`); status != 400 || !strings.Contains(text, "cannot be read") {
		t.Errorf("a sentence that is none: %d %s", status, text)
	}
	status, text := admin(t, ts.URL, "POST", "guardrail-set", `{"name":"db","sentence":"`+sentence+`"}`)
	if status != 200 || !strings.Contains(text, `"203.0.113.0/24"`) || !strings.Contains(text, eni) {
		t.Errorf("set: %d %s; want what stands against it", status, text)
	}
	for _, dry := range []string{"", "&DryRun=true"} {
		status, text = open("5432", "0.0.0.0/1"+dry)
		for _, want := range []string{"UnauthorizedOperation", "The guardrail &#34;db&#34; says: " + sentence, "0.0.0.0-9.255.255.255 -&gt; tcp/5432 by sgr-", group, eni} {
			if want = strings.NewReplacer("&#34;", `"`, "&gt;", ">").Replace(want); status != 403 || !strings.Contains(strings.NewReplacer("&#34;", `"`, "&quot;", `"`, "&gt;", ">").Replace(text), want) {
				t.Errorf("the root opens it%s: %d %s\nwant 403 and %q", dry, status, text, want)
			}
		}
	}
	if status, text := open("5432", "10.0.0.0/16"); status != 200 {
		t.Errorf("from inside: %d %s", status, text)
	}
	if status, text := open("22", "203.0.113.7/32"); status != 200 {
		t.Errorf("what stands open already: %d %s", status, text)
	}
	if status, text := admin(t, ts.URL, "GET", "guardrails", ""); status != 200 || !strings.Contains(text, sentence) {
		t.Errorf("list: %d %s", status, text)
	}
	if status, text := admin(t, ts.URL, "POST", "guardrail-remove", `{"name":"db"}`); status != 200 {
		t.Errorf("remove: %d %s", status, text)
	}
	if status, text := admin(t, ts.URL, "POST", "guardrail-remove", `{"name":"db"}`); status != 404 {
		t.Errorf("remove twice: %d %s", status, text)
	}
	if status, text := open("5432", "0.0.0.0/1"); status != 200 {
		t.Errorf("without the guardrail: %d %s", status, text)
	}
}

// Exemptions count as rules of every interface: a call that would give a way by
// one to an interface that a guardrail is about is refused, by its name, and a
// block of addresses for a VPC exempts nothing.
func TestGuardrailsKnowExemptions(t *testing.T) {
	ts, st := newAPI(t, func(c *server.Config) { c.Enforcement.Options.Exempt = exemptions(t, "aws", "203.0.113.9") })
	s := &site{T: t, url: ts.URL, store: st}
	refused := func(form, option string) {
		t.Helper()
		resp := signed().post(t, ts.URL, form+"&Version=2016-11-15")
		body := strings.NewReplacer("&#34;", `"`, "&#39;", "'", "&gt;", ">").Replace(read(t, resp))
		if resp.StatusCode != 403 || one(body, "Code") != "UnauthorizedOperation" || !strings.Contains(body, "of --exempt "+option+" ->") {
			t.Errorf("%s: %d %s; want a refusal that names --exempt %s", form, resp.StatusCode, body, option)
		}
	}
	const (
		db  = "&TagSpecification.1.ResourceType=network-interface&TagSpecification.1.Tag.1.Key=tier&TagSpecification.1.Tag.1.Value=db"
		all = "&IpPermissions.1.IpProtocol=-1&IpPermissions.1.IpRanges.1.CidrIp=0.0.0.0/0"
	)
	// network makes a VPC with a subnet and a group without rules.
	network := func(cidr string) (vpc, subnet, group string) {
		body, _ := s.ec2("Action=CreateVpc&CidrBlock=" + cidr + "/16")
		vpc = one(body, "vpcId")
		body, _ = s.ec2("Action=CreateSubnet&VpcId=" + vpc + "&CidrBlock=" + cidr + "/24")
		subnet = one(body, "subnetId")
		body, _ = s.ec2("Action=CreateSecurityGroup&GroupName=g&GroupDescription=d&VpcId=" + vpc)
		group = one(body, "groupId")
		s.ec2("Action=RevokeSecurityGroupEgress&GroupId=" + group + all)
		return vpc, subnet, group
	}
	set := func(name, sentence string) string {
		t.Helper()
		status, text := admin(t, ts.URL, "POST", "guardrail-set", `{"name":"`+name+`","sentence":"`+sentence+`"}`)
		if status != 200 {
			t.Fatalf("%d %s", status, text)
		}
		return text
	}

	vpc, subnet, group := network("10.0.0.0")
	body, _ := s.ec2("Action=CreateNetworkInterface&SubnetId=" + subnet + "&SecurityGroupId.1=" + group + db)
	eni := one(body, "networkInterfaceId")
	if text := set("out", "no interface tagged tier=db may reach 100.64.0.0/10 on any port"); strings.Contains(text, "standing") {
		t.Errorf("what is not open stands: %s", text)
	}
	s.ec2("Action=AssociateVpcCidrBlock&VpcId=" + vpc + "&CidrBlock=100.66.0.0/28")
	for to, want := range map[string]bool{"100.66.0.2:53/udp": false, "10.0.0.2:53/udp": true} {
		var why server.Why
		if s.admin("why?"+server.WhyQuery(eni, to), nil, &why); why.Allowed != want {
			t.Errorf("after a block for the VPC: %s", why.Text)
		}
	}
	_, subnet2, group2 := network("100.66.0.0")
	refused("Action=CreateNetworkInterface&SubnetId="+subnet2+"&SecurityGroupId.1="+group2+db, "aws")
	body, _ = s.ec2("Action=CreateNetworkInterface&SubnetId=" + subnet2 + "&SecurityGroupId.1=" + group2)
	refused("Action=CreateTags&ResourceId.1="+one(body, "networkInterfaceId")+"&Tag.1.Key=tier&Tag.1.Value=db", "aws")

	// What is open stands, and new interfaces are refused.
	text := set("in", "no interface tagged tier=db may be reachable from the internet on any port")
	if !strings.Contains(text, "exempt:in:203.0.113.9 of --exempt 203.0.113.9") || !strings.Contains(text, eni) {
		t.Errorf("the exemption does not stand against the guardrail: %s", text)
	}
	refused("Action=CreateNetworkInterface&SubnetId="+subnet+"&SecurityGroupId.1="+group+db, "203.0.113.9")
	s.ec2("Action=CreateNetworkInterface&SubnetId=" + subnet + "&SecurityGroupId.1=" + group)
	s.ec2("Action=AuthorizeSecurityGroupIngress&GroupId=" + group + "&IpProtocol=tcp&FromPort=22&ToPort=22&CidrIp=203.0.113.9/32")
}

// A stored guardrail that cannot be read refuses every change, by its name, until
// it is set anew; reading goes on.
func TestGuardrailThatCannotBeReadRefuses(t *testing.T) {
	ts, st := newAPI(t, nil)
	do := func(form string) (int, string) {
		resp := signed().post(t, ts.URL, "Version=2016-11-15&"+form)
		return resp.StatusCode, read(t, resp)
	}
	const create = "Action=CreateVpc&CidrBlock=10.0.0.0/16"
	if status, text := do(create); status != 200 {
		t.Fatal(text)
	}
	put := func(account vpc.AccountID) {
		if _, _, err := st.Write(t.Context(), &store.Write{
			Call: state.Call{Scope: state.Scope{Account: account}, Now: time.Now()},
			Plan: func(tx *state.Txn) (any, error) {
				state.Guardrails.Put(tx, &vpc.Guardrail{Name: "newer", Sentence: "no interface may dream"})
				return nil, nil
			},
		}); err != nil {
			t.Fatal(err)
		}
	}
	put("222233334444")
	if status, text := do(create); status != 200 {
		t.Errorf("beside another account's: %d %s", status, text)
	}
	put(account)
	for _, dry := range []string{"", "&DryRun=true"} {
		status, text := do(create + dry)
		if status != 403 || !strings.Contains(text, "UnauthorizedOperation") || !strings.Contains(text, "newer") || !strings.Contains(text, "cannot be read") {
			t.Errorf("a change%s: %d %s; want a refusal that names the guardrail", dry, status, text)
		}
	}
	if status, text := do("Action=DescribeVpcs"); status != 200 {
		t.Errorf("a question: %d %s", status, text)
	}
	if status, text := admin(t, ts.URL, "GET", "guardrails", ""); status != 200 || !strings.Contains(text, `"unreadable":`) {
		t.Errorf("list: %d %s", status, text)
	}
	if status, text := admin(t, ts.URL, "POST", "guardrail-set", `{"name":"newer","sentence":"no interface may be reachable from the internet on any port"}`); status != 200 {
		t.Errorf("set anew: %d %s", status, text)
	}
	if status, text := do(create); status != 200 {
		t.Errorf("with one that can be read: %d %s", status, text)
	}
}
