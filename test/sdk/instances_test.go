package sdk

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"moat/vpc"
)

// promisedInstances are the actions around instances.
const promisedInstances = `
	RunInstances DescribeInstances TerminateInstances StartInstances StopInstances RebootInstances
	AttachNetworkInterface DetachNetworkInterface
	DescribeInstanceStatus DescribeInstanceAttribute ModifyInstanceAttribute ResetInstanceAttribute
	ModifyInstanceMetadataOptions ModifyInstanceMaintenanceOptions
	ModifyInstanceCreditSpecification DescribeInstanceCreditSpecifications MonitorInstances UnmonitorInstances
	DescribeInstanceTypes DescribeInstanceTypeOfferings DescribeImages DescribeVolumes DeleteVolume
	CreateKeyPair ImportKeyPair DescribeKeyPairs DeleteKeyPair
	AllocateAddress AssociateAddress DisassociateAddress ReleaseAddress DescribeAddresses DescribeAddressesAttribute
`

// image gives an image of the region's catalogue for x86_64.
func (w *world) image() string {
	w.Helper()
	return catalogueImage(w.region)
}

// launch runs one instance and waits for it as scripts do.
func (w *world) launch(in *ec2.RunInstancesInput) types.Instance {
	w.Helper()
	in.ImageId, in.MinCount, in.MaxCount = new(w.image()), new(int32(1)), new(int32(1))
	if in.InstanceType == "" {
		in.InstanceType = types.InstanceTypeT3Micro
	}
	made := must(w, w.ec2.RunInstances, in)
	equal(w, "state of a new instance", made.Instances[0].State.Name, types.InstanceStateNamePending)
	ask := &ec2.DescribeInstancesInput{InstanceIds: []string{*made.Instances[0].InstanceId}}
	if err := ec2.NewInstanceRunningWaiter(w.ec2).Wait(w.ctx, ask, 30*time.Second); err != nil {
		w.Fatal(err)
	}
	return w.instance(*made.Instances[0].InstanceId)
}

func (w *world) instance(id string) types.Instance {
	w.Helper()
	out := must(w, w.ec2.DescribeInstances, &ec2.DescribeInstancesInput{InstanceIds: []string{id}})
	if len(out.Reservations) != 1 || len(out.Reservations[0].Instances) != 1 {
		w.Fatalf("%d reservations with the instance %s", len(out.Reservations), id)
	}
	return out.Reservations[0].Instances[0]
}

// publicKey is what nobody has the other half of.
const publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f nobody"

// spareVolume gives a volume that outlived its instance.
func (w *world) spareVolume(subnet string) *string {
	w.Helper()
	i := w.launch(&ec2.RunInstancesInput{SubnetId: &subnet})
	must(w, w.ec2.ModifyInstanceAttribute, &ec2.ModifyInstanceAttributeInput{InstanceId: i.InstanceId, BlockDeviceMappings: []types.InstanceBlockDeviceMappingSpecification{
		{DeviceName: i.RootDeviceName, Ebs: &types.EbsInstanceBlockDeviceSpecification{DeleteOnTermination: new(false)}},
	}})
	must(w, w.ec2.TerminateInstances, &ec2.TerminateInstancesInput{InstanceIds: []string{*i.InstanceId}})
	return i.BlockDeviceMappings[0].Ebs.VolumeId
}

// testInstanceExtras: keys, addresses, attributes and the catalogue.
func testInstanceExtras(w *world) {
	images := must(w, w.ec2.DescribeImages, &ec2.DescribeImagesInput{Owners: []string{"amazon"}, Filters: filters("name", "al2023-ami-2023*", "architecture", "x86_64")}).Images
	if len(images) != 1 || *images[0].ImageId == "" || len(images[0].BlockDeviceMappings) != 1 {
		w.Fatalf("images: %s", show(tree2(images)))
	}
	kind := must(w, w.ec2.DescribeInstanceTypes, &ec2.DescribeInstanceTypesInput{InstanceTypes: []types.InstanceType{types.InstanceTypeT3Micro}}).InstanceTypes[0]
	equal(w, "interfaces of a t3.micro", *kind.NetworkInfo.MaximumNetworkInterfaces, 2)
	offered := must(w, w.ec2.DescribeInstanceTypeOfferings, &ec2.DescribeInstanceTypeOfferingsInput{Filters: filters("instance-type", "t3.micro")}).InstanceTypeOfferings
	equal(w, "offered in", *offered[0].Location, w.region)

	// A created key signs, and its public half is the one that is kept.
	for kind, prefix := range map[types.KeyType]string{types.KeyTypeRsa: "-----BEGIN RSA PRIVATE KEY-----", types.KeyTypeEd25519: "-----BEGIN OPENSSH PRIVATE KEY-----"} {
		made := must(w, w.ec2.CreateKeyPair, &ec2.CreateKeyPairInput{KeyName: new(string(kind)), KeyType: kind})
		if !strings.HasPrefix(*made.KeyMaterial, prefix) {
			w.Errorf("a private key of %s: %.40s", kind, *made.KeyMaterial)
		}
		w.keyHalvesMatch(string(kind), *made.KeyMaterial, *made.KeyFingerprint)
	}
	imported := must(w, w.ec2.ImportKeyPair, &ec2.ImportKeyPairInput{KeyName: new("mine"), PublicKeyMaterial: []byte(publicKey)})
	refused(w, w.ec2.ImportKeyPair, &ec2.ImportKeyPairInput{KeyName: new("mine"), PublicKeyMaterial: []byte(publicKey)}, "InvalidKeyPair.Duplicate", "The keypair already exists")
	keys := must(w, w.ec2.DescribeKeyPairs, &ec2.DescribeKeyPairsInput{KeyNames: []string{"mine"}, IncludePublicKey: new(true)}).KeyPairs
	equal(w, "public half", strings.Fields(*keys[0].PublicKey)[1], strings.Fields(publicKey)[1])
	equal(w, "fingerprint", *keys[0].KeyFingerprint, *imported.KeyFingerprint)

	i := w.launch(&ec2.RunInstancesInput{KeyName: new("mine"), UserData: new("aGVsbG8=")})
	ids := []string{*i.InstanceId}
	equal(w, "key", *i.KeyName, "mine")
	must(w, w.ec2.DeleteKeyPair, &ec2.DeleteKeyPairInput{KeyName: new("mine")})
	if i.PublicIpAddress == nil || !strings.HasPrefix(*i.PublicDnsName, "ec2-") {
		w.Errorf("an instance of the default VPC is not public: %s", show(tree2(i)))
	}
	equal(w, "user data", *must(w, w.ec2.DescribeInstanceAttribute, &ec2.DescribeInstanceAttributeInput{InstanceId: i.InstanceId, Attribute: types.InstanceAttributeNameUserData}).UserData.Value, "aGVsbG8=")
	must(w, w.ec2.ModifyInstanceAttribute, &ec2.ModifyInstanceAttributeInput{InstanceId: i.InstanceId, SourceDestCheck: &types.AttributeBooleanValue{Value: new(false)}})
	equal(w, "source/destination check", *w.instance(ids[0]).SourceDestCheck, false)
	must(w, w.ec2.ResetInstanceAttribute, &ec2.ResetInstanceAttributeInput{InstanceId: i.InstanceId, Attribute: types.InstanceAttributeNameSourceDestCheck})
	equal(w, "source/destination check", *w.instance(ids[0]).SourceDestCheck, true)
	equal(w, "tokens", must(w, w.ec2.ModifyInstanceMetadataOptions, &ec2.ModifyInstanceMetadataOptionsInput{InstanceId: i.InstanceId, HttpTokens: types.HttpTokensStateRequired}).InstanceMetadataOptions.HttpTokens, types.HttpTokensStateRequired)
	equal(w, "recovery", must(w, w.ec2.ModifyInstanceMaintenanceOptions, &ec2.ModifyInstanceMaintenanceOptionsInput{InstanceId: i.InstanceId, AutoRecovery: types.InstanceAutoRecoveryStateDisabled}).AutoRecovery, types.InstanceAutoRecoveryStateDisabled)
	must(w, w.ec2.ModifyInstanceCreditSpecification, &ec2.ModifyInstanceCreditSpecificationInput{InstanceCreditSpecifications: []types.InstanceCreditSpecificationRequest{{InstanceId: i.InstanceId, CpuCredits: new("standard")}}})
	equal(w, "credits", *must(w, w.ec2.DescribeInstanceCreditSpecifications, &ec2.DescribeInstanceCreditSpecificationsInput{InstanceIds: ids}).InstanceCreditSpecifications[0].CpuCredits, "standard")
	equal(w, "monitoring", must(w, w.ec2.MonitorInstances, &ec2.MonitorInstancesInput{InstanceIds: ids}).InstanceMonitorings[0].Monitoring.State, types.MonitoringStatePending)
	equal(w, "monitoring", must(w, w.ec2.UnmonitorInstances, &ec2.UnmonitorInstancesInput{InstanceIds: ids}).InstanceMonitorings[0].Monitoring.State, types.MonitoringStateDisabling)
	if err := ec2.NewInstanceStatusOkWaiter(w.ec2).Wait(w.ctx, &ec2.DescribeInstanceStatusInput{InstanceIds: ids}, 30*time.Second); err != nil {
		w.Error(err)
	}
	volumes := must(w, w.ec2.DescribeVolumes, &ec2.DescribeVolumesInput{Filters: filters("attachment.instance-id", ids[0])}).Volumes
	equal(w, "disks", len(volumes), 1)
	refused(w, w.ec2.DeleteVolume, &ec2.DeleteVolumeInput{VolumeId: volumes[0].VolumeId}, "VolumeInUse", "~.*attached.*")
	must(w, w.ec2.DeleteVolume, &ec2.DeleteVolumeInput{VolumeId: w.spareVolume(*i.SubnetId)})

	a := must(w, w.ec2.AllocateAddress, &ec2.AllocateAddressInput{Domain: types.DomainTypeVpc})
	at := must(w, w.ec2.AssociateAddress, &ec2.AssociateAddressInput{AllocationId: a.AllocationId, InstanceId: i.InstanceId}).AssociationId
	equal(w, "address", *w.instance(ids[0]).PublicIpAddress, *a.PublicIp)
	got := must(w, w.ec2.DescribeAddresses, &ec2.DescribeAddressesInput{AllocationIds: []string{*a.AllocationId}}).Addresses[0]
	equal(w, "association", []string{*got.AssociationId, *got.InstanceId}, []string{*at, ids[0]})
	equal(w, "reverse names", len(must(w, w.ec2.DescribeAddressesAttribute, &ec2.DescribeAddressesAttributeInput{}).Addresses), 0)
	refused(w, w.ec2.ReleaseAddress, &ec2.ReleaseAddressInput{AllocationId: a.AllocationId}, "InvalidIPAddress.InUse", "~Address .* is in use.*")
	must(w, w.ec2.DisassociateAddress, &ec2.DisassociateAddressInput{AssociationId: at})
	must(w, w.ec2.ReleaseAddress, &ec2.ReleaseAddressInput{AllocationId: a.AllocationId})
	must(w, w.ec2.TerminateInstances, &ec2.TerminateInstancesInput{InstanceIds: ids})
}

// keyHalvesMatch asks ssh-keygen for the public half of a private key.
func (w *world) keyHalvesMatch(name, private, fingerprint string) {
	w.Helper()
	file := filepath.Join(w.TempDir(), "key")
	if err := os.WriteFile(file, []byte(private), 0o600); err != nil {
		w.Fatal(err)
	}
	out, err := exec.Command("ssh-keygen", "-y", "-f", file).Output()
	if errors.Is(err, exec.ErrNotFound) {
		w.Log("no ssh-keygen: the halves of the keys are not compared")
		return
	}
	if err != nil {
		w.Fatal(err)
	}
	k := must(w, w.ec2.DescribeKeyPairs, &ec2.DescribeKeyPairsInput{KeyNames: []string{name}, IncludePublicKey: new(true)}).KeyPairs[0]
	equal(w, "public half of "+name, strings.Fields(*k.PublicKey)[:2], strings.Fields(string(out))[:2])
	equal(w, "fingerprint of "+name, *k.KeyFingerprint, fingerprint)
}

// testInstances: the life of an instance, with the SDK's own waiters.
func testInstances(w *world) {
	home := w.vpc("10.20.0.0/16")
	subnet := w.subnet(home, "10.20.1.0/24")
	web := w.group("web", home)
	i := w.launch(&ec2.RunInstancesInput{
		SubnetId: &subnet, SecurityGroupIds: []string{web}, PrivateIpAddress: new("10.20.1.9"),
		TagSpecifications: tagged("instance", "Name", "web"),
	})
	id := *i.InstanceId
	equal(w, "address, VPC and subnet", []string{*i.PrivateIpAddress, *i.VpcId, *i.SubnetId}, []string{"10.20.1.9", home, subnet})
	equal(w, "groups", i.SecurityGroups, []types.GroupIdentifier{{GroupId: &web, GroupName: new("web")}})
	equal(w, "tags", i.Tags, tags("Name", "web"))
	equal(w, "state", i.State, &types.InstanceState{Name: types.InstanceStateNameRunning, Code: new(int32(16))})
	equal(w, "private name", *i.PrivateDnsName, "ip-10-20-1-9."+w.region+".compute.internal")
	if i.PublicIpAddress != nil {
		w.Errorf("a public address %s, in a subnet that gives none", *i.PublicIpAddress)
	}
	if len(i.BlockDeviceMappings) != 1 || *i.BlockDeviceMappings[0].DeviceName != *i.RootDeviceName {
		w.Errorf("disks: %s", show(tree2(i.BlockDeviceMappings)))
	}

	// A second interface, and its way back.
	eni := must(w, w.ec2.CreateNetworkInterface, &ec2.CreateNetworkInterfaceInput{SubnetId: &subnet}).NetworkInterface.NetworkInterfaceId
	at := must(w, w.ec2.AttachNetworkInterface, &ec2.AttachNetworkInterfaceInput{InstanceId: &id, NetworkInterfaceId: eni, DeviceIndex: new(int32(1))}).AttachmentId
	equal(w, "interfaces", len(w.instance(id).NetworkInterfaces), 2)
	refused(w, w.ec2.DetachNetworkInterface, &ec2.DetachNetworkInterfaceInput{AttachmentId: i.NetworkInterfaces[0].Attachment.AttachmentId},
		"OperationNotPermitted", "The network interface at device index 0 and networkCard index 0 cannot be detached.")
	must(w, w.ec2.DetachNetworkInterface, &ec2.DetachNetworkInterfaceInput{AttachmentId: at})
	equal(w, "interfaces", len(w.instance(id).NetworkInterfaces), 1)

	must(w, w.ec2.RebootInstances, &ec2.RebootInstancesInput{InstanceIds: []string{id}})
	ask := &ec2.DescribeInstancesInput{InstanceIds: []string{id}}
	equal(w, "stop", must(w, w.ec2.StopInstances, &ec2.StopInstancesInput{InstanceIds: []string{id}}).StoppingInstances[0].CurrentState.Name, types.InstanceStateNameStopping)
	if err := ec2.NewInstanceStoppedWaiter(w.ec2).Wait(w.ctx, ask, 30*time.Second); err != nil {
		w.Error(err)
	}
	equal(w, "start", must(w, w.ec2.StartInstances, &ec2.StartInstancesInput{InstanceIds: []string{id}}).StartingInstances[0].CurrentState.Name, types.InstanceStateNamePending)

	refused(w, w.ec2.DeleteSecurityGroup, &ec2.DeleteSecurityGroupInput{GroupId: &web}, "DependencyViolation",
		"resource "+web+" has a dependent object (held by network interface "+*i.NetworkInterfaces[0].NetworkInterfaceId+")")
	equal(w, "terminate", must(w, w.ec2.TerminateInstances, &ec2.TerminateInstancesInput{InstanceIds: []string{id}}).TerminatingInstances[0].CurrentState.Name, types.InstanceStateNameShuttingDown)
	if err := ec2.NewInstanceTerminatedWaiter(w.ec2).Wait(w.ctx, ask, 30*time.Second); err != nil {
		w.Error(err)
	}
	gone := w.instance(id)
	if gone.VpcId != nil || len(gone.NetworkInterfaces) > 0 || *gone.StateReason.Code != "Client.UserInitiatedShutdown" {
		w.Errorf("a terminated instance: %s", show(tree2(gone)))
	}
	must(w, w.ec2.DeleteSecurityGroup, &ec2.DeleteSecurityGroupInput{GroupId: &web})
	must(w, w.ec2.DeleteNetworkInterface, &ec2.DeleteNetworkInterfaceInput{NetworkInterfaceId: eni})
	refused(w, w.ec2.DescribeInstances, &ec2.DescribeInstancesInput{InstanceIds: []string{"i-0123456789abcdef0"}},
		"InvalidInstanceID.NotFound", "The instance ID 'i-0123456789abcdef0' does not exist")
}

// dryInstances gives calls that would succeed, one of each action around
// instances.
func (w *world) dryInstances() []any {
	w.Helper()
	home := w.vpc("10.25.0.0/16")
	subnet := w.subnet(home, "10.25.1.0/24")
	id := *w.launch(&ec2.RunInstancesInput{SubnetId: &subnet}).InstanceId
	free := *must(w, w.ec2.CreateNetworkInterface, &ec2.CreateNetworkInterfaceInput{SubnetId: &subnet}).NetworkInterface.NetworkInterfaceId
	busy := must(w, w.ec2.CreateNetworkInterface, &ec2.CreateNetworkInterfaceInput{SubnetId: &subnet}).NetworkInterface.NetworkInterfaceId
	at := must(w, w.ec2.AttachNetworkInterface, &ec2.AttachNetworkInterfaceInput{InstanceId: &id, NetworkInterfaceId: busy, DeviceIndex: new(int32(1))}).AttachmentId
	other := w.launch(&ec2.RunInstancesInput{SubnetId: &subnet}).InstanceId
	volume := w.spareVolume(subnet)
	ids := []string{id}
	gateway := must(w, w.ec2.CreateInternetGateway, &ec2.CreateInternetGatewayInput{}).InternetGateway.InternetGatewayId
	must(w, w.ec2.AttachInternetGateway, &ec2.AttachInternetGatewayInput{InternetGatewayId: gateway, VpcId: &home})
	address := must(w, w.ec2.AllocateAddress, &ec2.AllocateAddressInput{}).AllocationId
	second := must(w, w.ec2.AllocateAddress, &ec2.AllocateAddressInput{}).AllocationId
	association := must(w, w.ec2.AssociateAddress, &ec2.AssociateAddressInput{AllocationId: second, InstanceId: other}).AssociationId
	return []any{
		&ec2.RunInstancesInput{ImageId: new(w.image()), InstanceType: types.InstanceTypeT3Micro, MinCount: new(int32(1)), MaxCount: new(int32(1)), SubnetId: &subnet},
		&ec2.DescribeInstancesInput{},
		&ec2.TerminateInstancesInput{InstanceIds: ids},
		&ec2.StartInstancesInput{InstanceIds: ids},
		&ec2.StopInstancesInput{InstanceIds: ids},
		&ec2.RebootInstancesInput{InstanceIds: ids},
		&ec2.AttachNetworkInterfaceInput{InstanceId: other, NetworkInterfaceId: &free, DeviceIndex: new(int32(1))},
		&ec2.DetachNetworkInterfaceInput{AttachmentId: at},
		&ec2.DescribeInstanceStatusInput{},
		&ec2.DescribeInstanceAttributeInput{InstanceId: other, Attribute: types.InstanceAttributeNameUserData},
		&ec2.ModifyInstanceAttributeInput{InstanceId: other, SourceDestCheck: &types.AttributeBooleanValue{Value: new(false)}},
		&ec2.ResetInstanceAttributeInput{InstanceId: other, Attribute: types.InstanceAttributeNameSourceDestCheck},
		&ec2.ModifyInstanceMetadataOptionsInput{InstanceId: other, HttpTokens: types.HttpTokensStateRequired},
		&ec2.ModifyInstanceMaintenanceOptionsInput{InstanceId: other, AutoRecovery: types.InstanceAutoRecoveryStateDisabled},
		&ec2.ModifyInstanceCreditSpecificationInput{InstanceCreditSpecifications: []types.InstanceCreditSpecificationRequest{{InstanceId: other, CpuCredits: new("standard")}}},
		&ec2.DescribeInstanceCreditSpecificationsInput{},
		&ec2.MonitorInstancesInput{InstanceIds: ids},
		&ec2.UnmonitorInstancesInput{InstanceIds: ids},
		&ec2.DescribeInstanceTypesInput{},
		&ec2.DescribeInstanceTypeOfferingsInput{},
		&ec2.DescribeImagesInput{},
		&ec2.DescribeVolumesInput{},
		&ec2.DeleteVolumeInput{VolumeId: volume},
		&ec2.CreateKeyPairInput{KeyName: new("new")},
		&ec2.ImportKeyPairInput{KeyName: new("new"), PublicKeyMaterial: []byte(publicKey)},
		&ec2.DescribeKeyPairsInput{},
		&ec2.DeleteKeyPairInput{KeyName: new("new")},
		&ec2.AllocateAddressInput{},
		&ec2.AssociateAddressInput{AllocationId: address, NetworkInterfaceId: &free},
		&ec2.DisassociateAddressInput{AssociationId: association},
		&ec2.ReleaseAddressInput{AllocationId: address},
		&ec2.DescribeAddressesInput{},
		&ec2.DescribeAddressesAttributeInput{},
	}
}

// catalogueImage gives an x86_64 image of a region.
func catalogueImage(region string) string {
	for _, i := range vpc.Images(region) {
		if i.Arch == "x86_64" {
			return i.ID
		}
	}
	panic("the catalogue of " + region + " has no image")
}
