package ec2

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// mostInstances bounds one call. EC2 bounds processors instead, which nothing
// has here.
const mostInstances = 1000

// A launch is a RunInstances request as far as it is the same for each of its
// instances.
type launch struct {
	tx *state.Txn
	in *RunInstancesInput

	image      *vpc.Image
	kind       *vpc.InstanceType
	subnet     *vpc.Subnet // of the primary interface
	interfaces []launchInterface
	volumes    []vpc.Volume
	tags       map[string]vpc.Tags
	model      vpc.Instance
}

// A launchInterface is one interface of each instance: a new one, or one that
// exists already.
type launchInterface struct {
	create   *CreateNetworkInterfaceInput
	existing vpc.InterfaceID

	index, card         int32
	deleteOnTermination bool
	public              bool // gets a public address
	queues              int32
	srd, srdUDP         bool
}

// newLaunch checks a request as far as it can be before anything is made.
func newLaunch(tx *state.Txn, in *RunInstancesInput) (l *launch, err error) {
	l = &launch{tx: tx, in: in}
	for _, step := range []func() error{l.form, l.nowhere, l.what, l.where, l.disks, l.describe} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// form checks counts and the form of ids.
func (l *launch) form() error {
	in := l.in
	switch {
	case in.MinCount == nil:
		return fault.MissingParameter.With("MinCount")
	case in.MaxCount == nil:
		return fault.MissingParameter.With("MaxCount")
	case *in.MinCount < 1:
		return fault.InvalidParameterValue.Say("Value (%d) for parameter minCount is invalid. Value must be at least 1.", *in.MinCount)
	case *in.MaxCount < *in.MinCount:
		return fault.InvalidParameterValue.Say("Value (%d) for parameter maxCount is invalid. Value must be greater than or equal to minCount.", *in.MaxCount)
	case *in.MinCount > mostInstances:
		return fault.InstanceLimitExceeded.With(*in.MinCount, mostInstances)
	}
	if t := in.LaunchTemplate; t != nil {
		// There are no launch templates, so none is found.
		if t.LaunchTemplateId != "" {
			return fault.InvalidLaunchTemplateID.With(t.LaunchTemplateId)
		}
		return fault.InvalidLaunchTemplateName.With(t.LaunchTemplateName)
	}
	if in.ImageId == "" {
		return fault.MissingParameter.With("ImageId")
	}
	if !vpc.WellFormed(vpc.ImagePrefix, in.ImageId) {
		return fault.InvalidAMIIDMalformed.With(in.ImageId)
	}
	subnets, groups := []string{in.SubnetId}, slices.Clone(in.SecurityGroupIds)
	for _, n := range in.NetworkInterfaces {
		subnets, groups = append(subnets, n.SubnetId), append(groups, n.Groups...)
		if n.NetworkInterfaceId != "" {
			if err := checkInterfaceID(n.NetworkInterfaceId); err != nil {
				return err
			}
		}
	}
	for _, id := range subnets {
		if id != "" {
			if err := checkSubnetID(id); err != nil {
				return err
			}
		}
	}
	for _, id := range groups {
		if err := checkGroupID(id); err != nil {
			return err
		}
	}
	return nil
}

// nowhere refuses what names a thing that no account has here.
func (l *launch) nowhere() error {
	in := l.in
	if p := in.Placement; p != nil {
		switch {
		case p.GroupName != "":
			return fault.InvalidPlacementGroupUnknown.With(p.GroupName)
		case p.GroupId != "":
			return fault.InvalidPlacementGroupUnknown.With(p.GroupId)
		case p.HostId != "":
			return fault.InvalidHostID.With(p.HostId)
		case p.HostResourceGroupArn != "" || p.PartitionNumber != nil || p.SpreadDomain != "" || p.Affinity != "":
			return fault.UnsupportedOperation.With("Instances are not placed on hosts, in partitions or in spread domains.")
		case p.Tenancy != "" && p.Tenancy != "default" && p.Tenancy != "dedicated":
			return fault.InvalidParameterValue.With(p.Tenancy, "tenancy", "The tenancy is not supported.")
		}
	}
	if c := in.CapacityReservationSpecification; c != nil && c.CapacityReservationTarget != nil {
		return fault.InvalidCapacityReservation.With(c.CapacityReservationTarget.CapacityReservationId)
	}
	switch {
	case in.InstanceMarketOptions != nil:
		return fault.UnsupportedOperation.With("Only On-Demand Instances can be launched.")
	case len(in.ElasticGpuSpecification) > 0 || len(in.ElasticInferenceAccelerators) > 0:
		return fault.UnsupportedOperation.With("Elastic graphics and inference accelerators are no longer available.")
	case len(in.LicenseSpecifications) > 0:
		return fault.UnsupportedOperation.With("License configurations are not supported.")
	case len(in.SecondaryInterfaces) > 0:
		return fault.UnsupportedOperation.With("Secondary networks are not supported.")
	case in.Operator != nil:
		return fault.UnsupportedOperation.With("The parameter operator is reserved for internal use.")
	case in.KernelId != "" || in.RamdiskId != "":
		return fault.InvalidParameterCombination.Say("Kernel and ramdisk cannot be specified for images of virtualization type hvm.")
	}
	return nil
}

// what finds image, type and key.
func (l *launch) what() error {
	in := l.in
	if l.image = vpc.ImageWithID(l.tx.Region, in.ImageId); l.image == nil {
		return fault.InvalidAMIIDNotFound.With(in.ImageId)
	}
	name := in.InstanceType
	if name == "" {
		name = "m1.small" // EC2's default: API reference, RunInstances
	}
	if l.kind = vpc.InstanceTypeNamed(name); l.kind == nil {
		return fault.InvalidParameterValue.Say("Invalid value '%s' for InstanceType.", name)
	}
	if !slices.Contains(l.kind.Arch, l.image.Arch) {
		return fault.InvalidParameterValue.Say("The architecture '%s' of the specified instance type does not match the architecture '%s' of the specified AMI. Specify an instance type and an AMI that have matching architectures, and try again. You can use 'describe-instance-types' or 'describe-images' to discover the architecture of the instance type or AMI.",
			strings.Join(l.kind.Arch, ","), l.image.Arch)
	}
	if in.KeyName != "" && keyPairNamed(l.tx, in.KeyName) == nil {
		return fault.InvalidKeyPairNotFound.With(in.KeyName)
	}
	return checkUserData(in.UserData)
}

// checkUserData refuses what is no base64 or too long: EC2 user guide, "Run
// commands when you launch an EC2 instance with user data input".
func checkUserData(data string) error {
	raw, err := base64.StdEncoding.DecodeString(data)
	switch {
	case err != nil:
		return fault.InvalidParameterValue.Say("Invalid BASE64 encoding of user data.")
	case len(raw) > 16<<10:
		return fault.InvalidParameterValue.Say("User data is limited to 16384 bytes")
	}
	return nil
}

// where finds subnets and groups, and lays out the interfaces.
func (l *launch) where() error {
	in := l.in
	if len(in.NetworkInterfaces) == 0 {
		return l.oneInterface()
	}
	const mixed = "Network interfaces and an instance-level %s may not be specified on the same request"
	switch {
	case len(in.SecurityGroupIds) > 0 || len(in.SecurityGroups) > 0:
		return fault.InvalidParameterCombination.Say(mixed, "security groups")
	case in.SubnetId != "":
		return fault.InvalidParameterCombination.Say(mixed, "subnet ID")
	case in.PrivateIpAddress != "":
		return fault.InvalidParameterCombination.Say(mixed, "private address")
	case len(in.Ipv6Addresses) > 0 || in.Ipv6AddressCount != nil || in.EnablePrimaryIpv6 != nil:
		return fault.InvalidParameterCombination.Say(mixed, "IPv6 address")
	}
	taken := map[[2]int32]bool{}
	for n := range in.NetworkInterfaces {
		li, err := l.specified(&in.NetworkInterfaces[n])
		if err != nil {
			return err
		}
		at := [2]int32{li.card, li.index}
		if taken[at] {
			return fault.InvalidParameterValue.Say("Each network interface requires a unique device index.")
		}
		taken[at] = true
		l.interfaces = append(l.interfaces, *li)
	}
	if !taken[[2]int32{0, 0}] {
		return fault.InvalidParameterCombination.Say("When specifying network interfaces, you must include a device at index 0.")
	}
	if n := int32(len(l.interfaces)); n > l.kind.Interfaces {
		return fault.AttachmentLimitExceeded.With(n, l.kind.Name)
	}
	slices.SortStableFunc(l.interfaces, func(a, b launchInterface) int {
		return int(a.card-b.card)<<8 + int(a.index-b.index)
	})
	return l.zones()
}

// oneInterface is for a request without interfaces of its own: each instance
// gets one.
func (l *launch) oneInterface() error {
	in := l.in
	groups := in.SecurityGroupIds
	if len(in.SecurityGroups) > 0 {
		if in.SubnetId != "" {
			return fault.InvalidParameterCombination.With("groupName", "subnet")
		}
		groups = slices.Clone(groups)
		for _, name := range in.SecurityGroups {
			g, err := groupNamed(l.tx, name)
			if err != nil {
				return err
			}
			groups = append(groups, string(g.ID))
		}
	}
	if *in.MaxCount > 1 && (in.PrivateIpAddress != "" || len(in.Ipv6Addresses) > 0) {
		return fault.InvalidParameterCombination.Say("An address cannot be specified when more than one instance is launched.")
	}
	id := in.SubnetId
	if id == "" {
		s, err := l.defaultSubnet()
		if err != nil {
			return err
		}
		id = string(s.ID)
	}
	s, err := subnetOf(l.tx, id)
	if err != nil {
		return err
	}
	if err := l.groupsFit(s, groups); err != nil {
		return err
	}
	l.interfaces = []launchInterface{{
		create: &CreateNetworkInterfaceInput{
			SubnetId: id, Groups: groups, PrivateIpAddress: in.PrivateIpAddress,
			Ipv6Addresses: in.Ipv6Addresses, Ipv6AddressCount: in.Ipv6AddressCount, EnablePrimaryIpv6: in.EnablePrimaryIpv6,
		},
		deleteOnTermination: true, public: s.MapPublicIP,
	}}
	return l.zones()
}

// specified reads one of the request's interfaces.
func (l *launch) specified(n *InstanceNetworkInterfaceSpecification) (*launchInterface, error) {
	if n.DeviceIndex == nil {
		return nil, fault.MissingParameter.With("NetworkInterface.DeviceIndex")
	}
	li := &launchInterface{index: *n.DeviceIndex, deleteOnTermination: true}
	if n.NetworkCardIndex != nil {
		li.card = *n.NetworkCardIndex
	}
	switch {
	case li.index < 0:
		return nil, fault.InvalidParameterValue.Say("Value (%d) for parameter deviceIndex is invalid. It cannot be negative.", li.index)
	case li.card != 0:
		return nil, fault.InvalidParameterValue.Say("Value (%d) for parameter networkCardIndex is invalid. Instances of type %s have one network card.", li.card, l.kind.Name)
	case n.AssociateCarrierIpAddress != nil && *n.AssociateCarrierIpAddress:
		return nil, fault.UnsupportedOperation.With("Carrier IP addresses belong to Wavelength Zones.")
	case n.AssociatePublicIpAddress != nil && *n.AssociatePublicIpAddress && (len(l.in.NetworkInterfaces) > 1 || li.index != 0):
		return nil, fault.InvalidParameterCombination.Say("The associatePublicIPAddress parameter cannot be specified when launching with multiple network interfaces.")
	}
	if n.EnaQueueCount != nil {
		li.queues = *n.EnaQueueCount
	}
	if e := n.EnaSrdSpecification; e != nil {
		li.srd = e.EnaSrdEnabled != nil && *e.EnaSrdEnabled
		u := e.EnaSrdUdpSpecification
		li.srdUDP = u != nil && u.EnaSrdUdpEnabled != nil && *u.EnaSrdUdpEnabled
	}
	if n.NetworkInterfaceId != "" {
		return li, l.existing(n, li)
	}
	if *l.in.MaxCount > 1 && (n.PrivateIpAddress != "" || len(n.PrivateIpAddresses) > 0 || len(n.Ipv6Addresses) > 0) {
		return nil, fault.InvalidParameterCombination.Say("An address cannot be specified when more than one instance is launched.")
	}
	if n.DeleteOnTermination != nil {
		li.deleteOnTermination = *n.DeleteOnTermination
	}
	id := n.SubnetId
	if id == "" {
		s, err := l.defaultSubnet()
		if err != nil {
			return nil, err
		}
		id = string(s.ID)
	}
	s, err := subnetOf(l.tx, id)
	if err != nil {
		return nil, err
	}
	if err := l.groupsFit(s, n.Groups); err != nil {
		return nil, err
	}
	li.public = s.MapPublicIP && len(l.in.NetworkInterfaces) == 1
	if n.AssociatePublicIpAddress != nil {
		li.public = *n.AssociatePublicIpAddress
	}
	li.create = &CreateNetworkInterfaceInput{
		SubnetId: id, Groups: n.Groups, Description: n.Description, PrivateIpAddress: n.PrivateIpAddress,
		PrivateIpAddresses: n.PrivateIpAddresses, SecondaryPrivateIpAddressCount: n.SecondaryPrivateIpAddressCount,
		Ipv6Addresses: n.Ipv6Addresses, Ipv6AddressCount: n.Ipv6AddressCount, EnablePrimaryIpv6: n.PrimaryIpv6,
		Ipv4Prefixes: n.Ipv4Prefixes, Ipv4PrefixCount: n.Ipv4PrefixCount, Ipv6Prefixes: n.Ipv6Prefixes, Ipv6PrefixCount: n.Ipv6PrefixCount,
		InterfaceType: n.InterfaceType, ConnectionTrackingSpecification: n.ConnectionTrackingSpecification,
	}
	return li, nil
}

// existing reads an interface of the request that names one.
func (l *launch) existing(n *InstanceNetworkInterfaceSpecification, li *launchInterface) error {
	const both = "A network interface may not specify both a network interface ID and a %s"
	switch {
	case n.SubnetId != "":
		return fault.InvalidParameterCombination.Say(both, "subnet")
	case len(n.Groups) > 0:
		return fault.InvalidParameterCombination.Say(both, "security group")
	case n.PrivateIpAddress != "" || len(n.PrivateIpAddresses) > 0 || n.SecondaryPrivateIpAddressCount != nil || len(n.Ipv6Addresses) > 0 || n.Ipv6AddressCount != nil:
		return fault.InvalidParameterCombination.Say(both, "private address")
	case n.AssociatePublicIpAddress != nil && *n.AssociatePublicIpAddress:
		return fault.InvalidParameterCombination.Say(both, "public address")
	case *l.in.MaxCount > 1:
		return fault.InvalidParameterCombination.Say("A network interface ID cannot be specified when more than one instance is launched.")
	}
	i, err := interfaceOf(l.tx, n.NetworkInterfaceId)
	if err != nil {
		return err
	}
	if i.Attachment != nil && i.Attachment.Instance != "" {
		return fault.InvalidNetworkInterfaceInUse.With(i.ID)
	}
	for _, other := range l.interfaces {
		if other.existing == i.ID {
			return fault.InvalidNetworkInterfaceInUse.With(i.ID)
		}
	}
	li.existing = i.ID
	li.deleteOnTermination = n.DeleteOnTermination != nil && *n.DeleteOnTermination
	return nil
}

// groupsFit refuses groups that interfaces of a subnet cannot have.
func (l *launch) groupsFit(s *vpc.Subnet, groups []string) error {
	for _, id := range groups {
		g, err := groupByID(l.tx, id)
		if err != nil {
			return err
		}
		if !usableIn(l.tx, g, s.VPC) {
			return fault.InvalidParameter.With(fmt.Sprintf("Security group %s and subnet %s belong to different networks.", g.ID, s.ID))
		}
	}
	if len(groups) > groupLimit(l.tx.Quotas) {
		return fault.GroupsPerInstanceLimitExceeded.With()
	}
	return nil
}

// defaultSubnet gives the subnet for who names none: the default one of the
// zone that was asked for, or of the first that has one.
func (l *launch) defaultSubnet() (*vpc.Subnet, error) {
	v := state.DefaultVPC(l.tx)
	if v == nil {
		return nil, fault.VPCIdNotSpecifiedForName.With()
	}
	zone := l.zoneAsked()
	var found *vpc.Subnet
	for s := range state.Subnets.By(l.tx, state.SubnetsByVPC, string(v.ID)) {
		if s.DefaultForAZ && (zone == "" || s.AvailabilityZone == zone) && (found == nil || s.AvailabilityZone < found.AvailabilityZone) {
			found = s
		}
	}
	switch {
	case found != nil:
		return found, nil
	case zone != "":
		if _, ok := vpc.ZoneNamed(l.tx.Region, zone); !ok {
			return nil, fault.InvalidParameterValue.Say("Invalid availability zone: [%s]", zone)
		}
		return nil, fault.MissingInput.With(fmt.Sprintf("No default subnet for availability zone: '%s'.", zone))
	}
	return nil, fault.MissingInput.With(fmt.Sprintf("No subnets found for the default VPC '%s'. Please specify a subnet.", v.ID))
}

func (l *launch) zoneAsked() string {
	p := l.in.Placement
	switch {
	case p == nil:
		return ""
	case p.AvailabilityZone == "" && p.AvailabilityZoneId != "":
		if z, ok := vpc.ZoneByID(l.tx.Region, p.AvailabilityZoneId); ok {
			return z.Name
		}
		return p.AvailabilityZoneId
	}
	return p.AvailabilityZone
}

// zones holds all interfaces to one zone, which is the one asked for.
func (l *launch) zones() error {
	for n := range l.interfaces {
		li := &l.interfaces[n]
		subnet := vpc.SubnetID("")
		if li.create != nil {
			subnet = vpc.SubnetID(li.create.SubnetId)
		} else {
			subnet = state.Interfaces.Get(l.tx, li.existing).Subnet
		}
		s := state.Subnets.Get(l.tx, subnet)
		if l.subnet == nil {
			l.subnet = s
		}
		if s.AvailabilityZone != l.subnet.AvailabilityZone {
			return fault.InvalidParameterCombination.Say("You may not attach a network interface to an instance if they are not in the same availability zone")
		}
		if li.create != nil {
			if err := l.addressesFit(li.create); err != nil {
				return err
			}
		}
	}
	if zone := l.zoneAsked(); zone != "" && zone != l.subnet.AvailabilityZone {
		return fault.InvalidParameterValue.Say("Value (%s) for parameter availabilityZone is invalid. Subnet %s is in %s.", zone, l.subnet.ID, l.subnet.AvailabilityZone)
	}
	return nil
}

// addressesFit holds a new interface to what the type allows: EC2 user guide,
// "Maximum IP addresses per network interface".
func (l *launch) addressesFit(c *CreateNetworkInterfaceInput) error {
	number := func(n *int32) int32 {
		if n == nil {
			return 0
		}
		return *n
	}
	v4 := max(1, int32(len(c.PrivateIpAddresses))) + number(c.SecondaryPrivateIpAddressCount) + number(c.Ipv4PrefixCount) + int32(len(c.Ipv4Prefixes))
	v6 := int32(len(c.Ipv6Addresses)) + number(c.Ipv6AddressCount) + number(c.Ipv6PrefixCount) + int32(len(c.Ipv6Prefixes))
	if v4 > l.kind.Addresses || v6 > l.kind.Addresses {
		return fault.PrivateIpAddressLimitExceeded.With()
	}
	return nil
}

// disks lays out the volumes: the image's, changed by the request's mapping of
// the same device, and those that the request adds.
func (l *launch) disks() error {
	root := vpc.Volume{Device: l.image.RootDevice, Size: l.image.Size, Type: l.image.VolumeType, Snapshot: l.image.Snapshot, DeleteOnTermination: true}
	volumes := []vpc.Volume{root}
	for _, m := range l.in.BlockDeviceMappings {
		if m.DeviceName == "" {
			return fault.MissingParameter.With("deviceName")
		}
		if m.VirtualName != "" || m.NoDevice != "" || m.Ebs == nil {
			continue // a disk of the machine, of which there is none
		}
		at := slices.IndexFunc(volumes, func(v vpc.Volume) bool { return v.Device == m.DeviceName })
		v := vpc.Volume{Device: m.DeviceName, Type: "gp2", DeleteOnTermination: true, Snapshot: m.Ebs.SnapshotId}
		if at >= 0 {
			if v = volumes[at]; at > 0 {
				return fault.InvalidBlockDeviceMapping.With(fmt.Sprintf("Device %s is mapped twice.", m.DeviceName))
			}
		}
		if err := readVolume(&v, m.Ebs); err != nil {
			return err
		}
		if at == 0 && v.Size < l.image.Size {
			return fault.InvalidBlockDeviceMapping.With(fmt.Sprintf("Volume of size %dGB is smaller than snapshot '%s', expect size>= %dGB", v.Size, l.image.Snapshot, l.image.Size))
		}
		if at >= 0 {
			volumes[at] = v
		} else {
			volumes = append(volumes, v)
		}
	}
	for n := range volumes {
		perform(&volumes[n])
	}
	l.volumes = volumes
	return nil
}

// readVolume sets what a mapping says of a volume.
func readVolume(v *vpc.Volume, e *EbsBlockDevice) error {
	if e.VolumeType != "" {
		if !slices.Contains([]string{"standard", "gp2", "gp3", "io1", "io2", "st1", "sc1"}, e.VolumeType) {
			return fault.InvalidParameterValue.Say("Value (%s) for parameter volumeType is invalid. The volume type is not supported.", e.VolumeType)
		}
		v.Type = e.VolumeType
	}
	if e.VolumeSize != nil {
		v.Size = *e.VolumeSize
	}
	if v.Size < 1 || v.Size > 65536 {
		return fault.InvalidBlockDeviceMapping.With(fmt.Sprintf("The size %d of the volume on %s is not valid.", v.Size, v.Device))
	}
	if e.Iops != nil {
		if !slices.Contains([]string{"gp3", "io1", "io2"}, v.Type) {
			return fault.InvalidParameterCombination.Say("The parameter iops is not supported for %s volumes.", v.Type)
		}
		v.IOPS = *e.Iops
	}
	if e.Throughput != nil {
		if v.Type != "gp3" {
			return fault.InvalidParameterCombination.Say("The parameter throughput is not supported for %s volumes.", v.Type)
		}
		v.Throughput = *e.Throughput
	}
	if e.DeleteOnTermination != nil {
		v.DeleteOnTermination = *e.DeleteOnTermination
	}
	v.Encrypted, v.KMSKey = e.Encrypted != nil && *e.Encrypted, e.KmsKeyId
	return nil
}

// perform fills in what a volume's type and size give: EBS user guide, "Amazon
// EBS volume types".
func perform(v *vpc.Volume) {
	switch v.Type {
	case "gp2":
		v.IOPS = min(16000, max(100, 3*v.Size))
	case "gp3":
		if v.IOPS == 0 {
			v.IOPS = 3000
		}
		if v.Throughput == 0 {
			v.Throughput = 125
		}
	}
}

// describe fills the model of the instances.
func (l *launch) describe() (err error) {
	in, tx := l.in, l.tx
	m := &l.model
	*m = vpc.Instance{
		Owner: tx.Account, Requester: tx.Caller.ID, ClientToken: in.ClientToken, State: vpc.Running, Launched: tx.Now,
		Image: l.image.ID, Type: l.kind.Name, Key: in.KeyName, VPC: l.subnet.VPC, Subnet: l.subnet.ID, AvailabilityZone: l.subnet.AvailabilityZone,
		Tenancy: "default", UserData: in.UserData, ShutdownBehavior: "stop", AutoRecovery: "default", CPUCredits: l.kind.Credits(),
		Architecture: l.image.Arch, RootDevice: l.image.RootDevice, BootMode: l.image.Boot, CapacityReservation: "open",
		Metadata:     vpc.MetadataOptions{Tokens: "optional", HopLimit: 1, Endpoint: "enabled", IPv6: "disabled", Tags: "disabled"},
		HostnameType: l.subnet.HostnameType, DNSARecord: l.subnet.DNSARecord, DNSAAAA: l.subnet.DNSAAAA,
	}
	if l.image.IMDS == "v2.0" { // EC2 user guide, "Configure the instance metadata options", order of precedence
		m.Metadata.Tokens, m.Metadata.HopLimit = "required", 2
	}
	if v := state.VPCs.Get(tx, l.subnet.VPC); v != nil && v.Tenancy == "dedicated" {
		m.Tenancy = "dedicated"
	}
	if p := in.Placement; p != nil && p.Tenancy != "" {
		m.Tenancy = p.Tenancy
	}
	m.DisableTermination = in.DisableApiTermination != nil && *in.DisableApiTermination
	m.DisableStop = in.DisableApiStop != nil && *in.DisableApiStop
	m.EBSOptimized = in.EbsOptimized != nil && *in.EbsOptimized
	m.Monitoring = in.Monitoring != nil && in.Monitoring.Enabled != nil && *in.Monitoring.Enabled
	m.Hibernation = in.HibernationOptions != nil && in.HibernationOptions.Configured != nil && *in.HibernationOptions.Configured
	m.Enclave = in.EnclaveOptions != nil && in.EnclaveOptions.Enabled != nil && *in.EnclaveOptions.Enabled
	if b := in.InstanceInitiatedShutdownBehavior; b != "" {
		m.ShutdownBehavior = b
	}
	if err := oneOf("instanceInitiatedShutdownBehavior", m.ShutdownBehavior, "stop", "terminate"); err != nil {
		return err
	}
	if c := in.CreditSpecification; c != nil && c.CpuCredits != "" {
		if !l.kind.Burstable {
			return fault.InvalidParameterCombination.Say("The parameter CreditSpecification is not supported for instance type %s.", l.kind.Name)
		}
		if err := oneOf("cpuCredits", c.CpuCredits, "standard", "unlimited"); err != nil {
			return err
		}
		m.CPUCredits = c.CpuCredits
	}
	if c := in.CapacityReservationSpecification; c != nil && c.CapacityReservationPreference != "" {
		if err := oneOf("capacityReservationPreference", c.CapacityReservationPreference, "open", "none", "capacity-reservations-only"); err != nil {
			return err
		}
		m.CapacityReservation = c.CapacityReservationPreference
	}
	if c := in.CpuOptions; c != nil {
		if c.CoreCount != nil {
			m.Cores = *c.CoreCount
		}
		if c.ThreadsPerCore != nil {
			m.ThreadsPerCore = *c.ThreadsPerCore
		}
		if m.Cores < 0 || m.Cores > l.kind.Cores() || m.ThreadsPerCore < 0 || m.ThreadsPerCore > l.kind.Threads {
			return fault.InvalidParameterCombination.Say("The specified CpuOptions are not supported for instance type %s.", l.kind.Name)
		}
	}
	if o := in.MaintenanceOptions; o != nil && o.AutoRecovery != "" {
		if err := oneOf("autoRecovery", o.AutoRecovery, "default", "disabled"); err != nil {
			return err
		}
		m.AutoRecovery = o.AutoRecovery
	}
	if o := in.PrivateDnsNameOptions; o != nil {
		if o.HostnameType != "" {
			if err := oneOf("hostnameType", o.HostnameType, "ip-name", "resource-name"); err != nil {
				return err
			}
			m.HostnameType = o.HostnameType
		}
		if o.EnableResourceNameDnsARecord != nil {
			m.DNSARecord = *o.EnableResourceNameDnsARecord
		}
		if o.EnableResourceNameDnsAAAARecord != nil {
			m.DNSAAAA = *o.EnableResourceNameDnsAAAARecord
		}
	}
	if o := in.MetadataOptions; o != nil {
		if err := m.Metadata.Set(o.HttpTokens, o.HttpPutResponseHopLimit, o.HttpEndpoint, o.HttpProtocolIpv6, o.InstanceMetadataTags); err != nil {
			return err
		}
	}
	if m.Profile, err = profileARN(tx, in.IamInstanceProfile); err != nil {
		return err
	}
	l.tags, err = taggedWithEach(tx, in.TagSpecifications, "instance", "volume", "network-interface")
	m.Tags = l.tags["instance"]
	return err
}

// profileARN gives the ARN of the instance profile that a request names. Who
// may be what is not looked at: nothing hands out a profile's credentials here.
func profileARN(tx *state.Txn, p *IamInstanceProfileSpecification) (string, error) {
	switch {
	case p == nil || p.Arn == "" && p.Name == "":
		return "", nil
	case p.Arn != "" && p.Name != "":
		return "", fault.InvalidParameterCombination.With("iamInstanceProfile.name", "iamInstanceProfile.arn")
	case p.Name != "":
		return "arn:" + vpc.Partition(tx.Region) + ":iam::" + string(tx.Account) + ":instance-profile/" + p.Name, nil
	case !strings.Contains(p.Arn, ":instance-profile/"):
		return "", fault.InvalidParameterValue.With(p.Arn, "iamInstanceProfile.arn", "Invalid IAM Instance Profile ARN")
	}
	return p.Arn, nil
}

// oneOf refuses a value that is none of those allowed.
func oneOf(parameter, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return fault.InvalidParameterValue.With(value, parameter, "Valid values are: "+strings.Join(allowed, ", ")+".")
}

// make makes as many of the instances as can be, at least MinCount.
func (l *launch) make() ([]*vpc.Instance, error) {
	reservation := l.tx.NewID(vpc.ReservationPrefix)
	var out []*vpc.Instance
	for n := range min(*l.in.MaxCount, mostInstances) {
		i, err := l.one(reservation, n)
		var f *fault.Error
		if n >= *l.in.MinCount && errors.As(err, &f) && (f.Code == fault.InsufficientFreeAddresses.Code || f.Code == fault.NetworkInterfaceLimitExceeded.Code) {
			break
		}
		if err != nil {
			return nil, err
		}
		out = append(out, i)
	}
	return out, nil
}

// one makes one instance with its interfaces and volumes. On error it leaves
// nothing of it.
func (l *launch) one(reservation string, index int32) (*vpc.Instance, error) {
	tx, i := l.tx, l.model
	i.ID, i.Reservation, i.LaunchIndex = vpc.InstanceID(tx.NewID(vpc.InstancePrefix)), reservation, index
	var made []vpc.InterfaceID
	for n := range l.interfaces {
		eni, err := l.attach(&l.interfaces[n], i.ID)
		if err != nil {
			for _, id := range made {
				state.Interfaces.Delete(tx, id)
			}
			return nil, err
		}
		if l.interfaces[n].create != nil {
			made = append(made, eni.ID)
		}
	}
	for _, v := range l.volumes {
		v.ID, v.Owner, v.AvailabilityZone = vpc.VolumeID(tx.NewID(vpc.VolumePrefix)), tx.Account, i.AvailabilityZone
		v.Created, v.Attached, v.Instance, v.Tags = tx.Now, tx.Now, i.ID, l.tags["volume"]
		state.Volumes.Put(tx, &v)
	}
	state.Instances.Put(tx, &i)
	return &i, nil
}

// attach puts one interface of a new instance.
func (l *launch) attach(li *launchInterface, id vpc.InstanceID) (*vpc.Interface, error) {
	tx := l.tx
	var eni *vpc.Interface
	if li.create != nil {
		var err error
		if eni, err = makeInterface(tx, li.create); err != nil {
			return nil, err
		}
		eni.Tags = l.tags["network-interface"]
		if eni.PublicIPOnAttach = li.public; li.public {
			if err := launchPublic(tx, eni); err != nil {
				return nil, err
			}
		}
	} else {
		c := *state.Interfaces.Get(tx, li.existing)
		eni = &c
	}
	if li.srd {
		eni.ENASrd, eni.ENASrdUDP = true, li.srdUDP
	}
	attachTo(tx, eni, id, li.index, li.card)
	eni.Attachment.DeleteOnTermination, eni.Attachment.ENAQueues = li.deleteOnTermination, li.queues
	state.Interfaces.Put(tx, eni)
	return eni, nil
}

// attachTo sets the attachment of an interface that is not in a view yet. One
// that a device carries keeps its attachment's id, by which the operator knows
// it.
func attachTo(tx *state.Txn, eni *vpc.Interface, id vpc.InstanceID, index, card int32) {
	a := &vpc.Attachment{Instance: string(id), InstanceOwner: tx.Account, DeviceIndex: index, CardIndex: card, Attached: tx.Now}
	if old := eni.Attachment; old != nil {
		a.ID, a.Device = old.ID, old.Device
	} else {
		a.ID = tx.NewID(vpc.AttachmentPrefix)
	}
	eni.Attachment = a
}
