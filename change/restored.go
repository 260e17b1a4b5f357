package change

import (
	"reflect"
	"slices"
	"strings"

	"moat/ec2"
	"moat/flow"
	"moat/state"
	"moat/vpc"
)

// A Restored is a record that an undo puts back, with the calls of EC2 that
// would do the same: who may not make them may not undo either.
type Restored struct {
	state.Decoded
	Calls []Call
	// New tells that there is no such record now.
	New bool
}

// restored says which calls putting records back comes to.
func restored(r state.Reader, put []state.Decoded) []Restored {
	out := make([]Restored, len(put))
	fate := map[string]bool{} // by id: whether it is there afterwards
	main := map[vpc.RouteTableID]bool{}
	for i := range put {
		now, row := put[i].Now(r), put[i].Row()
		if now == nil || row == nil {
			fate[put[i].ID()] = row != nil
		}
		for _, row := range []any{now, row} {
			if a, ok := row.(*vpc.RouteTableAssociation); ok && a.Main && (now == nil) != (put[i].Row() == nil) {
				main[a.Table] = true
			}
		}
	}
	for i := range put {
		now := put[i].Now(r)
		c := &caller{r: r, id: put[i].ID(), kind: put[i].Kind(), fate: fate, main: main}
		c.compare(now, put[i].Row())
		out[i] = Restored{Decoded: put[i], Calls: c.calls, New: now == nil}
	}
	return out
}

// A caller collects the calls that make one row of another.
type caller struct {
	r    state.Reader
	id   string
	kind state.AnyKind
	// fate has the records that come or go, and main the tables that are the main
	// ones of VPCs which do.
	fate  map[string]bool
	main  map[vpc.RouteTableID]bool
	calls []Call
	// left are the fields that differ and that no call accounts for yet.
	left map[string]bool
}

func (c *caller) call(in any) {
	name := strings.TrimSuffix(reflect.TypeOf(in).Elem().Name(), "Input")
	c.calls = append(c.calls, Call{name, in})
}

// unknown needs a permission that no table has: the root alone has it.
func (c *caller) unknown() {
	c.calls = append(c.calls, Call{Action: "Restore-" + c.kind.Name(), In: &struct{}{}})
}

// goesWith reports whether the row comes or goes together with another one, of
// which it is part.
func (c *caller) goesWith(id string, comes bool) bool {
	there, ok := c.fate[id]
	return ok && there == comes
}

// changed reports whether one of some fields differs, which are accounted for
// by that.
func (c *caller) changed(fields ...string) bool {
	any := false
	for _, f := range fields {
		any = any || c.left[f]
		delete(c.left, f)
	}
	return any
}

// pair gives both rows as a type; a row that is not there is the zero value.
func pair[T any](old, now any) (o, n *T) {
	o, n = new(T), new(T)
	if row, ok := old.(*T); ok {
		o = row
	}
	if row, ok := now.(*T); ok {
		n = row
	}
	return o, n
}

func (c *caller) compare(old, now any) {
	c.left = map[string]bool{}
	if old != nil && now != nil {
		o, n := reflect.ValueOf(old).Elem(), reflect.ValueOf(now).Elem()
		for i := range o.NumField() {
			if !equal(o.Field(i), n.Field(i)) {
				c.left[o.Type().Field(i).Name] = true
			}
		}
	}
	comes, goes := old == nil, now == nil
	row := now
	if goes {
		row = old
	}
	switch row.(type) {
	case *vpc.SecurityGroup:
		o, n := pair[vpc.SecurityGroup](old, now)
		c.group(o, n, comes, goes)
	case *vpc.Interface:
		o, n := pair[vpc.Interface](old, now)
		c.iface(o, n, comes, goes)
	case *vpc.Instance:
		o, n := pair[vpc.Instance](old, now)
		c.instance(o, n, comes, goes)
	case *vpc.VPC:
		o, n := pair[vpc.VPC](old, now)
		c.vpc(o, n, comes, goes)
	case *vpc.Subnet:
		o, n := pair[vpc.Subnet](old, now)
		c.subnet(o, n, comes, goes)
	case *vpc.PrefixList:
		o, n := pair[vpc.PrefixList](old, now)
		c.list(o, n, comes, goes)
	case *vpc.PrefixListVersion:
		// It follows from what becomes of the list, which the same undo puts.
	case *vpc.ClientToken:
		return
	default:
		c.others(old, now, comes, goes)
	}
	if f := reflect.ValueOf(row).Elem().FieldByName("Tags"); f.IsValid() && !comes && !goes && c.changed("Tags") {
		c.tags(c.id, f.Interface().(vpc.Tags), reflect.ValueOf(old).Elem().FieldByName("Tags").Interface().(vpc.Tags))
	}
	if len(c.left) > 0 {
		c.unknown()
	}
}

// tags makes the calls for tags that are others.
func (c *caller) tags(id string, now, old vpc.Tags) {
	var set, gone []ec2.Tag
	for _, t := range now {
		if !slices.Contains(old, t) {
			value := t.Value
			set = append(set, ec2.Tag{Key: t.Key, Value: &value})
		}
	}
	for _, t := range old {
		if !slices.ContainsFunc(now, func(n vpc.Tag) bool { return n.Key == t.Key }) {
			gone = append(gone, ec2.Tag{Key: t.Key})
		}
	}
	if set != nil {
		c.call(&ec2.CreateTagsInput{Resources: []string{id}, Tags: set})
	}
	if gone != nil {
		c.call(&ec2.DeleteTagsInput{Resources: []string{id}, Tags: gone})
	}
}

// tagged gives the tags that a call gives to what it makes.
func (c *caller) tagged(tags vpc.Tags) []ec2.TagSpecification {
	return specs(c.kind.ResourceType(), tags)
}

func specs(resource string, tags vpc.Tags) []ec2.TagSpecification {
	if len(tags) == 0 {
		return nil
	}
	spec := ec2.TagSpecification{ResourceType: resource}
	for _, t := range tags {
		value := t.Value
		spec.Tags = append(spec.Tags, ec2.Tag{Key: t.Key, Value: &value})
	}
	return []ec2.TagSpecification{spec}
}

// AsCreated gives a group as it is when it is made: with no rules but those that
// every new group begins with, which no permission judges.
func AsCreated(g *vpc.SecurityGroup) *vpc.SecurityGroup {
	c := *g
	c.Rules = slices.DeleteFunc(slices.Clone(g.Rules), func(r vpc.Rule) bool {
		anywhere := r.Direction == flow.Egress && r.Peer.Ref == "" && r.Peer.CIDR.Bits() == 0
		itself := r.Direction == flow.Ingress && r.Peer.Ref == string(g.ID) && g.IsDefault()
		return r.Protocol != flow.AllProtocols || !anywhere && !itself || len(r.Tags) > 0 || r.Description != ""
	})
	return &c
}

func (c *caller) group(old, now *vpc.SecurityGroup, comes, goes bool) {
	switch {
	case goes:
		if !old.IsDefault() || !c.goesWith(string(old.VPC), false) {
			c.call(&ec2.DeleteSecurityGroupInput{GroupId: &c.id})
		}
		return
	case comes:
		if !now.IsDefault() || !c.goesWith(string(now.VPC), true) {
			c.call(&ec2.CreateSecurityGroupInput{GroupName: now.Name, Description: now.Description, VpcId: string(now.VPC), TagSpecifications: c.tagged(now.Tags)})
		}
		old = AsCreated(now)
	case c.changed("Name"):
		c.call(&RenameSecurityGroupInput{GroupId: c.id, GroupName: now.Name})
	}
	c.changed("Rules", "EgressTouched")
	for _, d := range directions {
		c.rules(old, now, d)
	}
}

// rules makes the calls for the rules of one direction.
func (c *caller) rules(old, now *vpc.SecurityGroup, d flow.Direction) {
	var added []vpc.Rule
	var gone []string
	var updates []ec2.SecurityGroupRuleUpdate
	var said []ec2.SecurityGroupRuleDescription
	was := map[vpc.RuleID]*vpc.Rule{}
	for i := range old.Rules {
		was[old.Rules[i].ID] = &old.Rules[i]
	}
	var tags vpc.Tags
	for i := range now.Rules {
		r := &now.Rules[i]
		o := was[r.ID]
		if o != nil && o.Direction == r.Direction {
			delete(was, r.ID)
		} else {
			o = nil
		}
		if r.Direction != d {
			continue
		}
		switch {
		case o == nil:
			added = append(added, *r)
			tags = append(tags, r.Tags...)
			continue
		case o.Key() != r.Key() || !reflect.DeepEqual(o.Foreign, r.Foreign):
			updates = append(updates, ec2.SecurityGroupRuleUpdate{SecurityGroupRuleId: string(r.ID), SecurityGroupRule: requestOf(r)})
		case o.Description != r.Description:
			text := r.Description
			said = append(said, ec2.SecurityGroupRuleDescription{SecurityGroupRuleId: string(r.ID), Description: &text})
		}
		c.tags(string(r.ID), r.Tags, o.Tags)
	}
	for i := range old.Rules {
		if r := &old.Rules[i]; was[r.ID] != nil && r.Direction == d {
			gone = append(gone, string(r.ID))
		}
	}
	out := d == flow.Egress
	id := c.id
	if gone != nil && out {
		c.call(&ec2.RevokeSecurityGroupEgressInput{GroupId: &id, SecurityGroupRuleIds: gone})
	} else if gone != nil {
		c.call(&ec2.RevokeSecurityGroupIngressInput{GroupId: &id, SecurityGroupRuleIds: gone})
	}
	if updates != nil {
		c.call(&ec2.ModifySecurityGroupRulesInput{GroupId: &id, SecurityGroupRules: updates})
	}
	if said != nil && out {
		c.call(&ec2.UpdateSecurityGroupRuleDescriptionsEgressInput{GroupId: &id, SecurityGroupRuleDescriptions: said})
	} else if said != nil {
		c.call(&ec2.UpdateSecurityGroupRuleDescriptionsIngressInput{GroupId: &id, SecurityGroupRuleDescriptions: said})
	}
	if added != nil && out {
		c.call(&ec2.AuthorizeSecurityGroupEgressInput{GroupId: &id, IpPermissions: permissionsOf(now, added), TagSpecifications: specs("security-group-rule", tags)})
	} else if added != nil {
		c.call(&ec2.AuthorizeSecurityGroupIngressInput{GroupId: &id, IpPermissions: permissionsOf(now, added), TagSpecifications: specs("security-group-rule", tags)})
	}
}

func boolean(b bool) *ec2.AttributeBooleanValue { return &ec2.AttributeBooleanValue{Value: &b} }
func value(s string) *ec2.AttributeValue        { return &ec2.AttributeValue{Value: &s} }

func texts[T ~string](in []T) (out []string) {
	for _, s := range in {
		out = append(out, string(s))
	}
	return out
}

func (c *caller) iface(old, now *vpc.Interface, comes, goes bool) {
	switch {
	case goes:
		c.call(&ec2.DeleteNetworkInterfaceInput{NetworkInterfaceId: c.id})
	case comes:
		c.call(&ec2.CreateNetworkInterfaceInput{SubnetId: string(now.Subnet), Description: now.Description, Groups: texts(now.Groups), TagSpecifications: c.tagged(now.Tags)})
	}
	if attachment(old.Attachment) != attachment(now.Attachment) {
		if a := old.Attachment; a != nil && a.Instance != "" {
			c.call(&ec2.DetachNetworkInterfaceInput{AttachmentId: a.ID})
		}
		if a := now.Attachment; a != nil && a.Instance != "" {
			c.call(&ec2.AttachNetworkInterfaceInput{InstanceId: a.Instance, NetworkInterfaceId: c.id})
		}
		c.changed("Attachment")
	}
	for _, p := range old.Public {
		if !slices.Contains(now.Public, p) && p.Association != "" {
			c.call(&ec2.DisassociateAddressInput{AssociationId: p.Association})
		}
	}
	for _, p := range now.Public {
		if !slices.Contains(old.Public, p) && p.Allocation != "" {
			c.call(&ec2.AssociateAddressInput{AllocationId: string(p.Allocation), NetworkInterfaceId: c.id})
		}
	}
	c.changed("Public") // one that came with a launch follows from the instance
	if c.changed("Addresses", "IPv4Prefixes") {
		c.call(&ec2.AssignPrivateIpAddressesInput{NetworkInterfaceId: c.id})
		c.call(&ec2.UnassignPrivateIpAddressesInput{NetworkInterfaceId: c.id})
	}
	if c.changed("IPv6", "IPv6Prefixes") {
		c.call(&ec2.AssignIpv6AddressesInput{NetworkInterfaceId: c.id})
		c.call(&ec2.UnassignIpv6AddressesInput{NetworkInterfaceId: c.id})
	}
	// Each attribute is a call of its own: ModifyNetworkInterfaceAttribute takes
	// one.
	modify := func(set func(in *ec2.ModifyNetworkInterfaceAttributeInput)) {
		in := &ec2.ModifyNetworkInterfaceAttributeInput{NetworkInterfaceId: c.id}
		set(in)
		c.call(in)
	}
	if c.changed("Groups") {
		modify(func(in *ec2.ModifyNetworkInterfaceAttributeInput) { in.Groups = texts(now.Groups) })
	}
	if c.changed("Description") {
		modify(func(in *ec2.ModifyNetworkInterfaceAttributeInput) { in.Description = value(now.Description) })
	}
	if c.changed("SourceDestCheck") {
		modify(func(in *ec2.ModifyNetworkInterfaceAttributeInput) { in.SourceDestCheck = boolean(now.SourceDestCheck) })
	}
	if c.changed("Tracking") {
		modify(func(in *ec2.ModifyNetworkInterfaceAttributeInput) {
			in.ConnectionTrackingSpecification = &ec2.ConnectionTrackingSpecificationRequest{}
		})
	}
	if c.changed("ENASrd", "ENASrdUDP") {
		modify(func(in *ec2.ModifyNetworkInterfaceAttributeInput) {
			in.EnaSrdSpecification = &ec2.EnaSrdSpecification{}
		})
	}
	if c.changed("PrimaryIPv6") {
		modify(func(in *ec2.ModifyNetworkInterfaceAttributeInput) { in.EnablePrimaryIpv6 = &now.PrimaryIPv6 })
	}
	if c.changed("PublicIPOnAttach") {
		modify(func(in *ec2.ModifyNetworkInterfaceAttributeInput) {
			in.AssociatePublicIpAddress = &now.PublicIPOnAttach
		})
	}
	if c.changed("Attachment") && now.Attachment != nil {
		modify(func(in *ec2.ModifyNetworkInterfaceAttributeInput) {
			in.Attachment = &ec2.NetworkInterfaceAttachmentChanges{AttachmentId: now.Attachment.ID}
		})
	}
}

// attachment gives what tells an attachment to an instance from another one.
func attachment(a *vpc.Attachment) [2]string {
	if a == nil || a.Instance == "" {
		return [2]string{}
	}
	return [2]string{a.ID, a.Instance}
}

func (c *caller) list(old, now *vpc.PrefixList, comes, goes bool) {
	switch {
	case goes:
		c.call(&ec2.DeleteManagedPrefixListInput{PrefixListId: c.id})
		return
	case comes:
		c.call(&ec2.CreateManagedPrefixListInput{PrefixListName: now.Name, AddressFamily: now.Family, MaxEntries: &now.MaxEntries, TagSpecifications: c.tagged(now.Tags)})
		return
	}
	in := &ec2.ModifyManagedPrefixListInput{PrefixListId: c.id}
	modified := c.changed("Version", "State", "StateMessage")
	if c.changed("Entries") {
		modified = true
		for _, e := range now.Entries {
			if !slices.Contains(old.Entries, e) {
				in.AddEntries = append(in.AddEntries, ec2.AddPrefixListEntry{Cidr: e.CIDR.String(), Description: e.Description})
			}
		}
		for _, e := range old.Entries {
			if !slices.Contains(now.Entries, e) {
				in.RemoveEntries = append(in.RemoveEntries, ec2.RemovePrefixListEntry{Cidr: e.CIDR.String()})
			}
		}
	}
	if c.changed("Name") {
		modified, in.PrefixListName = true, now.Name
	}
	if c.changed("MaxEntries") {
		modified, in.MaxEntries = true, &now.MaxEntries
	}
	if modified {
		c.call(in)
	}
}

func (c *caller) vpc(old, now *vpc.VPC, comes, goes bool) {
	switch {
	case goes:
		c.call(&ec2.DeleteVpcInput{VpcId: c.id})
		return
	case comes && now.Default:
		c.call(&ec2.CreateDefaultVpcInput{})
		return
	case comes:
		c.call(&ec2.CreateVpcInput{CidrBlock: now.CIDR().String(), InstanceTenancy: now.Tenancy, TagSpecifications: c.tagged(now.Tags)})
		return
	}
	if c.changed("Blocks") {
		for _, b := range old.Blocks {
			if !slices.Contains(now.Blocks, b) {
				c.call(&ec2.DisassociateVpcCidrBlockInput{AssociationId: string(b.Association)})
			}
		}
		for _, b := range now.Blocks {
			if !slices.Contains(old.Blocks, b) {
				c.call(&ec2.AssociateVpcCidrBlockInput{VpcId: c.id, CidrBlock: b.CIDR.String()})
			}
		}
	}
	if c.changed("DHCPOptions") {
		c.call(&ec2.AssociateDhcpOptionsInput{DhcpOptionsId: now.DHCPOptions, VpcId: c.id})
	}
	if c.changed("EnableDNSSupport") {
		c.call(&ec2.ModifyVpcAttributeInput{VpcId: c.id, EnableDnsSupport: boolean(now.EnableDNSSupport)})
	}
	if c.changed("EnableDNSHostnames") {
		c.call(&ec2.ModifyVpcAttributeInput{VpcId: c.id, EnableDnsHostnames: boolean(now.EnableDNSHostnames)})
	}
	if c.changed("EnableAddressUsageMetrics") {
		c.call(&ec2.ModifyVpcAttributeInput{VpcId: c.id, EnableNetworkAddressUsageMetrics: boolean(now.EnableAddressUsageMetrics)})
	}
}

func (c *caller) subnet(old, now *vpc.Subnet, comes, goes bool) {
	switch {
	case goes:
		c.call(&ec2.DeleteSubnetInput{SubnetId: c.id})
		return
	case comes && now.DefaultForAZ:
		c.call(&ec2.CreateDefaultSubnetInput{AvailabilityZone: now.AvailabilityZone})
		return
	case comes:
		c.call(&ec2.CreateSubnetInput{VpcId: string(now.VPC), CidrBlock: now.CIDR.String(), AvailabilityZone: now.AvailabilityZone, TagSpecifications: c.tagged(now.Tags)})
		return
	}
	if c.changed("IPv6") {
		for _, b := range old.IPv6 {
			if !slices.Contains(now.IPv6, b) {
				c.call(&ec2.DisassociateSubnetCidrBlockInput{AssociationId: string(b.Association)})
			}
		}
		for _, b := range now.IPv6 {
			if !slices.Contains(old.IPv6, b) {
				c.call(&ec2.AssociateSubnetCidrBlockInput{SubnetId: c.id, Ipv6CidrBlock: b.CIDR.String()})
			}
		}
	}
	if c.changed("MapPublicIP") {
		c.call(&ec2.ModifySubnetAttributeInput{SubnetId: c.id, MapPublicIpOnLaunch: boolean(now.MapPublicIP)})
	}
	if c.changed("AssignIPv6") {
		c.call(&ec2.ModifySubnetAttributeInput{SubnetId: c.id, AssignIpv6AddressOnCreation: boolean(now.AssignIPv6)})
	}
	if c.changed("EnableDNS64") {
		c.call(&ec2.ModifySubnetAttributeInput{SubnetId: c.id, EnableDns64: boolean(now.EnableDNS64)})
	}
	if c.changed("HostnameType") {
		c.call(&ec2.ModifySubnetAttributeInput{SubnetId: c.id, PrivateDnsHostnameTypeOnLaunch: now.HostnameType})
	}
	if c.changed("DNSARecord") {
		c.call(&ec2.ModifySubnetAttributeInput{SubnetId: c.id, EnableResourceNameDnsARecordOnLaunch: boolean(now.DNSARecord)})
	}
	if c.changed("DNSAAAA") {
		c.call(&ec2.ModifySubnetAttributeInput{SubnetId: c.id, EnableResourceNameDnsAAAARecordOnLaunch: boolean(now.DNSAAAA)})
	}
	if c.changed("LNIDeviceIndex") {
		c.call(&ec2.ModifySubnetAttributeInput{SubnetId: c.id, EnableLniAtDeviceIndex: &now.LNIDeviceIndex})
	}
	if c.changed("MapCustomerOwnedIP") {
		c.call(&ec2.ModifySubnetAttributeInput{SubnetId: c.id, MapCustomerOwnedIpOnLaunch: boolean(now.MapCustomerOwnedIP)})
	}
	if c.changed("CustomerOwnedIPPool") {
		c.call(&ec2.ModifySubnetAttributeInput{SubnetId: c.id, CustomerOwnedIpv4Pool: now.CustomerOwnedIPPool})
	}
}

func (c *caller) instance(old, now *vpc.Instance, comes, goes bool) {
	ids := []string{c.id}
	launch := func() {
		in := &ec2.RunInstancesInput{ImageId: now.Image, InstanceType: now.Type, KeyName: now.Key, SubnetId: string(now.Subnet), TagSpecifications: specs("instance", now.Tags)}
		if now.Profile != "" {
			in.IamInstanceProfile = &ec2.IamInstanceProfileSpecification{Arn: now.Profile}
		}
		c.call(in)
	}
	switch {
	case goes:
		c.call(&ec2.TerminateInstancesInput{InstanceIds: ids})
		return
	case comes:
		launch()
		return
	case c.changed("State"):
		switch {
		case old.State == vpc.Terminated:
			launch()
		case now.State == vpc.Terminated:
			c.call(&ec2.TerminateInstancesInput{InstanceIds: ids})
		case now.State == vpc.Stopped:
			c.call(&ec2.StopInstancesInput{InstanceIds: ids})
		default:
			c.call(&ec2.StartInstancesInput{InstanceIds: ids})
		}
		c.changed("Launched", "Ended", "Subnet", "VPC", "AvailabilityZone")
	}
	if c.changed("Type") {
		c.call(&ec2.ModifyInstanceAttributeInput{InstanceId: c.id, InstanceType: value(now.Type)})
	}
	if c.changed("UserData") {
		c.call(&ec2.ModifyInstanceAttributeInput{InstanceId: c.id, UserData: &ec2.BlobAttributeValue{Value: []byte(now.UserData)}})
	}
	if c.changed("ShutdownBehavior") {
		c.call(&ec2.ModifyInstanceAttributeInput{InstanceId: c.id, InstanceInitiatedShutdownBehavior: value(now.ShutdownBehavior)})
	}
	if c.changed("DisableTermination") {
		c.call(&ec2.ModifyInstanceAttributeInput{InstanceId: c.id, DisableApiTermination: boolean(now.DisableTermination)})
	}
	if c.changed("DisableStop") {
		c.call(&ec2.ModifyInstanceAttributeInput{InstanceId: c.id, DisableApiStop: boolean(now.DisableStop)})
	}
	if c.changed("EBSOptimized") {
		c.call(&ec2.ModifyInstanceAttributeInput{InstanceId: c.id, EbsOptimized: boolean(now.EBSOptimized)})
	}
	if c.changed("Monitoring") {
		if now.Monitoring {
			c.call(&ec2.MonitorInstancesInput{InstanceIds: ids})
		} else {
			c.call(&ec2.UnmonitorInstancesInput{InstanceIds: ids})
		}
	}
	if c.changed("Metadata") {
		c.call(&ec2.ModifyInstanceMetadataOptionsInput{InstanceId: c.id})
	}
	if c.changed("AutoRecovery", "RebootMigration") {
		c.call(&ec2.ModifyInstanceMaintenanceOptionsInput{InstanceId: c.id})
	}
	if c.changed("CPUCredits") {
		c.call(&ec2.ModifyInstanceCreditSpecificationInput{InstanceCreditSpecifications: []ec2.InstanceCreditSpecificationRequest{{InstanceId: c.id, CpuCredits: now.CPUCredits}}})
	}
}

// others makes the calls for what has no more than a few fields.
func (c *caller) others(old, now any, comes, goes bool) {
	row := now
	if goes {
		row = old
	}
	switch row := row.(type) {
	case *vpc.GroupAssociation:
		id := string(row.Group)
		if goes {
			c.call(&ec2.DisassociateSecurityGroupVpcInput{GroupId: &id, VpcId: string(row.VPC)})
		} else {
			c.call(&ec2.AssociateSecurityGroupVpcInput{GroupId: &id, VpcId: string(row.VPC)})
			c.changed("State")
		}
	case *vpc.KeyPair:
		if goes {
			c.call(&ec2.DeleteKeyPairInput{KeyPairId: c.id})
		} else if comes {
			c.call(&ec2.ImportKeyPairInput{KeyName: row.Name, TagSpecifications: c.tagged(row.Tags)})
		}
	case *vpc.Address:
		if goes {
			c.call(&ec2.ReleaseAddressInput{AllocationId: c.id})
		} else if comes {
			c.call(&ec2.AllocateAddressInput{TagSpecifications: c.tagged(row.Tags)})
		}
	case *vpc.DHCPOptions:
		if goes {
			c.call(&ec2.DeleteDhcpOptionsInput{DhcpOptionsId: c.id})
		} else if comes {
			c.call(&ec2.CreateDhcpOptionsInput{TagSpecifications: c.tagged(row.Tags)})
		}
	case *vpc.Volume:
		with := string(row.Instance)
		switch {
		case goes && !c.goesWith(with, false):
			c.call(&ec2.DeleteVolumeInput{VolumeId: c.id})
		case comes && with != "":
			// An instance's volumes come by its launch only.
			c.call(&ec2.RunInstancesInput{TagSpecifications: c.tagged(row.Tags)})
		case comes:
			c.unknown()
		}
	case *vpc.Peering:
		c.peering(old, row, comes, goes)
	case *vpc.InternetGateway:
		o, n := pair[vpc.InternetGateway](old, now)
		if comes {
			c.call(&ec2.CreateInternetGatewayInput{TagSpecifications: c.tagged(n.Tags)})
		}
		if o.VPC != n.VPC && o.VPC != "" {
			c.call(&ec2.DetachInternetGatewayInput{InternetGatewayId: c.id, VpcId: string(o.VPC)})
		}
		if o.VPC != n.VPC && n.VPC != "" {
			c.call(&ec2.AttachInternetGatewayInput{InternetGatewayId: c.id, VpcId: string(n.VPC)})
		}
		if goes {
			c.call(&ec2.DeleteInternetGatewayInput{InternetGatewayId: c.id})
		}
		c.changed("VPC")
	case *vpc.Endpoint:
		o, n := pair[vpc.Endpoint](old, now)
		switch {
		case goes:
			c.call(&ec2.DeleteVpcEndpointsInput{VpcEndpointIds: []string{c.id}})
		case comes:
			c.call(&ec2.CreateVpcEndpointInput{VpcId: string(n.VPC), ServiceName: n.Service, RouteTableIds: texts(n.Tables), TagSpecifications: c.tagged(n.Tags)})
		case c.changed("Policy", "Tables"):
			c.call(&ec2.ModifyVpcEndpointInput{VpcEndpointId: c.id, PolicyDocument: n.Policy, AddRouteTableIds: texts(n.Tables), RemoveRouteTableIds: texts(o.Tables)})
		}
	default:
		c.routing(old, now, comes, goes)
	}
}

func (c *caller) peering(old any, row *vpc.Peering, comes, goes bool) {
	o, _ := old.(*vpc.Peering)
	moved := c.changed("Status", "Message", "Ended", "EndedBy")
	if comes || moved && !o.Ended.IsZero() {
		c.call(&ec2.CreateVpcPeeringConnectionInput{VpcId: string(row.Requester.VPC), PeerVpcId: string(row.Accepter.VPC), PeerOwnerId: string(row.Accepter.Owner), TagSpecifications: c.tagged(row.Tags)})
	}
	switch {
	case (comes || moved) && row.Status == vpc.PeeringActive:
		c.call(&ec2.AcceptVpcPeeringConnectionInput{VpcPeeringConnectionId: c.id})
	case goes || moved && o.Ended.IsZero():
		c.call(&ec2.DeleteVpcPeeringConnectionInput{VpcPeeringConnectionId: c.id})
	}
	if c.changed("Requester", "Accepter") {
		c.call(&ec2.ModifyVpcPeeringConnectionOptionsInput{VpcPeeringConnectionId: c.id})
	}
}

// routing makes the calls for route tables, network ACLs and what has them.
func (c *caller) routing(old, now any, comes, goes bool) {
	row := now
	if goes {
		row = old
	}
	switch row := row.(type) {
	case *vpc.RouteTable:
		o, n := pair[vpc.RouteTable](old, now)
		if with := c.main[row.ID] && c.goesWith(string(row.VPC), comes); goes && !with {
			c.call(&ec2.DeleteRouteTableInput{RouteTableId: c.id})
		} else if comes && !with {
			c.call(&ec2.CreateRouteTableInput{VpcId: string(n.VPC), TagSpecifications: c.tagged(n.Tags)})
		}
		if goes {
			return
		}
		c.changed("Routes")
		made, gone := difference(o.Routes, n.Routes, vpc.Route.Key)
		c.each(made, gone, &ec2.CreateRouteInput{RouteTableId: c.id}, &ec2.ReplaceRouteInput{RouteTableId: c.id}, &ec2.DeleteRouteInput{RouteTableId: c.id})
	case *vpc.NetworkACL:
		o, n := pair[vpc.NetworkACL](old, now)
		if with := row.Default && c.goesWith(string(row.VPC), comes); goes && !with {
			c.call(&ec2.DeleteNetworkAclInput{NetworkAclId: c.id})
		} else if comes && !with {
			c.call(&ec2.CreateNetworkAclInput{VpcId: string(n.VPC), TagSpecifications: c.tagged(n.Tags)})
		}
		if goes {
			return
		}
		c.changed("Entries")
		if comes && n.Default {
			o.Entries = slices.DeleteFunc(vpc.DefaultACLEntries(true), func(e vpc.ACLEntry) bool { return !slices.Contains(n.Entries, e) })
		}
		type place struct {
			egress bool
			number int32
		}
		made, gone := difference(o.Entries, n.Entries, func(e vpc.ACLEntry) place { return place{e.Egress, e.Number} })
		c.each(made, gone, &ec2.CreateNetworkAclEntryInput{NetworkAclId: c.id}, &ec2.ReplaceNetworkAclEntryInput{NetworkAclId: c.id}, &ec2.DeleteNetworkAclEntryInput{NetworkAclId: c.id})
	case *vpc.RouteTableAssociation:
		switch {
		case row.Main && c.goesWith(string(row.VPC), comes):
		case goes:
			c.call(&ec2.DisassociateRouteTableInput{AssociationId: c.id})
		case comes:
			c.call(&ec2.AssociateRouteTableInput{RouteTableId: string(row.Table), SubnetId: string(row.Subnet), GatewayId: string(row.Gateway)})
		case c.changed("Table"):
			c.call(&ec2.ReplaceRouteTableAssociationInput{AssociationId: c.id, RouteTableId: string(row.Table)})
		}
	case *vpc.NetworkACLAssociation:
		// A new subnet has the default ACL of its VPC.
		acl := state.NetworkACLs.Get(c.r, row.ACL)
		if c.goesWith(string(row.Subnet), comes) && (goes || acl == nil || acl.Default) {
			return
		}
		c.changed("ACL")
		c.call(&ec2.ReplaceNetworkAclAssociationInput{AssociationId: c.id, NetworkAclId: string(row.ACL)})
	default:
		c.unknown()
	}
}

// difference gives what of two lists came, or came in another's place, and what
// went, each by its key; true for what has a counterpart in the other list.
func difference[T, K comparable](old, now []T, key func(T) K) (made, gone []bool) {
	had, has := map[K]bool{}, map[K]bool{}
	for _, e := range old {
		had[key(e)] = true
	}
	for _, e := range now {
		has[key(e)] = true
		if !slices.Contains(old, e) {
			made = append(made, had[key(e)])
		}
	}
	for _, e := range old {
		if !has[key(e)] {
			gone = append(gone, false)
		}
	}
	return made, gone
}

// each makes one call of each sort that a difference comes to.
func (c *caller) each(made, gone []bool, create, replace, remove any) {
	if slices.Contains(made, false) {
		c.call(create)
	}
	if slices.Contains(made, true) {
		c.call(replace)
	}
	if len(gone) > 0 {
		c.call(remove)
	}
}
