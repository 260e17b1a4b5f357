package server

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"moat/change"
	"moat/dataplane"
	"moat/ec2"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// adoptable returns the addresses of a device that its interface is to have.
func (s *Server) adoptable(b dataplane.Binding) ([]netip.Addr, error) {
	if b.Side != dataplane.Workload {
		return nil, fault.InvalidParameterCombination.Say("Only with side workload are the device's addresses the interface's.")
	}
	n, err := s.network(b.Netns)
	if err != nil {
		return nil, fault.IncorrectState.Say("The addresses of device %s cannot be read: %v", b.Device, err)
	}
	return n.Owned(b.Device).UseOf(b.Device).Addresses, nil
}

// adopt stages the calls that give an interface addresses: all of them, or it is
// an error that says what is missing. It returns the calls and the addresses
// that are new.
func (s *Server) adopt(r *request, tx *state.Txn, row *vpc.Interface, device string, all []netip.Addr) (steps []*step, adopted []netip.Addr, err error) {
	calls, adopted, outside := adoption(tx, row, all)
	if outside != nil {
		return nil, nil, fault.InvalidParameterValue.Say("Interface %s cannot have all addresses of %s: %s.%s Or let the rules alone decide, for all addresses: aws ec2 modify-network-interface-attribute --network-interface-id %s --no-source-dest-check && moat attach %s --dev %s --side workload",
			row.ID, device, strings.Join(outside, "; "), interfaceCommands(row, all), row.ID, row.ID, device)
	}
	made := &changing{}
	for _, c := range calls {
		st, err := s.planned(r, c)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", c.Action, err)
		}
		made.steps = append(made.steps, st)
	}
	for i, st := range made.steps {
		st.caller = r.caller
		if err := s.stageNested(tx, made, i); err != nil {
			return nil, nil, err
		}
	}
	return made.steps, adopted, nil
}

// adoption returns the calls that give an interface the addresses that it lacks,
// and why it cannot have some of them.
func adoption(r state.Reader, row *vpc.Interface, all []netip.Addr) (calls []change.Call, lacks []netip.Addr, outside []string) {
	subnet, v := state.Subnets.Get(r, row.Subnet), state.VPCs.Get(r, row.VPC)
	var block netip.Prefix
	for _, b := range subnet.IPv6 {
		block = b.CIDR
	}
	var four, six []string
	for _, a := range all {
		switch {
		case slices.Contains(row.Addresses, a) || slices.Contains(row.IPv6, a):
			continue
		case a.Is4() && !(subnet.CIDR.IsValid() && subnet.CIDR.Contains(a)):
			outside = append(outside, fmt.Sprintf("%s is not in %s of its subnet %s", a, subnet.CIDR, subnet.ID))
		case a.Is6() && block.IsValid() && !block.Contains(a):
			outside = append(outside, fmt.Sprintf("%s is not in %s, and a subnet has one IPv6 block", a, block))
		case a.Is4():
			four = append(four, a.String())
		default:
			if six = append(six, a.String()); !block.IsValid() {
				block = netip.PrefixFrom(a, vpc.IPv6SubnetBits).Masked()
			}
		}
		lacks = append(lacks, a)
	}
	if six != nil && !subnet.HasIPv6() {
		has := func(b vpc.Block) bool { return vpc.Contains(b.CIDR, block) }
		if !slices.ContainsFunc(v.Blocks, has) {
			calls = append(calls, change.Call{Action: "AssociateVpcCidrBlock", In: &ec2.AssociateVpcCidrBlockInput{VpcId: string(v.ID), Ipv6Pool: vpc.OwnIPv6Pool, Ipv6CidrBlock: block.String()}})
		}
		calls = append(calls, change.Call{Action: "AssociateSubnetCidrBlock", In: &ec2.AssociateSubnetCidrBlockInput{SubnetId: string(subnet.ID), Ipv6CidrBlock: block.String()}})
	}
	if four != nil {
		calls = append(calls, change.Call{Action: "AssignPrivateIpAddresses", In: &ec2.AssignPrivateIpAddressesInput{NetworkInterfaceId: string(row.ID), PrivateIpAddresses: four}})
	}
	if six != nil {
		calls = append(calls, change.Call{Action: "AssignIpv6Addresses", In: &ec2.AssignIpv6AddressesInput{NetworkInterfaceId: string(row.ID), Ipv6Addresses: six}})
	}
	return calls, lacks, outside
}

// interfaceCommands returns the commands that make an interface whose first address is
// the device's first IPv4 address, if a subnet can have that.
func interfaceCommands(row *vpc.Interface, all []netip.Addr) string {
	at := slices.IndexFunc(all, netip.Addr.Is4)
	if at < 0 || slices.Contains(row.Addresses, all[at]) {
		return ""
	}
	for bits := 24; bits >= 16; bits-- {
		p := netip.PrefixFrom(all[at], bits).Masked()
		if _, err := vpc.PrimaryBlock(p.String()); err != nil || vpc.Reserved(p, all[at]) {
			continue
		}
		return fmt.Sprintf(" Attach an interface of a subnet that has them: aws ec2 create-vpc --cidr-block %s; aws ec2 create-subnet --vpc-id VPC --cidr-block %s; aws ec2 create-network-interface --subnet-id SUBNET --private-ip-address %s.", p, p, all[at])
	}
	return ""
}
