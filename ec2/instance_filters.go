package ec2

import (
	"slices"
	"strconv"
	"strings"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

var instancePage = action.Page{WithIDs: fault.InvalidParameterCombination.With("instancesSet", "maxResults")}

var taggedInstances = &action.Tags[*vpc.Instance]{
	Of: func(i *vpc.Instance) vpc.Tags { return i.Tags },
	Find: func(c *action.Call, key, value string) seq[*vpc.Instance] {
		return shownOf(c, state.Instances.ByTag(c, key, value))
	},
}

// shownInstances gives the instances that a request names, as a Describe's IDs.
func shownInstances(c *action.Call, ids []string) ([]*vpc.Instance, bool, error) {
	if len(ids) == 0 {
		return nil, false, nil
	}
	rows, err := instancesByID(c, ids, func(i *vpc.Instance) bool { return i.Shown(c.Now) })
	return rows, true, err
}

// instancesFrom gives the instances at and after an id that are to be seen.
func instancesFrom(c *action.Call, id string) seq[*vpc.Instance] {
	return shownOf(c, state.Instances.From(c, vpc.InstanceID(id)))
}

func shownOf(c *action.Call, all seq[*vpc.Instance]) seq[*vpc.Instance] {
	return func(yield func(*vpc.Instance) bool) {
		for i := range all {
			if i.Shown(c.Now) && !yield(i) {
				return
			}
		}
	}
}

// onInterfaces gives a filter over what the interfaces of an instance have. A
// terminated one has none.
func onInterfaces(name string, each func(c *action.Call, i *vpc.Interface, yield func(string))) action.Match[*vpc.Instance] {
	return action.Match[*vpc.Instance]{Name: name, Values: func(c *action.Call, i *vpc.Instance, yield func(string)) {
		for _, eni := range interfacesOn(c, i.ID) {
			each(c, eni, yield)
		}
	}}
}

// onPrimary is onInterfaces for the first one alone.
func onPrimary(name string, each func(c *action.Call, i *vpc.Interface, yield func(string))) action.Match[*vpc.Instance] {
	return action.Match[*vpc.Instance]{Name: name, Values: func(c *action.Call, i *vpc.Instance, yield func(string)) {
		for n, eni := range interfacesOn(c, i.ID) {
			if n == 0 {
				each(c, eni, yield)
			}
		}
	}}
}

// throughInterfaces makes a finder of interfaces one of their instances.
func throughInterfaces(find func(c *action.Call, value string) seq[*vpc.Interface]) func(*action.Call, string) seq[*vpc.Instance] {
	return func(c *action.Call, value string) seq[*vpc.Instance] {
		var found []*vpc.Instance
		for eni := range find(c, value) {
			if eni.Attachment == nil || eni.Attachment.Instance == "" {
				continue
			}
			if i := state.Instances.Get(c, vpc.InstanceID(eni.Attachment.Instance)); i != nil {
				found = append(found, i)
			}
		}
		slices.SortFunc(found, func(a, b *vpc.Instance) int { return strings.Compare(string(a.ID), string(b.ID)) })
		return slices.Values(slices.Compact(found))
	}
}

func foundInstances(find func(*action.Call, string) seq[*vpc.Instance]) func(*action.Call, string) seq[*vpc.Instance] {
	return func(c *action.Call, value string) seq[*vpc.Instance] { return shownOf(c, find(c, value)) }
}

func eachGroup(_ *action.Call, i *vpc.Interface, yield func(string)) {
	for _, id := range i.Groups {
		yield(string(id))
	}
}

func eachGroupName(c *action.Call, i *vpc.Interface, yield func(string)) {
	for _, id := range i.Groups {
		yield(groupName(c, id))
	}
}

func eachAddress(_ *action.Call, i *vpc.Interface, yield func(string)) { eachIPv4(i, yield) }

func eachIPv6(_ *action.Call, i *vpc.Interface, yield func(string)) {
	for _, a := range i.IPv6 {
		yield(a.String())
	}
}

// ofInterface gives a value that every interface has.
func ofInterface(get func(*vpc.Interface) string) func(*action.Call, *vpc.Interface, func(string)) {
	return func(_ *action.Call, i *vpc.Interface, yield func(string)) {
		if v := get(i); v != "" {
			yield(v)
		}
	}
}

// ofPublic gives a value of each public address of an interface.
func ofPublic(get func(*vpc.Interface, vpc.PublicAddress) string) func(*action.Call, *vpc.Interface, func(string)) {
	return func(_ *action.Call, i *vpc.Interface, yield func(string)) {
		for _, p := range i.Public {
			if v := get(i, p); v != "" {
				yield(v)
			}
		}
	}
}

// publicNames gives the public names of an interface where its VPC has names.
func publicNames(c *action.Call, i *vpc.Interface, yield func(string)) {
	if v := state.VPCs.Get(c, i.VPC); v == nil || !v.EnableDNSHostnames {
		return
	}
	for _, p := range i.Public {
		yield(vpc.PublicDNSName(c.Region, p.Address))
	}
}

func ofVolumes(name string, get func(*vpc.Volume) string) action.Match[*vpc.Instance] {
	return action.Match[*vpc.Instance]{Name: name, Values: func(c *action.Call, i *vpc.Instance, yield func(string)) {
		for v := range state.Volumes.By(c, state.VolumesByInstance, string(i.ID)) {
			yield(get(v))
		}
	}}
}

func never[Row any](name string) action.Match[Row] {
	return action.On(name, func(Row) string { return "" })
}

// placed is a filter on where a living instance is.
func placed(name string, get func(*vpc.Instance) string) action.Match[*vpc.Instance] {
	return action.On(name, func(i *vpc.Instance) string {
		if i.State == vpc.Terminated {
			return ""
		}
		return get(i)
	})
}

func zoneIDOf(c *action.Call, name string) string {
	z, _ := vpc.ZoneNamed(c.Region, name)
	return z.ID
}

// instanceFilters are those of the API reference for DescribeInstances.
var instanceFilters = slices.Concat([]action.Match[*vpc.Instance]{
	action.On("instance-id", func(i *vpc.Instance) string { return string(i.ID) }).Indexed(foundInstances(findID(state.Instances))),
	action.On("reservation-id", func(i *vpc.Instance) string { return i.Reservation }).Indexed(foundInstances(findBy(state.Instances, state.InstancesByReservation))),
	placed("vpc-id", func(i *vpc.Instance) string { return string(i.VPC) }).Indexed(foundInstances(findBy(state.Instances, state.InstancesByVPC))),
	placed("subnet-id", func(i *vpc.Instance) string { return string(i.Subnet) }).Indexed(foundInstances(findBy(state.Instances, state.InstancesBySubnet))),
	action.On("instance-state-name", func(i *vpc.Instance) string { return string(i.State) }),
	action.On("instance-state-code", stateCode),
	action.On("instance-type", func(i *vpc.Instance) string { return i.Type }),
	action.On("image-id", func(i *vpc.Instance) string { return i.Image }),
	action.On("key-name", func(i *vpc.Instance) string { return i.Key }),
	action.On("owner-id", func(i *vpc.Instance) string { return string(i.Owner) }),
	action.On("requester-id", func(i *vpc.Instance) string { return i.Requester }),
	action.On("client-token", func(i *vpc.Instance) string { return i.ClientToken }),
	action.On("launch-index", func(i *vpc.Instance) string { return strconv.Itoa(int(i.LaunchIndex)) }),
	action.On("launch-time", func(i *vpc.Instance) string { return i.Launched.UTC().Format("2006-01-02T15:04:05.000Z") }),
	action.On("availability-zone", func(i *vpc.Instance) string { return i.AvailabilityZone }),
	{Name: "availability-zone-id", Values: func(c *action.Call, i *vpc.Instance, yield func(string)) { yield(zoneIDOf(c, i.AvailabilityZone)) }},
	action.On("tenancy", func(i *vpc.Instance) string { return i.Tenancy }).Also("placement-tenancy"),
	action.On("architecture", func(i *vpc.Instance) string { return i.Architecture }),
	action.On("boot-mode", func(i *vpc.Instance) string { return i.BootMode }),
	action.On("current-instance-boot-mode", bootedBy),
	action.On("root-device-name", func(i *vpc.Instance) string { return i.RootDevice }),
	action.On("root-device-type", func(*vpc.Instance) string { return "ebs" }),
	action.On("virtualization-type", func(*vpc.Instance) string { return "hvm" }),
	action.On("hypervisor", func(*vpc.Instance) string { return "xen" }),
	action.On("platform-details", func(*vpc.Instance) string { return "Linux/UNIX" }),
	action.On("usage-operation", func(*vpc.Instance) string { return "RunInstances" }),
	action.On("usage-operation-update-time", func(i *vpc.Instance) string { return i.Launched.UTC().Format("2006-01-02T15:04:05.000Z") }),
	action.On("monitoring-state", func(i *vpc.Instance) string { return monitoring(i.Monitoring) }),
	action.On("iam-instance-profile.arn", func(i *vpc.Instance) string { return i.Profile }),
	action.On("iam-instance-profile.id", func(i *vpc.Instance) string {
		if i.Profile == "" {
			return ""
		}
		return vpc.ProfileID(i.Profile)
	}),
	action.On("iam-instance-profile.name", func(i *vpc.Instance) string { return i.Profile[strings.LastIndexByte(i.Profile, '/')+1:] }),
	action.OnBool("ebs-optimized", func(i *vpc.Instance) bool { return i.EBSOptimized }),
	action.OnBool("enclave-options.enabled", func(i *vpc.Instance) bool { return i.Enclave }),
	action.OnBool("hibernation-options.configured", func(i *vpc.Instance) bool { return i.Hibernation }),
	action.On("maintenance-options.auto-recovery", func(i *vpc.Instance) string { return i.AutoRecovery }),
	action.On("metadata-options.http-tokens", func(i *vpc.Instance) string { return i.Metadata.Tokens }),
	action.On("metadata-options.http-put-response-hop-limit", func(i *vpc.Instance) string { return strconv.Itoa(int(i.Metadata.HopLimit)) }),
	action.On("metadata-options.http-endpoint", func(i *vpc.Instance) string { return i.Metadata.Endpoint }),
	action.On("metadata-options.http-protocol-ipv4", func(*vpc.Instance) string { return "enabled" }),
	action.On("metadata-options.http-protocol-ipv6", func(i *vpc.Instance) string { return i.Metadata.IPv6 }),
	action.On("metadata-options.instance-metadata-tags", func(i *vpc.Instance) string { return i.Metadata.Tags }),
	action.On("private-dns-name-options.hostname-type", func(i *vpc.Instance) string { return i.HostnameType }),
	action.OnBool("private-dns-name-options.enable-resource-name-dns-a-record", func(i *vpc.Instance) bool { return i.DNSARecord }),
	action.OnBool("private-dns-name-options.enable-resource-name-dns-aaaa-record", func(i *vpc.Instance) bool { return i.DNSAAAA }),
	action.On("reason", func(i *vpc.Instance) string {
		if i.State == vpc.Running {
			return ""
		}
		return "User initiated (" + i.Ended.UTC().Format("2006-01-02 15:04:05") + " GMT)"
	}),
	action.On("state-reason-code", func(i *vpc.Instance) string {
		if i.State == vpc.Running {
			return ""
		}
		return "Client.UserInitiatedShutdown"
	}),
	action.On("state-reason-message", func(i *vpc.Instance) string {
		if i.State == vpc.Running {
			return ""
		}
		return "Client.UserInitiatedShutdown: User initiated shutdown"
	}),
	action.OnBool("operator.managed", func(*vpc.Instance) bool { return false }),

	ofVolumes("block-device-mapping.device-name", func(v *vpc.Volume) string { return v.Device }),
	ofVolumes("block-device-mapping.volume-id", func(v *vpc.Volume) string { return string(v.ID) }),
	ofVolumes("block-device-mapping.status", func(*vpc.Volume) string { return "attached" }),
	ofVolumes("block-device-mapping.attach-time", func(v *vpc.Volume) string { return v.Attached.UTC().Format("2006-01-02T15:04:05.000Z") }),
	ofVolumes("block-device-mapping.delete-on-termination", func(v *vpc.Volume) string { return strconv.FormatBool(v.DeleteOnTermination) }),

	// Those of the primary interface are the instance's.
	onPrimary("instance.group-id", eachGroup).Also("group-id").Indexed(throughInterfaces(findBy(state.Interfaces, state.InterfacesByGroup))),
	onPrimary("instance.group-name", eachGroupName).Also("group-name"),
	onPrimary("source-dest-check", ofInterface(func(i *vpc.Interface) string { return strconv.FormatBool(i.SourceDestCheck) })),
	onPrimary("private-dns-name", func(c *action.Call, i *vpc.Interface, yield func(string)) {
		if len(i.Addresses) > 0 {
			yield(vpc.PrivateDNSName(c.Region, i.Addresses[0]))
		}
	}),
	onPrimary("ip-address", ofPublic(func(_ *vpc.Interface, p vpc.PublicAddress) string { return p.Address.String() })).
		Indexed(throughInterfaces(findBy(state.Interfaces, state.InterfacesByPublic))),
	onPrimary("dns-name", publicNames),
	onPrimary("private-ip-address", eachAddress).Indexed(throughInterfaces(interfacesWithAddress)),
	onPrimary("ipv6-address", eachIPv6),

	onInterfaces("network-interface.network-interface-id", ofInterface(func(i *vpc.Interface) string { return string(i.ID) })).
		Indexed(throughInterfaces(findID(state.Interfaces))),
	onInterfaces("network-interface.group-id", eachGroup).Indexed(throughInterfaces(findBy(state.Interfaces, state.InterfacesByGroup))),
	onInterfaces("network-interface.group-name", eachGroupName),
	onInterfaces("network-interface.subnet-id", ofInterface(func(i *vpc.Interface) string { return string(i.Subnet) })),
	onInterfaces("network-interface.vpc-id", ofInterface(func(i *vpc.Interface) string { return string(i.VPC) })),
	onInterfaces("network-interface.description", ofInterface(func(i *vpc.Interface) string { return i.Description })),
	onInterfaces("network-interface.mac-address", ofInterface(func(i *vpc.Interface) string { return i.MAC })).
		Indexed(throughInterfaces(findBy(state.Interfaces, state.InterfacesByMAC))),
	onInterfaces("network-interface.owner-id", ofInterface(func(i *vpc.Interface) string { return string(i.Owner) })),
	onInterfaces("network-interface.requester-id", ofInterface(func(i *vpc.Interface) string { return i.Requester })),
	onInterfaces("network-interface.requester-managed", ofInterface(func(*vpc.Interface) string { return "false" })),
	onInterfaces("network-interface.status", ofInterface(func(*vpc.Interface) string { return "in-use" })),
	onInterfaces("network-interface.source-dest-check", ofInterface(func(i *vpc.Interface) string { return strconv.FormatBool(i.SourceDestCheck) })),
	onInterfaces("network-interface.availability-zone", ofInterface(func(i *vpc.Interface) string { return i.AvailabilityZone })),
	onInterfaces("network-interface.private-dns-name", func(c *action.Call, i *vpc.Interface, yield func(string)) {
		if len(i.Addresses) > 0 {
			yield(vpc.PrivateDNSName(c.Region, i.Addresses[0]))
		}
	}),
	onInterfaces("network-interface.addresses.private-ip-address", eachAddress).Indexed(throughInterfaces(interfacesWithAddress)),
	onInterfaces("network-interface.addresses.primary", func(_ *action.Call, i *vpc.Interface, yield func(string)) {
		for n := range i.Addresses {
			yield(strconv.FormatBool(n == 0))
		}
	}),
	onInterfaces("network-interface.ipv6-addresses.ipv6-address", eachIPv6),
	onInterfaces("network-interface.ipv6-address", eachIPv6),
	onInterfaces("network-interface.addresses.association.public-ip", ofPublic(func(_ *vpc.Interface, p vpc.PublicAddress) string { return p.Address.String() })).
		Indexed(throughInterfaces(findBy(state.Interfaces, state.InterfacesByPublic))),
	onInterfaces("network-interface.association.public-ip", ofPublic(func(_ *vpc.Interface, p vpc.PublicAddress) string { return p.Address.String() })).
		Also("association.public-ip").Indexed(throughInterfaces(findBy(state.Interfaces, state.InterfacesByPublic))),
	onInterfaces("network-interface.association.allocation-id", ofPublic(func(_ *vpc.Interface, p vpc.PublicAddress) string { return string(p.Allocation) })).
		Also("association.allocation-id").Indexed(throughInterfaces(findBy(state.Interfaces, state.InterfacesByPublic))),
	onInterfaces("network-interface.association.association-id", ofPublic(func(_ *vpc.Interface, p vpc.PublicAddress) string { return p.Association })).
		Also("association.association-id").Indexed(throughInterfaces(findBy(state.Interfaces, state.InterfacesByPublic))),
	onInterfaces("network-interface.association.ip-owner-id", ofPublic(publicOwner)).
		Also("association.ip-owner-id", "network-interface.addresses.association.ip-owner-id"),
	onInterfaces("network-interface.association.public-dns-name", publicNames).Also("network-interface.public-dns-name"),
	onInterfaces("network-interface.attachment.attachment-id", ofInterface(func(i *vpc.Interface) string { return i.Attachment.ID })).
		Indexed(throughInterfaces(findBy(state.Interfaces, state.InterfacesByAttachment))),
	onInterfaces("network-interface.attachment.instance-id", ofInterface(func(i *vpc.Interface) string { return i.Attachment.Instance })),
	onInterfaces("network-interface.attachment.instance-owner-id", ofInterface(func(i *vpc.Interface) string { return string(i.Attachment.InstanceOwner) })),
	onInterfaces("network-interface.attachment.device-index", ofInterface(func(i *vpc.Interface) string { return strconv.Itoa(int(i.Attachment.DeviceIndex)) })),
	onInterfaces("network-interface.attachment.network-card-index", ofInterface(func(i *vpc.Interface) string { return strconv.Itoa(int(i.Attachment.CardIndex)) })),
	onInterfaces("network-interface.attachment.status", ofInterface(func(*vpc.Interface) string { return "attached" })),
	onInterfaces("network-interface.attachment.attach-time", ofInterface(func(i *vpc.Interface) string { return i.Attachment.Attached.UTC().Format("2006-01-02T15:04:05.000Z") })),
	onInterfaces("network-interface.attachment.delete-on-termination", ofInterface(func(i *vpc.Interface) string { return strconv.FormatBool(i.Attachment.DeleteOnTermination) })),
}, neverInstances())

// neverInstances are filters on what no instance has here.
func neverInstances() (out []action.Match[*vpc.Instance]) {
	for _, name := range []string{
		"affinity", "capacity-reservation-id", "capacity-reservation-specification.capacity-reservation-target.capacity-reservation-id",
		"capacity-reservation-specification.capacity-reservation-target.capacity-reservation-resource-group-arn", "host-id", "instance-lifecycle",
		"kernel-id", "ramdisk-id", "licenses.license-configuration-arn", "network-interface.outpost-arn", "network-interface.tag-key",
		"network-interface.tag-value", "network-interface.operator.principal", "operator.principal", "outpost-arn", "placement-group-name",
		"placement-partition-number", "platform", "product-code", "product-code.type", "ramdisk-id", "spot-instance-request-id",
		"network-performance-options.bandwidth-weighting", "tag-value",
		"network-interface.ipv4-prefixes.ipv4-prefix", "network-interface.ipv6-prefixes.ipv6-prefix", "network-interface.ipv6-native",
		"network-interface.deny-all-igw-traffic", "network-interface.association.carrier-ip", "network-interface.association.customer-owned-ip",
	} {
		out = append(out, never[*vpc.Instance](name))
	}
	return append(out, action.On("capacity-reservation-specification.capacity-reservation-preference", func(i *vpc.Instance) string { return i.CapacityReservation }))
}

func stateCode(i *vpc.Instance) string { return strconv.Itoa(int(codes[string(i.State)])) }
