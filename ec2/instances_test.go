package ec2_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"moat/ec2"
	"moat/ec2/ec2test"
	"moat/state"
	"moat/vpc"
)

// ami gives an image of the catalogue for an architecture.
func ami(arch string) string {
	for _, i := range vpc.Images("us-east-1") {
		if i.Arch == arch {
			return i.ID
		}
	}
	panic("no image for " + arch)
}

// launch runs instances, one t3.micro unless params say otherwise, and gives
// their ids.
func launch(w *ec2test.World, params ...string) []string {
	return instanceIDs(w.Must("RunInstances", launchParams(params...)...))
}

func launchParams(params ...string) []string {
	all := []string{"ImageId", ami("x86_64"), "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1"}
	for n := 0; n < len(params); n += 2 {
		if at := slices.Index(all, params[n]); at >= 0 {
			all[at+1] = params[n+1]
		} else {
			all = append(all, params[n], params[n+1])
		}
	}
	return all
}

func instanceIDs(xml string) []string {
	var ids []string
	for _, id := range ec2test.Text(xml, "instanceId") {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

func described(w *ec2test.World, id string) string {
	return w.Must("DescribeInstances", "InstanceId.1", id)
}

func stateOf(w *ec2test.World, id string) string {
	return ec2test.One(ec2test.One(described(w, id), "instanceState"), "name")
}

func interfacesOf(w *ec2test.World, id string) []*vpc.Interface {
	return slices.Collect(state.Interfaces.By(w.Space(), state.InterfacesByAttachment, id))
}

// defaultSubnets gives the default VPC's subnets in the order of zones.
func defaultSubnets(w *ec2test.World) []*vpc.Subnet {
	all := slices.Collect(state.Subnets.By(w.Space(), state.SubnetsByVPC, string(state.DefaultVPC(w.Space()).ID)))
	slices.SortFunc(all, func(a, b *vpc.Subnet) int { return strings.Compare(a.AvailabilityZone, b.AvailabilityZone) })
	return all
}

func TestLaunchIsPendingThenRunning(t *testing.T) {
	w := ec2test.New(t)
	xml := w.Must("RunInstances", launchParams()...)
	id := instanceIDs(xml)[0]
	eq(t, "state in the answer", ec2test.One(xml, "instanceState"), "<code>0</code><name>pending</name>")
	eq(t, "state at the next look", stateOf(w, id), "running")
	row := state.Instances.Get(w.Space(), vpc.InstanceID(id))
	def := state.DefaultGroup(w.Space(), state.DefaultVPC(w.Space()).ID)
	all := interfacesOf(w, id)
	if len(all) != 1 || all[0].Attachment.DeviceIndex != 0 || !all[0].Attachment.DeleteOnTermination {
		t.Fatalf("interfaces: %+v", all)
	}
	eq(t, "group", all[0].Groups[0], def.ID)
	eq(t, "subnet: the first zone's", row.Subnet, defaultSubnets(w)[0].ID)
	xml = described(w, id)
	for element, want := range map[string]string{
		"instanceType": "t3.micro", "imageId": ami("x86_64"), "vpcId": string(row.VPC), "subnetId": string(row.Subnet),
		"privateIpAddress": all[0].Addresses[0].String(), "amiLaunchIndex": "0", "reason": "", "architecture": "x86_64",
		"ipAddress": all[0].Public[0].Address.String(), // default subnets give one
		"dnsName":   vpc.PublicDNSName("us-east-1", all[0].Public[0].Address),
		"ownerId":   "123456789012", "reservationId": row.Reservation,
	} {
		eq(t, element, ec2test.One(xml, element), want)
	}
	if !strings.Contains(xml, "<groupSet/><instancesSet>") && !strings.Contains(xml, "<groupSet/>") {
		t.Errorf("the reservation has groups: %s", xml)
	}
}

func TestLaunchCounts(t *testing.T) {
	w := ec2test.New(t)
	ids := launch(w, "MinCount", "2", "MaxCount", "3")
	eq(t, "instances", len(ids), 3)
	xml := w.Must("DescribeInstances")
	eq(t, "reservations", len(ec2test.Text(xml, "reservationId")), 1)
	for _, row := range []struct{ why, min, max, message string }{
		{"none", "0", "1", "Value (0) for parameter minCount is invalid. Value must be at least 1."},
		{"fewer at most than at least", "2", "1", "Value (1) for parameter maxCount is invalid. Value must be greater than or equal to minCount."},
	} {
		eq(t, row.why, w.Refused("InvalidParameterValue", "RunInstances", launchParams("MinCount", row.min, "MaxCount", row.max)...), row.message)
	}
	w.Refused("MissingParameter", "RunInstances", "ImageId", ami("x86_64"), "MinCount", "1")

	// As many as there is room for, but not fewer than asked at least: a /28 has
	// 11 addresses to give.
	v := string(state.DefaultVPC(w.Space()).ID)
	w.Must("AssociateVpcCidrBlock", "VpcId", v, "CidrBlock", "172.30.0.0/24")
	small := ec2test.One(w.Must("CreateSubnet", "VpcId", v, "CidrBlock", "172.30.0.0/28"), "subnetId")
	w.Refused("InsufficientFreeAddressesInSubnet", "RunInstances", launchParams("SubnetId", small, "MinCount", "12", "MaxCount", "20")...)
	eq(t, "instances in a subnet of 11 addresses", len(launch(w, "SubnetId", small, "MinCount", "5", "MaxCount", "20")), 11)
	eq(t, "interfaces there", len(slices.Collect(state.Interfaces.By(w.Space(), state.InterfacesBySubnet, small))), 11)
}

func TestLaunchRefusals(t *testing.T) {
	w := ec2test.New(t)
	def := state.DefaultVPC(w.Space())
	subnet := string(defaultSubnets(w)[0].ID)
	other := ec2test.One(w.Must("CreateVpc", "CidrBlock", "10.0.0.0/16"), "vpcId")
	foreign := ec2test.One(w.Must("CreateSecurityGroup", "VpcId", other, "GroupName", "g", "GroupDescription", "g"), "groupId")
	busy := interfacesOf(w, launch(w)[0])[0]
	eniElsewhere := ec2test.One(w.Must("CreateNetworkInterface", "SubnetId", string(defaultSubnets(w)[1].ID)), "networkInterfaceId")
	gone := "ami-0123456789abcdef0"
	for _, row := range []struct {
		why, code, message string
		params             []string
	}{
		{"an image that is not", "InvalidAMIID.NotFound", "The image id '[" + gone + "]' does not exist", []string{"ImageId", gone}},
		{"no image id", "InvalidAMIID.Malformed", `Invalid id: "ubuntu" (expecting "ami-...")`, []string{"ImageId", "ubuntu"}},
		{"a type that is not", "InvalidParameterValue", "Invalid value 't9.micro' for InstanceType.", []string{"InstanceType", "t9.micro"}},
		{"a type of another architecture", "InvalidParameterValue", "The architecture 'arm64' of the specified instance type does not match the architecture 'x86_64' of the specified AMI. Specify an instance type and an AMI that have matching architectures, and try again. You can use 'describe-instance-types' or 'describe-images' to discover the architecture of the instance type or AMI.", []string{"InstanceType", "t4g.micro"}},
		{"a key that is not", "InvalidKeyPair.NotFound", "The key pair 'mine' does not exist", []string{"KeyName", "mine"}},
		{"a subnet that is not", "InvalidSubnetID.NotFound", "The subnet ID 'subnet-0123456789abcdef0' does not exist", []string{"SubnetId", "subnet-0123456789abcdef0"}},
		{"a group that is not", "InvalidGroup.NotFound", "The security group 'sg-0123456789abcdef0' does not exist", []string{"SecurityGroupId.1", "sg-0123456789abcdef0"}},
		{"a group by name that is not", "InvalidGroup.NotFound", "The security group 'web' does not exist in default VPC '" + string(def.ID) + "'", []string{"SecurityGroup.1", "web"}},
		{"a group of another VPC", "InvalidParameter", "Security group " + foreign + " and subnet " + subnet + " belong to different networks.", []string{"SubnetId", subnet, "SecurityGroupId.1", foreign}},
		{"a group by name in a subnet", "InvalidParameterCombination", "The parameter groupName cannot be used with the parameter subnet", []string{"SubnetId", subnet, "SecurityGroup.1", "default"}},
		{"groups on both levels", "InvalidParameterCombination", "Network interfaces and an instance-level security groups may not be specified on the same request", []string{"NetworkInterface.1.DeviceIndex", "0", "SecurityGroupId.1", foreign}},
		{"subnets on both levels", "InvalidParameterCombination", "Network interfaces and an instance-level subnet ID may not be specified on the same request", []string{"NetworkInterface.1.DeviceIndex", "0", "SubnetId", subnet}},
		{"no primary interface", "InvalidParameterCombination", "When specifying network interfaces, you must include a device at index 0.", []string{"NetworkInterface.1.DeviceIndex", "1"}},
		{"two at one index", "InvalidParameterValue", "Each network interface requires a unique device index.", []string{"NetworkInterface.1.DeviceIndex", "0", "NetworkInterface.2.DeviceIndex", "0"}},
		{"more than the type holds", "AttachmentLimitExceeded", "Interface count 3 exceeds the limit for t3.micro", []string{"NetworkInterface.1.DeviceIndex", "0", "NetworkInterface.2.DeviceIndex", "1", "NetworkInterface.3.DeviceIndex", "2"}},
		{"more addresses than the type holds", "PrivateIpAddressLimitExceeded", "Number of private addresses will exceed limit.", []string{"NetworkInterface.1.DeviceIndex", "0", "NetworkInterface.1.SecondaryPrivateIpAddressCount", "2"}},
		{"a busy interface", "InvalidNetworkInterface.InUse", "Interface: [" + string(busy.ID) + "] in use.", []string{"NetworkInterface.1.DeviceIndex", "0", "NetworkInterface.1.NetworkInterfaceId", string(busy.ID)}},
		{"interfaces of two zones", "InvalidParameterCombination", "You may not attach a network interface to an instance if they are not in the same availability zone", []string{"NetworkInterface.1.DeviceIndex", "0", "NetworkInterface.2.DeviceIndex", "1", "NetworkInterface.2.NetworkInterfaceId", eniElsewhere}},
		{"an address of another subnet", "InvalidParameterValue", "Address does not fall within the subnet's address range", []string{"SubnetId", subnet, "PrivateIpAddress", "10.1.2.3"}},
		{"an address that is taken", "InvalidIPAddress.InUse", "Address " + busy.Addresses[0].String() + " is in use.", []string{"SubnetId", string(busy.Subnet), "PrivateIpAddress", busy.Addresses[0].String()}},
		{"a public address beside another interface", "InvalidParameterCombination", "The associatePublicIPAddress parameter cannot be specified when launching with multiple network interfaces.", []string{"NetworkInterface.1.DeviceIndex", "0", "NetworkInterface.1.AssociatePublicIpAddress", "true", "NetworkInterface.2.DeviceIndex", "1"}},
		{"a launch template", "InvalidLaunchTemplateName.NotFoundException", "The specified launch template, with template name lt, does not exist.", []string{"LaunchTemplate.LaunchTemplateName", "lt"}},
		{"a placement group", "InvalidPlacementGroup.Unknown", "The Placement Group 'pg' is unknown.", []string{"Placement.GroupName", "pg"}},
		{"user data that is no base64", "InvalidParameterValue", "Invalid BASE64 encoding of user data.", []string{"UserData", "#!/bin/sh"}},
		{"a tag for something else", "InvalidParameterValue", "'vpc' is not a valid taggable resource type for this operation.", []string{"TagSpecification.1.ResourceType", "vpc", "TagSpecification.1.Tag.1.Key", "k", "TagSpecification.1.Tag.1.Value", "v"}},
		{"a root disk smaller than its snapshot", "InvalidBlockDeviceMapping", "", []string{"BlockDeviceMapping.1.DeviceName", state.Instances.Get(w.Space(), vpc.InstanceID(busy.Attachment.Instance)).RootDevice, "BlockDeviceMapping.1.Ebs.VolumeSize", "1"}},
	} {
		if m := w.Refused(row.code, "RunInstances", launchParams(row.params...)...); row.message != "" && m != row.message {
			t.Errorf("%s:\n got %s\nwant %s", row.why, m, row.message)
		}
	}
	// Without a default VPC there is no subnet to choose.
	w.Scope.Region = "us-west-2"
	image := vpc.Images("us-west-2")[0]
	kind := map[string]string{"x86_64": "t3.micro", "arm64": "t4g.micro"}[image.Arch]
	w.Refused("VPCIdNotSpecified", "RunInstances", "ImageId", image.ID, "InstanceType", kind, "MinCount", "1", "MaxCount", "1")
}

func TestLaunchWithInterfaces(t *testing.T) {
	w := ec2test.New(t)
	subnet := string(defaultSubnets(w)[0].ID)
	group := ec2test.One(w.Must("CreateSecurityGroup", "GroupName", "web", "GroupDescription", "web"), "groupId")
	old := ec2test.One(w.Must("CreateNetworkInterface", "SubnetId", subnet), "networkInterfaceId")
	id := launch(w,
		"NetworkInterface.1.DeviceIndex", "1", "NetworkInterface.1.NetworkInterfaceId", old,
		"NetworkInterface.2.DeviceIndex", "0", "NetworkInterface.2.SubnetId", subnet, "NetworkInterface.2.SecurityGroupId.1", group,
		"NetworkInterface.2.Description", "first", "NetworkInterface.2.PrivateIpAddress", "172.31.0.77",
		"TagSpecification.1.ResourceType", "instance", "TagSpecification.1.Tag.1.Key", "Name", "TagSpecification.1.Tag.1.Value", "web",
		"TagSpecification.2.ResourceType", "network-interface", "TagSpecification.2.Tag.1.Key", "of", "TagSpecification.2.Tag.1.Value", "web",
		"TagSpecification.3.ResourceType", "volume", "TagSpecification.3.Tag.1.Key", "disk", "TagSpecification.3.Tag.1.Value", "root",
	)[0]
	xml := described(w, id)
	eq(t, "address", ec2test.One(xml, "privateIpAddress"), "172.31.0.77")
	if groups := ec2test.One(xml[strings.LastIndex(xml, "</networkInterfaceSet>"):], "groupSet"); groups != "<item><groupId>"+group+"</groupId><groupName>web</groupName></item>" {
		t.Errorf("groups of the instance: %s", groups)
	}
	if strings.Contains(xml, "<ipAddress>") {
		t.Error("an instance with two interfaces got a public address")
	}
	for _, eni := range interfacesOf(w, id) {
		if string(eni.ID) == old {
			eq(t, "index of the old one", eni.Attachment.DeviceIndex, 1)
			eq(t, "the old one goes with the instance", eni.Attachment.DeleteOnTermination, false)
			eq(t, "tags of the old one", len(eni.Tags), 0)
		} else {
			eq(t, "the new one goes with the instance", eni.Attachment.DeleteOnTermination, true)
			eq(t, "tags of the new one", fmt.Sprint(eni.Tags), "[{of web}]")
		}
	}
	eq(t, "by tag", instanceIDs(w.Must("DescribeInstances", "Filter.1.Name", "tag:Name", "Filter.1.Value.1", "web"))[0], id)
	w.Must("TerminateInstances", "InstanceId.1", id)
	if i := state.Interfaces.Get(w.Space(), vpc.InterfaceID(old)); i == nil || i.Attachment != nil {
		t.Errorf("the interface that was there before is %+v, want it free", i)
	}
	eq(t, "interfaces left", state.Interfaces.Len(w.Space()), 1)
	eq(t, "volumes left", state.Volumes.Len(w.Space()), 0)
}

func TestLaunchTokens(t *testing.T) {
	w := ec2test.New(t)
	id := launch(w, "ClientToken", "one")[0]
	w.Now = w.Now.Add(time.Minute)
	eq(t, "the same token", launch(w, "ClientToken", "one")[0], id)
	w.Refused("IdempotentParameterMismatch", "RunInstances", launchParams("ClientToken", "one", "MaxCount", "2")...)
	w.Must("TerminateInstances", "InstanceId.1", id)
	w.Refused("IdempotentInstanceTerminated", "RunInstances", launchParams("ClientToken", "one")...)
}

func TestStatesOfInstances(t *testing.T) {
	w := ec2test.New(t)
	id := launch(w)[0]
	public := interfacesOf(w, id)[0].Public[0].Address
	change := func(name, was, now string) {
		t.Helper()
		xml := w.Must(name, "InstanceId.1", id)
		eq(t, name+" from", ec2test.One(ec2test.One(xml, "previousState"), "name"), was)
		eq(t, name+" to", ec2test.One(ec2test.One(xml, "currentState"), "name"), now)
	}
	change("StartInstances", "running", "running")
	w.Must("RebootInstances", "InstanceId.1", id)
	change("StopInstances", "running", "stopping")
	eq(t, "then", stateOf(w, id), "stopped")
	eq(t, "the launch's public address is gone", len(interfacesOf(w, id)[0].Public), 0)
	change("StopInstances", "stopped", "stopped")
	eq(t, "reboot", w.Refused("IncorrectInstanceState", "RebootInstances", "InstanceId.1", id), "The instance '"+id+"' is not in the 'running' state.")
	change("StartInstances", "stopped", "pending")
	if now := interfacesOf(w, id)[0].Public; len(now) != 1 || now[0].Address == public {
		t.Errorf("public addresses after a start: %v, want another than %s", now, public)
	}
	change("TerminateInstances", "running", "shutting-down")
	eq(t, "then", stateOf(w, id), "terminated")
	change("TerminateInstances", "terminated", "terminated")
	eq(t, "start", w.Refused("IncorrectInstanceState", "StartInstances", "InstanceId.1", id), "The instance '"+id+"' is not in a state from which it can be started.")
	eq(t, "stop", w.Refused("IncorrectInstanceState", "StopInstances", "InstanceId.1", id), "This instance '"+id+"' is not in a state from which it can be stopped.")
	xml := described(w, id)
	eq(t, "reason", ec2test.One(xml, "reason"), "User initiated (2026-01-02 03:04:05 GMT)")
	if strings.Contains(xml, "<vpcId>") || !strings.Contains(xml, "<networkInterfaceSet/>") {
		t.Errorf("a terminated instance shows a network: %s", xml)
	}

	// It is shown for an hour, and then forgotten.
	w.Now = w.Now.Add(59 * time.Minute)
	described(w, id)
	w.Now = w.Now.Add(time.Minute)
	eq(t, "after an hour", w.Refused("InvalidInstanceID.NotFound", "DescribeInstances", "InstanceId.1", id), "The instance ID '"+id+"' does not exist")
	eq(t, "of two", w.Refused("InvalidInstanceID.NotFound", "DescribeInstances", "InstanceId.1", id, "InstanceId.2", "i-0123456789abcdef0"),
		"The instance IDs '"+id+", i-0123456789abcdef0' do not exist")
	if xml := w.Must("DescribeInstances"); !strings.Contains(xml, "<reservationSet/>") {
		t.Errorf("an old instance is listed: %s", xml)
	}
	if !ec2.HasExpired(w.Space(), w.Now) {
		t.Fatal("nothing to forget")
	}
	w.Stage(ec2.Expire)
	eq(t, "instances kept", state.Instances.Len(w.Space()), 0)
}

func TestTerminationProtection(t *testing.T) {
	w := ec2test.New(t)
	id, free := launch(w, "DisableApiTermination", "true", "DisableApiStop", "true")[0], launch(w)[0]
	eq(t, "terminate", w.Refused("OperationNotPermitted", "TerminateInstances", "InstanceId.1", free, "InstanceId.2", id),
		"The instance '"+id+"' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again.")
	eq(t, "stop", w.Refused("OperationNotPermitted", "StopInstances", "InstanceId.1", id),
		"The instance '"+id+"' may not be stopped. Modify its 'disableApiStop' instance attribute and try again.")
	w.Must("TerminateInstances", "InstanceId.1", free)
}

func TestAttachAndDetach(t *testing.T) {
	w := ec2test.New(t)
	id := launch(w, "InstanceType", "t3.small")[0]
	primary := interfacesOf(w, id)[0]
	eni := ec2test.One(w.Must("CreateNetworkInterface", "SubnetId", string(primary.Subnet)), "networkInterfaceId")
	far := ec2test.One(w.Must("CreateNetworkInterface", "SubnetId", string(defaultSubnets(w)[1].ID)), "networkInterfaceId")
	attach := func(index string) []string {
		return []string{"NetworkInterfaceId", eni, "InstanceId", id, "DeviceIndex", index}
	}
	eq(t, "taken", w.Refused("InvalidParameterValue", "AttachNetworkInterface", attach("0")...), "Instance '"+id+"' already has an interface attached at device index '0'.")
	w.Refused("MissingParameter", "AttachNetworkInterface", "NetworkInterfaceId", eni, "InstanceId", id)
	w.Refused("InvalidInstanceID.NotFound", "AttachNetworkInterface", "NetworkInterfaceId", eni, "InstanceId", "i-0123456789abcdef0", "DeviceIndex", "1")
	eq(t, "another zone", w.Refused("InvalidParameterCombination", "AttachNetworkInterface", "NetworkInterfaceId", far, "InstanceId", id, "DeviceIndex", "1"),
		"You may not attach a network interface to an instance if they are not in the same availability zone")
	attachment := ec2test.One(w.Must("AttachNetworkInterface", attach("1")...), "attachmentId")
	eq(t, "busy", w.Refused("InvalidNetworkInterface.InUse", "AttachNetworkInterface", attach("2")...), "Interface: ["+eni+"] in use.")
	eq(t, "delete while attached", w.Refused("InvalidParameterValue", "DeleteNetworkInterface", "NetworkInterfaceId", eni), "Network interface '"+eni+"' is currently in use.")
	xml := w.Must("DescribeNetworkInterfaces", "Filter.1.Name", "attachment.instance-id", "Filter.1.Value.1", id, "Filter.2.Name", "attachment.device-index", "Filter.2.Value.1", "1")
	eq(t, "found by its instance", ec2test.One(xml, "networkInterfaceId"), eni)
	eq(t, "status", ec2test.One(xml[strings.Index(xml, "</attachment>"):], "status"), "in-use")

	w.Must("ModifyNetworkInterfaceAttribute", "NetworkInterfaceId", eni, "Attachment.AttachmentId", attachment, "Attachment.DeleteOnTermination", "true")
	eq(t, "the primary one", w.Refused("OperationNotPermitted", "DetachNetworkInterface", "AttachmentId", primary.Attachment.ID),
		"The network interface at device index 0 and networkCard index 0 cannot be detached.")
	w.Must("DetachNetworkInterface", "AttachmentId", attachment)
	w.Refused("InvalidAttachmentID.NotFound", "DetachNetworkInterface", "AttachmentId", attachment)
	w.Must("AttachNetworkInterface", attach("1")...)
	eq(t, "the third of a t3.small", len(interfacesOf(w, id)), 2)
	third := ec2test.One(w.Must("CreateNetworkInterface", "SubnetId", string(primary.Subnet)), "networkInterfaceId")
	fourth := ec2test.One(w.Must("CreateNetworkInterface", "SubnetId", string(primary.Subnet)), "networkInterfaceId")
	w.Must("AttachNetworkInterface", "NetworkInterfaceId", third, "InstanceId", id, "DeviceIndex", "2")
	eq(t, "too many", w.Refused("AttachmentLimitExceeded", "AttachNetworkInterface", "NetworkInterfaceId", fourth, "InstanceId", id, "DeviceIndex", "3"),
		"Interface count 4 exceeds the limit for t3.small")
	w.Must("TerminateInstances", "InstanceId.1", id)
	w.Refused("IncorrectState", "AttachNetworkInterface", "NetworkInterfaceId", fourth, "InstanceId", id, "DeviceIndex", "3")
}

// bind does what `moat attach` does to the state.
func bind(w *ec2test.World, id vpc.InterfaceID) {
	w.Stage(func(tx *state.Txn) error {
		c := *state.Interfaces.Get(tx, id)
		at := vpc.Attachment{ID: "eni-attach-0123456789abcdef0", InstanceOwner: tx.Account, Attached: tx.Now}
		if c.Attachment != nil {
			at = *c.Attachment
		}
		at.Device, c.Attachment = &vpc.Device{Host: "host-1", Name: "veth7"}, &at
		state.Interfaces.Put(tx, &c)
		return nil
	})
}

// A device is the operator's: an instance may have its interface and leave it,
// and nothing that the API does takes the firewall off the device.
func TestDevicesOutliveInstances(t *testing.T) {
	w := ec2test.New(t)
	group := ec2test.One(w.Must("CreateSecurityGroup", "GroupName", "web", "GroupDescription", "web"), "groupId")
	id := launch(w, "SecurityGroup.1", "web")[0]
	primary := interfacesOf(w, id)[0]
	bind(w, primary.ID)
	eq(t, "attachment with a device", interfacesOf(w, id)[0].Attachment.ID, primary.Attachment.ID)
	w.Must("TerminateInstances", "InstanceId.1", id)
	left := state.Interfaces.Get(w.Space(), primary.ID)
	if left == nil || left.Attachment.Device == nil || left.Attachment.Instance != "" {
		t.Fatalf("what a device carries is %+v after its instance ended", left)
	}
	if m := w.Refused("DependencyViolation", "DeleteSecurityGroup", "GroupId", group); !strings.Contains(m, string(left.ID)) {
		t.Errorf("deleting the group of a bound interface: %s", m)
	}
	if m := w.Refused("OperationNotPermitted", "DetachNetworkInterface", "AttachmentId", left.Attachment.ID); !strings.Contains(m, "moat detach "+string(left.ID)) {
		t.Errorf("detaching a device over the API: %s", m)
	}

	// One that is bound already can be an instance's.
	zone := left.Subnet
	again := launch(w, "NetworkInterface.1.DeviceIndex", "0", "NetworkInterface.1.NetworkInterfaceId", string(left.ID))[0]
	eq(t, "its subnet", state.Instances.Get(w.Space(), vpc.InstanceID(again)).Subnet, zone)
	now := interfacesOf(w, again)[0]
	if now.Attachment.Device == nil || now.Attachment.ID != left.Attachment.ID {
		t.Errorf("the device is gone from %+v", now.Attachment)
	}
}

func TestGroupsOfInstancesCannotBeDeleted(t *testing.T) {
	w := ec2test.New(t)
	group := ec2test.One(w.Must("CreateSecurityGroup", "GroupName", "web", "GroupDescription", "web"), "groupId")
	id := launch(w, "SecurityGroup.1", "web")[0]
	eni := interfacesOf(w, id)[0].ID
	m := w.Refused("DependencyViolation", "DeleteSecurityGroup", "GroupId", group)
	eq(t, "message", m, "resource "+group+" has a dependent object (held by network interface "+string(eni)+")")
	w.Must("TerminateInstances", "InstanceId.1", id)
	w.Must("DeleteSecurityGroup", "GroupId", group)
}

func TestFiltersOfInstances(t *testing.T) {
	w := ec2test.New(t)
	group := ec2test.One(w.Must("CreateSecurityGroup", "GroupName", "web", "GroupDescription", "web"), "groupId")
	web := launch(w, "SecurityGroup.1", "web", "ClientToken", "tok")[0]
	other := launch(w, "InstanceType", "m5.large", "Placement.AvailabilityZone", "us-east-1b")[0]
	row := state.Instances.Get(w.Space(), vpc.InstanceID(web))
	eni := interfacesOf(w, web)[0]
	var volume vpc.VolumeID
	for v := range state.Volumes.By(w.Space(), state.VolumesByInstance, web) {
		volume = v.ID
	}
	for name, value := range map[string]string{
		"instance-id": web, "instance.group-id": group, "group-id": group, "instance.group-name": "web", "network-interface.group-id": group,
		"instance-type": "t3.*", "subnet-id": string(row.Subnet), "private-ip-address": eni.Addresses[0].String(),
		"ip-address": eni.Public[0].Address.String(), "network-interface.network-interface-id": string(eni.ID),
		"availability-zone": "us-east-1a", "reservation-id": row.Reservation, "client-token": "tok",
		"block-device-mapping.volume-id": string(volume), "private-dns-name": vpc.PrivateDNSName("us-east-1", eni.Addresses[0]),
		"network-interface.attachment.attachment-id": eni.Attachment.ID, "network-interface.mac-address": eni.MAC,
		"network-interface.addresses.association.public-ip": eni.Public[0].Address.String(),
	} {
		ids := instanceIDs(w.Must("DescribeInstances", "Filter.1.Name", name, "Filter.1.Value.1", value))
		if !slices.Equal(ids, []string{web}) {
			t.Errorf("%s=%s finds %v, want %s", name, value, ids, web)
		}
	}
	both := w.Must("DescribeInstances", "Filter.1.Name", "instance-state-name", "Filter.1.Value.1", "running", "Filter.2.Name", "vpc-id", "Filter.2.Value.1", string(row.VPC))
	eq(t, "reservations of both", len(ec2test.Text(both, "reservationId")), 2)
	w.Must("StopInstances", "InstanceId.1", other)
	eq(t, "stopped", instanceIDs(w.Must("DescribeInstances", "Filter.1.Name", "instance-state-code", "Filter.1.Value.1", "80"))[0], other)
	w.Refused("InvalidParameterValue", "DescribeInstances", "Filter.1.Name", "colour", "Filter.1.Value.1", "red")
	w.Refused("InvalidParameterCombination", "DescribeInstances", "InstanceId.1", web, "MaxResults", "10")

	// Page by page, every instance is shown once.
	launch(w, "MaxCount", "9", "MinCount", "9")
	seen, token := map[string]int{}, ""
	for {
		params := []string{"MaxResults", "5"}
		if token != "" {
			params = append(params, "NextToken", token)
		}
		xml := w.Must("DescribeInstances", params...)
		for _, id := range instanceIDs(xml) {
			seen[id]++
		}
		if token = ec2test.One(xml, "nextToken"); token == "" {
			break
		}
	}
	eq(t, "instances over the pages", len(seen), 11)
}
