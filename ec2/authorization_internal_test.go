package ec2

import (
	"maps"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"moat/iam"
	"moat/state"
	"moat/vpc"
)

// notHere are types of resources and condition keys of the reference that Moat
// does not have, each with the reason. A condition on such a key is judged as
// one on a key that the call does not have.
var notHere = map[string]string{
	"capacity-reservation": "no such resources", "elastic-gpu": "no such resources", "elastic-inference": "no such resources",
	"group": "no resource groups", "license-configuration": "no such resources", "placement-group": "no such resources",
	"secondary-subnet": "no such resources", "snapshot": "no snapshots but those of images", "ipam-pool": "no IPAM",
	"ipv4pool-ec2": "no pools of the account's own", "ipv6pool-ec2": "no pools of the account's own", "vpn-gateway": "no VPN",

	"ec2:ManagedResourceOperator": "no resources that a service manages", "ec2:CpuOptionsAmdSevSnp": "not kept", "ec2:InstanceBandwidthWeighting": "not kept",
	"ec2:NewInstanceProfile": "an instance keeps its profile", "ec2:PlacementGroup": "no placement groups", "ec2:ProductCode": "no marketplace",
	"ec2:SourceInstanceARN": "no credentials of instances", "ec2:Ipv4IpamPoolId": "no IPAM", "ec2:Ipv6IpamPoolId": "no IPAM",
	"ec2:IpamPrefixListResolverTargetId": "no IPAM", "ec2:VpceMultiRegion": "gateway endpoints only", "ec2:VpcePrivateDnsPreference": "gateway endpoints only",
	"ec2:VpcePrivateDnsSpecifiedDomains": "gateway endpoints only", "ec2:VpceServiceOwner": "gateway endpoints only",
	"ec2:AuthorizedUser": "no permissions for interfaces", "ec2:AuthorizedService": "no permissions for interfaces", "ec2:Permission": "no permissions for interfaces",
	"ec2:ParentVolume": "no snapshots of volumes", "ec2:VolumeInitializationRate": "not kept",
	"ec2:IsLaunchTemplateResource": "no launch templates", "ec2:LaunchTemplate": "no launch templates",
}

// A published row of the reference.
type published struct {
	typ      string
	required bool
	keys     []string
}

func readReference(t *testing.T) map[string][]published {
	t.Helper()
	data, err := os.ReadFile("testdata/authorization.txt")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]published{}
	for line := range strings.Lines(string(data)) {
		if line[0] == '#' {
			continue
		}
		f := strings.Fields(line)
		if len(f) < 3 || len(f[1]) != len("2026-05-10") {
			t.Fatalf("no row with an action, a date and a type: %s", line)
		}
		p := published{keys: f[3:]}
		p.typ, p.required = strings.CutSuffix(f[2], "*")
		out[f[0]] = append(out[f[0]], p)
	}
	return out
}

// typesOf gives the types of resources that a line of the table asks about.
func typesOf(terms []term) (types []string) {
	words := map[string][]string{
		"group": {"security-group"}, "default-vpc": {"vpc"}, "groups-of-new": {"security-group"}, "attachment": {"network-interface", "instance"},
		"accepter-vpc": {"vpc"}, "subnet-of": {"subnet"}, "interface-of": {"network-interface"}, "attached-instance": {"instance"},
		"rules": {}, "attribute": {}, "none": {}, "pass-role": {}, "tags": {},
	}
	for _, x := range terms {
		if w, ok := words[x.word]; ok {
			types = append(types, w...)
		} else {
			types = append(types, x.word)
		}
	}
	return types
}

// The table of needs, action by action and resource by resource, with what AWS
// publishes, in both directions.
func TestNeedsAreThePublishedOnes(t *testing.T) {
	reference := readReference(t)
	served := map[string]bool{}
	for _, a := range Actions {
		name := a.Info().Name
		served[name] = true
		rows, terms := reference[name], needs[name]
		if rows == nil {
			t.Errorf("%s: no row of the reference: nobody but root may call it", name)
			continue
		}
		if name == "CreateTags" || name == "DeleteTags" {
			continue // any type: TestKeysAreThePublishedOnes
		}
		types, tells := typesOf(terms), map[string]bool{}
		attribute := false
		for _, p := range rows {
			tells[p.typ] = true
			attribute = attribute || slices.Contains(p.keys, "ec2:Attribute")
			if p.typ == "-" || p.typ == "needs" || slices.Contains(types, p.typ) || notHere[p.typ] != "" {
				continue
			}
			// A gateway is an optional one of an association.
			if p.typ == "internet-gateway" && slices.ContainsFunc(terms, func(x term) bool { return x.word == "subnet-of" }) {
				continue
			}
			t.Errorf("%s: AWS asks about a %s (required: %v), the table does not", name, p.typ, p.required)
		}
		for _, typ := range types {
			if !tells[typ] {
				t.Errorf("%s: the table asks about a %s, AWS does not", name, typ)
			}
		}
		if has := slices.ContainsFunc(terms, func(x term) bool { return x.word == "attribute" }); has != attribute {
			t.Errorf("%s: ec2:Attribute is a key there: %v, here: %v", name, attribute, has)
		}
		for _, p := range rows {
			if p.typ == "needs" && slices.Contains(p.keys, "ec2:CreateTags") != slices.ContainsFunc(terms, func(x term) bool { return x.new || x.ifTagged }) {
				t.Errorf("%s: CreateTags beside it: %v", name, p.keys)
			}
		}
	}
	for name := range needs {
		if !served[name] {
			t.Errorf("the table has %s, which is not served", name)
		}
	}
	for name := range reference {
		if !served[name] {
			t.Errorf("the reference has %s, which is not served", name)
		}
	}
}

// Key by key: what a resource of each type has, and what a call makes.
func TestKeysAreThePublishedOnes(t *testing.T) {
	scope := state.Scope{Region: "us-east-1", Account: "123456789012"}
	st := state.NewStage(state.NewView())
	tx := st.Begin(state.Call{Scope: scope})
	tags := vpc.Tags{{Key: "team", Value: "red"}}
	const id = "-00000000000000001"
	state.VPCs.Put(tx, &vpc.VPC{ID: "vpc" + id, Tenancy: "default", Tags: tags})
	state.Subnets.Put(tx, &vpc.Subnet{ID: "subnet" + id, VPC: "vpc" + id, AvailabilityZone: "us-east-1a", Tags: tags})
	state.Groups.Put(tx, &vpc.SecurityGroup{ID: "sg" + id, VPC: "vpc" + id, Tags: tags, Rules: []vpc.Rule{{ID: "sgr" + id, Tags: tags}}})
	state.Interfaces.Put(tx, &vpc.Interface{ID: "eni" + id, VPC: "vpc" + id, Subnet: "subnet" + id, AvailabilityZone: "us-east-1a", Tags: tags})
	state.PrefixLists.Put(tx, &vpc.PrefixList{ID: "pl" + id, Owner: scope.Account, Tags: tags})
	state.Instances.Put(tx, &vpc.Instance{ID: "i" + id, AvailabilityZone: "us-east-1a", Type: "t3.micro", Profile: "arn:p", AutoRecovery: "default",
		Metadata: vpc.MetadataOptions{Tokens: "required", HopLimit: 1, Endpoint: "enabled", Tags: "disabled"}, Tags: tags})
	state.Volumes.Put(tx, &vpc.Volume{ID: "vol" + id, AvailabilityZone: "us-east-1a", Type: "gp3", Size: 8, Snapshot: "snap-1", Tags: tags})
	state.KeyPairs.Put(tx, &vpc.KeyPair{ID: "key" + id, Name: "k", Type: "rsa", Tags: tags})
	state.Addresses.Put(tx, &vpc.Address{ID: "eipalloc" + id, Address: netip.MustParseAddr("192.0.2.1"), Tags: tags})
	state.Peerings.Put(tx, &vpc.Peering{ID: "pcx" + id, Tags: tags})
	state.InternetGateways.Put(tx, &vpc.InternetGateway{ID: "igw" + id, Tags: tags})
	state.RouteTables.Put(tx, &vpc.RouteTable{ID: "rtb" + id, VPC: "vpc" + id, Tags: tags})
	state.NetworkACLs.Put(tx, &vpc.NetworkACL{ID: "acl" + id, VPC: "vpc" + id, Tags: tags})
	state.DHCPOptions.Put(tx, &vpc.DHCPOptions{ID: "dopt" + id, Tags: tags})
	state.Endpoints.Put(tx, &vpc.Endpoint{ID: "vpce" + id, Service: "s3", Tags: tags})
	ids := map[string]string{"image": vpc.Images("us-east-1")[0].ID, "security-group-rule": "sgr" + id}
	for _, k := range state.Kinds {
		if k.ResourceType() != "" {
			ids[k.ResourceType()] = k.IDPrefix() + id
		}
	}
	on := func(in any) *needing {
		return &needing{at: func(s state.Scope) state.Reader { return tx.In(s) }, scope: scope, r: tx, in: reflect.ValueOf(in).Elem()}
	}
	// What calls say of that which they make.
	two, yes := int32(2), true
	making := map[string]any{
		"CreateKeyPair": &CreateKeyPairInput{}, "CreateVpcEndpoint": &CreateVpcEndpointInput{ServiceName: "s3"}, "CreateVpcPeeringConnection": &CreateVpcPeeringConnectionInput{VpcId: "vpc-1", PeerVpcId: "vpc-2"},
		"RunInstances": &RunInstancesInput{SubnetId: "subnet" + id, IamInstanceProfile: &IamInstanceProfileSpecification{Name: "p"},
			NetworkInterfaces:  []InstanceNetworkInterfaceSpecification{{AssociatePublicIpAddress: &yes}},
			MetadataOptions:    &InstanceMetadataOptionsRequest{HttpTokens: "required", HttpEndpoint: "enabled", InstanceMetadataTags: "enabled", HttpPutResponseHopLimit: &two},
			MaintenanceOptions: &InstanceMaintenanceOptionsRequest{AutoRecovery: "default"}},
	}
	has := func(n *iam.Need) map[string]bool {
		out := map[string]bool{}
		for _, k := range n.Keys {
			out[k.Name] = len(k.Values) > 0
		}
		if n.Tags != nil {
			out["tags"] = true
		}
		if n.RequestTags != nil {
			out["newtags"] = true
		}
		return out
	}
	union := map[string]map[string]bool{} // of a type, what the reference has for any action
	mine := map[string]map[string]bool{}
	for name, rows := range readReference(t) {
		for _, p := range rows {
			if p.typ == "-" || p.typ == "needs" || notHere[p.typ] != "" || p.typ == "launch-template" {
				continue
			}
			made := slices.ContainsFunc(needs[name], func(x term) bool { return (x.new || x.ifTagged) && x.word == p.typ })
			var need iam.Need
			switch {
			case made:
				in := making[name]
				if in == nil {
					in = &struct{}{}
				}
				n := on(in)
				if launch, ok := in.(*RunInstancesInput); ok && p.typ == "volume" {
					launch.ImageId = ids["image"]
					n.volumes(launch, requestTags([]Tag{{Key: "team"}}))
				} else {
					n.create(p.typ, requestTags([]Tag{{Key: "team"}}))
				}
				need = n.list[0]
			case ids[p.typ] == "":
				t.Errorf("%s: no resource of type %s to ask about", name, p.typ)
				continue
			default:
				need = on(&struct{}{}).resource("ec2:"+name, p.typ, ids[p.typ])
				if name == "CreateTags" || name == "DeleteTags" {
					need.RequestTags = requestTags([]Tag{{Key: "team"}})
				}
			}
			kind := p.typ
			if made {
				kind = "+" + name + " " + p.typ
			}
			if union[kind] == nil {
				union[kind] = map[string]bool{}
			}
			got := has(&need)
			if mine[kind] == nil {
				mine[kind] = map[string]bool{}
			}
			maps.Copy(mine[kind], got)
			for _, key := range p.keys {
				union[kind][strings.ToLower(key)] = true
				if notHere[key] == "" && !strings.HasPrefix(key, "ec2:Attribute") && !got[strings.ToLower(key)] && !(p.typ == "image" && key == "tags") { // the images are AWS's own, which have none
					t.Errorf("%s: a %s has no %s", name, p.typ, key)
				}
			}
		}
	}
	for kind, keys := range mine {
		for key := range keys {
			if !union[kind][key] {
				t.Errorf("a %s has %s, which AWS does not publish", kind, key)
			}
		}
	}
}
