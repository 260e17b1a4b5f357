package ec2_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"moat/ec2/ec2test"
	"moat/state"
	"moat/vpc"
)

func TestKeyPairs(t *testing.T) {
	w := ec2test.New(t)
	xml := w.Must("CreateKeyPair", "KeyName", "mine", "TagSpecification.1.ResourceType", "key-pair", "TagSpecification.1.Tag.1.Key", "k", "TagSpecification.1.Tag.1.Value", "v")
	eq(t, "the private half", ec2test.One(xml, "keyMaterial"), "the private half of a key")
	id := ec2test.One(xml, "keyPairId")
	eq(t, "twice", w.Refused("InvalidKeyPair.Duplicate", "CreateKeyPair", "KeyName", "mine"), "The keypair already exists")
	w.Refused("DryRunOperation", "CreateKeyPair", "KeyName", "other", "DryRun", "true")
	w.Refused("InvalidParameterValue", "CreateKeyPair", "KeyName", "other", "KeyType", "dsa")
	w.Refused("MissingParameter", "CreateKeyPair")
	w.Refused("InvalidKey.Format", "ImportKeyPair", "KeyName", "other", "PublicKeyMaterial", base64.StdEncoding.EncodeToString([]byte("no key")))
	line := state.KeyPairs.Get(w.Space(), vpc.KeyPairID(id)).Public
	xml = w.Must("ImportKeyPair", "KeyName", "theirs", "PublicKeyMaterial", base64.StdEncoding.EncodeToString([]byte(line)))
	if f := ec2test.One(xml, "keyFingerprint"); len(f) != 16*3-1 {
		t.Errorf("fingerprint of an imported RSA key: %s", f)
	}
	xml = w.Must("DescribeKeyPairs", "KeyName.1", "mine")
	if strings.Contains(xml, "publicKey") || strings.Contains(xml, "private half") {
		t.Errorf("a key shows more than was asked: %s", xml)
	}
	eq(t, "fingerprint of a created RSA key", len(ec2test.One(xml, "keyFingerprint")), 20*3-1)
	eq(t, "public half", ec2test.One(w.Must("DescribeKeyPairs", "KeyPairId.1", id, "IncludePublicKey", "true"), "publicKey"), line)
	eq(t, "by tag", ec2test.One(w.Must("DescribeKeyPairs", "Filter.1.Name", "tag:k", "Filter.1.Value.1", "v"), "keyPairId"), id)
	eq(t, "not there", w.Refused("InvalidKeyPair.NotFound", "DescribeKeyPairs", "KeyName.1", "none"), "The key pair 'none' does not exist")
	launch(w, "KeyName", "mine")
	eq(t, "delete", ec2test.One(w.Must("DeleteKeyPair", "KeyName", "mine"), "keyPairId"), id)
	w.Must("DeleteKeyPair", "KeyName", "mine") // no error: it is gone
	eq(t, "keys left", state.KeyPairs.Len(w.Space()), 1)
}

func TestElasticAddresses(t *testing.T) {
	w := ec2test.New(t)
	subnet := string(defaultSubnets(w)[0].ID)
	xml := w.Must("AllocateAddress", "Domain", "vpc")
	id, ip := ec2test.One(xml, "allocationId"), ec2test.One(xml, "publicIp")
	instance := launch(w)[0]
	eni := interfacesOf(w, instance)[0]
	was := eni.Public[0].Address.String()
	assoc := ec2test.One(w.Must("AssociateAddress", "AllocationId", id, "InstanceId", instance), "associationId")
	xml = described(w, instance)
	eq(t, "address of the instance", ec2test.One(xml, "ipAddress"), ip)
	eq(t, "its name", ec2test.One(xml, "dnsName"), vpc.PublicDNSName("us-east-1", interfacesOf(w, instance)[0].Public[0].Address))
	xml = w.Must("DescribeAddresses", "Filter.1.Name", "association-id", "Filter.1.Value.1", assoc)
	for element, want := range map[string]string{
		"allocationId": id, "instanceId": instance, "networkInterfaceId": string(eni.ID), "privateIpAddress": eni.Addresses[0].String(), "domain": "vpc", "associationId": assoc,
	} {
		eq(t, element, ec2test.One(xml, element), want)
	}
	xml = w.Must("DescribeNetworkInterfaces", "Filter.1.Name", "association.allocation-id", "Filter.1.Value.1", id)
	eq(t, "association of the interface", ec2test.One(ec2test.One(xml, "association"), "associationId"), assoc)
	if m := w.Refused("InvalidIPAddress.InUse", "ReleaseAddress", "AllocationId", id); !strings.Contains(m, string(eni.ID)) {
		t.Errorf("releasing an address in use: %s", m)
	}
	other := ec2test.One(w.Must("CreateNetworkInterface", "SubnetId", subnet), "networkInterfaceId")
	eq(t, "another", w.Refused("Resource.AlreadyAssociated", "AssociateAddress", "AllocationId", id, "NetworkInterfaceId", other),
		"resource "+id+" is already associated with associate-id "+assoc)
	eq(t, "the same again", ec2test.One(w.Must("AssociateAddress", "AllocationId", id, "InstanceId", instance), "associationId"), assoc)

	// It outlives a stop; the launch's own address comes back without it.
	w.Must("StopInstances", "InstanceId.1", instance)
	eq(t, "while stopped", ec2test.One(described(w, instance), "ipAddress"), ip)
	w.Must("StartInstances", "InstanceId.1", instance)
	w.Must("DisassociateAddress", "AssociationId", assoc)
	if now := ec2test.One(described(w, instance), "ipAddress"); now == ip || now == was || now == "" {
		t.Errorf("after the association the instance has %q", now)
	}
	w.Refused("InvalidAssociationID.NotFound", "DisassociateAddress", "AssociationId", assoc)

	w.Must("AssociateAddress", "AllocationId", id, "NetworkInterfaceId", other)
	w.Must("AssociateAddress", "AllocationId", id, "InstanceId", instance, "AllowReassociation", "true")
	eq(t, "taken from the other", len(state.Interfaces.Get(w.Space(), vpc.InterfaceID(other)).Public), 0)
	w.Must("TerminateInstances", "InstanceId.1", instance)
	if xml := w.Must("DescribeAddresses", "AllocationId.1", id); strings.Contains(xml, "associationId") {
		t.Errorf("an address of a terminated instance: %s", xml)
	}
	w.Must("ReleaseAddress", "AllocationId", id)
	eq(t, "again", w.Refused("InvalidAllocationID.NotFound", "ReleaseAddress", "AllocationId", id), "The allocation ID '"+id+"' does not exist")

	// One of the operator's own, and not twice; never a private one.
	own := ec2test.One(w.Must("AllocateAddress", "Address", "203.0.113.9"), "allocationId")
	w.Refused("InvalidIPAddress.InUse", "AllocateAddress", "Address", "203.0.113.9")
	w.Refused("InvalidParameterValue", "AllocateAddress", "Address", "10.0.0.9")
	for n := range 4 {
		w.Must("AllocateAddress", "TagSpecification.1.ResourceType", "elastic-ip", "TagSpecification.1.Tag.1.Key", "n", "TagSpecification.1.Tag.1.Value", fmt.Sprint(n))
	}
	eq(t, "a sixth", w.Refused("AddressLimitExceeded", "AllocateAddress"), "The maximum number of addresses has been reached.")

	// A network that leads nowhere has no public addresses.
	closed := ec2test.One(w.Must("CreateVpc", "CidrBlock", "10.0.0.0/16"), "vpcId")
	inside := ec2test.One(w.Must("CreateSubnet", "VpcId", closed, "CidrBlock", "10.0.1.0/24"), "subnetId")
	far := ec2test.One(w.Must("CreateNetworkInterface", "SubnetId", inside), "networkInterfaceId")
	eq(t, "no gateway", w.Refused("Gateway.NotAttached", "AssociateAddress", "AllocationId", own, "NetworkInterfaceId", far),
		"Network "+closed+" is not attached to any internet gateway")
}

func TestAttributesOfInstances(t *testing.T) {
	w := ec2test.New(t)
	id := launch(w, "UserData", base64.StdEncoding.EncodeToString([]byte("hello")))[0]
	group := ec2test.One(w.Must("CreateSecurityGroup", "GroupName", "web", "GroupDescription", "web"), "groupId")
	modify := func(params ...string) []string { return append([]string{"InstanceId", id}, params...) }
	shown := func(attribute, element string) string {
		return ec2test.One(w.Must("DescribeInstanceAttribute", "InstanceId", id, "Attribute", attribute), element)
	}
	eq(t, "user data", shown("userData", "value"), base64.StdEncoding.EncodeToString([]byte("hello")))
	w.Must("ModifyInstanceAttribute", modify("GroupId.1", group)...)
	eq(t, "groups", shown("groupSet", "groupId"), group)
	w.Must("ModifyInstanceAttribute", modify("SourceDestCheck.Value", "false")...)
	eq(t, "check", shown("sourceDestCheck", "value"), "false")
	w.Must("ResetInstanceAttribute", modify("Attribute", "sourceDestCheck")...)
	eq(t, "check, reset", shown("sourceDestCheck", "value"), "true")
	w.Must("ModifyInstanceAttribute", modify("DisableApiTermination.Value", "true")...)
	eq(t, "protection", shown("disableApiTermination", "value"), "true")
	w.Must("ModifyInstanceAttribute", modify("Attribute", "disableApiTermination", "Value", "false")...)
	eq(t, "protection", shown("disableApiTermination", "value"), "false")
	w.Must("ModifyInstanceAttribute", modify("InstanceInitiatedShutdownBehavior.Value", "terminate")...)
	eq(t, "behaviour", shown("instanceInitiatedShutdownBehavior", "value"), "terminate")
	eq(t, "type of a running one", w.Refused("IncorrectInstanceState", "ModifyInstanceAttribute", modify("InstanceType.Value", "t3.small")...),
		"The instance '"+id+"' is not in the 'stopped' state.")
	w.Refused("InvalidParameterCombination", "ModifyInstanceAttribute", modify("SourceDestCheck.Value", "false", "EbsOptimized.Value", "true")...)
	w.Refused("InvalidParameterCombination", "ModifyInstanceAttribute", modify()...)
	w.Must("StopInstances", "InstanceId.1", id)
	w.Must("ModifyInstanceAttribute", modify("InstanceType.Value", "t3.small")...)
	w.Refused("InvalidParameterValue", "ModifyInstanceAttribute", modify("InstanceType.Value", "t4g.small")...)
	eq(t, "type", shown("instanceType", "value"), "t3.small")
	w.Must("StartInstances", "InstanceId.1", id)
	eni := ec2test.One(w.Must("CreateNetworkInterface", "SubnetId", string(interfacesOf(w, id)[0].Subnet)), "networkInterfaceId")
	w.Must("AttachNetworkInterface", "NetworkInterfaceId", eni, "InstanceId", id, "DeviceIndex", "1")
	eq(t, "groups of which", w.Refused("InvalidInstanceID", "ModifyInstanceAttribute", modify("GroupId.1", group)...),
		"There are multiple interfaces attached to instance '"+id+"'. Please specify an interface ID for the operation instead.")

	eq(t, "tokens", ec2test.One(w.Must("ModifyInstanceMetadataOptions", "InstanceId", id, "HttpTokens", "required"), "state"), "pending")
	eq(t, "tokens", ec2test.One(described(w, id), "httpTokens"), "required")
	eq(t, "monitoring", ec2test.One(ec2test.One(w.Must("MonitorInstances", "InstanceId.1", id), "monitoring"), "state"), "pending")
	eq(t, "credits", ec2test.One(w.Must("DescribeInstanceCreditSpecifications", "InstanceId.1", id), "cpuCredits"), "unlimited")
	w.Must("ModifyInstanceCreditSpecification", "InstanceCreditSpecification.1.InstanceId", id, "InstanceCreditSpecification.1.CpuCredits", "standard")
	eq(t, "credits", ec2test.One(w.Must("DescribeInstanceCreditSpecifications", "InstanceId.1", id), "cpuCredits"), "standard")
	eq(t, "status", ec2test.One(ec2test.One(w.Must("DescribeInstanceStatus", "InstanceId.1", id), "instanceStatus"), "status"), "passed")
	w.Must("StopInstances", "InstanceId.1", id)
	if xml := w.Must("DescribeInstanceStatus"); !strings.Contains(xml, "<instanceStatusSet/>") {
		t.Errorf("a stopped instance has a status: %s", xml)
	}
	eq(t, "status of all", ec2test.One(w.Must("DescribeInstanceStatus", "IncludeAllInstances", "true"), "instanceId"), id)
	volume := ec2test.One(w.Must("DescribeVolumes", "Filter.1.Name", "attachment.instance-id", "Filter.1.Value.1", id), "volumeId")
	w.Refused("VolumeInUse", "DeleteVolume", "VolumeId", volume)
	w.Must("ModifyInstanceAttribute", modify("BlockDeviceMapping.1.DeviceName", state.Instances.Get(w.Space(), vpc.InstanceID(id)).RootDevice, "BlockDeviceMapping.1.Ebs.DeleteOnTermination", "false")...)
	w.Must("TerminateInstances", "InstanceId.1", id)
	eq(t, "the disk outlives it", ec2test.One(w.Must("DescribeVolumes", "VolumeId.1", volume), "status"), "available")
	w.Must("DeleteVolume", "VolumeId", volume)
}

func TestCatalogue(t *testing.T) {
	w := ec2test.New(t)
	xml := w.Must("DescribeImages", "Owner.1", "amazon", "Filter.1.Name", "name", "Filter.1.Value.1", "al2023-ami-2023*", "Filter.2.Name", "architecture", "Filter.2.Value.1", "x86_64")
	eq(t, "Amazon Linux images", len(ec2test.Text(xml, "imageId")), 1)
	eq(t, "nobody's own", len(ec2test.Text(w.Must("DescribeImages", "Owner.1", "self"), "imageId")), 0)
	eq(t, "Canonical's", len(ec2test.Text(w.Must("DescribeImages", "Owner.1", "099720109477"), "imageId")), 4)
	eq(t, "unknown", w.Refused("InvalidAMIID.NotFound", "DescribeImages", "ImageId.1", "ami-0123456789abcdef0"), "The image id '[ami-0123456789abcdef0]' does not exist")
	xml = w.Must("DescribeInstanceTypes", "InstanceType.1", "t3.micro")
	for element, want := range map[string]string{"hypervisor": "nitro", "burstablePerformanceSupported": "true", "maximumNetworkInterfaces": "2", "sizeInMiB": "1024", "defaultVCpus": "2"} {
		eq(t, element, ec2test.One(xml, element), want)
	}
	eq(t, "unknown type", w.Refused("InvalidInstanceType", "DescribeInstanceTypes", "InstanceType.1", "t9.huge"), "The following supplied instance types do not exist: [t9.huge]")
	eq(t, "burstable ones", len(ec2test.Text(w.Must("DescribeInstanceTypes", "Filter.1.Name", "instance-type", "Filter.1.Value.1", "t3.*"), "instanceType")), 7)
	eq(t, "zones with t3.micro", len(ec2test.Text(w.Must("DescribeInstanceTypeOfferings", "LocationType", "availability-zone", "Filter.1.Name", "instance-type", "Filter.1.Value.1", "t3.micro"), "location")), 6)
}
