package ec2

import (
	"strconv"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

var DescribeNetworkInterfaces = action.Describe[DescribeNetworkInterfacesInput, DescribeNetworkInterfacesOutput, *vpc.Interface, NetworkInterface]{
	Name: "DescribeNetworkInterfaces",
	Doc:  "Lists network interfaces, by id or by filter.",
	List: "networkInterfaceSet",

	// No service manages interfaces here, so IncludeManagedResources has none
	// to include.
	IDs: func(c *action.Call, in *DescribeNetworkInterfacesInput) ([]*vpc.Interface, bool, error) {
		return named(c, state.Interfaces, in.NetworkInterfaceIds, checkInterfaceID, fault.InvalidNetworkInterfaceNotFound)
	},
	From: fromKind[DescribeNetworkInterfacesInput](state.Interfaces),
	ID:   func(i *vpc.Interface) string { return string(i.ID) },
	Page: action.Page{WithIDs: fault.InvalidParameterCombination.With("networkInterfaceIdSet", "maxResults")},

	Filters: interfaceFilters,
	Tags:    taggedRows(state.Interfaces, func(i *vpc.Interface) vpc.Tags { return i.Tags }),

	Shape: func(c *action.Call, i *vpc.Interface) NetworkInterface { return interfaceShape(c, c.Region, i) },
	Key: func(i *vpc.Interface) any {
		if len(i.Public) > 0 {
			return nil
		}
		return i
	},
}

var interfaceFilters = []action.Match[*vpc.Interface]{
	action.On("network-interface-id", func(i *vpc.Interface) string { return string(i.ID) }).Indexed(findID(state.Interfaces)),
	action.On("vpc-id", func(i *vpc.Interface) string { return string(i.VPC) }).Indexed(findBy(state.Interfaces, state.InterfacesByVPC)),
	action.On("subnet-id", func(i *vpc.Interface) string { return string(i.Subnet) }).Indexed(findBy(state.Interfaces, state.InterfacesBySubnet)),
	action.On("mac-address", func(i *vpc.Interface) string { return i.MAC }).Indexed(findBy(state.Interfaces, state.InterfacesByMAC)),
	action.OnEach("group-id", func(i *vpc.Interface, yield func(string)) {
		for _, id := range i.Groups {
			yield(string(id))
		}
	}).Indexed(findBy(state.Interfaces, state.InterfacesByGroup)),
	{Name: "group-name", Values: func(c *action.Call, i *vpc.Interface, yield func(string)) {
		for _, id := range i.Groups {
			yield(groupName(c, id))
		}
	}},

	action.OnEach("addresses.private-ip-address", eachIPv4).Also("private-ip-address").Indexed(interfacesWithAddress),
	action.OnEach("addresses.primary", func(i *vpc.Interface, yield func(string)) {
		for n := range i.Addresses {
			yield(strconv.FormatBool(n == 0))
		}
	}),
	action.OnEach("ipv6-addresses.ipv6-address", func(i *vpc.Interface, yield func(string)) {
		for _, a := range i.IPv6 {
			yield(a.String())
		}
	}).Indexed(interfacesWithAddress),
	action.Match[*vpc.Interface]{Name: "private-dns-name", Values: func(c *action.Call, i *vpc.Interface, yield func(string)) {
		if len(i.Addresses) > 0 {
			yield(vpc.PrivateDNSName(c.Region, i.Addresses[0]))
		}
	}}.Indexed(interfacesWithDNSName),

	publicly("association.allocation-id", func(_ *vpc.Interface, p vpc.PublicAddress) string { return string(p.Allocation) }).
		Indexed(findBy(state.Interfaces, state.InterfacesByPublic)),
	publicly("association.association-id", func(_ *vpc.Interface, p vpc.PublicAddress) string { return p.Association }).
		Indexed(findBy(state.Interfaces, state.InterfacesByPublic)),
	publicly("association.ip-owner-id", publicOwner).Also("addresses.association.owner-id", "addresses.association.ip-owner-id"),
	publicly("association.public-ip", func(_ *vpc.Interface, p vpc.PublicAddress) string { return p.Address.String() }).
		Also("addresses.association.public-ip").Indexed(findBy(state.Interfaces, state.InterfacesByPublic)),
	{Name: "association.public-dns-name", Values: publicNames},

	attached("attachment.attachment-id", func(a *vpc.Attachment) string { return a.ID }).Indexed(findBy(state.Interfaces, state.InterfacesByAttachment)),
	attached("attachment.instance-id", func(a *vpc.Attachment) string { return a.Instance }).Indexed(findBy(state.Interfaces, state.InterfacesByAttachment)),
	attached("attachment.instance-owner-id", func(a *vpc.Attachment) string { return string(a.InstanceOwner) }),
	attached("attachment.attach-time", func(a *vpc.Attachment) string { return a.Attached.UTC().Format("2006-01-02T15:04:05.000Z") }),
	attached("attachment.delete-on-termination", func(a *vpc.Attachment) string { return strconv.FormatBool(a.DeleteOnTermination) }),
	attached("attachment.device-index", func(a *vpc.Attachment) string { return strconv.Itoa(int(a.DeviceIndex)) }),
	attached("attachment.status", func(*vpc.Attachment) string { return "attached" }),

	action.On("availability-zone", func(i *vpc.Interface) string { return i.AvailabilityZone }),
	{Name: "availability-zone-id", Values: func(c *action.Call, i *vpc.Interface, yield func(string)) {
		if z, ok := vpc.ZoneNamed(c.Region, i.AvailabilityZone); ok {
			yield(z.ID)
		}
	}},
	action.OnEach("description", func(i *vpc.Interface, yield func(string)) { yield(i.Description) }),
	action.On("interface-type", func(i *vpc.Interface) string { return i.Type }),
	action.OnBool("operator.managed", func(*vpc.Interface) bool { return false }),
	noInterface("operator.principal"),
	action.On("owner-id", func(i *vpc.Interface) string { return string(i.Owner) }),
	action.On("requester-id", func(i *vpc.Interface) string { return i.Requester }),
	action.OnBool("requester-managed", func(*vpc.Interface) bool { return false }),
	action.OnBool("source-dest-check", func(i *vpc.Interface) bool { return i.SourceDestCheck }),
	action.On("status", interfaceStatus),
}

func eachIPv4(i *vpc.Interface, yield func(string)) {
	for _, a := range i.Addresses {
		yield(a.String())
	}
}

// attached gives a filter on an attribute of attachments.
func attached(name string, get func(*vpc.Attachment) string) action.Match[*vpc.Interface] {
	return action.On(name, func(i *vpc.Interface) string {
		if i.Attachment == nil {
			return ""
		}
		return get(i.Attachment)
	})
}

// publicly gives a filter on the public addresses of interfaces.
func publicly(name string, get func(*vpc.Interface, vpc.PublicAddress) string) action.Match[*vpc.Interface] {
	return action.Match[*vpc.Interface]{Name: name, Values: ofPublic(get)}
}

// noInterface gives a filter on an attribute that no interface has.
func noInterface(name string) action.Match[*vpc.Interface] {
	return action.On(name, func(*vpc.Interface) string { return "" })
}

// DescribeNetworkInterfacesInput is what DescribeNetworkInterfaces takes.
type DescribeNetworkInterfacesInput struct {
	NextToken               string
	MaxResults              *int32
	IncludeManagedResources *bool
	DryRun                  bool
	NetworkInterfaceIds     []string `in:"NetworkInterfaceId"`
	Filters                 []Filter `in:"Filter"`
}

// DescribeNetworkInterfacesOutput is what DescribeNetworkInterfaces gives.
type DescribeNetworkInterfacesOutput struct {
	NetworkInterfaces []NetworkInterface `out:"networkInterfaceSet"`
	NextToken         string
}
