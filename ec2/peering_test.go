package ec2_test

import (
	"strings"
	"testing"
	"time"

	"moat/ec2"
	"moat/ec2/ec2test"
	"moat/state"
	"moat/vpc"
)

// statusOf gives code and message of a peering's status.
func statusOf(w *ec2test.World, id string) string {
	xml := w.Must("DescribeVpcPeeringConnections", "VpcPeeringConnectionId.1", id)
	return ec2test.One(ec2test.One(xml, "status"), "code") + ": " + ec2test.One(ec2test.One(xml, "status"), "message")
}

func askPeer(w *ec2test.World, from, to string, more ...string) string {
	return ec2test.One(w.Must("CreateVpcPeeringConnection", append([]string{"VpcId", from, "PeerVpcId", to}, more...)...), "vpcPeeringConnectionId")
}

func TestPeeringGoesThroughItsLife(t *testing.T) {
	w := ec2test.New(t)
	a, b := makeVPC(w, "CidrBlock", "10.0.0.0/16"), makeVPC(w, "CidrBlock", "10.1.0.0/16")
	xml := w.Must("CreateVpcPeeringConnection", "VpcId", a, "PeerVpcId", b,
		"TagSpecification.1.ResourceType", "vpc-peering-connection", "TagSpecification.1.Tag.1.Key", "Name", "TagSpecification.1.Tag.1.Value", "ab")
	id := ec2test.One(xml, "vpcPeeringConnectionId")
	wantElement(t, "asked", xml, "code", "initiating-request")
	wantElement(t, "asked", xml, "message", "Initiating Request to 123456789012")
	wantElement(t, "asked", xml, "vpcId", b, a)
	wantElement(t, "asked", xml, "region", "us-east-1", "us-east-1")
	wantElement(t, "asked", xml, "value", "ab")
	eq(t, "asked", statusOf(w, id), "pending-acceptance: Pending Acceptance by 123456789012")
	xml = w.Must("DescribeVpcPeeringConnections")
	wantElement(t, "the accepter's blocks are not told yet", xml, "cidrBlock", "10.0.0.0/16", "10.0.0.0/16")
	wantElement(t, "a week", xml, "expirationTime", "2026-01-09T03:04:05.000Z")
	wantSaid(t, w.Refused("VpcPeeringConnectionAlreadyExists", "CreateVpcPeeringConnection", "VpcId", b, "PeerVpcId", a),
		"A VPC peering connection already exists between "+b+" and "+a+": "+id)
	wantSaid(t, w.Refused("OperationNotPermitted", "ModifyVpcPeeringConnectionOptions", "VpcPeeringConnectionId", id,
		"RequesterPeeringConnectionOptions.AllowDnsResolutionFromRemoteVpc", "true"),
		"Peering "+id+" is not active. Peering options can be added only to active peerings.")
	w.Refused("DependencyViolation", "DeleteVpc", "VpcId", a)

	w.Refused("DryRunOperation", "AcceptVpcPeeringConnection", "VpcPeeringConnectionId", id, "DryRun", "true")
	wantElement(t, "accepted", w.Must("AcceptVpcPeeringConnection", "VpcPeeringConnectionId", id), "code", "provisioning")
	eq(t, "accepted", statusOf(w, id), "active: Active")
	xml = w.Must("DescribeVpcPeeringConnections", "Filter.1.Name", "accepter-vpc-info.vpc-id", "Filter.1.Value.1", b, "Filter.2.Name", "status-code", "Filter.2.Value.1", "active")
	wantElement(t, "active", xml, "cidrBlock", "10.1.0.0/16", "10.1.0.0/16", "10.0.0.0/16", "10.0.0.0/16")
	if strings.Contains(xml, "expirationTime") {
		t.Errorf("an active peering expires: %s", xml)
	}
	wantElement(t, "as requester", w.Must("DescribeVpcPeeringConnections", "Filter.1.Name", "requester-vpc-info.vpc-id", "Filter.1.Value.1", b), "vpcPeeringConnectionId")
	wantSaid(t, w.Refused("InvalidStateTransition", "AcceptVpcPeeringConnection", "VpcPeeringConnectionId", id),
		"Invalid state transition for "+id+", attempted to transition from active to provisioning")
	w.Refused("InvalidStateTransition", "RejectVpcPeeringConnection", "VpcPeeringConnectionId", id)

	xml = w.Must("ModifyVpcPeeringConnectionOptions", "VpcPeeringConnectionId", id, "AccepterPeeringConnectionOptions.AllowDnsResolutionFromRemoteVpc", "true")
	wantElement(t, "options", xml, "allowDnsResolutionFromRemoteVpc", "true")
	wantElement(t, "options", w.Must("DescribeVpcPeeringConnections"), "allowDnsResolutionFromRemoteVpc", "true", "false")
	w.Refused("MissingParameter", "ModifyVpcPeeringConnectionOptions", "VpcPeeringConnectionId", id)
	w.Refused("UnsupportedOperation", "ModifyVpcPeeringConnectionOptions", "VpcPeeringConnectionId", id, "AccepterPeeringConnectionOptions.AllowEgressFromLocalClassicLinkToRemoteVpc", "true")
	w.Refused("InvalidVpc.Range", "AssociateVpcCidrBlock", "VpcId", a, "CidrBlock", "10.1.0.0/20")

	// Routes lead across while it is active.
	table := string(mainTableOf(w, a).Table)
	w.Must("CreateRoute", "RouteTableId", table, "DestinationCidrBlock", "10.1.0.0/16", "VpcPeeringConnectionId", id)
	eq(t, "routes", routesOf(w, table), "10.0.0.0/16 -> local active; 10.1.0.0/16 -> "+id+" active")
	far := string(mainTableOf(w, string(state.DefaultVPC(w.Space()).ID)).Table)
	w.Refused("InvalidParameterValue", "CreateRoute", "RouteTableId", far, "DestinationCidrBlock", "10.1.0.0/16", "VpcPeeringConnectionId", id)

	w.Must("DeleteVpcPeeringConnection", "VpcPeeringConnectionId", id)
	eq(t, "deleted", statusOf(w, id), "deleted: Deleted by 123456789012")
	eq(t, "routes", routesOf(w, table), "10.0.0.0/16 -> local active; 10.1.0.0/16 -> "+id+" blackhole")
	wantSaid(t, w.Refused("InvalidStateTransition", "DeleteVpcPeeringConnection", "VpcPeeringConnectionId", id),
		"Invalid state transition for "+id+", attempted to transition from deleted to deleting")
	w.Must("DeleteVpc", "VpcId", b) // what has ended holds nobody
	wantElement(t, "as it was", w.Must("DescribeVpcPeeringConnections"), "cidrBlock", "10.0.0.0/16", "10.0.0.0/16")

	// After two hours nobody is told of it.
	w.Now = w.Now.Add(2*time.Hour - time.Second)
	statusOf(w, id)
	if ec2.HasForgottenPeerings(w.Space(), w.Now) {
		t.Error("a peering is forgotten while it is shown")
	}
	w.Now = w.Now.Add(time.Second)
	wantSaid(t, w.Refused("InvalidVpcPeeringConnectionID.NotFound", "DescribeVpcPeeringConnections", "VpcPeeringConnectionId.1", id),
		"The vpcPeeringConnection ID '"+id+"' does not exist")
	wantElement(t, "none", w.Must("DescribeVpcPeeringConnections"), "vpcPeeringConnectionId")
	w.Stage(ec2.ForgetPeerings)
	if n := state.Peerings.Len(w.Space()); n != 0 {
		t.Errorf("%d peerings are kept for ever", n)
	}
}

func TestPeeringsThatComeToNothing(t *testing.T) {
	w := ec2test.New(t)
	a, b := makeVPC(w, "CidrBlock", "10.0.0.0/16"), makeVPC(w, "CidrBlock", "10.1.0.0/16")
	same := makeVPC(w, "CidrBlock", "10.0.128.0/17")
	id := askPeer(w, a, same)
	eq(t, "overlapping", statusOf(w, id), "failed: Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range")
	w.Refused("InvalidStateTransition", "AcceptVpcPeeringConnection", "VpcPeeringConnectionId", id)

	id = askPeer(w, a, b)
	w.Must("RejectVpcPeeringConnection", "VpcPeeringConnectionId", id)
	eq(t, "rejected", statusOf(w, id), "rejected: Rejected by 123456789012")
	id = askPeer(w, a, b)
	w.Must("DeleteVpcPeeringConnection", "VpcPeeringConnectionId", id)
	id = askPeer(w, a, b)
	w.Now = w.Now.Add(7*24*time.Hour - time.Second)
	eq(t, "a second before", statusOf(w, id), "pending-acceptance: Pending Acceptance by 123456789012")
	w.Now = w.Now.Add(time.Second)
	eq(t, "expired", statusOf(w, id), "expired: Expired")
	w.Refused("InvalidStateTransition", "AcceptVpcPeeringConnection", "VpcPeeringConnectionId", id)

	w.Refused("InvalidVpcID.NotFound", "CreateVpcPeeringConnection", "VpcId", a, "PeerVpcId", "vpc-0123456789abcdef0")
	w.Refused("InvalidVpcID.Malformed", "CreateVpcPeeringConnection", "VpcId", a, "PeerVpcId", "vpc-1")
	w.Refused("InvalidParameterValue", "CreateVpcPeeringConnection", "VpcId", a, "PeerVpcId", a)
	w.Refused("InvalidParameterValue", "CreateVpcPeeringConnection", "VpcId", a, "PeerVpcId", b, "PeerOwnerId", "me")
	w.Refused("MissingParameter", "CreateVpcPeeringConnection", "VpcId", a)
	w.Refused("InvalidVpcPeeringConnectionId.Malformed", "AcceptVpcPeeringConnection", "VpcPeeringConnectionId", "pcx-1")
	// Another account's VPC that is not there fails later, as on AWS.
	id = askPeer(w, a, "vpc-0123456789abcdef0", "PeerOwnerId", "999988887777")
	if s := statusOf(w, id); !strings.HasPrefix(s, "failed: ") {
		t.Errorf("a VPC that is not there: %s", s)
	}
	w.Quotas.PeeringsOutstanding = 0
	w.Refused("OutstandingVpcPeeringConnectionLimitExceeded", "CreateVpcPeeringConnection", "VpcId", a, "PeerVpcId", b)
	w.Quotas.PeeringsOutstanding, w.Quotas.PeeringsPerVPC = 25, 0
	w.Refused("VpcPeeringConnectionsPerVpcLimitExceeded", "CreateVpcPeeringConnection", "VpcId", a, "PeerVpcId", b)
}

func TestClassicLinkIsAnsweredAsToday(t *testing.T) {
	w := ec2test.New(t)
	for _, action := range []string{"DescribeVpcClassicLink", "DescribeVpcClassicLinkDnsSupport"} {
		wantSaid(t, w.Refused("UnsupportedOperation", action), "The functionality you requested is not available in this region.")
	}
}

// as makes calls of another account for a while.
func as(w *ec2test.World, account string, f func()) {
	old := w.Scope
	defer func() { w.Scope = old }()
	w.Scope.Account = vpc.AccountID(account)
	f()
}

func newGroupIn(w *ec2test.World, name, in string) string {
	return ec2test.One(w.Must("CreateSecurityGroup", "GroupName", name, "GroupDescription", "d", "VpcId", in), "groupId")
}

func allowGroup(w *ec2test.World, group, from string, more ...string) string {
	return ec2test.One(w.Must("AuthorizeSecurityGroupIngress", append([]string{"GroupId", group, "IpPermissions.1.IpProtocol", "tcp",
		"IpPermissions.1.FromPort", "22", "IpPermissions.1.ToPort", "22", "IpPermissions.1.Groups.1.GroupId", from}, more...)...), "securityGroupRuleId")
}

func TestRulesReferAcrossAPeering(t *testing.T) {
	w := ec2test.New(t)
	a, b := makeVPC(w, "CidrBlock", "10.0.0.0/16"), makeVPC(w, "CidrBlock", "10.1.0.0/16")
	here, there := newGroupIn(w, "here", a), newGroupIn(w, "there", b)
	refer := []string{"GroupId", here, "IpPermissions.1.IpProtocol", "tcp", "IpPermissions.1.FromPort", "22", "IpPermissions.1.ToPort", "22", "IpPermissions.1.Groups.1.GroupId", there}
	wantSaid(t, w.Refused("InvalidGroup.NotFound", "AuthorizeSecurityGroupIngress", refer...), "You have specified two resources that belong to different networks.")
	pcx := askPeer(w, a, b)
	w.Refused("InvalidGroup.NotFound", "AuthorizeSecurityGroupIngress", refer...) // nobody has agreed yet
	w.Must("AcceptVpcPeeringConnection", "VpcPeeringConnectionId", pcx)
	rule := allowGroup(w, here, there)

	xml := w.Must("DescribeSecurityGroups", "GroupId.1", here)
	wantElement(t, "pair", xml, "vpcPeeringConnectionId", pcx)
	wantElement(t, "pair", xml, "peeringStatus", "active")
	xml = w.Must("DescribeSecurityGroupRules", "SecurityGroupRuleId.1", rule)
	wantElement(t, "rule", xml, "referencedGroupInfo", "<groupId>"+there+"</groupId><userId>123456789012</userId><vpcId>"+b+"</vpcId><vpcPeeringConnectionId>"+pcx+"</vpcPeeringConnectionId><peeringStatus>active</peeringStatus>")
	xml = w.Must("DescribeSecurityGroupReferences", "GroupId.1", there)
	wantElement(t, "references", xml, "referencingVpcId", a)
	wantElement(t, "references", xml, "vpcPeeringConnectionId", pcx)
	wantElement(t, "nothing refers back", w.Must("DescribeSecurityGroupReferences", "GroupId.1", here), "referencingVpcId")
	wantElement(t, "not stale", w.Must("DescribeStaleSecurityGroups", "VpcId", a), "groupId")

	// Without the peering the rule stays and is stale.
	w.Must("DeleteVpcPeeringConnection", "VpcPeeringConnectionId", pcx)
	xml = w.Must("DescribeStaleSecurityGroups", "VpcId", a)
	wantElement(t, "stale", xml, "groupName", "here")
	wantElement(t, "stale", xml, "fromPort", "22")
	wantElement(t, "stale", xml, "peeringStatus", "deleted")
	wantElement(t, "stale", xml, "vpcPeeringConnectionId", pcx)
	wantElement(t, "the other VPC has none", w.Must("DescribeStaleSecurityGroups", "VpcId", b), "groupId")
	wantElement(t, "references", w.Must("DescribeSecurityGroupReferences", "GroupId.1", there), "referencingVpcId")
	wantElement(t, "pair", w.Must("DescribeSecurityGroups", "GroupId.1", here), "peeringStatus", "deleted")

	// A new one makes it live again.
	next := askPeer(w, b, a)
	w.Must("AcceptVpcPeeringConnection", "VpcPeeringConnectionId", next)
	wantElement(t, "live again", w.Must("DescribeStaleSecurityGroups", "VpcId", a), "groupId")
	wantElement(t, "live again", w.Must("DescribeSecurityGroups", "GroupId.1", here), "vpcPeeringConnectionId", next)

	// A group may go though another VPC refers to it.
	w.Must("DeleteSecurityGroup", "GroupId", there)
	xml = w.Must("DescribeStaleSecurityGroups", "VpcId", a)
	wantElement(t, "its group is gone", xml, "staleIpPermissions",
		"<item><ipProtocol>tcp</ipProtocol><fromPort>22</fromPort><toPort>22</toPort><groups><item><groupId>"+there+"</groupId><vpcId>"+b+"</vpcId><vpcPeeringConnectionId>"+next+"</vpcPeeringConnectionId><peeringStatus>active</peeringStatus></item></groups><ipRanges/><prefixListIds/></item>")
	w.Must("RevokeSecurityGroupIngress", "GroupId", here, "SecurityGroupRuleId.1", rule)
	wantElement(t, "revoked", w.Must("DescribeStaleSecurityGroups", "VpcId", a), "groupId")
}

func TestPeeringOfTwoAccounts(t *testing.T) {
	w := ec2test.New(t)
	const other = "999988887777"
	a := makeVPC(w, "CidrBlock", "10.0.0.0/16")
	here := newGroupIn(w, "here", a)
	var b, there string
	as(w, other, func() {
		w.Stage(func(tx *state.Txn) error { return ec2.Furnish(tx) })
		b = makeVPC(w, "CidrBlock", "10.1.0.0/16")
		there = newGroupIn(w, "there", b)
		w.Must("DescribeSecurityGroups", "GroupId.1", there)
		w.Refused("InvalidGroup.NotFound", "DescribeSecurityGroups", "GroupId.1", here)
	})
	pcx := askPeer(w, a, b, "PeerOwnerId", other, "TagSpecification.1.ResourceType", "vpc-peering-connection", "TagSpecification.1.Tag.1.Key", "mine", "TagSpecification.1.Tag.1.Value", "1")
	wantSaid(t, w.Refused("OperationNotPermitted", "AcceptVpcPeeringConnection", "VpcPeeringConnectionId", pcx), "User 123456789012 cannot accept peering "+pcx)
	as(w, other, func() {
		xml := w.Must("DescribeVpcPeeringConnections", "VpcPeeringConnectionId.1", pcx)
		wantElement(t, "seen by the other", xml, "ownerId", other, "123456789012")
		wantElement(t, "tags are each account's own", xml, "key")
		w.Refused("OperationNotPermitted", "DeleteVpcPeeringConnection", "VpcPeeringConnectionId", pcx)
		w.Must("AcceptVpcPeeringConnection", "VpcPeeringConnectionId", pcx)
		w.Refused("OperationNotPermitted", "ModifyVpcPeeringConnectionOptions", "VpcPeeringConnectionId", pcx, "RequesterPeeringConnectionOptions.AllowDnsResolutionFromRemoteVpc", "true")
		w.Must("CreateTags", "ResourceId.1", pcx, "Tag.1.Key", "theirs")
	})
	eq(t, "accepted", statusOf(w, pcx), "active: Active")
	wantElement(t, "tags", w.Must("DescribeVpcPeeringConnections"), "key", "mine")

	rule := allowGroup(w, here, there, "IpPermissions.1.Groups.1.UserId", other)
	xml := w.Must("DescribeSecurityGroupRules", "SecurityGroupRuleId.1", rule)
	wantElement(t, "whose group", xml, "userId", other)
	w.Refused("InvalidPermission.Duplicate", "AuthorizeSecurityGroupIngress", "GroupId", here, "IpPermissions.1.IpProtocol", "tcp",
		"IpPermissions.1.FromPort", "22", "IpPermissions.1.ToPort", "22", "IpPermissions.1.Groups.1.GroupId", there)
	w.Refused("InvalidGroup.NotFound", "AuthorizeSecurityGroupIngress", "GroupId", here, "IpPermissions.1.IpProtocol", "tcp",
		"IpPermissions.1.FromPort", "23", "IpPermissions.1.ToPort", "23", "IpPermissions.1.Groups.1.GroupId", there, "IpPermissions.1.Groups.1.UserId", "111122223333")
	as(w, other, func() {
		xml := w.Must("DescribeSecurityGroupReferences", "GroupId.1", there)
		wantElement(t, "who refers to it", xml, "referencingVpcId", a)
		w.Must("DeleteSecurityGroup", "GroupId", there)
	})
	wantElement(t, "stale", w.Must("DescribeStaleSecurityGroups", "VpcId", a), "groupName", "here")

	as(w, other, func() { w.Must("DeleteVpcPeeringConnection", "VpcPeeringConnectionId", pcx) })
	eq(t, "deleted", statusOf(w, pcx), "deleted: Deleted by "+other)
	// Who did not delete it is told for longer.
	w.Now = w.Now.Add(3 * time.Hour)
	statusOf(w, pcx)
	as(w, other, func() {
		w.Refused("InvalidVpcPeeringConnectionID.NotFound", "DescribeVpcPeeringConnections", "VpcPeeringConnectionId.1", pcx)
	})
}

func TestNoReferencesAcrossRegions(t *testing.T) {
	w := ec2test.New(t)
	a := makeVPC(w, "CidrBlock", "10.0.0.0/16")
	here := newGroupIn(w, "here", a)
	home := w.Scope
	w.Scope.Region = "eu-west-1"
	w.Stage(ec2.Furnish)
	b := makeVPC(w, "CidrBlock", "10.1.0.0/16")
	there := newGroupIn(w, "there", b)
	w.Scope = home
	pcx := askPeer(w, a, b, "PeerRegion", "eu-west-1")
	w.Refused("OperationNotPermitted", "AcceptVpcPeeringConnection", "VpcPeeringConnectionId", pcx)
	w.Scope.Region = "eu-west-1"
	w.Must("AcceptVpcPeeringConnection", "VpcPeeringConnectionId", pcx)
	w.Scope = home
	wantElement(t, "both regions", w.Must("DescribeVpcPeeringConnections"), "region", "eu-west-1", "us-east-1")
	w.Refused("InvalidGroup.NotFound", "AuthorizeSecurityGroupIngress", "GroupId", here, "IpPermissions.1.IpProtocol", "tcp",
		"IpPermissions.1.FromPort", "22", "IpPermissions.1.ToPort", "22", "IpPermissions.1.Groups.1.GroupId", there)
}
