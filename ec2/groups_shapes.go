package ec2

import (
	"moat/flow"
	"moat/state"
	"moat/vpc"
)

// groupShape gives a group as DescribeSecurityGroups shows it. Unless a rule
// refers across a peering it depends on the row and the region only, so that
// its rendered form can be kept.
func groupShape(r state.Reader, g *vpc.SecurityGroup) SecurityGroup {
	region := scopeOf(r).Region
	return SecurityGroup{
		OwnerId: string(g.Owner), GroupId: string(g.ID), GroupName: g.Name, Description: g.Description, VpcId: string(g.VPC),
		IpPermissions:       permissionShapes(r, g, g.Rules, flow.Ingress),
		IpPermissionsEgress: permissionShapes(r, g, g.Rules, flow.Egress),
		Tags:                tagShapes(g.Tags),
		SecurityGroupArn:    vpc.ARN(region, g.Owner, "security-group", string(g.ID)),
	}
}

// permissionShapes gives one direction of rules as permissions: rules with the
// same protocol and ports are one, in the order in which they were added, and
// each has all four lists. Ports that mean nothing are left out.
func permissionShapes(from state.Reader, g *vpc.SecurityGroup, rules []vpc.Rule, d flow.Direction) []IpPermission {
	type bucket struct {
		protocol flow.Protocol
		ports    flow.PortRange
	}
	out := []IpPermission{}
	var buckets []bucket
	for i := range rules {
		r := &rules[i]
		if r.Direction != d {
			continue
		}
		b := bucket{r.Protocol, r.Ports}
		at := len(buckets) - 1
		for at >= 0 && buckets[at] != b {
			at--
		}
		if at < 0 {
			at = len(buckets)
			buckets = append(buckets, b)
			p := IpPermission{
				IpProtocol: r.Protocol.String(), UserIdGroupPairs: []UserIdGroupPair{},
				IpRanges: []IpRange{}, Ipv6Ranges: []Ipv6Range{}, PrefixListIds: []PrefixListId{},
			}
			if r.HasPorts() {
				p.FromPort, p.ToPort = &r.Ports.From, &r.Ports.To
			}
			out = append(out, p)
		}
		p := &out[at]
		if _, ok := r.Peer.Group(); ok {
			p.UserIdGroupPairs = append(p.UserIdGroupPairs, pairShape(from, g, r))
		} else if id, ok := r.Peer.PrefixList(); ok {
			p.PrefixListIds = append(p.PrefixListIds, PrefixListId{string(id), r.Description})
		} else if r.Peer.CIDR.Addr().Is4() {
			p.IpRanges = append(p.IpRanges, IpRange{r.Peer.CIDR.String(), r.Description})
		} else {
			p.Ipv6Ranges = append(p.Ipv6Ranges, Ipv6Range{r.Peer.CIDR.String(), r.Description})
		}
	}
	return out
}

// pairShape gives the group that a rule of g refers to. Inside one VPC it has
// its owner and id alone.
func pairShape(at state.Reader, g *vpc.SecurityGroup, r *vpc.Rule) UserIdGroupPair {
	p := UserIdGroupPair{UserId: string(ownerOf(g, r)), GroupId: r.Peer.Ref, Description: r.Description}
	if f := r.Foreign; f != nil {
		p.VpcId = string(f.VPC)
		p.VpcPeeringConnectionId, p.PeeringStatus = ruleTies(at, g.VPC, f)
	}
	return p
}

// ruleShape gives a rule of g as a rule of its own, where ports that mean
// nothing are -1.
func ruleShape(at state.Reader, g *vpc.SecurityGroup, r *vpc.Rule) SecurityGroupRule {
	s := SecurityGroupRule{
		SecurityGroupRuleId: string(r.ID), GroupId: string(g.ID), GroupOwnerId: string(g.Owner),
		IsEgress: r.Direction == flow.Egress, IpProtocol: r.Protocol.String(), FromPort: &r.Ports.From, ToPort: &r.Ports.To,
		Description: r.Description, Tags: tagShapes(r.Tags),
		SecurityGroupRuleArn: vpc.ARN(scopeOf(at).Region, g.Owner, "security-group-rule", string(r.ID)),
	}
	var group string
	s.CidrIpv4, s.CidrIpv6, s.PrefixListId, group = peerShape(r.Peer)
	if group != "" {
		p := pairShape(at, g, r)
		s.ReferencedGroupInfo = &ReferencedSecurityGroup{
			GroupId: p.GroupId, UserId: p.UserId, VpcId: p.VpcId, VpcPeeringConnectionId: p.VpcPeeringConnectionId,
			PeeringStatus: p.PeeringStatus,
		}
	}
	return s
}

// revokedShape gives a rule of g that was just revoked.
func revokedShape(g *vpc.SecurityGroup, r *vpc.Rule) RevokedSecurityGroupRule {
	s := RevokedSecurityGroupRule{
		SecurityGroupRuleId: string(r.ID), GroupId: string(g.ID),
		IsEgress: r.Direction == flow.Egress, IpProtocol: r.Protocol.String(), FromPort: &r.Ports.From, ToPort: &r.Ports.To,
		Description: r.Description,
	}
	s.CidrIpv4, s.CidrIpv6, s.PrefixListId, s.ReferencedGroupId = peerShape(r.Peer)
	return s
}

// peerShape gives the text of the one kind of peer that p is.
func peerShape(p vpc.Peer) (cidr4, cidr6, list, group string) {
	if _, ok := p.Group(); ok {
		return "", "", "", p.Ref
	}
	if p.Ref != "" {
		return "", "", p.Ref, ""
	}
	if p.CIDR.Addr().Is4() {
		return p.CIDR.String(), "", "", ""
	}
	return "", p.CIDR.String(), "", ""
}
