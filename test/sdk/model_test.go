package sdk

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	awsec2 "github.com/aws/aws-sdk-go-v2/service/ec2"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/middleware"

	"moat/action"
	"moat/awsquery"
	"moat/ec2"
	"moat/ec2query"
	"moat/sts"
)

// promised are the EC2 actions that Moat has said to serve.
var promised = strings.Fields(`
	CreateSecurityGroup DeleteSecurityGroup DescribeSecurityGroups
	AuthorizeSecurityGroupIngress AuthorizeSecurityGroupEgress RevokeSecurityGroupIngress RevokeSecurityGroupEgress
	DescribeSecurityGroupRules ModifySecurityGroupRules
	UpdateSecurityGroupRuleDescriptionsIngress UpdateSecurityGroupRuleDescriptionsEgress
	DescribeSecurityGroupReferences DescribeStaleSecurityGroups GetSecurityGroupsForVpc
	AssociateSecurityGroupVpc DisassociateSecurityGroupVpc DescribeSecurityGroupVpcAssociations

	CreateManagedPrefixList ModifyManagedPrefixList DeleteManagedPrefixList DescribeManagedPrefixLists
	GetManagedPrefixListEntries GetManagedPrefixListAssociations RestoreManagedPrefixListVersion DescribePrefixLists

	CreateTags DeleteTags DescribeTags

	CreateVpc CreateDefaultVpc DescribeVpcs DeleteVpc DescribeVpcAttribute ModifyVpcAttribute
	AssociateVpcCidrBlock DisassociateVpcCidrBlock
	CreateSubnet CreateDefaultSubnet DescribeSubnets DeleteSubnet ModifySubnetAttribute
	AssociateSubnetCidrBlock DisassociateSubnetCidrBlock
	DescribeAvailabilityZones DescribeRegions DescribeAccountAttributes

	CreateNetworkInterface DescribeNetworkInterfaces DeleteNetworkInterface
	DescribeNetworkInterfaceAttribute ModifyNetworkInterfaceAttribute ResetNetworkInterfaceAttribute
	AssignPrivateIpAddresses UnassignPrivateIpAddresses AssignIpv6Addresses UnassignIpv6Addresses

	CreateInternetGateway AttachInternetGateway DetachInternetGateway DeleteInternetGateway DescribeInternetGateways
	CreateRouteTable DeleteRouteTable DescribeRouteTables CreateRoute ReplaceRoute DeleteRoute
	AssociateRouteTable ReplaceRouteTableAssociation DisassociateRouteTable
	CreateNetworkAcl DeleteNetworkAcl DescribeNetworkAcls CreateNetworkAclEntry ReplaceNetworkAclEntry
	DeleteNetworkAclEntry ReplaceNetworkAclAssociation
	CreateDhcpOptions DeleteDhcpOptions DescribeDhcpOptions AssociateDhcpOptions
	CreateVpcPeeringConnection AcceptVpcPeeringConnection RejectVpcPeeringConnection DeleteVpcPeeringConnection
	DescribeVpcPeeringConnections ModifyVpcPeeringConnectionOptions
	DescribeVpcClassicLink DescribeVpcClassicLinkDnsSupport
	CreateVpcEndpoint ModifyVpcEndpoint DeleteVpcEndpoints DescribeVpcEndpoints DescribeVpcEndpointServices
` + promisedInstances)

// onlyOurs are members that we write and the model does not have, by path,
// each with its reason.
var onlyOurs = map[string]string{
	"CreateSecurityGroupOutput.Return":             returned,
	"CreateTagsOutput.Return":                      returned,
	"DeleteTagsOutput.Return":                      returned,
	"DeleteVpcOutput.Return":                       returned,
	"ModifyVpcAttributeOutput.Return":              returned,
	"DeleteSubnetOutput.Return":                    returned,
	"ModifySubnetAttributeOutput.Return":           returned,
	"DeleteNetworkInterfaceOutput.Return":          returned,
	"ModifyNetworkInterfaceAttributeOutput.Return": returned,
	"ResetNetworkInterfaceAttributeOutput.Return":  returned,
	"UnassignPrivateIpAddressesOutput.Return":      returned,
	"AttachInternetGatewayOutput.Return":           returned,
	"DetachInternetGatewayOutput.Return":           returned,
	"DeleteInternetGatewayOutput.Return":           returned,
	"DeleteRouteTableOutput.Return":                returned,
	"ReplaceRouteOutput.Return":                    returned,
	"DeleteRouteOutput.Return":                     returned,
	"DisassociateRouteTableOutput.Return":          returned,
	"DeleteNetworkAclOutput.Return":                returned,
	"CreateNetworkAclEntryOutput.Return":           returned,
	"ReplaceNetworkAclEntryOutput.Return":          returned,
	"DeleteNetworkAclEntryOutput.Return":           returned,
	"DeleteDhcpOptionsOutput.Return":               returned,
	"AssociateDhcpOptionsOutput.Return":            returned,
	"RebootInstancesOutput.Return":                 returned,
	"DetachNetworkInterfaceOutput.Return":          returned,
	"ModifyInstanceAttributeOutput.Return":         returned,
	"ResetInstanceAttributeOutput.Return":          returned,
	"DeleteVolumeOutput.Return":                    returned,
	"DisassociateAddressOutput.Return":             returned,
	"ReleaseAddressOutput.Return":                  returned,
}

const returned = "the sample response of the API reference has <return>true</return>, which the model leaves out"

// onlyTheirs are members of the model that we do not have, each with its
// reason.
var onlyTheirs = map[string]string{}

// A service is one of ours beside the SDK's client of it.
type service struct {
	name    string
	client  reflect.Type
	actions []action.Action
	fields  func(reflect.Type, ec2query.Direction) []ec2query.Field
}

var services = []service{
	{"ec2", reflect.TypeFor[*awsec2.Client](), ec2.Actions, ec2query.Fields},
	{"sts", reflect.TypeFor[*awssts.Client](), sts.Actions, awsquery.Fields},
}

// operation gives the input and output structs of the SDK's method of that name.
func (s service) operation(name string) (in, out reflect.Type, ok bool) {
	m, ok := s.client.MethodByName(name)
	if !ok {
		return nil, nil, false
	}
	return m.Type.In(2).Elem(), m.Type.Out(0).Elem(), true
}

func TestEveryPromisedActionIsThereOnce(t *testing.T) {
	var names []string
	for _, a := range ec2.Actions {
		names = append(names, a.Info().Name)
	}
	for _, want := range promised {
		if !slices.Contains(names, want) {
			t.Errorf("%s is missing from ec2.Actions", want)
		}
	}
	slices.Sort(names)
	if twice := len(names) - len(slices.Compact(slices.Clone(names))); twice != 0 {
		t.Errorf("%d actions are in ec2.Actions twice", twice)
	}
	if len(sts.Actions) == 0 || sts.Actions[0].Info().Name != "GetCallerIdentity" {
		t.Error("GetCallerIdentity is missing from sts.Actions")
	}
}

// TestEveryMemberOfTheModel compares the structs of every action with the
// SDK's, name by name and kind by kind, in both directions.
func TestEveryMemberOfTheModel(t *testing.T) {
	used := map[string]bool{}
	for _, s := range services {
		for _, a := range s.actions {
			info := a.Info()
			t.Run(s.name+"/"+info.Name, func(t *testing.T) {
				in, out, ok := s.operation(info.Name)
				if !ok {
					t.Fatalf("the SDK knows no %s", info.Name)
				}
				tell := func(difference string) { t.Error(difference) }
				comparison{s, ec2query.In, tell, used}.structs(info.Name+"Input", info.In, in, nil)
				comparison{s, ec2query.Out, tell, used}.structs(info.Name+"Output", info.Out, out, nil)
			})
		}
	}
	for _, table := range []map[string]string{onlyOurs, onlyTheirs} {
		for path := range table {
			if !used[path] && !t.Failed() {
				t.Errorf("the exception %s is not needed", path)
			}
		}
	}
}

type comparison struct {
	service
	dir  ec2query.Direction
	tell func(difference string)
	used map[string]bool // exceptions that were needed
}

func (c comparison) structs(path string, ours, theirs reflect.Type, above []reflect.Type) {
	if slices.Contains(above, theirs) {
		return // a type that holds itself
	}
	above = append(above, theirs)
	sdk := map[string]reflect.Type{}
	for _, f := range members(theirs) {
		sdk[f.Name] = f.Type
	}
	for _, f := range c.fields(ours, c.dir) {
		at := path + "." + f.Name
		want, ok := sdk[f.Name]
		delete(sdk, f.Name)
		switch {
		case ok:
			c.kinds(at, f, want, above)
		case onlyOurs[at] == "":
			c.tell(at + ": the model has no such member")
		default:
			c.used[at] = true
		}
	}
	for name := range sdk {
		at := path + "." + name
		if onlyTheirs[at] == "" {
			c.tell(at + ": we have no such member")
		}
		c.used[at] = true
	}
}

// kinds compares what two members of one name are, and what is below them.
func (c comparison) kinds(at string, f ec2query.Field, theirs reflect.Type, above []reflect.Type) {
	their := deref(theirs)
	ours := deref(f.Type)
	if f.Kind == ec2query.List {
		if their.Kind() != reflect.Slice {
			c.tell(fmt.Sprintf("%s: a list of ours is a %v of theirs", at, their))
			return
		}
		their, ours = deref(their.Elem()), deref(ours.Elem())
		at += "[]"
	}
	if s := f.Struct(); s != nil {
		if their.Kind() != reflect.Struct {
			c.tell(fmt.Sprintf("%s: a struct of ours is a %v of theirs", at, their))
			return
		}
		c.structs(at, s, their, above)
		return
	}
	kind := f.Kind
	if kind == ec2query.List {
		kind = f.Elem
	}
	if want := wordFor(their); want != word(kind, ours) {
		c.tell(fmt.Sprintf("%s: ours is %s, theirs %s", at, word(kind, ours), want))
	}
}

// word tells a scalar of ours as wordFor tells one of theirs.
func word(k ec2query.Kind, t reflect.Type) string {
	switch k {
	case ec2query.Text:
		return "string"
	case ec2query.Time:
		return "time.Time"
	}
	return t.Kind().String()
}

func wordFor(t reflect.Type) string {
	if t == reflect.TypeFor[time.Time]() {
		return "time.Time"
	}
	return t.Kind().String()
}

func deref(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// members gives the modelled members of a struct of the SDK.
func members(t reflect.Type) []reflect.StructField {
	var fs []reflect.StructField
	for i := range t.NumField() {
		f := t.Field(i)
		if f.IsExported() && !f.Anonymous && f.Type != reflect.TypeFor[middleware.Metadata]() {
			fs = append(fs, f)
		}
	}
	return fs
}

// TestTheComparisonSeesDifferences holds the test above to its word: each
// difference that could creep into a struct is told.
func TestTheComparisonSeesDifferences(t *testing.T) {
	type theirInner struct{ Key, Value *string }
	type theirs struct {
		Name  *string
		Count *int32
		Tags  []theirInner
		At    *time.Time
	}
	type inner struct{ Key, Value string }
	for _, row := range []struct {
		what string
		ours any
		want int
	}{
		{"the same", struct {
			Name  string
			Count *int32
			Tags  []inner `in:"Tag"`
			At    time.Time
		}{}, 0},
		{"a member too few", struct {
			Name string
			Tags []inner
			At   time.Time
		}{}, 1},
		{"a member too many", struct {
			Name, More string
			Count      *int32
			Tags       []inner
			At         time.Time
		}{}, 1},
		{"another width", struct {
			Name  string
			Count *int64
			Tags  []inner
			At    time.Time
		}{}, 1},
		{"no list", struct {
			Name  string
			Count *int32
			Tags  inner
			At    time.Time
		}{}, 1},
		{"a member too few below", struct {
			Name  string
			Count *int32
			Tags  []struct{ Key string }
			At    time.Time
		}{}, 1},
		{"text for time", struct {
			Name  string
			Count *int32
			Tags  []inner
			At    string
		}{}, 1},
	} {
		var told []string
		c := comparison{services[0], ec2query.Out, func(d string) { told = append(told, d) }, map[string]bool{}}
		c.structs("X", reflect.TypeOf(row.ours), reflect.TypeFor[theirs](), nil)
		if len(told) != row.want {
			t.Errorf("%s: told %q, want %d differences", row.what, told, row.want)
		}
	}
}
