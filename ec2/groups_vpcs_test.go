package ec2_test

import (
	"slices"
	"strings"
	"testing"

	"moat/ec2/ec2test"
	"moat/state"
	"moat/vpc"
)

func TestAssociateSecurityGroupVpc(t *testing.T) {
	w := ec2test.New(t)
	a, b := addVPC(w, false), addVPC(w, false)
	web := addGroup(w, "web", a)
	contains(t, w.Must("AssociateSecurityGroupVpc", "GroupId", web, "VpcId", b), "<state>associating</state>")
	row := "<item><groupId>" + web + "</groupId><vpcId>" + b + "</vpcId><vpcOwnerId>123456789012</vpcOwnerId><state>associated</state><groupOwnerId>123456789012</groupOwnerId></item>"
	describe := func(filter, value string) string {
		return ec2test.One(w.Must("DescribeSecurityGroupVpcAssociations", "Filter.1.Name", filter, "Filter.1.Value.1", value), "securityGroupVpcAssociationSet")
	}
	for filter, value := range map[string]string{"group-id": web, "vpc-id": b, "state": "associated", "group-owner-id": "123456789012", "vpc-owner-id": "1*"} {
		says(t, describe(filter, value), row)
	}
	for filter, value := range map[string]string{"group-id": "sg-00000000", "vpc-id": a, "state": "disassociated", "group-owner-id": "1", "vpc-owner-id": "1"} {
		says(t, describe(filter, value), "")
	}

	// It may be put on interfaces there, and then holds the association.
	xml := w.Must("GetSecurityGroupsForVpc", "VpcId", b)
	contains(t, xml, "<description>of a test</description><groupName>web</groupName><ownerId>123456789012</ownerId><groupId>"+web+"</groupId><tagSet/><primaryVpcId>"+a+"</primaryVpcId>")
	nic := addInterface(w, b, web)
	home := addInterface(w, a, web)
	says(t, w.Refused("DependencyViolation", "DisassociateSecurityGroupVpc", "GroupId", web, "VpcId", b),
		"resource "+web+" has a dependent object (held by network interface "+nic+")")
	w.Stage(func(tx *state.Txn) error { state.Interfaces.Delete(tx, vpc.InterfaceID(nic)); return nil })
	contains(t, w.Must("DisassociateSecurityGroupVpc", "GroupId", web, "VpcId", b), "<state>disassociating</state>")
	contains(t, w.Must("DescribeSecurityGroupVpcAssociations"), "<securityGroupVpcAssociationSet/>")
	if state.Interfaces.Get(w.Space(), vpc.InterfaceID(home)) == nil {
		t.Error("the interface of the group's own VPC is gone")
	}
	says(t, w.Refused("InvalidGroup.NotFound", "DisassociateSecurityGroupVpc", "GroupId", web, "VpcId", b),
		"The security group '"+web+"' is not associated with VPC '"+b+"'")
}

func TestAssociateSecurityGroupVpcRefusals(t *testing.T) {
	w := ec2test.New(t)
	home, a, b := homeVPC(w), addVPC(w, false), addVPC(w, false)
	web, near := addGroup(w, "web", a), addGroup(w, "near", home)
	addGroup(w, "Shared", b)
	shared := addGroup(w, "shared", a)
	def := string(state.DefaultGroup(w.Space(), vpc.VPCID(a)).ID)
	w.Must("AssociateSecurityGroupVpc", "GroupId", web, "VpcId", b)
	for _, c := range []struct{ code, message, group, vpc string }{
		{"InvalidGroupId.Malformed", `Invalid id: "web" (expecting "sg-...")`, "web", b},
		{"InvalidVpcID.Malformed", `Invalid id: "b" (expecting "vpc-...")`, web, "b"},
		{"InvalidGroup.NotFound", "The security group 'sg-00000000' does not exist", "sg-00000000", b},
		{"InvalidVpcID.NotFound", "The vpc ID 'vpc-00000000' does not exist", web, "vpc-00000000"},
		{"MissingParameter", "The request must contain the parameter vpcId", web, ""},
		{"InvalidParameterValue", "The default security group '" + def + "' cannot be associated with another VPC", def, b},
		{"InvalidParameterValue", "The security group '" + web + "' was created in VPC '" + a + "'", web, a},
		{"InvalidParameterValue", "The security group '" + near + "' is in a default VPC and cannot be associated with another VPC", near, b},
		{"InvalidParameterValue", "Security groups cannot be associated with the default VPC '" + home + "'", web, home},
		{"InvalidParameterValue", "The security group '" + web + "' is already associated with VPC '" + b + "'", web, b},
		{"InvalidGroup.Duplicate", "The security group 'shared' already exists for VPC '" + b + "'", shared, b},
	} {
		says(t, w.Refused(c.code, "AssociateSecurityGroupVpc", "GroupId", c.group, "VpcId", c.vpc), c.message)
	}
	says(t, w.Refused("MissingParameter", "AssociateSecurityGroupVpc", "VpcId", b), "The request must contain the parameter groupId")
	// The name of a guest is taken, too.
	w.Refused("InvalidGroup.Duplicate", "CreateSecurityGroup", "GroupName", "WEB", "GroupDescription", "d", "VpcId", b)
}

func TestGetSecurityGroupsForVpc(t *testing.T) {
	w := ec2test.New(t)
	a, b := addVPC(w, false), addVPC(w, false)
	for _, name := range []string{"a1", "a2", "a3", "a4"} {
		g := addGroup(w, name, a)
		if name != "a4" {
			w.Must("AssociateSecurityGroupVpc", "GroupId", g, "VpcId", b)
		}
	}
	b1 := addGroup(w, "b1", b)
	names := func(params ...string) string {
		ids := ec2test.Text(w.Must("GetSecurityGroupsForVpc", append([]string{"VpcId", b}, params...)...), "groupId")
		var out []string
		for _, id := range ids {
			out = append(out, state.Groups.Get(w.Space(), vpc.GroupID(id)).Name)
		}
		return strings.Join(slices.Sorted(slices.Values(out)), " ")
	}
	filter := func(name, value string) string { return names("Filter.1.Name", name, "Filter.1.Value.1", value) }
	says(t, names(), "a1 a2 a3 b1 default")
	says(t, filter("primary-vpc-id", a), "a1 a2 a3")
	says(t, filter("primary-vpc-id", b), "b1 default")
	says(t, filter("group-id", b1), "b1")
	says(t, filter("group-name", "a*"), "a1 a2 a3")
	says(t, filter("description", "default*"), "default")
	says(t, filter("owner-id", "999999999999"), "")
	says(t, w.Refused("InvalidParameterValue", "GetSecurityGroupsForVpc", "VpcId", b, "Filter.1.Name", "vpc-id", "Filter.1.Value.1", b), "The filter 'vpc-id' is invalid")
	says(t, w.Refused("InvalidVpcID.NotFound", "GetSecurityGroupsForVpc", "VpcId", "vpc-00000000"), "The vpc ID 'vpc-00000000' does not exist")
	says(t, w.Refused("MissingParameter", "GetSecurityGroupsForVpc"), "The request must contain the parameter vpcId")

	all := ec2test.Text(w.Must("GetSecurityGroupsForVpc", "VpcId", b), "groupId")
	if !slices.IsSorted(all) {
		t.Errorf("groups %q are not in order", all)
	}
}

// While a group is associated with a VPC, rules on either side may refer to
// the other; afterwards they are stale.
func TestReferencesAcrossAssociations(t *testing.T) {
	w := ec2test.New(t)
	a, b := addVPC(w, false), addVPC(w, false)
	web, other, far := addGroup(w, "web", a), addGroup(w, "other", a), addGroup(w, "far", b)
	different := "You have specified two resources that belong to different networks."
	refuse := func(g, to string) {
		t.Helper()
		says(t, w.Refused("InvalidGroup.NotFound", "AuthorizeSecurityGroupIngress", onPerms(g, "tcp 9 from "+to)...), different)
	}
	refuse(far, web)
	refuse(web, far)
	w.Must("AssociateSecurityGroupVpc", "GroupId", web, "VpcId", b)
	xml := w.Must("AuthorizeSecurityGroupIngress", onPerms(far, "tcp 80-81 from "+web+" as theirs")...)
	contains(t, xml, "<referencedGroupInfo><groupId>"+web+"</groupId><userId>123456789012</userId><vpcId>"+a+"</vpcId></referencedGroupInfo>")
	w.Must("AuthorizeSecurityGroupEgress", onPerms(web, "-1 from "+far)...)
	refuse(other, far) // only the associated group
	refuse(far, other)

	references := func(g string) string {
		return ec2test.One(w.Must("DescribeSecurityGroupReferences", "GroupId.1", g), "securityGroupReferenceSet")
	}
	w.Must("AuthorizeSecurityGroupIngress", onPerms(other, "tcp 1 from "+web)...) // the same VPC is never told
	says(t, references(web), "<item><groupId>"+web+"</groupId><referencingVpcId>"+b+"</referencingVpcId></item>")
	says(t, references(far), "<item><groupId>"+far+"</groupId><referencingVpcId>"+a+"</referencingVpcId></item>")
	says(t, references(other), "")
	says(t, w.Refused("InvalidGroup.NotFound", "DescribeSecurityGroupReferences", "GroupId.1", "sg-00000000"), "The security group 'sg-00000000' does not exist")
	says(t, w.Refused("MissingParameter", "DescribeSecurityGroupReferences"), "The request must contain the parameter groupId")

	stale := func(in string) string {
		return ec2test.One(w.Must("DescribeStaleSecurityGroups", "VpcId", in), "staleSecurityGroupSet")
	}
	says(t, stale(a), "")
	says(t, stale(b), "")
	w.Must("DisassociateSecurityGroupVpc", "GroupId", web, "VpcId", b)
	says(t, stale(b), "<item><description>of a test</description><groupId>"+far+"</groupId><groupName>far</groupName>"+
		"<staleIpPermissions><item><ipProtocol>tcp</ipProtocol><fromPort>80</fromPort><toPort>81</toPort><groups><item><userId>123456789012</userId><groupId>"+web+"</groupId><vpcId>"+a+"</vpcId><description>theirs</description></item></groups><ipRanges/><prefixListIds/></item></staleIpPermissions>"+
		"<staleIpPermissionsEgress/><vpcId>"+b+"</vpcId></item>")
	contains(t, stale(a), "<groupId>"+web+"</groupId><groupName>web</groupName><staleIpPermissions/><staleIpPermissionsEgress><item><ipProtocol>-1</ipProtocol><groups>")
	lacks(t, stale(a), other)
	says(t, references(web), "")
	says(t, w.Refused("InvalidVpcID.NotFound", "DescribeStaleSecurityGroups", "VpcId", "vpc-00000000"), "The vpc ID 'vpc-00000000' does not exist")
	says(t, w.Refused("MissingParameter", "DescribeStaleSecurityGroups"), "The request must contain the parameter vpcId")

	// A stale rule may be kept, changed and revoked by id, and lives again with
	// the association.
	id := ruleIDs(w, far)[0]
	w.Must("ModifySecurityGroupRules", on(far, modify(id, "tcp 80 from "+web+" as kept")...)...)
	w.Must("AssociateSecurityGroupVpc", "GroupId", web, "VpcId", b)
	says(t, stale(b), "")
	w.Must("DisassociateSecurityGroupVpc", "GroupId", web, "VpcId", b)
	contains(t, stale(b), "kept")

	// It does not keep the group it refers to; what is gone has no owner.
	w.Must("RevokeSecurityGroupIngress", onPerms(other, "tcp 1 from "+web)...)
	w.Must("DeleteSecurityGroup", "GroupId", web)
	contains(t, stale(b), "<groups><item><groupId>"+web+"</groupId><vpcId>"+a+"</vpcId><description>kept</description></item></groups>")
	w.Must("RevokeSecurityGroupIngress", on(far, "SecurityGroupRuleId.1", id)...)
	says(t, stale(b), "")
}

// An associated group's own rule goes stale with the group it refers to, even
// while the association lasts.
func TestStaleByDeletion(t *testing.T) {
	w := ec2test.New(t)
	a, b := addVPC(w, false), addVPC(w, false)
	web, far := addGroup(w, "web", a), addGroup(w, "far", b)
	w.Must("AssociateSecurityGroupVpc", "GroupId", web, "VpcId", b)
	w.Must("AuthorizeSecurityGroupIngress", onPerms(web, "-1 from "+far)...)
	contains(t, w.Must("DescribeStaleSecurityGroups", "VpcId", a), "<staleSecurityGroupSet/>")
	w.Must("DeleteSecurityGroup", "GroupId", far)
	contains(t, w.Must("DescribeStaleSecurityGroups", "VpcId", a), "<groupId>"+web+"</groupId><groupName>web</groupName><staleIpPermissions><item><ipProtocol>-1</ipProtocol><groups><item><groupId>"+far+"</groupId>")
}
