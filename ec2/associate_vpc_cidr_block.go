package ec2

import (
	"net/netip"
	"slices"

	"moat/action"
	"moat/fault"
	"moat/flow"
	"moat/state"
	"moat/vpc"
)

// AssociateVpcCidrBlock gives a VPC one more address block.
var AssociateVpcCidrBlock = action.Write[AssociateVpcCidrBlockInput, AssociateVpcCidrBlockOutput]{
	Name: "AssociateVpcCidrBlock",
	Doc:  `Associates an IPv4 block or an IPv6 block with a VPC: a new one, or with the pool moat one of your own.`,
	Plan: func(tx *state.Txn, in *AssociateVpcCidrBlockInput) (*AssociateVpcCidrBlockOutput, error) {
		amazon := in.AmazonProvidedIpv6CidrBlock != nil && *in.AmazonProvidedIpv6CidrBlock
		if in.VpcId == "" {
			return nil, fault.MissingParameter.With("vpcId")
		}
		if err := checkVPCID(in.VpcId); err != nil {
			return nil, err
		}
		if err := noPools(in.Ipv4IpamPoolId, in.Ipv4NetmaskLength, in.Ipv6IpamPoolId, in.Ipv6NetmaskLength); err != nil {
			return nil, err
		}
		own, err := ownIPv6Block(amazon, in.Ipv6Pool, in.Ipv6CidrBlock)
		if err != nil {
			return nil, err
		}
		ipv6 := amazon || own.IsValid()
		switch {
		case in.CidrBlock == "" && !ipv6:
			return nil, fault.MissingParameter.With("cidrBlock or amazonProvidedIpv6CidrBlock")
		case in.CidrBlock != "" && amazon:
			return nil, fault.InvalidParameterCombination.With("cidrBlock", "amazonProvidedIpv6CidrBlock")
		case in.CidrBlock != "" && ipv6:
			return nil, fault.InvalidParameterCombination.With("cidrBlock", "ipv6CidrBlock")
		}
		border, err := borderGroup(tx, amazon, in.Ipv6CidrBlockNetworkBorderGroup)
		if err != nil {
			return nil, err
		}
		old, err := vpcOf(tx, in.VpcId)
		if err != nil {
			return nil, err
		}
		v := *old
		v.Blocks = slices.Clone(v.Blocks)
		out := &AssociateVpcCidrBlockOutput{VpcId: in.VpcId}
		var b vpc.Block
		if ipv6 {
			if blocksOf(&v, true) >= tx.Quotas.IPv6CIDRsPerVPC {
				return nil, fault.CidrLimitExceeded.With(in.VpcId, tx.Quotas.IPv6CIDRsPerVPC)
			}
			if b, err = newIPv6Block(tx, own, border); err != nil {
				return nil, err
			}
			out.Ipv6CidrBlockAssociation = vpcIPv6Shape(b, "associating")
		} else {
			cidr, err := v.SecondaryBlock(in.CidrBlock)
			if err != nil {
				return nil, err
			}
			if blocksOf(&v, false) >= tx.Quotas.CIDRsPerVPC {
				return nil, fault.CidrLimitExceeded.With(in.VpcId, tx.Quotas.CIDRsPerVPC)
			}
			_, others := activePeerings(tx, v.ID)
			for _, o := range others {
				if vpc.Overlaps([]netip.Prefix{cidr}, sideBlocks(tx, o)) {
					return nil, fault.InvalidVpcRange.Say("The CIDR '%s' conflicts with a CIDR of the peered VPC %s", in.CidrBlock, o.VPC)
				}
			}
			b = vpc.Block{Association: vpc.AssociationID(tx.NewID(vpc.VPCAssociationPrefix)), CIDR: cidr}
			out.CidrBlockAssociation = vpcIPv4Shape(b, "associating")
		}
		v.Blocks = append(v.Blocks, b)
		state.VPCs.Put(tx, &v)
		if ipv6 {
			openEgressIPv6(tx, &v)
			if a := state.DefaultACL(tx, v.ID); a != nil && blocksOf(old, true) == 0 {
				putACLEntries(tx, a, vpc.OpenACLForIPv6(a.Entries))
			}
		}
		return out, nil
	},
}

// blocksOf counts a VPC's blocks of one family.
func blocksOf(v *vpc.VPC, ipv6 bool) (n int) {
	for _, b := range v.Blocks {
		if b.CIDR.Addr().Is6() == ipv6 {
			n++
		}
	}
	return n
}

// newIPv6Block gives an IPv6 block that no other VPC of the space has: own if
// that is one, else one of Amazon's.
func newIPv6Block(tx *state.Txn, own netip.Prefix, border string) (vpc.Block, error) {
	cidr, pool := own, vpc.OwnIPv6Pool
	if own.IsValid() {
		for v := range state.VPCs.All(tx) {
			for _, b := range v.Blocks {
				if b.CIDR.Overlaps(own) {
					return vpc.Block{}, fault.InvalidVpcRange.Say("The IPv6 CIDR '%s' conflicts with '%s' of %s", own, b.CIDR, v.ID)
				}
			}
		}
	} else {
		n := tx.Random()
		cidr, pool = vpc.IPv6Block(n), vpc.AmazonIPv6Pool
		for blockTaken(tx, cidr) {
			n++
			cidr = vpc.IPv6Block(n)
		}
	}
	return vpc.Block{
		Association: vpc.AssociationID(tx.NewID(vpc.VPCAssociationPrefix)), CIDR: cidr,
		Pool: pool, BorderGroup: border,
	}, nil
}

func blockTaken(tx *state.Txn, cidr netip.Prefix) bool {
	return state.VPCs.Count(tx, state.VPCsByBlock, cidr.String(), 1) > 0
}

// openEgressIPv6 lets the default group of a VPC that has just got IPv6 send
// everything there too, unless somebody chose what it may send. Other groups
// stay as they are: VPC user guide, "Default security groups".
func openEgressIPv6(tx *state.Txn, v *vpc.VPC) {
	old := state.DefaultGroup(tx, v.ID)
	if old == nil || old.EgressTouched {
		return
	}
	open := vpc.Peer{CIDR: everyIPv6}
	for i := range old.Rules {
		if r := &old.Rules[i]; r.Direction == flow.Egress && r.Protocol == flow.AllProtocols && r.Peer == open {
			return
		}
	}
	g := *old
	g.Rules = slices.Clone(g.Rules)
	addRule(tx, &g, vpc.Rule{Direction: flow.Egress, Protocol: flow.AllProtocols, Ports: flow.NoPorts, Peer: open})
	state.Groups.Put(tx, &g)
}

// noPools refuses the address pools that a request names: an account that has
// no IP address manager has none.
func noPools(ipv4Pool string, ipv4Length *int32, ipv6Pool string, ipv6Length *int32) error {
	switch {
	case ipv4Length != nil && ipv4Pool == "":
		return fault.InvalidParameterDependency.With("ipv4NetmaskLength", "ipv4IpamPoolId")
	case ipv6Length != nil && ipv6Pool == "":
		return fault.InvalidParameterDependency.With("ipv6NetmaskLength", "ipv6IpamPoolId")
	case ipv4Pool != "":
		return fault.InvalidIpamPoolNotFound.With(ipv4Pool)
	case ipv6Pool != "":
		return fault.InvalidIpamPoolNotFound.With(ipv6Pool)
	}
	return nil
}

// ownIPv6Block reads an IPv6 block of the operator's own, which comes from the
// pool vpc.OwnIPv6Pool; the zero prefix if a request names none. No account has
// another pool.
func ownIPv6Block(amazon bool, pool, cidr string) (netip.Prefix, error) {
	switch {
	case cidr != "" && pool == "":
		return netip.Prefix{}, fault.InvalidParameterDependency.With("ipv6CidrBlock", "ipv6Pool")
	case pool != "" && amazon:
		return netip.Prefix{}, fault.InvalidParameterCombination.With("ipv6Pool", "amazonProvidedIpv6CidrBlock")
	case pool == "":
		return netip.Prefix{}, nil
	case pool != vpc.OwnIPv6Pool:
		return netip.Prefix{}, fault.InvalidPoolNotFound.With(pool)
	case cidr == "":
		return netip.Prefix{}, fault.MissingParameter.With("ipv6CidrBlock")
	}
	return vpc.OwnIPv6Block(cidr)
}

// borderGroup gives the group of zones that announces an IPv6 block. A region
// without local zones has one, of its own name.
func borderGroup(tx *state.Txn, amazon bool, name string) (string, error) {
	switch {
	case name == "":
		return tx.Region, nil
	case !amazon:
		return "", fault.InvalidParameterDependency.With("ipv6CidrBlockNetworkBorderGroup", "amazonProvidedIpv6CidrBlock")
	case name != tx.Region:
		return "", fault.InvalidParameterValue.With(name, "ipv6CidrBlockNetworkBorderGroup", "The network border group does not exist.")
	}
	return name, nil
}

// AssociateVpcCidrBlockInput is what AssociateVpcCidrBlock takes.
type AssociateVpcCidrBlockInput struct {
	CidrBlock                       string
	Ipv6CidrBlockNetworkBorderGroup string
	Ipv6Pool                        string
	Ipv6CidrBlock                   string
	Ipv4IpamPoolId                  string
	Ipv4NetmaskLength               *int32
	Ipv6IpamPoolId                  string
	Ipv6NetmaskLength               *int32
	VpcId                           string // required
	AmazonProvidedIpv6CidrBlock     *bool
}

// AssociateVpcCidrBlockOutput is what AssociateVpcCidrBlock gives.
type AssociateVpcCidrBlockOutput struct {
	Ipv6CidrBlockAssociation *VpcIpv6CidrBlockAssociation
	CidrBlockAssociation     *VpcCidrBlockAssociation
	VpcId                    string
}
