package sdk

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awsec2 "github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"moat/iamapi"
	"moat/sts"
	"moat/test/moattest"
)

func TestMain(m *testing.M) { moattest.Main(m) }

// TestServer runs every test that speaks to a server against one real
// `moat serve`, each in a region of its own, and then looks whether every
// action has been called and has answered with success.
func TestServer(t *testing.T) {
	server := moattest.Start(t)
	t.Logf("ready after %v", server.ToReady.Round(time.Millisecond))
	regions := strings.Fields(`eu-west-1 eu-west-2 eu-west-3 eu-central-1 eu-north-1 us-east-2 us-west-1 us-west-2
		ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-southeast-1 ap-southeast-2 ca-central-1 sa-east-1
		af-south-1 ap-east-1 eu-south-1 eu-south-2 me-south-1 il-central-1 mx-central-1 ca-west-1 eu-central-2`)
	for i, s := range scenarios {
		t.Run(s.name, func(t *testing.T) { s.run(newWorld(t, server, regions[i])) })
	}
	if run := flag.Lookup("test.run").Value.String(); strings.Contains(run, "/") || t.Failed() {
		return // only a part was run, or to the end of what failed
	}
	all := slices.Clone(promised)
	for _, a := range slices.Concat(iamapi.Actions, sts.Actions) {
		all = append(all, a.Info().Name)
	}
	for _, name := range all {
		if _, ok := answered.Load(name); !ok && !strings.HasPrefix(name, "DescribeVpcClassicLink") {
			t.Errorf("no test has had an answer from %s", name)
		}
	}
}

var scenarios = []struct {
	name string
	run  func(w *world)
}{
	{"Caller", testCaller},
	{"Networks", testNetworks},
	{"DefaultVPC", testDefaultVPC},
	{"Groups", testGroups},
	{"Rules", testRules},
	{"GroupsAcrossVPCs", testGroupsAcrossVPCs},
	{"PrefixLists", testPrefixLists},
	{"Tags", testTags},
	{"VPCs", testVPCs},
	{"Subnets", testSubnets},
	{"Interfaces", testInterfaces},
	{"Instances", testInstances},
	{"InstanceExtras", testInstanceExtras},
	{"IAM", testIAM},
	{"Paging", testPaging},
	{"Refusals", testRefusals},
	{"WireVariants", testWireVariants},
	{"Surprise06_PortsOfAllProtocols", testSurprise06},
	{"Surprise09_RevokeMismatchDependsOnTheVPC", testSurprise09},
	{"Surprise13_GroupNameMeansTheDefaultVPC", testSurprise13},
	{"Surprise16_FiltersOverRules", testSurprise16},
	{"Surprise17_PagingIsPicky", testSurprise17},
	{"Surprise18_DryRunIs412", testSurprise18},
	{"Surprise20_TagsTellAbsentFromEmpty", testSurprise20},
	{"Terraform", testTerraform},
}

// answered holds the names of the actions that answered with success.
var answered sync.Map

// account is the default of moat serve.
const account = "123456789012"

// A world is one region of the server and a client in it.
type world struct {
	*testing.T
	ctx    context.Context
	server *moattest.Server
	region string
	ec2    *awsec2.Client
	sts    *awssts.Client
	iam    *awsiam.Client
	note   []func(*middleware.Stack) error // of the actions that answer
}

func newWorld(t *testing.T, server *moattest.Server, region string) *world {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	w := &world{T: t, ctx: ctx, server: server, region: region}
	keys := credentials.NewStaticCredentialsProvider(server.Env["AWS_ACCESS_KEY_ID"], server.Env["AWS_SECRET_ACCESS_KEY"], "")
	note := []func(*middleware.Stack) error{func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("answered", func(
			ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
		) (middleware.InitializeOutput, middleware.Metadata, error) {
			out, meta, err := next.HandleInitialize(ctx, in)
			if err == nil {
				answered.Store(awsmiddleware.GetOperationName(ctx), true)
			}
			return out, meta, err
		}), middleware.Before)
	}}
	w.note = note
	url := new(server.URL)
	w.ec2 = awsec2.New(awsec2.Options{Region: region, Credentials: keys, BaseEndpoint: url, APIOptions: note})
	w.iam = awsiam.New(awsiam.Options{Region: region, Credentials: keys, BaseEndpoint: url, APIOptions: note})
	w.sts = awssts.New(awssts.Options{Region: region, Credentials: keys, BaseEndpoint: url, APIOptions: note})
	return w
}

// must gives an action's output and ends the test on an error.
func must[In, Out, Opt any](w *world, call func(context.Context, *In, ...func(*Opt)) (*Out, error), in *In) *Out {
	w.Helper()
	out, err := call(w.ctx, in)
	if err != nil {
		w.Fatalf("%T: %v", in, err)
	}
	return out
}

// refused wants an error with that code and message, and status 400 if code
// has no other: "401 AuthFailure". A message that begins with ~ is a regular
// expression.
func refused[In, Out, Opt any](w *world, call func(context.Context, *In, ...func(*Opt)) (*Out, error), in *In, code, message string) {
	w.Helper()
	_, err := call(w.ctx, in)
	w.isRefusal(fmt.Sprintf("%T", in), err, code, message)
}

func (w *world) isRefusal(what string, err error, code, message string) {
	w.Helper()
	status := 400
	if _, e := fmt.Sscanf(code, "%d ", &status); e == nil {
		_, code, _ = strings.Cut(code, " ")
	}
	if err == nil {
		w.Errorf("%s succeeds, want %s: %s", what, code, message)
		return
	}
	var api smithy.APIError
	var response *awsResponseError
	switch {
	case !errors.As(err, &api):
		w.Errorf("%s: %v, no API error", what, err)
	case api.ErrorCode() != code || !matches(message, api.ErrorMessage()):
		w.Errorf("%s: %s: %s\nwant %s: %s", what, api.ErrorCode(), api.ErrorMessage(), code, message)
	case !errors.As(err, &response):
		w.Errorf("%s: %v has no HTTP response", what, err)
	case response.HTTPStatusCode() != status:
		w.Errorf("%s: status %d, want %d", what, response.HTTPStatusCode(), status)
	}
}

type awsResponseError = smithyhttp.ResponseError

func matches(want, got string) bool {
	if pattern, ok := strings.CutPrefix(want, "~"); ok {
		return regexp.MustCompile("^(?s:" + pattern + ")$").MatchString(got)
	}
	return want == got
}

// equal compares two values and says which two.
func equal[T any](w *world, what string, got, want T) {
	w.Helper()
	differences(what, tree2(want), tree2(got), func(at string, want, got any) {
		w.Errorf("%s is %s, want %s", at, show(got), show(want))
	})
}

// defaultVPC gives the id of the region's default VPC.
func (w *world) defaultVPC() string {
	w.Helper()
	out := must(w, w.ec2.DescribeVpcs, &awsec2.DescribeVpcsInput{Filters: filters("is-default", "true")})
	if len(out.Vpcs) != 1 {
		w.Fatalf("%d default VPCs", len(out.Vpcs))
	}
	return *out.Vpcs[0].VpcId
}

// vpc makes a VPC.
func (w *world) vpc(cidr string) string {
	w.Helper()
	return *must(w, w.ec2.CreateVpc, &awsec2.CreateVpcInput{CidrBlock: &cidr}).Vpc.VpcId
}

// subnet makes a subnet.
func (w *world) subnet(vpc, cidr string) string {
	w.Helper()
	return *must(w, w.ec2.CreateSubnet, &awsec2.CreateSubnetInput{VpcId: &vpc, CidrBlock: &cidr}).Subnet.SubnetId
}

// group makes a group.
func (w *world) group(name, vpc string) string {
	w.Helper()
	return *must(w, w.ec2.CreateSecurityGroup, &awsec2.CreateSecurityGroupInput{
		GroupName: &name, Description: new("group " + name), VpcId: &vpc,
	}).GroupId
}

// theGroup describes one group.
func (w *world) theGroup(id string) types.SecurityGroup {
	w.Helper()
	out := must(w, w.ec2.DescribeSecurityGroups, &awsec2.DescribeSecurityGroupsInput{GroupIds: []string{id}})
	if len(out.SecurityGroups) != 1 {
		w.Fatalf("%d groups with the id %s", len(out.SecurityGroups), id)
	}
	return out.SecurityGroups[0]
}

// rulesOf describes the rules of a group in one direction, by their ids.
func (w *world) rulesOf(group string, egress bool) map[string]types.SecurityGroupRule {
	w.Helper()
	rules := map[string]types.SecurityGroupRule{}
	pages := awsec2.NewDescribeSecurityGroupRulesPaginator(w.ec2, &awsec2.DescribeSecurityGroupRulesInput{Filters: filters("group-id", group)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(w.ctx)
		if err != nil {
			w.Fatal(err)
		}
		for _, r := range page.SecurityGroupRules {
			if *r.IsEgress == egress {
				rules[*r.SecurityGroupRuleId] = r
			}
		}
	}
	return rules
}

// filters gives filters from names, each followed by one value, or by several
// with | between them.
func filters(nameValue ...string) []types.Filter {
	var fs []types.Filter
	for pair := range slices.Chunk(nameValue, 2) {
		fs = append(fs, types.Filter{Name: &pair[0], Values: strings.Split(pair[1], "|")})
	}
	return fs
}

// tcp gives a permission for TCP ports from IPv4 ranges.
func tcp(from, to int32, cidrs ...string) types.IpPermission {
	p := types.IpPermission{IpProtocol: new("tcp"), FromPort: &from, ToPort: &to}
	for _, c := range cidrs {
		p.IpRanges = append(p.IpRanges, types.IpRange{CidrIp: &c})
	}
	return p
}

// allow adds inbound permissions to a group and gives the new rules.
func (w *world) allow(group string, ps ...types.IpPermission) []types.SecurityGroupRule {
	w.Helper()
	return must(w, w.ec2.AuthorizeSecurityGroupIngress, &awsec2.AuthorizeSecurityGroupIngressInput{
		GroupId: &group, IpPermissions: ps,
	}).SecurityGroupRules
}

// tags gives tags from keys and values.
func tags(keyValue ...string) []types.Tag {
	var ts []types.Tag
	for pair := range slices.Chunk(keyValue, 2) {
		ts = append(ts, types.Tag{Key: &pair[0], Value: &pair[1]})
	}
	return ts
}

// tagged gives the tag specification of a new resource.
func tagged(resource types.ResourceType, keyValue ...string) []types.TagSpecification {
	return []types.TagSpecification{{ResourceType: resource, Tags: tags(keyValue...)}}
}

// str gives what a pointer holds, or says that it is nil.
func str(p *string) string {
	if p == nil {
		return "(absent)"
	}
	return *p
}

var (
	groupID  = regexp.MustCompile(`^sg-[0-9a-f]{17}$`)
	ruleID   = regexp.MustCompile(`^sgr-[0-9a-f]{17}$`)
	listID   = regexp.MustCompile(`^pl-[0-9a-f]{17}$`)
	vpcID    = regexp.MustCompile(`^vpc-[0-9a-f]{17}$`)
	subnetID = regexp.MustCompile(`^subnet-[0-9a-f]{17}$`)
	eniID    = regexp.MustCompile(`^eni-[0-9a-f]{17}$`)
)
