package ec2_test

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"moat/ec2"
	"moat/ec2/ec2test"
	"moat/flow"
	"moat/state"
	"moat/vpc"
)

// makeVPC creates a VPC and gives its id.
func makeVPC(w *ec2test.World, params ...string) string {
	return ec2test.One(w.Must("CreateVpc", params...), "vpcId")
}

// defaultGroupOf gives the default group of a VPC.
func defaultGroupOf(w *ec2test.World, id string) *vpc.SecurityGroup {
	return state.DefaultGroup(w.Space(), vpc.VPCID(id))
}

// egressPeers gives the peers of a group's egress rules.
func egressPeers(g *vpc.SecurityGroup) (peers []string) {
	for _, r := range g.Rules {
		if r.Direction == flow.Egress {
			peers = append(peers, r.Peer.CIDR.String())
		}
	}
	return peers
}

func wantElement(t *testing.T, what, xml, element string, want ...string) {
	t.Helper()
	if got := ec2test.Text(xml, element); !slices.Equal(got, want) {
		t.Errorf("%s: <%s> is %q, want %q in %s", what, element, got, want, xml)
	}
}

func wantSaid(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("message %q, want %q", got, want)
	}
}

func TestDefaultVPC(t *testing.T) {
	w := ec2test.New(t)
	xml := w.Must("DescribeVpcs")
	wantElement(t, "default VPC", xml, "cidrBlock", "172.31.0.0/16", "172.31.0.0/16")
	wantElement(t, "default VPC", xml, "isDefault", "true")
	wantElement(t, "default VPC", xml, "instanceTenancy", "default")
	wantElement(t, "default VPC", xml, "dhcpOptionsId", vpc.DefaultDHCPOptions("us-east-1", "123456789012"))
	if strings.Contains(xml, "tagSet") || strings.Contains(xml, "ipv6CidrBlockAssociationSet") {
		t.Errorf("a VPC without tags and IPv6 shows them: %s", xml)
	}
	id := ec2test.One(xml, "vpcId")
	for attribute, want := range map[string]string{"enableDnsSupport": "true", "enableDnsHostnames": "true", "enableNetworkAddressUsageMetrics": "false"} {
		xml := w.Must("DescribeVpcAttribute", "VpcId", id, "Attribute", attribute)
		wantElement(t, attribute, xml, "value", want)
		wantElement(t, attribute, xml, "vpcId", id)
		if !strings.Contains(xml, "<"+attribute+">") || strings.Count(xml, "<value>") != 1 {
			t.Errorf("%s: %s", attribute, xml)
		}
	}
	g := defaultGroupOf(w, id)
	if g == nil || len(g.Rules) != 2 || g.Rules[0].Direction != flow.Ingress || g.Rules[0].Peer.Ref != string(g.ID) || egressPeers(g)[0] != "0.0.0.0/0" {
		t.Errorf("default group %+v", g)
	}
	subnets := w.Must("DescribeSubnets", "Filter.1.Name", "defaultForAz", "Filter.1.Value.1", "true")
	wantElement(t, "default subnets", subnets, "mapPublicIpOnLaunch", "true", "true", "true", "true", "true", "true")
	wantElement(t, "default subnets", subnets, "availableIpAddressCount", "4091", "4091", "4091", "4091", "4091", "4091")
	blocks, zones := ec2test.Text(subnets, "cidrBlock"), ec2test.Text(subnets, "availabilityZone")
	slices.Sort(blocks)
	slices.Sort(zones)
	if want := []string{"172.31.0.0/20", "172.31.16.0/20", "172.31.32.0/20", "172.31.48.0/20", "172.31.64.0/20", "172.31.80.0/20"}; !slices.Equal(blocks, want) {
		t.Errorf("blocks %q, want %q", blocks, want)
	}
	if len(slices.Compact(zones)) != 6 {
		t.Errorf("two default subnets are in one zone: %q", zones)
	}
}

func TestCreateDefaultVpc(t *testing.T) {
	w := ec2test.New(t)
	wantSaid(t, w.Refused("DefaultVpcAlreadyExists", "CreateDefaultVpc"), "A Default VPC already exists for this account in this region.")
	old := state.DefaultVPC(w.Space())
	w.Must("DeleteVpc", "VpcId", clearSubnets(w))
	if n := state.Groups.Len(w.Space()); n != 0 {
		t.Errorf("%d groups outlive their VPC", n)
	}
	w.Refused("DryRunOperation", "CreateDefaultVpc", "DryRun", "true")
	xml := w.Must("CreateDefaultVpc")
	wantElement(t, "new default VPC", xml, "isDefault", "true")
	if got := ec2test.Text(xml, "state"); !slices.Contains(got, "pending") {
		t.Errorf("states %q, want pending", got)
	}
	if id := ec2test.One(xml, "vpcId"); id == string(old.ID) || defaultGroupOf(w, id) == nil {
		t.Errorf("VPC %s after %s", id, old.ID)
	}
	w.Must("DeleteVpc", "VpcId", clearSubnets(w))
	w.Quotas.VPCsPerRegion = 1
	makeVPC(w, "CidrBlock", "10.0.0.0/16")
	w.Refused("VpcLimitExceeded", "CreateDefaultVpc")
}

// clearSubnets deletes every subnet and gives the default VPC's id.
func clearSubnets(w *ec2test.World) string {
	for _, id := range ec2test.Text(w.Must("DescribeSubnets"), "subnetId") {
		w.Must("DeleteSubnet", "SubnetId", id)
	}
	id := string(state.DefaultVPC(w.Space()).ID)
	for g := range state.InternetGateways.By(w.Space(), state.InternetGatewaysByVPC, id) {
		w.Must("DetachInternetGateway", "InternetGatewayId", string(g.ID), "VpcId", id)
	}
	return id
}

func TestCreateVpc(t *testing.T) {
	w := ec2test.New(t)
	xml := w.Must("CreateVpc", "CidrBlock", "10.0.0.5/16", "InstanceTenancy", "dedicated", "AmazonProvidedIpv6CidrBlock", "false",
		"TagSpecification.1.ResourceType", "vpc", "TagSpecification.1.Tag.1.Key", "Name", "TagSpecification.1.Tag.1.Value", "lab")
	id := ec2test.One(xml, "vpcId")
	wantElement(t, "created", xml, "cidrBlock", "10.0.0.0/16", "10.0.0.0/16")
	wantElement(t, "created", xml, "state", "associated", "pending")
	wantElement(t, "created", xml, "instanceTenancy", "dedicated")
	wantElement(t, "created", xml, "isDefault", "false")
	wantElement(t, "created", xml, "key", "Name")
	if !strings.Contains(xml, "<ipv6CidrBlockAssociationSet/>") {
		t.Errorf("no empty set of IPv6 blocks: %s", xml)
	}
	described := w.Must("DescribeVpcs", "VpcId.1", id)
	wantElement(t, "described", described, "state", "associated", "available")
	wantElement(t, "described", described, "value", "lab")
	wantElement(t, "described", described, "internetGatewayBlockMode", "off")
	wantElement(t, "host names", w.Must("DescribeVpcAttribute", "VpcId", id, "Attribute", "enableDnsHostnames"), "value", "false")
	if g := defaultGroupOf(w, id); g == nil || g.Description != "default VPC security group" {
		t.Errorf("default group %+v", g)
	}
}

func TestCreateVpcRefuses(t *testing.T) {
	w := ec2test.New(t)
	for _, c := range []struct {
		code, message string
		params        []string
	}{
		{"MissingParameter", "Either 'cidrBlock' or 'ipv4IpamPoolId' should be provided.", nil},
		{"InvalidParameterValue", "Value (10.0.0.0) for parameter cidrBlock is invalid. This is not a valid CIDR block.", []string{"CidrBlock", "10.0.0.0"}},
		{"InvalidVpc.Range", "The CIDR '10.0.0.0/8' is invalid.", []string{"CidrBlock", "10.0.0.0/8"}},
		{"InvalidVpc.Range", "The CIDR '10.0.0.0/29' is invalid.", []string{"CidrBlock", "10.0.0.0/29"}},
		{"InvalidIpamPoolId.NotFound", "The ipam-pool ID 'ipam-pool-1' does not exist", []string{"Ipv4IpamPoolId", "ipam-pool-1", "Ipv4NetmaskLength", "16"}},
		{"InvalidIpamPoolId.NotFound", "The ipam-pool ID 'ipam-pool-6' does not exist", []string{"CidrBlock", "10.0.0.0/16", "Ipv6IpamPoolId", "ipam-pool-6"}},
		{"InvalidParameterDependency", "The parameter [ipv4NetmaskLength] requires the parameter ipv4IpamPoolId to be set.", []string{"CidrBlock", "10.0.0.0/16", "Ipv4NetmaskLength", "16"}},
		{"InvalidParameterDependency", "The parameter [ipv6CidrBlock] requires the parameter ipv6Pool to be set.", []string{"CidrBlock", "10.0.0.0/16", "Ipv6CidrBlock", "2001:db8::/56"}},
		{"InvalidPoolID.NotFound", "The pool ID 'ipv6pool-ec2-1' does not exist", []string{"CidrBlock", "10.0.0.0/16", "Ipv6CidrBlock", "2001:db8::/56", "Ipv6Pool", "ipv6pool-ec2-1"}},
		{"InvalidParameterCombination", "The parameter ipv6Pool cannot be used with the parameter amazonProvidedIpv6CidrBlock", []string{"CidrBlock", "10.0.0.0/16", "Ipv6Pool", "p", "AmazonProvidedIpv6CidrBlock", "true"}},
		{"MissingParameter", "", []string{"CidrBlock", "10.0.0.0/16", "Ipv6Pool", "moat"}},
		{"InvalidParameterValue", "Value (10.0.0.0/16) for parameter ipv6CidrBlock is invalid. This is not a valid CIDR block.", []string{"CidrBlock", "10.0.0.0/16", "Ipv6Pool", "moat", "Ipv6CidrBlock", "10.0.0.0/16"}},
		{"InvalidVpc.Range", "", []string{"CidrBlock", "10.0.0.0/16", "Ipv6Pool", "moat", "Ipv6CidrBlock", "fe80::/64"}},
		{"InvalidVpc.Range", "", []string{"CidrBlock", "10.0.0.0/16", "Ipv6Pool", "moat", "Ipv6CidrBlock", "ff02::/56"}},
		{"InvalidVpc.Range", "", []string{"CidrBlock", "10.0.0.0/16", "Ipv6Pool", "moat", "Ipv6CidrBlock", "::/64"}},
		{"InvalidVpc.Range", "", []string{"CidrBlock", "10.0.0.0/16", "Ipv6Pool", "moat", "Ipv6CidrBlock", "2600:1f18::/56"}},
		{"InvalidVpc.Range", "", []string{"CidrBlock", "10.0.0.0/16", "Ipv6Pool", "moat", "Ipv6CidrBlock", "2001:db8::/43"}},
		{"InvalidVpc.Range", "", []string{"CidrBlock", "10.0.0.0/16", "Ipv6Pool", "moat", "Ipv6CidrBlock", "2001:db8::/58"}},
		{"InvalidVpc.Range", "", []string{"CidrBlock", "10.0.0.0/16", "Ipv6Pool", "moat", "Ipv6CidrBlock", "2001:db8::/68"}},
		{"InvalidParameterDependency", "The parameter [ipv6CidrBlockNetworkBorderGroup] requires the parameter amazonProvidedIpv6CidrBlock to be set.", []string{"CidrBlock", "10.0.0.0/16", "Ipv6CidrBlockNetworkBorderGroup", "us-east-1"}},
		{"InvalidParameterValue", "", []string{"CidrBlock", "10.0.0.0/16", "AmazonProvidedIpv6CidrBlock", "true", "Ipv6CidrBlockNetworkBorderGroup", "us-west-2"}},
		{"InvalidParameterValue", "", []string{"CidrBlock", "10.0.0.0/16", "InstanceTenancy", "host"}},
		{"UnsupportedOperation", "", []string{"CidrBlock", "10.0.0.0/16", "VpcEncryptionControl.Mode", "enforce"}},
		{"InvalidParameterValue", "'subnet' is not a valid taggable resource type for this operation.", []string{"CidrBlock", "10.0.0.0/16", "TagSpecification.1.ResourceType", "subnet", "TagSpecification.1.Tag.1.Key", "a", "TagSpecification.1.Tag.1.Value", "b"}},
	} {
		if got := w.Refused(c.code, "CreateVpc", c.params...); c.message != "" && got != c.message {
			t.Errorf("CreateVpc %q: message %q, want %q", c.params, got, c.message)
		}
	}
	// The default VPC counts.
	for i := range 4 {
		makeVPC(w, "CidrBlock", "10."+strconv.Itoa(i)+".0.0/16")
	}
	wantSaid(t, w.Refused("VpcLimitExceeded", "CreateVpc", "CidrBlock", "10.9.0.0/16"), "The maximum number of VPCs has been reached.")
	w.Quotas.VPCsPerRegion = 6
	makeVPC(w, "CidrBlock", "10.9.0.0/16")
}

func TestDryRunOfCreateVpcMakesNothing(t *testing.T) {
	w := ec2test.New(t)
	wantSaid(t, w.Refused("DryRunOperation", "CreateVpc", "CidrBlock", "10.0.0.0/16", "DryRun", "true"), "Request would have succeeded, but DryRun flag is set.")
	w.Refused("InvalidVpc.Range", "CreateVpc", "CidrBlock", "10.0.0.0/8", "DryRun", "true")
}

func TestSurprise15_DefaultGroupOfAnIPv6VPC(t *testing.T) {
	w := ec2test.New(t)
	xml := w.Must("CreateVpc", "CidrBlock", "10.0.0.0/16", "AmazonProvidedIpv6CidrBlock", "true")
	wantElement(t, "created", xml, "state", "associating", "associated", "pending")
	wantElement(t, "created", xml, "ipv6Pool", "Amazon")
	wantElement(t, "created", xml, "networkBorderGroup", "us-east-1")
	g := defaultGroupOf(w, ec2test.One(xml, "vpcId"))
	if got := egressPeers(g); !slices.Equal(got, []string{"0.0.0.0/0", "::/0"}) || g.Rules[1].ID == g.Rules[2].ID {
		t.Errorf("egress %q, want both families, each a rule of its own", got)
	}
	if p := netip.MustParsePrefix(ec2test.One(xml, "ipv6CidrBlock")); p.Bits() != 56 || p != p.Masked() {
		t.Errorf("block %s, want a /56", p)
	}
	if four := makeVPC(w, "CidrBlock", "10.1.0.0/16"); len(egressPeers(defaultGroupOf(w, four))) != 1 {
		t.Error("a VPC of IPv4 alone got an IPv6 rule")
	}
}

func TestIPv6BlocksOfTwoVPCsNeverMeet(t *testing.T) {
	w := ec2test.New(t)
	id := makeVPC(w, "CidrBlock", "10.0.0.0/16")
	var two *vpc.VPC
	for range 2 {
		w.Stage(func(tx *state.Txn) error {
			// Both plans draw the same numbers.
			c := state.Call{Scope: w.Scope, Now: w.Now, Quotas: w.Quotas, Random: func() uint64 { return 7 }}
			again := state.NewStage(w.View).Begin(c)
			out, err := ec2.AssociateVpcCidrBlock.Plan(again, &ec2.AssociateVpcCidrBlockInput{VpcId: id, AmazonProvidedIpv6CidrBlock: new(true)})
			if err != nil {
				return err
			}
			v := *state.VPCs.Get(again, vpc.VPCID(id))
			if two != nil && two.Blocks[1].CIDR.Overlaps(v.Blocks[2].CIDR) {
				t.Errorf("%s was given out twice: %+v", v.Blocks[2].CIDR, out)
			}
			two = &v
			state.VPCs.Put(tx, &v)
			return nil
		})
	}
}

func TestAssociateIPv6OpensTheDefaultGroupIfUntouched(t *testing.T) {
	w := ec2test.New(t)
	untouched, touched := makeVPC(w, "CidrBlock", "10.0.0.0/16"), makeVPC(w, "CidrBlock", "10.1.0.0/16")
	w.Stage(func(tx *state.Txn) error {
		g := *state.DefaultGroup(tx, vpc.VPCID(touched))
		g.EgressTouched = true
		state.Groups.Put(tx, &g)
		state.Groups.Put(tx, &vpc.SecurityGroup{ID: "sg-00000000000000001", VPC: vpc.VPCID(untouched), Name: "web", Rules: slices.Clone(g.Rules[1:])})
		return nil
	})
	var xml string
	for _, id := range []string{untouched, touched} {
		xml = w.Must("AssociateVpcCidrBlock", "VpcId", id, "AmazonProvidedIpv6CidrBlock", "true")
		wantElement(t, "associated", xml, "state", "associating")
		wantElement(t, "associated", xml, "vpcId", id)
	}
	if got := egressPeers(defaultGroupOf(w, untouched)); !slices.Equal(got, []string{"0.0.0.0/0", "::/0"}) {
		t.Errorf("untouched default group sends to %q", got)
	}
	if got := egressPeers(defaultGroupOf(w, touched)); !slices.Equal(got, []string{"0.0.0.0/0"}) {
		t.Errorf("touched default group sends to %q", got)
	}
	if got := egressPeers(state.Groups.Get(w.Space(), "sg-00000000000000001")); !slices.Equal(got, []string{"0.0.0.0/0"}) {
		t.Errorf("another group sends to %q", got)
	}
	// A second block adds no second rule.
	w.Must("AssociateVpcCidrBlock", "VpcId", untouched, "AmazonProvidedIpv6CidrBlock", "true")
	if got := egressPeers(defaultGroupOf(w, untouched)); len(got) != 2 {
		t.Errorf("after a second block it sends to %q", got)
	}
}

func TestAssociateVpcCidrBlock(t *testing.T) {
	w := ec2test.New(t)
	id := makeVPC(w, "CidrBlock", "10.2.0.0/16")
	xml := w.Must("AssociateVpcCidrBlock", "VpcId", id, "CidrBlock", "10.3.0.9/16")
	wantElement(t, "associated", xml, "cidrBlock", "10.3.0.0/16")
	wantElement(t, "associated", xml, "state", "associating")
	association := ec2test.One(xml, "associationId")
	for _, c := range []struct {
		code, message string
		params        []string
	}{
		{"MissingParameter", "The request must contain the parameter vpcId", []string{"CidrBlock", "10.4.0.0/16"}},
		{"MissingParameter", "The request must contain the parameter cidrBlock or amazonProvidedIpv6CidrBlock", []string{"VpcId", id}},
		{"InvalidVpcID.Malformed", `Invalid id: "v" (expecting "vpc-...")`, []string{"VpcId", "v", "CidrBlock", "10.4.0.0/16"}},
		{"InvalidVpcID.NotFound", "The vpc ID 'vpc-00000000' does not exist", []string{"VpcId", "vpc-00000000", "CidrBlock", "10.4.0.0/16"}},
		{"InvalidParameterCombination", "The parameter cidrBlock cannot be used with the parameter amazonProvidedIpv6CidrBlock", []string{"VpcId", id, "CidrBlock", "10.4.0.0/16", "AmazonProvidedIpv6CidrBlock", "true"}},
		{"InvalidVpc.Range", "The CIDR '10.3.128.0/17' conflicts with another subnet", []string{"VpcId", id, "CidrBlock", "10.3.128.0/17"}},
		{"InvalidVpc.Range", "The CIDR '10.4.0.0/15' is invalid.", []string{"VpcId", id, "CidrBlock", "10.4.0.0/15"}},
		{"InvalidVpc.Range", "", []string{"VpcId", id, "CidrBlock", "192.168.0.0/16"}},
		{"InvalidIpamPoolId.NotFound", "", []string{"VpcId", id, "Ipv4IpamPoolId", "ipam-pool-1"}},
	} {
		if got := w.Refused(c.code, "AssociateVpcCidrBlock", c.params...); c.message != "" && got != c.message {
			t.Errorf("%q: message %q, want %q", c.params, got, c.message)
		}
	}
	found := w.Must("DescribeVpcs", "Filter.1.Name", "cidr-block-association.association-id", "Filter.1.Value.1", association)
	wantElement(t, "by association", found, "vpcId", id)
	wantElement(t, "by association", found, "state", "associated", "associated", "available")
	for i := range 3 {
		w.Must("AssociateVpcCidrBlock", "VpcId", id, "CidrBlock", "10.2"+strconv.Itoa(i)+".0.0/16")
	}
	wantSaid(t, w.Refused("CidrLimitExceeded", "AssociateVpcCidrBlock", "VpcId", id, "CidrBlock", "10.30.0.0/16"),
		"This network '"+id+"' has met its maximum number of allowed CIDRs: 5")
	// The families are counted apart.
	w.Must("AssociateVpcCidrBlock", "VpcId", id, "AmazonProvidedIpv6CidrBlock", "true")
	w.Quotas.IPv6CIDRsPerVPC = 1
	w.Refused("CidrLimitExceeded", "AssociateVpcCidrBlock", "VpcId", id, "AmazonProvidedIpv6CidrBlock", "true")
}

func TestDisassociateVpcCidrBlock(t *testing.T) {
	w := ec2test.New(t)
	created := w.Must("CreateVpc", "CidrBlock", "10.2.0.0/16")
	id, primary := ec2test.One(created, "vpcId"), ec2test.One(created, "associationId")
	second := ec2test.One(w.Must("AssociateVpcCidrBlock", "VpcId", id, "CidrBlock", "10.3.0.0/16"), "associationId")
	xml := w.Must("AssociateVpcCidrBlock", "VpcId", id, "AmazonProvidedIpv6CidrBlock", "true")
	six, block := ec2test.One(xml, "associationId"), ec2test.One(xml, "ipv6CidrBlock")
	subnet := makeSubnet(w, "VpcId", id, "CidrBlock", "10.3.4.0/24", "Ipv6CidrBlock", strings.Replace(block, "/56", "/64", 1))

	wantSaid(t, w.Refused("OperationNotPermitted", "DisassociateVpcCidrBlock", "AssociationId", primary),
		"The vpc CIDR block with association ID "+primary+" may not be disassociated. It is the primary IPv4 CIDR block of the VPC")
	wantSaid(t, w.Refused("InvalidVpcCidrBlockAssociationID.NotFound", "DisassociateVpcCidrBlock", "AssociationId", "vpc-cidr-assoc-x"),
		"The vpc CIDR block association ID 'vpc-cidr-assoc-x' does not exist")
	w.Refused("MissingParameter", "DisassociateVpcCidrBlock")
	wantSaid(t, w.Refused("InvalidCidrBlock.InUse", "DisassociateVpcCidrBlock", "AssociationId", second),
		"The vpc "+id+" currently has a subnet within CIDR block 10.3.0.0/16 (held by subnet "+subnet+")")
	w.Refused("InvalidCidrBlock.InUse", "DisassociateVpcCidrBlock", "AssociationId", six)

	w.Must("DeleteSubnet", "SubnetId", subnet)
	xml = w.Must("DisassociateVpcCidrBlock", "AssociationId", second)
	wantElement(t, "IPv4", xml, "cidrBlock", "10.3.0.0/16")
	wantElement(t, "IPv4", xml, "state", "disassociating")
	wantElement(t, "IPv6", w.Must("DisassociateVpcCidrBlock", "AssociationId", six), "ipv6CidrBlock", block)
	if xml := w.Must("DescribeVpcs", "VpcId.1", id); strings.Contains(xml, second) || strings.Contains(xml, six) {
		t.Errorf("still there: %s", xml)
	}
	w.Refused("InvalidVpcCidrBlockAssociationID.NotFound", "DisassociateVpcCidrBlock", "AssociationId", second)
}

func TestDeleteVpc(t *testing.T) {
	w := ec2test.New(t)
	id := makeVPC(w, "CidrBlock", "10.0.0.0/16")
	other := makeVPC(w, "CidrBlock", "10.1.0.0/16")
	w.Refused("MissingParameter", "DeleteVpc")
	w.Refused("InvalidVpcID.Malformed", "DeleteVpc", "VpcId", "vpc-XYZ")
	wantSaid(t, w.Refused("InvalidVpcID.NotFound", "DeleteVpc", "VpcId", "vpc-00000000000000000"), "The vpc ID 'vpc-00000000000000000' does not exist")

	held := func(by string) {
		t.Helper()
		wantSaid(t, w.Refused("DependencyViolation", "DeleteVpc", "VpcId", id),
			"The vpc '"+id+"' has dependencies and cannot be deleted. (held by "+by+")")
	}
	subnet := makeSubnet(w, "VpcId", id, "CidrBlock", "10.0.0.0/24")
	held("subnet " + subnet)
	putInterface(w, "eni-00000000000000001", id, subnet, "10.0.0.10")
	held("subnet " + subnet + ", network interface eni-00000000000000001")
	w.Stage(func(tx *state.Txn) error { state.Interfaces.Delete(tx, "eni-00000000000000001"); return nil })
	w.Must("DeleteSubnet", "SubnetId", subnet)

	group := vpc.SecurityGroup{ID: "sg-00000000000000001", VPC: vpc.VPCID(id), Name: "web"}
	w.Stage(func(tx *state.Txn) error { state.Groups.Put(tx, &group); return nil })
	held("security group sg-00000000000000001")
	moved := group
	moved.VPC = vpc.VPCID(other)
	moved.Rules = []vpc.Rule{{ID: "sgr-1", Protocol: flow.AllProtocols, Ports: flow.NoPorts, Peer: vpc.Peer{Ref: string(defaultGroupOf(w, id).ID)}}}
	w.Stage(func(tx *state.Txn) error {
		state.Groups.Put(tx, &moved)
		state.GroupAssociations.Put(tx, &vpc.GroupAssociation{Group: moved.ID, VPC: vpc.VPCID(id), State: "associated"})
		return nil
	})
	held("rules of security group sg-00000000000000001 that refer to " + string(defaultGroupOf(w, id).ID) + ", association with security group sg-00000000000000001")
	w.Stage(func(tx *state.Txn) error {
		state.Groups.Delete(tx, moved.ID)
		state.GroupAssociations.Delete(tx, state.GroupAssociationKey(moved.ID, vpc.VPCID(id)))
		return nil
	})

	w.Refused("DryRunOperation", "DeleteVpc", "VpcId", id, "DryRun", "true")
	wantElement(t, "deleted", w.Must("DeleteVpc", "VpcId", id), "return", "true")
	w.Refused("InvalidVpcID.NotFound", "DescribeVpcs", "VpcId.1", id)
	if defaultGroupOf(w, id) != nil || defaultGroupOf(w, other) == nil {
		t.Error("the wrong default groups are gone")
	}
}

func TestModifyVpcAttribute(t *testing.T) {
	w := ec2test.New(t)
	id := makeVPC(w, "CidrBlock", "10.0.0.0/16")
	value := func(attribute, want string) {
		t.Helper()
		wantElement(t, attribute, w.Must("DescribeVpcAttribute", "VpcId", id, "Attribute", attribute), "value", want)
	}
	wantElement(t, "modified", w.Must("ModifyVpcAttribute", "VpcId", id, "EnableDnsHostnames.Value", "true"), "return", "true")
	value("enableDnsHostnames", "true")
	value("enableDnsSupport", "true")
	w.Must("ModifyVpcAttribute", "VpcId", id, "EnableNetworkAddressUsageMetrics.Value", "true")
	value("enableNetworkAddressUsageMetrics", "true")
	w.Must("ModifyVpcAttribute", "VpcId", id, "EnableDnsHostnames.Value", "false")
	w.Must("ModifyVpcAttribute", "VpcId", id, "EnableDnsSupport.Value", "false")
	value("enableDnsHostnames", "false")
	value("enableDnsSupport", "false")
	w.Refused("InvalidParameterValue", "ModifyVpcAttribute", "VpcId", id, "EnableDnsHostnames.Value", "true")

	wantSaid(t, w.Refused("InvalidParameterCombination", "ModifyVpcAttribute", "VpcId", id, "EnableDnsSupport.Value", "true", "EnableDnsHostnames.Value", "true"),
		"Fields for multiple attribute types specified: enableDnsHostnames, enableDnsSupport")
	wantSaid(t, w.Refused("InvalidParameterCombination", "ModifyVpcAttribute", "VpcId", id), "No attributes specified.")
	w.Refused("MissingParameter", "ModifyVpcAttribute", "EnableDnsSupport.Value", "true")
	w.Refused("InvalidVpcID.NotFound", "ModifyVpcAttribute", "VpcId", "vpc-00000000", "EnableDnsSupport.Value", "true")
	w.Refused("UnknownParameter", "ModifyVpcAttribute", "VpcId", id, "EnableDnsSupport.Value", "true", "DryRun", "true")
	wantSaid(t, w.Refused("MissingParameter", "DescribeVpcAttribute", "VpcId", id), "The request must contain the parameter attribute")
	w.Refused("InvalidParameterValue", "DescribeVpcAttribute", "VpcId", id, "Attribute", "enableDns")
}

func TestDescribeVpcsFilters(t *testing.T) {
	w := ec2test.New(t)
	standard := string(state.DefaultVPC(w.Space()).ID)
	xml := w.Must("CreateVpc", "CidrBlock", "10.0.0.0/16", "AmazonProvidedIpv6CidrBlock", "true",
		"TagSpecification.1.ResourceType", "vpc", "TagSpecification.1.Tag.1.Key", "Name", "TagSpecification.1.Tag.1.Value", "lab")
	lab, six, block := ec2test.One(xml, "vpcId"), ec2test.One(xml, "associationId"), ec2test.One(xml, "ipv6CidrBlock")
	w.Must("AssociateVpcCidrBlock", "VpcId", lab, "CidrBlock", "10.1.0.0/16")
	both := []string{standard, lab}
	slices.Sort(both)
	for _, c := range []struct {
		want        []string
		name, value string
	}{
		{[]string{standard}, "isDefault", "true"},
		{[]string{standard}, "is-default", "true"},
		{[]string{lab}, "is-default", "false"},
		{nil, "is-default", "1"},
		{[]string{lab}, "cidr", "10.0.0.0/16"},
		{[]string{lab}, "cidr-block", "10.*"},
		{[]string{lab}, "cidrBlock", "10.0.0.0/16"},
		{nil, "cidr", "10.1.0.0/16"}, // not the primary one
		{[]string{lab}, "cidr-block-association.cidr-block", "10.1.0.0/16"},
		{nil, "cidr-block-association.cidr-block", block},
		{[]string{lab}, "ipv6-cidr-block-association.ipv6-cidr-block", block},
		{nil, "ipv6-cidr-block-association.ipv6-cidr-block", "10.0.0.0/16"},
		{[]string{lab}, "ipv6-cidr-block-association.association-id", six},
		{nil, "cidr-block-association.association-id", six},
		{[]string{lab}, "ipv6-cidr-block-association.ipv6-pool", "Amazon"},
		{[]string{lab}, "ipv6-cidr-block-association.state", "associated"},
		{both, "cidr-block-association.state", "associated"},
		{nil, "cidr-block-association.state", "associating"},
		{both, "dhcp-options-id", vpc.DefaultDHCPOptions("us-east-1", "123456789012")},
		{both, "dhcpOptionsId", "dopt-*"},
		{both, "owner-id", "123456789012"},
		{nil, "owner-id", "123456789013"},
		{both, "state", "available"},
		{nil, "state", "pending"},
		{[]string{lab}, "vpc-id", lab},
		{[]string{lab}, "tag:Name", "la?"},
		{[]string{lab}, "tag-key", "Name"},
		{nil, "tag:Name", "web"},
	} {
		wantElement(t, c.name+"="+c.value, w.Must("DescribeVpcs", "Filter.1.Name", c.name, "Filter.1.Value.1", c.value), "vpcId", c.want...)
	}
	wantSaid(t, w.Refused("InvalidParameterValue", "DescribeVpcs", "Filter.1.Name", "isdefault", "Filter.1.Value.1", "true"), "The filter 'isdefault' is invalid")
	w.Refused("InvalidVpcID.Malformed", "DescribeVpcs", "VpcId.1", "vpc-00000000", "VpcId.2", "sg-1")
	w.Refused("InvalidVpcID.NotFound", "DescribeVpcs", "VpcId.1", lab, "VpcId.2", "vpc-00000000")
}

func TestDescribeVpcsPages(t *testing.T) {
	w := ec2test.New(t)
	w.Quotas.VPCsPerRegion = 100
	for i := range 10 {
		makeVPC(w, "CidrBlock", "10."+strconv.Itoa(i)+".0.0/16")
	}
	var seen []string
	token := ""
	for page := range 3 {
		xml := w.Must("DescribeVpcs", "MaxResults", "5", "NextToken", token)
		seen = append(seen, ec2test.Text(xml, "vpcId")...)
		if token = ec2test.One(xml, "nextToken"); (token == "") != (page == 2) {
			t.Fatalf("page %d: token %q", page, token)
		}
	}
	if slices.Sort(seen); len(slices.Compact(seen)) != 11 {
		t.Errorf("saw %d VPCs, want 11", len(seen))
	}
	w.Refused("InvalidParameterValue", "DescribeVpcs", "MaxResults", "4")
	w.Refused("InvalidParameterValue", "DescribeVpcs", "MaxResults", "1001")
	w.Refused("InvalidParameterValue", "DescribeVpcs", "NextToken", "garbage")
}

func TestVPCsAreNotSeenAcrossRegions(t *testing.T) {
	w := ec2test.New(t)
	id := makeVPC(w, "CidrBlock", "10.0.0.0/16")
	w.Scope.Region = "eu-west-1"
	w.Refused("InvalidVpcID.NotFound", "DescribeVpcs", "VpcId.1", id)
	if xml := w.Must("DescribeVpcs"); strings.Contains(xml, "vpc-") {
		t.Errorf("seen in another region: %s", xml)
	}
}

func TestDescribeAvailabilityZones(t *testing.T) {
	w := ec2test.New(t)
	xml := w.Must("DescribeAvailabilityZones")
	wantElement(t, "zones", xml, "zoneName", "us-east-1a", "us-east-1b", "us-east-1c", "us-east-1d", "us-east-1e", "us-east-1f")
	wantElement(t, "zones", xml, "zoneId", "use1-az6", "use1-az1", "use1-az2", "use1-az4", "use1-az3", "use1-az5")
	if strings.Count(xml, "<messageSet/>") != 6 || strings.Count(xml, "<zoneState>available</zoneState>") != 6 {
		t.Errorf("state and messages: %s", xml)
	}
	wantElement(t, "by name and id", w.Must("DescribeAvailabilityZones", "ZoneName.1", "us-east-1b", "ZoneId.1", "use1-az6", "AllAvailabilityZones", "true"), "zoneName", "us-east-1a", "us-east-1b")
	for _, c := range []struct {
		want        int
		name, value string
	}{
		{6, "group-name", "us-east-1"}, {6, "opt-in-status", "opt-in-not-required"}, {0, "opt-in-status", "opted-in"},
		{6, "region-name", "us-east-1"}, {6, "state", "available"}, {0, "state", "impaired"}, {1, "zone-id", "use1-az3"},
		{1, "zone-name", "us-east-1e"}, {6, "zone-type", "availability-zone"}, {0, "zone-type", "local-zone"},
		{6, "group-long-name", "US East (N. Virginia) 1"}, {0, "message", "*"}, {0, "parent-zone-id", "*"}, {0, "parent-zone-name", "*"},
	} {
		if got := ec2test.Text(w.Must("DescribeAvailabilityZones", "Filter.1.Name", c.name, "Filter.1.Value.1", c.value), "zoneName"); len(got) != c.want {
			t.Errorf("%s=%s: %q, want %d", c.name, c.value, got, c.want)
		}
	}
	wantSaid(t, w.Refused("InvalidParameterValue", "DescribeAvailabilityZones", "ZoneName.1", "us-west-2a"), "Invalid availability zone: [us-west-2a]")
	wantSaid(t, w.Refused("InvalidParameterValue", "DescribeAvailabilityZones", "ZoneId.1", "usw2-az1"), "Invalid availability zone-id: [usw2-az1]")
	w.Scope.Region = "lab"
	wantElement(t, "a region of one's own", w.Must("DescribeAvailabilityZones"), "zoneId", "lab-az1", "lab-az2", "lab-az3")
}

func TestDescribeRegions(t *testing.T) {
	w := ec2test.New(t)
	if got := ec2test.Text(w.Must("DescribeRegions"), "regionName"); len(got) != 17 || slices.Contains(got, "af-south-1") || slices.Contains(got, "cn-north-1") {
		t.Errorf("regions %q, want the 17 that are always on", got)
	}
	all := w.Must("DescribeRegions", "AllRegions", "true")
	if names := ec2test.Text(all, "regionName"); !slices.Contains(names, "af-south-1") || slices.Contains(names, "us-gov-west-1") {
		t.Errorf("all regions: %q", names)
	}
	one := w.Must("DescribeRegions", "RegionName.1", "eu-west-1")
	wantElement(t, "eu-west-1", one, "regionEndpoint", "ec2.eu-west-1.amazonaws.com")
	wantElement(t, "eu-west-1", one, "optInStatus", "opt-in-not-required")
	wantElement(t, "not opted in", w.Must("DescribeRegions", "RegionName.1", "af-south-1"), "optInStatus", "not-opted-in")
	wantElement(t, "by endpoint", w.Must("DescribeRegions", "Filter.1.Name", "endpoint", "Filter.1.Value.1", "ec2.us-*-2.*"), "regionName", "us-east-2", "us-west-2")
	wantElement(t, "by name", w.Must("DescribeRegions", "Filter.1.Name", "region-name", "Filter.1.Value.1", "sa-east-1"), "regionName", "sa-east-1")
	wantElement(t, "by status", w.Must("DescribeRegions", "Filter.1.Name", "opt-in-status", "Filter.1.Value.1", "not-opted-in"), "regionName")
	wantSaid(t, w.Refused("InvalidParameterValue", "DescribeRegions", "RegionName.1", "lab-1"), "Invalid region: [lab-1]")

	w.Scope.Region = "lab-1"
	wantElement(t, "a region of one's own", w.Must("DescribeRegions", "RegionName.1", "lab-1"), "regionName", "lab-1")
	w.Scope.Region = "cn-north-1"
	wantElement(t, "China", w.Must("DescribeRegions"), "regionEndpoint", "ec2.cn-north-1.amazonaws.com.cn", "ec2.cn-northwest-1.amazonaws.com.cn")
	// Who uses a region has opted in.
	w.Scope.Region = "af-south-1"
	w.Stage(ec2.Furnish)
	wantElement(t, "used", w.Must("DescribeRegions", "Filter.1.Name", "opt-in-status", "Filter.1.Value.1", "opted-in"), "regionName", "af-south-1")
	w.Scope.Region = "us-east-1"
	wantElement(t, "used", w.Must("DescribeRegions", "Filter.1.Name", "opt-in-status", "Filter.1.Value.1", "opted-in"), "regionName", "af-south-1")
}

func TestDescribeAccountAttributes(t *testing.T) {
	w := ec2test.New(t)
	w.Quotas.GroupsPerInterface = 16
	xml := w.Must("DescribeAccountAttributes")
	wantElement(t, "all", xml, "attributeName", "supported-platforms", "default-vpc", "max-instances", "vpc-max-security-groups-per-interface", "max-elastic-ips", "vpc-max-elastic-ips")
	wantElement(t, "all", xml, "attributeValue", "VPC", string(state.DefaultVPC(w.Space()).ID), "20", "16", "5", "5")
	wantElement(t, "one", w.Must("DescribeAccountAttributes", "AttributeName.1", "supported-platforms"), "attributeValue", "VPC")
	w.Refused("InvalidParameterValue", "DescribeAccountAttributes", "AttributeName.1", "max-groups")
	w.Must("DeleteVpc", "VpcId", clearSubnets(w))
	wantElement(t, "without a default VPC", w.Must("DescribeAccountAttributes", "AttributeName.1", "default-vpc"), "attributeValue", "none")
}

// A VPC, its subnet and an interface have addresses of the operator's own
// block, the first ones of it too; no other VPC gets an address of that.
func TestOwnIPv6Block(t *testing.T) {
	w := ec2test.New(t)
	xml := w.Must("CreateVpc", "CidrBlock", "10.0.0.0/16", "Ipv6Pool", "moat", "Ipv6CidrBlock", "2001:db8:7:ff::/56")
	id := ec2test.One(xml, "vpcId")
	wantElement(t, "created", xml, "ipv6CidrBlock", "2001:db8:7::/56")
	wantElement(t, "created", xml, "ipv6Pool", "moat")
	wantElement(t, "created", xml, "ipSource", "byoip")
	if got := egressPeers(defaultGroupOf(w, id)); !slices.Equal(got, []string{"0.0.0.0/0", "::/0"}) {
		t.Errorf("egress of the default group: %q, want both families", got)
	}
	wantSaid(t, w.Refused("InvalidVpc.Range", "CreateVpc", "CidrBlock", "10.1.0.0/16", "Ipv6Pool", "moat", "Ipv6CidrBlock", "2001:db8:7:1::/64"),
		"The IPv6 CIDR '2001:db8:7:1::/64' conflicts with '2001:db8:7::/56' of "+id)
	xml = w.Must("AssociateVpcCidrBlock", "VpcId", id, "Ipv6Pool", "moat", "Ipv6CidrBlock", "fd00:7::/64")
	wantElement(t, "associated", xml, "ipv6AddressAttribute", "private")
	w.Refused("InvalidSubnet.Range", "CreateSubnet", "VpcId", id, "CidrBlock", "10.0.0.0/24", "Ipv6CidrBlock", "2001:db8:8::/64")
	xml = w.Must("CreateSubnet", "VpcId", id, "CidrBlock", "10.0.0.0/24", "Ipv6CidrBlock", "2001:db8:7:2::/64")
	wantElement(t, "subnet", xml, "ipSource", "byoip")
	subnet := ec2test.One(xml, "subnetId")
	xml = w.Must("CreateNetworkInterface", "SubnetId", subnet, "Ipv6Addresses.1.Ipv6Address", "2001:db8:7:2::1")
	wantElement(t, "interface", xml, "ipv6Address", "2001:db8:7:2::1", "2001:db8:7:2::1")
	amazon := ec2test.One(w.Must("CreateVpc", "CidrBlock", "10.2.0.0/16", "AmazonProvidedIpv6CidrBlock", "true"), "vpcId")
	block := netip.MustParsePrefix(ec2test.One(w.Must("DescribeVpcs", "VpcId.1", amazon), "ipv6CidrBlock"))
	subnet = ec2test.One(w.Must("CreateSubnet", "VpcId", amazon, "CidrBlock", "10.2.0.0/24", "Ipv6CidrBlock", netip.PrefixFrom(block.Addr(), 64).String()), "subnetId")
	wantSaid(t, w.Refused("InvalidParameterValue", "CreateNetworkInterface", "SubnetId", subnet, "Ipv6Addresses.1.Ipv6Address", block.Addr().Next().String()),
		"Address is in subnet's reserved address range")
}
