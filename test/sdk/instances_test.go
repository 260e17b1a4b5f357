package sdk

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"moat/vpc"
)

// promisedInstances are the actions around instances.
const promisedInstances = `
	RunInstances DescribeInstances TerminateInstances StartInstances StopInstances RebootInstances
	AttachNetworkInterface DetachNetworkInterface
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
	ids := []string{id}
	return []any{
		&ec2.RunInstancesInput{ImageId: new(w.image()), InstanceType: types.InstanceTypeT3Micro, MinCount: new(int32(1)), MaxCount: new(int32(1)), SubnetId: &subnet},
		&ec2.DescribeInstancesInput{},
		&ec2.TerminateInstancesInput{InstanceIds: ids},
		&ec2.StartInstancesInput{InstanceIds: ids},
		&ec2.StopInstancesInput{InstanceIds: ids},
		&ec2.RebootInstancesInput{InstanceIds: ids},
		&ec2.AttachNetworkInterfaceInput{InstanceId: other, NetworkInterfaceId: &free, DeviceIndex: new(int32(1))},
		&ec2.DetachNetworkInterfaceInput{AttachmentId: at},
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
