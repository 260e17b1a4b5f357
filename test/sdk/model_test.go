package sdk

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	awsec2 "github.com/aws/aws-sdk-go-v2/service/ec2"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/middleware"

	"moat/action"
	"moat/awsquery"
	"moat/ec2"
	"moat/ec2query"
	"moat/iamapi"
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
	{"iam", reflect.TypeFor[*awsiam.Client](), iamapi.Actions, awsquery.Fields},
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

// notServed are the actions of IAM and STS that Moat does not serve, by what
// they are for: none of it exists here, and what asks for it is refused. EC2 has
// hundreds more than Moat; which it has is told by promised.
var notServed = map[string]string{
	"second factors": `CreateVirtualMFADevice DeactivateMFADevice DeleteVirtualMFADevice EnableMFADevice GetMFADevice ListMFADeviceTags
		ListMFADevices ListVirtualMFADevices ResyncMFADevice TagMFADevice UntagMFADevice`,
	"passwords and the console": `ChangePassword CreateLoginProfile DeleteAccountPasswordPolicy DeleteLoginProfile GetAccountPasswordPolicy
		GetLoginProfile UpdateAccountPasswordPolicy UpdateLoginProfile`,
	"federation": `AddClientIDToOpenIDConnectProvider CreateOpenIDConnectProvider CreateSAMLProvider DeleteOpenIDConnectProvider
		DeleteSAMLProvider DisableOutboundWebIdentityFederation EnableOutboundWebIdentityFederation GetOpenIDConnectProvider
		GetOutboundWebIdentityFederationInfo GetSAMLProvider ListOpenIDConnectProviderTags ListOpenIDConnectProviders
		ListSAMLProviderTags ListSAMLProviders RemoveClientIDFromOpenIDConnectProvider TagOpenIDConnectProvider TagSAMLProvider
		UntagOpenIDConnectProvider UntagSAMLProvider UpdateOpenIDConnectProviderThumbprint UpdateSAMLProvider
		AssumeRoleWithSAML AssumeRoleWithWebIdentity GetFederationToken GetWebIdentityToken`,
	"organizations": `AssumeRoot DisableOrganizationsRootCredentialsManagement DisableOrganizationsRootSessions
		EnableOrganizationsRootCredentialsManagement EnableOrganizationsRootSessions GenerateOrganizationsAccessReport
		GetOrganizationsAccessReport ListOrganizationsFeatures`,
	"delegation and role templates": `AcceptDelegationRequest AcquireRole AssociateDelegationRequest CreateDelegationRequest
		GetDelegatedAccessToken GetDelegationRequest GetHumanReadableSummary GetRoleTemplateVersion ListDelegationRequests
		RejectDelegationRequest SendDelegationToken UpdateDelegationRequest`,
	"roles of services": `CreateServiceLinkedRole DeleteServiceLinkedRole GetServiceLinkedRoleDeletionStatus`,
	"credentials of other services": `CreateServiceSpecificCredential DeleteSSHPublicKey DeleteServerCertificate
		DeleteServiceSpecificCredential DeleteSigningCertificate GetSSHPublicKey GetServerCertificate ListSSHPublicKeys
		ListServerCertificateTags ListServerCertificates ListServiceSpecificCredentials ListSigningCertificates
		ResetServiceSpecificCredential TagServerCertificate UntagServerCertificate UpdateSSHPublicKey UpdateServerCertificate
		UpdateServiceSpecificCredential UpdateSigningCertificate UploadSSHPublicKey UploadServerCertificate UploadSigningCertificate`,
	"reports": `GenerateCredentialReport GenerateServiceLastAccessedDetails GetCredentialReport GetServiceLastAccessedDetails
		GetServiceLastAccessedDetailsWithEntities ListPoliciesGrantingServiceAccess`,
	"settings of the account": `GetAccountProperties PutAccountProperties SetSecurityTokenServicePreferences`,
}

// TestEveryActionOfTheModel: every action that the SDK has for IAM and STS is
// served, or said not to be; none is both.
func TestEveryActionOfTheModel(t *testing.T) {
	without := map[string]bool{}
	for _, names := range notServed {
		for _, name := range strings.Fields(names) {
			without[name] = true
		}
	}
	for _, s := range services {
		if s.name == "ec2" {
			continue
		}
		serves := map[string]bool{}
		for _, a := range s.actions {
			serves[a.Info().Name] = true
		}
		for i := range s.client.NumMethod() {
			name := s.client.Method(i).Name
			if name == "Options" {
				continue
			}
			if serves[name] == without[name] {
				t.Errorf("%s: %s is served: %v, said not to be: %v", s.name, name, serves[name], without[name])
			}
			delete(without, name)
		}
	}
	for name := range without {
		t.Errorf("the SDK knows no %s", name)
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
	if entry, ok := entryOf(f); ok && their.Kind() == reflect.Map {
		if want := wordFor(their.Elem()); want != entry.Kind().String() {
			c.tell(fmt.Sprintf("%s: a map of ours to %v, of theirs to %s", at, entry, want))
		}
		return
	}
	if f.Kind == ec2query.List {
		if their.Kind() != reflect.Slice {
			c.tell(fmt.Sprintf("%s: a list of ours is a %v of theirs", at, their))
			return
		}
		their, ours = deref(their.Elem()), deref(ours.Elem())
		at += "[]"
	}
	if s := f.Struct(); s != nil {
		if their.Kind() != reflect.Struct && unions[their] == nil {
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
	if their.Kind() == reflect.Interface && unions[their] != nil {
		c.tell(at + ": theirs is a union, ours no struct")
		return
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

// unions are the structs of which one member only is ever set: the SDK has
// interfaces for them, with an implementation for each member.
var unions = map[reflect.Type][]reflect.Type{
	reflect.TypeFor[iamtypes.PolicyIdentifier](): {
		reflect.TypeFor[iamtypes.PolicyIdentifierMemberPolicyType](), reflect.TypeFor[iamtypes.PolicyIdentifierMemberPolicyArn](),
		reflect.TypeFor[iamtypes.PolicyIdentifierMemberInlinePolicyIdentifier](),
	},
}

// memberOf gives the name of the member that an implementation of a union is
// for; it is in the field Value.
func memberOf(t reflect.Type) (name string, ok bool) {
	for union, all := range unions {
		if slices.Contains(all, t) {
			return strings.TrimPrefix(t.Name(), union.Name()+"Member"), true
		}
	}
	return "", false
}

// isUnion reports whether a struct of ours is a union of theirs.
func isUnion(t reflect.Type) bool {
	for union := range unions {
		if union.Name() == t.Name() {
			return true
		}
	}
	return false
}

// entryOf gives what the entries of a map of ours hold: it is a list of keys
// with values.
func entryOf(f ec2query.Field) (reflect.Type, bool) {
	if !strings.HasSuffix(f.Tag.Get("out"), ",map") {
		return nil, false
	}
	return f.Type.Elem().Field(1).Type, true
}

// members gives the modelled members of a struct of the SDK.
func members(t reflect.Type) []reflect.StructField {
	var fs []reflect.StructField
	for _, m := range unions[t] {
		name, _ := memberOf(m)
		value, _ := m.FieldByName("Value")
		fs = append(fs, reflect.StructField{Name: name, Type: value.Type})
	}
	if unions[t] != nil {
		return fs
	}
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
