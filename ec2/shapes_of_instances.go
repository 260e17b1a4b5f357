package ec2

import (
	"slices"

	"moat/state"
	"moat/vpc"
)

// instanceShape gives an instance as replies show it. A terminated one has lost
// its interfaces, and with them its addresses and groups.
func instanceShape(r state.Reader, region string, i *vpc.Instance) Instance {
	zone, _ := vpc.ZoneNamed(region, i.AvailabilityZone)
	s := Instance{
		InstanceId: string(i.ID), ImageId: i.Image, State: instanceState(string(i.State)), KeyName: i.Key,
		AmiLaunchIndex: ptr(i.LaunchIndex), InstanceType: i.Type, LaunchTime: i.Launched, ClientToken: i.ClientToken,
		Architecture: i.Architecture, RootDeviceName: i.RootDevice, RootDeviceType: "ebs", VirtualizationType: "hvm",
		Hypervisor: "xen", EbsOptimized: ptr(i.EBSOptimized), EnaSupport: ptr(true), BootMode: i.BootMode, CurrentInstanceBootMode: bootedBy(i),
		PlatformDetails: "Linux/UNIX", UsageOperation: "RunInstances", UsageOperationUpdateTime: i.Launched,
		Tags: tagsIfAny(i.Tags), Monitoring: &Monitoring{State: monitoring(i.Monitoring)},
		Placement:  &Placement{AvailabilityZone: i.AvailabilityZone, AvailabilityZoneId: zone.ID, Tenancy: i.Tenancy},
		CpuOptions: cpuOptions(i), MetadataOptions: metadataShape(&i.Metadata, "applied"),
		CapacityReservationSpecification: &CapacityReservationSpecificationResponse{CapacityReservationPreference: i.CapacityReservation},
		HibernationOptions:               &HibernationOptions{Configured: ptr(i.Hibernation)},
		EnclaveOptions:                   &EnclaveOptions{Enabled: ptr(i.Enclave)},
		MaintenanceOptions:               maintenanceShape(i),
		NetworkPerformanceOptions:        &InstanceNetworkPerformanceOptions{BandwidthWeighting: "default"},
		PrivateDnsNameOptions: &PrivateDnsNameOptionsResponse{
			HostnameType: i.HostnameType, EnableResourceNameDnsARecord: ptr(i.DNSARecord), EnableResourceNameDnsAAAARecord: ptr(i.DNSAAAA),
		},
		Operator: &OperatorResponse{},
	}
	if i.Profile != "" {
		s.IamInstanceProfile = &IamInstanceProfile{Arn: i.Profile, Id: vpc.ProfileID(i.Profile)}
	}
	for v := range state.Volumes.By(r, state.VolumesByInstance, string(i.ID)) {
		s.BlockDeviceMappings = append(s.BlockDeviceMappings, volumeMapping(v))
	}
	slices.SortFunc(s.BlockDeviceMappings, func(a, b InstanceBlockDeviceMapping) int {
		return compareRoot(i.RootDevice, a.DeviceName, b.DeviceName)
	})
	if i.State != vpc.Running {
		code, message := "Client.UserInitiatedShutdown", "Client.UserInitiatedShutdown: User initiated shutdown"
		s.StateReason = &StateReason{Code: code, Message: message}
		s.StateTransitionReason = "User initiated (" + i.Ended.UTC().Format("2006-01-02 15:04:05") + " GMT)"
	}
	if i.State == vpc.Terminated {
		return s
	}
	hostnames := false
	if v := state.VPCs.Get(r, i.VPC); v != nil {
		hostnames = v.EnableDNSHostnames
	}
	s.VpcId, s.SubnetId = string(i.VPC), string(i.Subnet)
	for n, eni := range interfacesOn(r, i.ID) {
		shape := instanceInterfaceShape(r, region, eni, hostnames)
		s.NetworkInterfaces = append(s.NetworkInterfaces, shape)
		if n > 0 {
			continue
		}
		// What is told of the instance is that of its primary interface.
		s.SecurityGroups, s.SourceDestCheck = shape.Groups, shape.SourceDestCheck
		s.PrivateIpAddress, s.PrivateDnsName = shape.PrivateIpAddress, shape.PrivateDnsName
		if i.HostnameType == "resource-name" {
			s.PrivateDnsName = vpc.ResourceDNSName(region, string(i.ID))
		}
		if shape.Association != nil {
			s.PublicIpAddress, s.PublicDnsName = shape.Association.PublicIp, shape.Association.PublicDnsName
		}
		if len(eni.IPv6) > 0 {
			s.Ipv6Address = eni.IPv6[0].String()
		}
	}
	return s
}

// instanceInterfaceShape gives an interface as its instance shows it.
func instanceInterfaceShape(r state.Reader, region string, i *vpc.Interface, hostnames bool) InstanceNetworkInterface {
	a := i.Attachment
	s := InstanceNetworkInterface{
		Attachment: &InstanceNetworkInterfaceAttachment{
			AttachTime: a.Attached, AttachmentId: a.ID, DeleteOnTermination: ptr(a.DeleteOnTermination),
			DeviceIndex: ptr(a.DeviceIndex), NetworkCardIndex: ptr(a.CardIndex), Status: "attached", EnaQueueCount: nonZero(a.ENAQueues),
		},
		Description: i.Description, Groups: groupIdentifiers(r, i.Groups), MacAddress: i.MAC, NetworkInterfaceId: string(i.ID),
		OwnerId: string(i.Owner), SourceDestCheck: ptr(i.SourceDestCheck), Status: "in-use", SubnetId: string(i.Subnet),
		VpcId: string(i.VPC), InterfaceType: i.Type, Operator: &OperatorResponse{},
	}
	if i.ENASrd {
		s.Attachment.EnaSrdSpecification = &InstanceAttachmentEnaSrdSpecification{
			EnaSrdEnabled: ptr(true), EnaSrdUdpSpecification: &InstanceAttachmentEnaSrdUdpSpecification{EnaSrdUdpEnabled: ptr(i.ENASrdUDP)},
		}
	}
	if t := i.Tracking; t != nil {
		s.ConnectionTrackingConfiguration = &ConnectionTrackingSpecificationResponse{
			TcpEstablishedTimeout: nonZero(t.TCPEstablished), UdpStreamTimeout: nonZero(t.UDPStream), UdpTimeout: nonZero(t.UDP),
		}
	}
	for n, addr := range i.Addresses {
		p := InstancePrivateIpAddress{Primary: ptr(n == 0), PrivateDnsName: vpc.PrivateDNSName(region, addr), PrivateIpAddress: addr.String()}
		if public, ok := i.PublicFor(addr); ok {
			p.Association = &InstanceNetworkInterfaceAssociation{IpOwnerId: publicOwner(i, public), PublicIp: public.Address.String()}
			if hostnames {
				p.Association.PublicDnsName = vpc.PublicDNSName(region, public.Address)
			}
		}
		s.PrivateIpAddresses = append(s.PrivateIpAddresses, p)
		if n == 0 {
			s.PrivateIpAddress, s.PrivateDnsName, s.Association = p.PrivateIpAddress, p.PrivateDnsName, p.Association
		}
	}
	for n, addr := range i.IPv6 {
		s.Ipv6Addresses = append(s.Ipv6Addresses, InstanceIpv6Address{Ipv6Address: addr.String(), IsPrimaryIpv6: ptr(n == 0 && i.PrimaryIPv6)})
	}
	for _, b := range i.IPv4Prefixes {
		s.Ipv4Prefixes = append(s.Ipv4Prefixes, InstanceIpv4Prefix{b.String()})
	}
	for _, b := range i.IPv6Prefixes {
		s.Ipv6Prefixes = append(s.Ipv6Prefixes, InstanceIpv6Prefix{b.String()})
	}
	return s
}

// publicOwner tells whose a public address is: one that came with a launch is
// EC2's own.
func publicOwner(i *vpc.Interface, p vpc.PublicAddress) string {
	if p.Launched() {
		return "amazon"
	}
	return string(i.Owner)
}

// compareRoot sorts device names, the root's first.
func compareRoot(root, a, b string) int {
	switch {
	case a == b:
		return 0
	case a == root:
		return -1
	case b == root || a > b:
		return 1
	}
	return -1
}

func monitoring(on bool) string {
	if on {
		return "enabled"
	}
	return "disabled"
}

// bootedBy tells how an instance was booted: by UEFI where its image prefers it
// and its type can.
func bootedBy(i *vpc.Instance) string {
	t := vpc.InstanceTypeNamed(i.Type)
	if t != nil && (i.BootMode == "uefi" || i.BootMode == "uefi-preferred") && slices.Contains(t.Boot, "uefi") {
		return "uefi"
	}
	return "legacy-bios"
}

func cpuOptions(i *vpc.Instance) *CpuOptions {
	o := &CpuOptions{CoreCount: ptr(i.Cores), ThreadsPerCore: ptr(i.ThreadsPerCore)}
	if t := vpc.InstanceTypeNamed(i.Type); t != nil {
		if i.Cores == 0 {
			o.CoreCount = ptr(t.Cores())
		}
		if i.ThreadsPerCore == 0 {
			o.ThreadsPerCore = ptr(t.Threads)
		}
	}
	return o
}

func metadataShape(m *vpc.MetadataOptions, stateName string) *InstanceMetadataOptionsResponse {
	return &InstanceMetadataOptionsResponse{
		State: stateName, HttpTokens: m.Tokens, HttpPutResponseHopLimit: ptr(m.HopLimit), HttpEndpoint: m.Endpoint,
		HttpProtocolIpv6: m.IPv6, InstanceMetadataTags: m.Tags,
	}
}

func maintenanceShape(i *vpc.Instance) *InstanceMaintenanceOptions {
	m := &InstanceMaintenanceOptions{AutoRecovery: i.AutoRecovery, RebootMigration: i.RebootMigration}
	if m.RebootMigration == "" {
		m.RebootMigration = "default"
	}
	return m
}

func volumeMapping(v *vpc.Volume) InstanceBlockDeviceMapping {
	return InstanceBlockDeviceMapping{DeviceName: v.Device, Ebs: &EbsInstanceBlockDevice{
		AttachTime: v.Attached, DeleteOnTermination: ptr(v.DeleteOnTermination), Status: "attached", VolumeId: string(v.ID),
	}}
}
