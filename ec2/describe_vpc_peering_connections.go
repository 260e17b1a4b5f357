package ec2

import (
	"time"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// DescribeVpcPeeringConnections lists peerings. One that has ended is still
// told of for a while.
var DescribeVpcPeeringConnections = action.Describe[DescribeVpcPeeringConnectionsInput, DescribeVpcPeeringConnectionsOutput, *vpc.Peering, *VpcPeeringConnection]{
	Name: "DescribeVpcPeeringConnections",
	Doc:  `Lists peerings of VPCs: all, by id, or by filter.`,
	List: "vpcPeeringConnectionSet",
	IDs: func(c *action.Call, in *DescribeVpcPeeringConnectionsInput) ([]*vpc.Peering, bool, error) {
		rows, ok, err := named(c, state.Peerings, in.VpcPeeringConnectionIds, checkPeeringID, fault.InvalidPeeringNotFound)
		for _, p := range rows {
			if !p.SeenBy(c.Account, c.Now) {
				return nil, false, fault.InvalidPeeringNotFound.With(p.ID)
			}
		}
		return rows, ok, err
	},
	From: func(c *action.Call, _ *DescribeVpcPeeringConnectionsInput, id string) seq[*vpc.Peering] {
		return seenPeerings(c, state.Peerings.From(c, vpc.PeeringID(id)))
	},
	ID: func(p *vpc.Peering) string { return string(p.ID) },
	Filters: []action.Match[*vpc.Peering]{
		action.On("vpc-peering-connection-id", func(p *vpc.Peering) string { return string(p.ID) }).
			Indexed(func(c *action.Call, id string) seq[*vpc.Peering] {
				return seenPeerings(c, findID(state.Peerings)(c, id))
			}),
		peeringFilter("accepter-vpc-info.cidr-block", func(s *VpcPeeringConnection) string { return s.AccepterVpcInfo.CidrBlock }),
		action.On("accepter-vpc-info.owner-id", func(p *vpc.Peering) string { return string(p.Accepter.Owner) }),
		action.On("accepter-vpc-info.vpc-id", func(p *vpc.Peering) string { return string(p.Accepter.VPC) }).Indexed(peeringsOf),
		peeringFilter("requester-vpc-info.cidr-block", func(s *VpcPeeringConnection) string { return s.RequesterVpcInfo.CidrBlock }),
		action.On("requester-vpc-info.owner-id", func(p *vpc.Peering) string { return string(p.Requester.Owner) }),
		action.On("requester-vpc-info.vpc-id", func(p *vpc.Peering) string { return string(p.Requester.VPC) }).Indexed(peeringsOf),
		peeringFilter("expiration-time", func(s *VpcPeeringConnection) string {
			if s.ExpirationTime.IsZero() {
				return ""
			}
			return s.ExpirationTime.UTC().Format(time.RFC3339)
		}),
		peeringFilter("status-code", func(s *VpcPeeringConnection) string { return s.Status.Code }),
		peeringFilter("status-message", func(s *VpcPeeringConnection) string { return s.Status.Message }),
	},
	Tags: &action.Tags[*vpc.Peering]{Of: func(p *vpc.Peering) vpc.Tags { return p.Tags }},
	// The status depends on the time: no Key.
	Shape: func(c *action.Call, p *vpc.Peering) *VpcPeeringConnection { return peeringShape(c, p) },
}

func peeringsOf(c *action.Call, id string) seq[*vpc.Peering] {
	return seenPeerings(c, state.Peerings.By(c, state.PeeringsByVPC, id))
}

// seenPeerings leaves out what is no longer told of.
func seenPeerings(c *action.Call, rows seq[*vpc.Peering]) seq[*vpc.Peering] {
	return func(yield func(*vpc.Peering) bool) {
		for p := range rows {
			if p.SeenBy(c.Account, c.Now) && !yield(p) {
				return
			}
		}
	}
}

// peeringFilter gives a filter on what is described.
func peeringFilter(name string, get func(*VpcPeeringConnection) string) action.Match[*vpc.Peering] {
	return onAttached(name, func(c *action.Call, p *vpc.Peering, yield func(string)) {
		if v := get(peeringShape(c, p)); v != "" {
			yield(v)
		}
	})
}

// DescribeVpcPeeringConnectionsInput is what DescribeVpcPeeringConnections takes.
type DescribeVpcPeeringConnectionsInput struct {
	NextToken               string
	MaxResults              *int32
	DryRun                  bool
	VpcPeeringConnectionIds []string `in:"VpcPeeringConnectionId"`
	Filters                 []Filter `in:"Filter"`
}

// DescribeVpcPeeringConnectionsOutput is what DescribeVpcPeeringConnections gives.
type DescribeVpcPeeringConnectionsOutput struct {
	VpcPeeringConnections []VpcPeeringConnection `out:"vpcPeeringConnectionSet"`
	NextToken             string
}
