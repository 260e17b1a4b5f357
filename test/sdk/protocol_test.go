package sdk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"moat/ec2query"
	"moat/sigv4"
)

// testPaging: every page once, in any size, for every call that pages.
func testPaging(w *world) {
	home := w.vpc("10.12.0.0/16")
	want := map[string]bool{}
	for i := range 12 {
		want[w.group(fmt.Sprintf("g%02d", i), home)] = true
	}
	for _, size := range []int32{5, 6, 12, 1000} {
		got := map[string]bool{}
		pages, counts := ec2.NewDescribeSecurityGroupsPaginator(w.ec2, &ec2.DescribeSecurityGroupsInput{
			Filters: filters("vpc-id", home, "group-name", "g*"), MaxResults: &size,
		}), []int{}
		for pages.HasMorePages() {
			page, err := pages.NextPage(w.ctx)
			if err != nil {
				w.Fatal(err)
			}
			counts = append(counts, len(page.SecurityGroups))
			for _, g := range page.SecurityGroups {
				if got[*g.GroupId] {
					w.Errorf("%s is on two pages of %d", *g.GroupId, size)
				}
				got[*g.GroupId] = true
			}
		}
		equal(w, fmt.Sprintf("groups in pages of %d", size), len(got), len(want))
		if size == 12 && len(counts) != 1 || size == 5 && !slices.Equal(counts, []int{5, 5, 2}) {
			w.Errorf("pages of %d hold %v", size, counts)
		}
	}

	// The other paginators: all that a call without MaxResults gives, in pages of five.
	var subnets, rules, usable, vpcs, enis, lists, tagged, stale, associated int
	subnet := w.subnet(home, "10.12.0.0/24")
	for i := range 7 {
		w.subnet(home, fmt.Sprintf("10.12.%d.0/24", i+1))
		must(w, w.ec2.CreateNetworkInterface, &ec2.CreateNetworkInterfaceInput{SubnetId: &subnet})
		must(w, w.ec2.CreateManagedPrefixList, &ec2.CreateManagedPrefixListInput{PrefixListName: new("l"), AddressFamily: new("IPv4"), MaxEntries: new(int32(1))})
	}
	var ids []string
	for id := range want {
		ids = append(ids, id)
	}
	must(w, w.ec2.CreateTags, &ec2.CreateTagsInput{Resources: ids, Tags: tags("a", "b")})
	five := new(int32(5))
	inVPC := filters("vpc-id", home)
	walk(w, ec2.NewDescribeSubnetsPaginator(w.ec2, &ec2.DescribeSubnetsInput{Filters: inVPC, MaxResults: five}), func(p *ec2.DescribeSubnetsOutput) { subnets += len(p.Subnets) })
	walk(w, ec2.NewDescribeSecurityGroupRulesPaginator(w.ec2, &ec2.DescribeSecurityGroupRulesInput{MaxResults: five}), func(p *ec2.DescribeSecurityGroupRulesOutput) { rules += len(p.SecurityGroupRules) })
	walk(w, ec2.NewGetSecurityGroupsForVpcPaginator(w.ec2, &ec2.GetSecurityGroupsForVpcInput{VpcId: &home, MaxResults: five}), func(p *ec2.GetSecurityGroupsForVpcOutput) { usable += len(p.SecurityGroupForVpcs) })
	walk(w, ec2.NewDescribeVpcsPaginator(w.ec2, &ec2.DescribeVpcsInput{MaxResults: five}), func(p *ec2.DescribeVpcsOutput) { vpcs += len(p.Vpcs) })
	walk(w, ec2.NewDescribeNetworkInterfacesPaginator(w.ec2, &ec2.DescribeNetworkInterfacesInput{Filters: inVPC, MaxResults: five}), func(p *ec2.DescribeNetworkInterfacesOutput) { enis += len(p.NetworkInterfaces) })
	walk(w, ec2.NewDescribeManagedPrefixListsPaginator(w.ec2, &ec2.DescribeManagedPrefixListsInput{Filters: filters("owner-id", account), MaxResults: five}), func(p *ec2.DescribeManagedPrefixListsOutput) { lists += len(p.PrefixLists) })
	walk(w, ec2.NewDescribePrefixListsPaginator(w.ec2, &ec2.DescribePrefixListsInput{MaxResults: five}), func(p *ec2.DescribePrefixListsOutput) {})
	walk(w, ec2.NewDescribeTagsPaginator(w.ec2, &ec2.DescribeTagsInput{MaxResults: five}), func(p *ec2.DescribeTagsOutput) { tagged += len(p.Tags) })
	walk(w, ec2.NewDescribeStaleSecurityGroupsPaginator(w.ec2, &ec2.DescribeStaleSecurityGroupsInput{VpcId: &home, MaxResults: five}), func(p *ec2.DescribeStaleSecurityGroupsOutput) { stale += len(p.StaleSecurityGroupSet) })
	walk(w, ec2.NewDescribeSecurityGroupVpcAssociationsPaginator(w.ec2, &ec2.DescribeSecurityGroupVpcAssociationsInput{MaxResults: five}), func(p *ec2.DescribeSecurityGroupVpcAssociationsOutput) {
		associated += len(p.SecurityGroupVpcAssociations)
	})
	got := []int{subnets, rules, usable, vpcs, enis, lists, tagged, stale, associated}
	equal(w, "what the paginators find", got, []int{8, 2 + 2 + 12, 13, 2, 7, 7, 12, 0, 0})

	// A token goes on where it was, whatever is deleted in between.
	first := must(w, w.ec2.DescribeSecurityGroups, &ec2.DescribeSecurityGroupsInput{Filters: filters("vpc-id", home, "group-name", "g*"), MaxResults: five})
	for _, g := range first.SecurityGroups {
		must(w, w.ec2.DeleteSecurityGroup, &ec2.DeleteSecurityGroupInput{GroupId: g.GroupId})
		delete(want, *g.GroupId)
	}
	rest := must(w, w.ec2.DescribeSecurityGroups, &ec2.DescribeSecurityGroupsInput{
		Filters: filters("vpc-id", home, "group-name", "g*"), MaxResults: new(int32(1000)), NextToken: first.NextToken,
	})
	for _, g := range rest.SecurityGroups {
		delete(want, *g.GroupId)
	}
	if len(want) != 0 || len(rest.SecurityGroups) != 7 || rest.NextToken != nil {
		w.Errorf("after deletions the second page has %d groups, misses %v, next token %v", len(rest.SecurityGroups), want, rest.NextToken)
	}
}

// A paginator is what the SDK makes of one.
type paginator[Out, Opt any] interface {
	HasMorePages() bool
	NextPage(context.Context, ...func(*Opt)) (*Out, error)
}

func walk[Out, Opt any](w *world, p paginator[Out, Opt], each func(*Out)) {
	w.Helper()
	for n := 0; p.HasMorePages(); n++ {
		page, err := p.NextPage(w.ctx)
		if err != nil {
			w.Fatalf("%T: %v", p, err)
		}
		if each(page); n > 100 {
			w.Fatalf("%T does not end", p)
		}
	}
}

// testRefusals: errors that do not belong to one action.
func testRefusals(w *world) {
	// Credentials, in the words of each service.
	with := func(id, secret, token string) (*ec2.Client, *sts.Client) {
		keys := credentials.NewStaticCredentialsProvider(id, secret, token)
		return ec2.New(ec2.Options{Region: w.region, Credentials: keys, BaseEndpoint: &w.server.URL}),
			sts.New(sts.Options{Region: w.region, Credentials: keys, BaseEndpoint: &w.server.URL})
	}
	id, secret := w.server.Env["AWS_ACCESS_KEY_ID"], w.server.Env["AWS_SECRET_ACCESS_KEY"]
	const authFailure = "AWS was not able to validate the provided access credentials"
	for _, row := range []struct{ what, id, secret, token, sts, stsMessage string }{
		{"an unknown key", "AKIAIOSFODNN7EXAMPLE", secret, "", "403 InvalidClientTokenId", "The security token included in the request is invalid."},
		{"a wrong secret", id, secret + "x", "", "403 SignatureDoesNotMatch", "~The request signature we calculated does not match the signature you provided\\..*"},
		{"a session token that nobody gave", id, secret, "token", "403 InvalidClientTokenId", "The security token included in the request is invalid."},
	} {
		e, s := with(row.id, row.secret, row.token)
		_, err := e.DescribeVpcs(w.ctx, &ec2.DescribeVpcsInput{})
		w.isRefusal(row.what+" at EC2", err, "401 AuthFailure", authFailure)
		_, err = s.GetCallerIdentity(w.ctx, &sts.GetCallerIdentityInput{})
		w.isRefusal(row.what+" at STS", err, row.sts, row.stsMessage)
	}
	e, _ := with(id, secret, "")
	if _, err := e.DescribeVpcs(w.ctx, &ec2.DescribeVpcsInput{}); err != nil {
		w.Errorf("the right key: %v", err)
	}

	// The region of the signature is a space of its own, if it is served.
	vpc := w.defaultVPC()
	_, err := w.ec2.DescribeVpcs(w.ctx, &ec2.DescribeVpcsInput{VpcIds: []string{vpc}}, func(o *ec2.Options) { o.Region = "us-gov-west-1" })
	w.isRefusal("a VPC of another region", err, "InvalidVpcID.NotFound", "The vpc ID '"+vpc+"' does not exist")
	_, err = w.ec2.DescribeVpcs(w.ctx, &ec2.DescribeVpcsInput{}, func(o *ec2.Options) { o.Region = "mars-north-1" })
	w.isRefusal("a region that is not served", err, "401 AuthFailure", authFailure)

	// What EC2 has and Moat has not is a clean 400 that no client tries again.
	attempts := 0
	_, err = w.ec2.DescribeSnapshots(w.ctx, &ec2.DescribeSnapshotsInput{}, func(o *ec2.Options) {
		o.HTTPClient = doer(func(r *http.Request) (*http.Response, error) { attempts++; return http.DefaultClient.Do(r) })
	})
	w.isRefusal("an action that is not served", err, "InvalidAction", "The action DescribeSnapshots is not valid for this web service.")
	equal(w, "attempts", attempts, 1)

	// The SDK finds the request's id in an error too.
	var response *awsResponseError
	if !errors.As(err, &response) || response.Response.Header.Get("X-Amzn-Requestid") == "" || !strings.Contains(err.Error(), response.Response.Header.Get("X-Amzn-Requestid")) {
		w.Errorf("no request id in %v", err)
	}
	refused(w, w.ec2.DescribeVpcs, &ec2.DescribeVpcsInput{Filters: filters("colour", "red")}, "InvalidParameterValue", "The filter 'colour' is invalid")
}

// raw sends a form signed for a service and gives status and body.
func (w *world) raw(method, service, form string) (int, string) {
	w.Helper()
	target, body := w.server.URL+"/", ""
	if method == http.MethodGet {
		target += "?" + form
	} else {
		body = form
	}
	r, err := http.NewRequestWithContext(w.ctx, method, target, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	sigv4.Sign(r, []byte(body), sigv4.Credential{AccessKeyID: w.server.Env["AWS_ACCESS_KEY_ID"], Region: w.region, Service: service},
		w.server.Env["AWS_SECRET_ACCESS_KEY"], "", time.Now())
	return w.send(r)
}

func (w *world) send(r *http.Request) (int, string) {
	w.Helper()
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		w.Fatal(err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		w.Fatal(err)
	}
	if !strings.HasPrefix(response.Header.Get("Content-Type"), "text/xml") {
		w.Errorf("Content-Type %q", response.Header.Get("Content-Type"))
	}
	return response.StatusCode, string(b)
}

// testWireVariants: requests that only old or odd clients send.
func testWireVariants(w *world) {
	home := w.vpc("10.13.0.0/16")
	web, db := w.group("web", home), w.group("db", home)
	found := func(what string, status int, body string, want ...string) {
		w.Helper()
		var out struct {
			SecurityGroups []struct{ GroupId string } `out:"securityGroupInfo"`
		}
		if err := ec2query.DecodeResponse([]byte(body), &out); status != 200 || err != nil {
			w.Errorf("%s: %d, %v: %s", what, status, err, body)
			return
		}
		var ids []string
		for _, g := range out.SecurityGroups {
			ids = append(ids, g.GroupId)
		}
		slices.Sort(ids)
		slices.Sort(want)
		if !reflect.DeepEqual(ids, want) {
			w.Errorf("%s finds %v, want %v", what, ids, want)
		}
	}
	const describe = "Action=DescribeSecurityGroups&Version=2016-11-15"
	for what, form := range map[string]string{
		"lists from 1":         describe + "&GroupId.1=" + web + "&GroupId.2=" + db,
		"lists from 0":         describe + "&GroupId.0=" + web + "&GroupId.1=" + db,
		"lists with gaps":      describe + "&GroupId.3=" + web + "&GroupId.17=" + db,
		"any order":            "GroupId.2=" + db + "&Version=2016-11-15&GroupId.1=" + web + "&Action=DescribeSecurityGroups",
		"filters from 0":       describe + "&Filter.0.Name=group-id&Filter.0.Value.0=" + web + "&Filter.0.Value.1=" + db,
		"a filter with gaps":   describe + "&Filter.9.Name=group-id&Filter.9.Value.4=" + web + "&Filter.9.Value.40=" + db,
		"an empty NextToken":   describe + "&GroupId.1=" + web + "&GroupId.2=" + db + "&NextToken=",
		"version 2014-10-01":   "Action=DescribeSecurityGroups&Version=2014-10-01&GroupId.1=" + web + "&GroupId.2=" + db,
		"version 2015-10-01":   "Action=DescribeSecurityGroups&Version=2015-10-01&GroupId.1=" + web + "&GroupId.2=" + db,
		"%20 for a space, \\ ": describe + "&Filter.1.Name=description&Filter.1.Value.1=group%20web&Filter.1.Value.2=group+db",
	} {
		for _, method := range []string{http.MethodPost, http.MethodGet} {
			status, body := w.raw(method, "ec2", form)
			found(method+" "+what, status, body, web, db)
		}
	}
	status, body := w.raw(http.MethodPost, "ec2", describe+"&GroupId.1="+web)
	found("one", status, body, web)
	if !strings.HasPrefix(body, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<DescribeSecurityGroupsResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>") {
		w.Errorf("a success begins %.200s", body)
	}

	// Refusals of the form, with EC2's envelope.
	for _, row := range []struct{ what, form, code, message string }{
		{"no action", "Version=2016-11-15", "MissingAction", "The request must contain the parameter Action"},
		{"an unknown action", "Action=Nonsense&Version=2016-11-15", "InvalidAction", "The action Nonsense is not valid for this web service."},
		{"no version", "Action=DescribeVpcs", "MissingParameter", "The request must contain the parameter Version"},
		{"a version that is no date", "Action=DescribeVpcs&Version=latest", "NoSuchVersion", "The requested version (latest) is not valid"},
		{"an unknown parameter", describe + "&GroupNome.1=x", "UnknownParameter", "The parameter GroupNome.1 is not recognized"},
		{"a parameter below a plain one", describe + "&NextToken.1=x", "UnknownParameter", "The parameter NextToken.1 is not recognized"},
		{"a list without a number", describe + "&GroupId=" + web, "UnknownParameter", "The parameter GroupId is not recognized"},
		{"GroupName outbound", "Action=RevokeSecurityGroupEgress&Version=2016-11-15&GroupName=web", "UnknownParameter", "The parameter GroupName is not recognized"},
		{"a bad escape", describe + "&GroupId.1=%zz", "MalformedQueryString", "~.+"},
		{"half an escape", describe + "&GroupId.1=%2", "MalformedQueryString", "~.+"},
	} {
		status, body := w.raw(http.MethodPost, "ec2", row.form)
		f, id, err := ec2query.DecodeError([]byte(body))
		if err != nil || status != 400 || f.Code != row.code || !matches(row.message, f.Message) || id == "" ||
			!strings.HasPrefix(body, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>") || !strings.HasSuffix(body, "</RequestID></Response>") {
			w.Errorf("%s: %d %s", row.what, status, body)
		}
	}
	status, body = w.raw(http.MethodPost, "sts", "Action=Nonsense&Version=2011-06-15")
	if status != 400 || !strings.Contains(body, `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">`) || !strings.Contains(body, "<Code>InvalidAction</Code>") {
		w.Errorf("an unknown action of STS: %d %s", status, body)
	}
	status, body = w.raw(http.MethodGet, "sts", "Action=GetCallerIdentity&Version=2011-06-15")
	if status != 200 || !strings.Contains(body, "<GetCallerIdentityResult><Arn>arn:aws:iam::"+account+":root</Arn>") {
		w.Errorf("STS by GET: %d %s", status, body)
	}

	// Presigned: by the SDK's signer, and by ours.
	form := describe + "&GroupId.1=" + web
	keys, _ := credentials.NewStaticCredentialsProvider(w.server.Env["AWS_ACCESS_KEY_ID"], w.server.Env["AWS_SECRET_ACCESS_KEY"], "").Retrieve(w.ctx)
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		r, _ := http.NewRequestWithContext(w.ctx, method, w.server.URL+"/?"+form+"&X-Amz-Expires=60", nil)
		const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
		signed, _, err := v4.NewSigner().PresignHTTP(w.ctx, keys, r, empty, "ec2", w.region, time.Now())
		if err != nil {
			w.Fatal(err)
		}
		sent, _ := http.NewRequestWithContext(w.ctx, method, signed, nil)
		status, body := w.send(sent)
		found("presigned "+method, status, body, web)

		ours, _ := http.NewRequestWithContext(w.ctx, method, w.server.URL+"/?"+form, nil)
		cred := sigv4.Credential{AccessKeyID: keys.AccessKeyID, Region: w.region, Service: "ec2"}
		sigv4.Presign(ours, nil, cred, keys.SecretAccessKey, "", time.Now(), time.Minute)
		status, body = w.send(ours)
		found("presigned by us "+method, status, body, web)

		late, _ := http.NewRequestWithContext(w.ctx, method, w.server.URL+"/?"+form, nil)
		sigv4.Presign(late, nil, cred, keys.SecretAccessKey, "", time.Now().Add(-2*time.Minute), time.Minute)
		if status, body := w.send(late); status != 400 || !strings.Contains(body, "<Code>RequestExpired</Code><Message>Request has expired.</Message>") {
			w.Errorf("an expired URL: %d %s", status, body)
		}
		u, _ := url.Parse(signed)
		q := u.Query()
		q.Set("GroupId.1", db)
		u.RawQuery = q.Encode()
		forged, _ := http.NewRequestWithContext(w.ctx, method, u.String(), nil)
		if status, body := w.send(forged); status != 401 || !strings.Contains(body, "<Code>AuthFailure</Code>") {
			w.Errorf("a changed URL: %d %s", status, body)
		}
	}
}

// testSurprise06: ports of -1 rules are absent in DescribeSecurityGroups and
// -1 everywhere else.
func testSurprise06(w *world) {
	group := w.group("g", w.vpc("10.20.0.0/16"))
	all := types.IpPermission{IpProtocol: new("-1"), FromPort: new(int32(22)), ToPort: new(int32(22)), IpRanges: []types.IpRange{{CidrIp: new("192.0.2.0/24")}}}
	ports := func(what string, from, to *int32) {
		w.Helper()
		if from == nil || to == nil || *from != -1 || *to != -1 {
			w.Errorf("%s shows ports %v to %v, want -1 to -1", what, show(from), show(to))
		}
	}
	added := w.allow(group, all)[0]
	ports("Authorize", added.FromPort, added.ToPort)
	seen := w.rulesOf(group, false)[*added.SecurityGroupRuleId]
	ports("DescribeSecurityGroupRules", seen.FromPort, seen.ToPort)
	if p := w.theGroup(group).IpPermissions[0]; p.FromPort != nil || p.ToPort != nil {
		w.Errorf("DescribeSecurityGroups shows ports %s to %s, want none", show(p.FromPort), show(p.ToPort))
	}
	if p := w.theGroup(group).IpPermissionsEgress[0]; p.FromPort != nil || p.ToPort != nil {
		w.Errorf("DescribeSecurityGroups shows ports %s to %s outbound, want none", show(p.FromPort), show(p.ToPort))
	}
	gone := must(w, w.ec2.RevokeSecurityGroupIngress, &ec2.RevokeSecurityGroupIngressInput{GroupId: &group, IpPermissions: []types.IpPermission{{
		IpProtocol: new("-1"), IpRanges: []types.IpRange{{CidrIp: new("192.0.2.0/24")}},
	}}}).RevokedSecurityGroupRules[0]
	ports("Revoke", gone.FromPort, gone.ToPort)

	// ICMP is another matter: all types are -1 in every answer.
	w.allow(group, types.IpPermission{IpProtocol: new("icmp"), FromPort: new(int32(-1)), ToPort: new(int32(-1)), IpRanges: []types.IpRange{{CidrIp: new("192.0.2.0/24")}}})
	p := w.theGroup(group).IpPermissions[0]
	ports("DescribeSecurityGroups for icmp", p.FromPort, p.ToPort)
}

// testSurprise09: what a revoke that matches nothing answers depends on the VPC.
func testSurprise09(w *world) {
	for _, row := range []struct {
		what, vpc string
		refuses   bool
	}{{"another VPC", w.vpc("10.21.0.0/16"), true}, {"the default VPC", w.defaultVPC(), false}} {
		group := w.group("g", row.vpc)
		there := w.allow(group, tcp(22, 22, "192.0.2.0/24"))[0]
		revoke := &ec2.RevokeSecurityGroupIngressInput{GroupId: &group, IpPermissions: []types.IpPermission{tcp(22, 22, "192.0.2.0/24"), tcp(23, 23, "192.0.2.0/24")}}
		if row.refuses {
			refused(w, w.ec2.RevokeSecurityGroupIngress, revoke, "InvalidPermission.NotFound", "The specified rule does not exist in this security group.")
			equal(w, "rules after a refused revoke in "+row.what, len(w.rulesOf(group, false)), 1)
		} else {
			out := must(w, w.ec2.RevokeSecurityGroupIngress, revoke)
			equal(w, "Return", *out.Return, true)
			equal(w, "unknown permissions in "+row.what, out.UnknownIpPermissions, []types.IpPermission{tcp(23, 23, "192.0.2.0/24")})
			equal(w, "revoked in "+row.what, len(out.RevokedSecurityGroupRules), 1)
			equal(w, "rules after a revoke in "+row.what, len(w.rulesOf(group, false)), 0)
			there.SecurityGroupRuleId = new("sgr-0123456789abcdef0")
		}
		other := w.group("other", row.vpc)
		refused(w, w.ec2.RevokeSecurityGroupIngress, &ec2.RevokeSecurityGroupIngressInput{GroupId: &other, SecurityGroupRuleIds: []string{*there.SecurityGroupRuleId}},
			"InvalidSecurityGroupRuleId.NotFound", "The security group rule ID '"+*there.SecurityGroupRuleId+"' does not exist")
	}
}

// testSurprise13: GroupName means "in the default VPC" everywhere.
func testSurprise13(w *world) {
	def, other := w.defaultVPC(), w.vpc("10.22.0.0/16")
	here, away := w.group("here", def), w.group("away", other)
	groups := must(w, w.ec2.DescribeSecurityGroups, &ec2.DescribeSecurityGroupsInput{GroupNames: []string{"here"}}).SecurityGroups
	if len(groups) != 1 || *groups[0].GroupId != here {
		w.Errorf("by name: %s", show(tree2(groups)))
	}
	notFound := func(name string) (string, string) {
		return "InvalidGroup.NotFound", "The security group '" + name + "' does not exist in default VPC '" + def + "'"
	}
	code, message := notFound("away")
	refused(w, w.ec2.DescribeSecurityGroups, &ec2.DescribeSecurityGroupsInput{GroupNames: []string{"away"}}, code, message)
	refused(w, w.ec2.DeleteSecurityGroup, &ec2.DeleteSecurityGroupInput{GroupName: new("away")}, code, message)
	refused(w, w.ec2.AuthorizeSecurityGroupIngress, &ec2.AuthorizeSecurityGroupIngressInput{GroupName: new("away"), IpPermissions: []types.IpPermission{tcp(1, 1, "192.0.2.0/24")}}, code, message)
	code, message = notFound(here)
	refused(w, w.ec2.DeleteSecurityGroup, &ec2.DeleteSecurityGroupInput{GroupName: &here}, code, message)

	from := func(name string) []types.IpPermission {
		return []types.IpPermission{{IpProtocol: new("-1"), UserIdGroupPairs: []types.UserIdGroupPair{{GroupName: &name}}}}
	}
	must(w, w.ec2.AuthorizeSecurityGroupIngress, &ec2.AuthorizeSecurityGroupIngressInput{GroupName: new("here"), IpPermissions: from("default")})
	refused(w, w.ec2.AuthorizeSecurityGroupIngress, &ec2.AuthorizeSecurityGroupIngressInput{GroupId: &away, IpPermissions: from("away")},
		"InvalidParameterValue", "Invalid value 'away' for groupName. You may not reference Amazon VPC security groups by name. Please use the corresponding id for this operation.")
	must(w, w.ec2.DeleteSecurityGroup, &ec2.DeleteSecurityGroupInput{GroupName: new("here")})
}

// testSurprise16: filters over rules may be met by different rules, and ports
// compare as text.
func testSurprise16(w *world) {
	home := w.vpc("10.23.0.0/16")
	group := w.group("g", home)
	w.allow(group, tcp(22, 22, "10.0.0.0/8"), tcp(443, 443, "0.0.0.0/0"), tcp(8000, 8100, "192.0.2.0/24"))
	found := func(want int, nameValue ...string) {
		w.Helper()
		got := must(w, w.ec2.DescribeSecurityGroups, &ec2.DescribeSecurityGroupsInput{Filters: filters(append(nameValue, "vpc-id", home)...)}).SecurityGroups
		if len(got) != want {
			w.Errorf("%v finds %d groups, want %d", nameValue, len(got), want)
		}
	}
	found(1, "ip-permission.from-port", "22", "ip-permission.cidr", "0.0.0.0/0")
	found(0, "ip-permission.from-port", "23", "ip-permission.cidr", "0.0.0.0/0")
	found(1, "ip-permission.from-port", "8000")
	found(0, "ip-permission.from-port", "8050")
	found(1, "ip-permission.from-port", "80*")
	found(1, "ip-permission.protocol", "tcp")
	found(0, "ip-permission.protocol", "udp")
	found(2, "egress.ip-permission.cidr", "0.0.0.0/0") // the default group too
	refused(w, w.ec2.DescribeSecurityGroups, &ec2.DescribeSecurityGroupsInput{Filters: filters("ip-permission.colour", "red")}, "InvalidParameterValue", "The filter 'ip-permission.colour' is invalid")
	rules := func(id string) *ec2.DescribeSecurityGroupRulesInput {
		return &ec2.DescribeSecurityGroupRulesInput{Filters: filters("group-id", id)}
	}
	refused(w, w.ec2.DescribeSecurityGroupRules, rules("foobar"), "InvalidGroupId.Malformed", "The security group ID 'foobar' is malformed")
	refused(w, w.ec2.DescribeSecurityGroupRules, rules(""), "InvalidGroupId.Malformed", "The security group ID '' is malformed")
	equal(w, "rules of an unknown group", len(must(w, w.ec2.DescribeSecurityGroupRules, rules("sg-0123456789abcdef0")).SecurityGroupRules), 0)
	refused(w, w.ec2.DescribeSecurityGroupRules, &ec2.DescribeSecurityGroupRulesInput{Filters: filters("is-egress", "true")}, "InvalidParameterValue", "The filter 'is-egress' is invalid")
}

// testSurprise17: limits and tokens of pages differ between operations.
func testSurprise17(w *world) {
	groups := func(size int32, token *string, ids ...string) *ec2.DescribeSecurityGroupsInput {
		return &ec2.DescribeSecurityGroupsInput{MaxResults: &size, NextToken: token, GroupIds: ids}
	}
	refused(w, w.ec2.DescribeSecurityGroups, groups(4, nil), "InvalidParameterValue", "Value ( 4 ) for parameter maxResults is invalid. Expecting a value greater than 5.")
	refused(w, w.ec2.DescribeSecurityGroups, groups(1001, nil), "InvalidParameterValue", "Value ( 1001 ) for parameter maxResults is invalid. Expecting a value smaller than 1000.")
	refused(w, w.ec2.DescribeSecurityGroups, groups(5, new("garbage")), "InvalidParameterValue", "Value ( garbage ) for parameter NextToken is invalid. The token is invalid.")
	id := w.group("g", w.defaultVPC())
	refused(w, w.ec2.DescribeSecurityGroups, groups(5, nil, id), "InvalidParameterCombination", "The parameter securityGroupIdSet cannot be used with the parameter maxResults")
	if out := must(w, w.ec2.DescribeSecurityGroups, groups(5, new(""))); out.NextToken != nil || len(out.SecurityGroups) != 2 {
		w.Errorf("an empty token gives %d groups and token %v", len(out.SecurityGroups), out.NextToken)
	}
	rules := func(size int32, token *string, ids ...string) *ec2.DescribeSecurityGroupRulesInput {
		return &ec2.DescribeSecurityGroupRulesInput{MaxResults: &size, NextToken: token, SecurityGroupRuleIds: ids}
	}
	refused(w, w.ec2.DescribeSecurityGroupRules, rules(5, new("garbage")), "InvalidPaginationToken", "Next token 'garbage' is invalid")
	for rule := range w.rulesOf(id, true) {
		refused(w, w.ec2.DescribeSecurityGroupRules, rules(5, nil, rule), "InvalidParameterCombination", "The parameter 'securityGroupRuleIds' may not be used in combination with 'maxResults'.")
	}
	refused(w, w.ec2.DescribeSecurityGroupRules, rules(4, nil), "InvalidParameterValue", "~.*maxResults.*")
	refused(w, w.ec2.DescribeManagedPrefixLists, &ec2.DescribeManagedPrefixListsInput{MaxResults: new(int32(101))}, "InvalidParameterValue", "~.*maxResults.*")
}

// testSurprise18: DryRun is 412 DryRunOperation on every action that has it,
// changes nothing, and checks what a real call checks.
func testSurprise18(w *world) {
	home := w.vpc("10.24.0.0/16")
	subnet := w.subnet(home, "10.24.1.0/24")
	group, member := w.group("g", home), w.group("member", home)
	rule := *w.allow(group, tcp(22, 22, "192.0.2.1/32"))[0].SecurityGroupRuleId
	eni := *must(w, w.ec2.CreateNetworkInterface, &ec2.CreateNetworkInterfaceInput{SubnetId: &subnet, Groups: []string{member}}).NetworkInterface.NetworkInterfaceId
	list := *must(w, w.ec2.CreateManagedPrefixList, &ec2.CreateManagedPrefixListInput{PrefixListName: new("l"), AddressFamily: new("IPv4"), MaxEntries: new(int32(2))}).PrefixList.PrefixListId
	away := w.vpc("10.25.0.0/16")
	empty, bare := w.subnet(away, "10.25.1.0/24"), w.vpc("10.27.0.0/16")
	joined := w.group("joined", home)
	must(w, w.ec2.AssociateSecurityGroupVpc, &ec2.AssociateSecurityGroupVpcInput{GroupId: &joined, VpcId: &away})
	must(w, w.ec2.ModifyManagedPrefixList, &ec2.ModifyManagedPrefixListInput{PrefixListId: &list, CurrentVersion: new(int64(1)), AddEntries: []types.AddPrefixListEntry{{Cidr: new("192.0.2.0/24")}}})
	def := must(w, w.ec2.DescribeSubnets, &ec2.DescribeSubnetsInput{Filters: filters("default-for-az", "true")}).Subnets[0]
	must(w, w.ec2.DeleteSubnet, &ec2.DeleteSubnetInput{SubnetId: def.SubnetId})
	status, before := w.raw(http.MethodPost, "ec2", "Action=DescribeSecurityGroups&Version=2016-11-15")
	if status != 200 {
		w.Fatal(before)
	}
	ssh := []types.IpPermission{tcp(22, 22, "192.0.2.1/32")}
	tried := map[string]bool{"CreateDefaultVpc": true} // the region has one: below
	dry := func(w *world, calls ...any) {
		for _, in := range calls {
			reflect.ValueOf(in).Elem().FieldByName("DryRun").Set(reflect.ValueOf(new(true)))
			name := strings.TrimSuffix(reflect.TypeOf(in).Elem().Name(), "Input")
			results := reflect.ValueOf(w.ec2).MethodByName(name).Call([]reflect.Value{reflect.ValueOf(w.ctx), reflect.ValueOf(in)})
			err, _ := results[1].Interface().(error)
			w.isRefusal(name, err, "412 DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
			tried[name] = true
		}
	}
	dry(w,
		&ec2.CreateSecurityGroupInput{GroupName: new("new"), Description: new("d"), VpcId: &home},
		&ec2.DeleteSecurityGroupInput{GroupId: &group},
		&ec2.DescribeSecurityGroupsInput{},
		&ec2.AuthorizeSecurityGroupIngressInput{GroupId: &group, IpPermissions: []types.IpPermission{tcp(80, 80, "192.0.2.1/32")}},
		&ec2.AuthorizeSecurityGroupEgressInput{GroupId: &group, IpPermissions: ssh},
		&ec2.RevokeSecurityGroupIngressInput{GroupId: &group, IpPermissions: ssh},
		&ec2.RevokeSecurityGroupEgressInput{GroupId: &group, IpPermissions: []types.IpPermission{{IpProtocol: new("-1"), IpRanges: []types.IpRange{{CidrIp: new("0.0.0.0/0")}}}}},
		&ec2.DescribeSecurityGroupRulesInput{},
		&ec2.ModifySecurityGroupRulesInput{GroupId: &group, SecurityGroupRules: []types.SecurityGroupRuleUpdate{{SecurityGroupRuleId: &rule, SecurityGroupRule: &types.SecurityGroupRuleRequest{IpProtocol: new("-1"), CidrIpv4: new("192.0.2.2/32")}}}},
		&ec2.UpdateSecurityGroupRuleDescriptionsIngressInput{GroupId: &group, IpPermissions: ssh},
		&ec2.UpdateSecurityGroupRuleDescriptionsEgressInput{GroupId: &group, IpPermissions: []types.IpPermission{{IpProtocol: new("-1"), IpRanges: []types.IpRange{{CidrIp: new("0.0.0.0/0")}}}}},
		&ec2.DescribeSecurityGroupReferencesInput{GroupId: []string{group}},
		&ec2.DescribeStaleSecurityGroupsInput{VpcId: &home},
		&ec2.GetSecurityGroupsForVpcInput{VpcId: &home},
		&ec2.AssociateSecurityGroupVpcInput{GroupId: &group, VpcId: &away},
		&ec2.DisassociateSecurityGroupVpcInput{GroupId: &joined, VpcId: &away},
		&ec2.DescribeSecurityGroupVpcAssociationsInput{},
		&ec2.CreateManagedPrefixListInput{PrefixListName: new("n"), AddressFamily: new("IPv4"), MaxEntries: new(int32(1))},
		&ec2.ModifyManagedPrefixListInput{PrefixListId: &list, PrefixListName: new("n")},
		&ec2.DeleteManagedPrefixListInput{PrefixListId: &list},
		&ec2.RestoreManagedPrefixListVersionInput{PrefixListId: &list, PreviousVersion: new(int64(1)), CurrentVersion: new(int64(2))},
		&ec2.DescribeManagedPrefixListsInput{},
		&ec2.GetManagedPrefixListEntriesInput{PrefixListId: &list},
		&ec2.GetManagedPrefixListAssociationsInput{PrefixListId: &list},
		&ec2.DescribePrefixListsInput{},
		&ec2.CreateTagsInput{Resources: []string{group}, Tags: tags("a", "b")},
		&ec2.DeleteTagsInput{Resources: []string{group}},
		&ec2.DescribeTagsInput{},
		&ec2.CreateVpcInput{CidrBlock: new("10.99.0.0/16")},
		&ec2.DescribeVpcsInput{},
		&ec2.DeleteVpcInput{VpcId: &bare},
		&ec2.DescribeVpcAttributeInput{VpcId: &home, Attribute: types.VpcAttributeNameEnableDnsSupport},
		&ec2.CreateDefaultSubnetInput{AvailabilityZone: def.AvailabilityZone},
		&ec2.CreateSubnetInput{VpcId: &home, CidrBlock: new("10.24.9.0/24")},
		&ec2.DescribeSubnetsInput{},
		&ec2.DeleteSubnetInput{SubnetId: &empty},
		&ec2.DescribeAvailabilityZonesInput{},
		&ec2.DescribeRegionsInput{},
		&ec2.DescribeAccountAttributesInput{},
		&ec2.CreateNetworkInterfaceInput{SubnetId: &subnet},
		&ec2.DescribeNetworkInterfacesInput{},
		&ec2.DescribeNetworkInterfaceAttributeInput{NetworkInterfaceId: &eni, Attribute: types.NetworkInterfaceAttributeDescription},
		&ec2.ModifyNetworkInterfaceAttributeInput{NetworkInterfaceId: &eni, Groups: []string{group}},
		&ec2.ResetNetworkInterfaceAttributeInput{NetworkInterfaceId: &eni, SourceDestCheck: new("true")},
		&ec2.DeleteNetworkInterfaceInput{NetworkInterfaceId: &eni},
	)
	elsewhere := newWorld(w.T, w.server, "eu-central-2")
	dry(elsewhere, elsewhere.dryInstances()...)
	nets := newWorld(w.T, w.server, "ap-southeast-4")
	dry(nets, nets.dryNetworks()...)
	// EC2-Classic is gone: a dry run is refused as the call is.
	refused(nets, nets.ec2.DescribeVpcClassicLink, &ec2.DescribeVpcClassicLinkInput{DryRun: new(true)}, "UnsupportedOperation", "~.+")
	tried["DescribeVpcClassicLink"] = true
	for _, name := range promised {
		in, _, _ := services[0].operation(name)
		if _, has := in.FieldByName("DryRun"); has && !tried[name] {
			w.Errorf("%s has a DryRun that is not tried", name)
		}
	}
	_, after := w.raw(http.MethodPost, "ec2", "Action=DescribeSecurityGroups&Version=2016-11-15")
	id := func(body string) string { _, rest, _ := strings.Cut(body, "</requestId>"); return rest }
	if id(before) != id(after) {
		w.Errorf("dry runs changed something:\n%s\n%s", before, after)
	}
	equal(w, "VPCs", len(must(w, w.ec2.DescribeVpcs, &ec2.DescribeVpcsInput{}).Vpcs), 4)
	equal(w, "interfaces", len(must(w, w.ec2.DescribeNetworkInterfaces, &ec2.DescribeNetworkInterfacesInput{}).NetworkInterfaces), 1)

	// What a real call refuses, a dry run refuses with the same words.
	refused(w, w.ec2.DeleteSecurityGroup, &ec2.DeleteSecurityGroupInput{GroupId: &member, DryRun: new(true)}, "DependencyViolation", "~resource "+member+" has a dependent object.*")
	refused(w, w.ec2.CreateDefaultVpc, &ec2.CreateDefaultVpcInput{DryRun: new(true)}, "DefaultVpcAlreadyExists", "A Default VPC already exists for this account in this region.")
	var api smithy.APIError
	if _, err := w.ec2.DescribeVpcs(w.ctx, &ec2.DescribeVpcsInput{DryRun: new(false)}); errors.As(err, &api) {
		w.Errorf("DryRun=false: %v", err)
	}
}

// testSurprise20: an absent value and an empty one are two things.
func testSurprise20(w *world) {
	home := w.vpc("10.26.0.0/16")
	groups := []string{w.group("a", home), w.group("b", home)}
	set := func() {
		w.Helper()
		must(w, w.ec2.CreateTags, &ec2.CreateTagsInput{Resources: groups[:1], Tags: tags("k", "", "other", "x")})
		must(w, w.ec2.CreateTags, &ec2.CreateTagsInput{Resources: groups[1:], Tags: tags("k", "value", "other", "x")})
	}
	left := func(what, want string, ts ...types.Tag) {
		w.Helper()
		set()
		must(w, w.ec2.DeleteTags, &ec2.DeleteTagsInput{Resources: groups, Tags: ts})
		got := ""
		for _, g := range groups {
			for _, t := range w.theGroup(g).Tags {
				got += *t.Key + "=" + *t.Value + " "
			}
			got += "| "
		}
		if got != want {
			w.Errorf("%s leaves %q, want %q", what, got, want)
		}
	}
	left("a key without a value", "other=x | other=x | ", types.Tag{Key: new("k")})
	left("a key with an empty value", "other=x | k=value other=x | ", types.Tag{Key: new("k"), Value: new("")})
	left("a key with a value", "k= other=x | other=x | ", types.Tag{Key: new("k"), Value: new("value")})
	left("another value", "k= other=x | k=value other=x | ", types.Tag{Key: new("k"), Value: new("none")})
	left("no tags at all", "| | ")

	// A missing value at creation is an empty one; aws: is nobody's.
	must(w, w.ec2.CreateTags, &ec2.CreateTagsInput{Resources: groups[:1], Tags: []types.Tag{{Key: new("bare")}}})
	equal(w, "a tag without a value", w.theGroup(groups[0]).Tags, tags("bare", ""))
	refused(w, w.ec2.DeleteTags, &ec2.DeleteTagsInput{Resources: groups, Tags: tags("aws:x", "")}, "InvalidParameterValue", "~.*Tag keys starting with 'aws:' are reserved for internal use")

	// Tags of rules come with Authorize, for all rules of the call.
	rules := must(w, w.ec2.AuthorizeSecurityGroupIngress, &ec2.AuthorizeSecurityGroupIngressInput{
		GroupId: &groups[0], IpPermissions: []types.IpPermission{tcp(1, 1, "192.0.2.1/32", "192.0.2.2/32")}, TagSpecifications: tagged("security-group-rule", "r", "1"),
	}).SecurityGroupRules
	for _, r := range rules {
		equal(w, "tags of a new rule", r.Tags, tags("r", "1"))
		equal(w, "tags of the rule", w.rulesOf(groups[0], false)[*r.SecurityGroupRuleId].Tags, tags("r", "1"))
	}
	refused(w, w.ec2.AuthorizeSecurityGroupIngress, &ec2.AuthorizeSecurityGroupIngressInput{
		GroupId: &groups[0], IpPermissions: []types.IpPermission{tcp(2, 2, "192.0.2.1/32")}, TagSpecifications: tagged("security-group", "r", "1"),
	}, "InvalidParameterValue", "'security-group' is not a valid taggable resource type for this operation.")
}
