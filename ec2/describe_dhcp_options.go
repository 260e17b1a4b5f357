package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// DescribeDhcpOptions lists sets of DHCP options.
var DescribeDhcpOptions = action.Describe[DescribeDhcpOptionsInput, DescribeDhcpOptionsOutput, *vpc.DHCPOptions, *DhcpOptions]{
	Name: "DescribeDhcpOptions",
	Doc:  `Lists sets of DHCP options: all, by id, or by filter.`,
	List: "dhcpOptionsSet",
	IDs: func(c *action.Call, in *DescribeDhcpOptionsInput) ([]*vpc.DHCPOptions, bool, error) {
		return named(c, state.DHCPOptions, in.DhcpOptionsIds, checkDHCPOptionsID, fault.InvalidDHCPOptionsNotFound)
	},
	From: fromKind[DescribeDhcpOptionsInput](state.DHCPOptions),
	ID:   func(d *vpc.DHCPOptions) string { return string(d.ID) },
	Filters: []action.Match[*vpc.DHCPOptions]{
		action.On("dhcp-options-id", func(d *vpc.DHCPOptions) string { return string(d.ID) }).Indexed(findID(state.DHCPOptions)),
		action.OnEach("key", func(d *vpc.DHCPOptions, yield func(string)) {
			for _, o := range d.Options {
				yield(o.Key)
			}
		}),
		action.OnEach("value", func(d *vpc.DHCPOptions, yield func(string)) {
			for _, o := range d.Options {
				for _, v := range o.Values {
					yield(v)
				}
			}
		}),
		action.On("owner-id", func(d *vpc.DHCPOptions) string { return string(d.Owner) }),
	},
	Tags:  taggedRows(state.DHCPOptions, func(d *vpc.DHCPOptions) vpc.Tags { return d.Tags }),
	Shape: func(_ *action.Call, d *vpc.DHCPOptions) *DhcpOptions { return dhcpOptionsShape(d) },
	Key:   func(d *vpc.DHCPOptions) any { return d },
}

// dhcpOptionsShape gives a set as it is described.
func dhcpOptionsShape(d *vpc.DHCPOptions) *DhcpOptions {
	shape := &DhcpOptions{DhcpOptionsId: string(d.ID), OwnerId: string(d.Owner), Tags: tagShapes(d.Tags)}
	for _, o := range d.Options {
		c := DhcpConfiguration{Key: o.Key}
		for _, v := range o.Values {
			c.Values = append(c.Values, AttributeValue{Value: &v})
		}
		shape.DhcpConfigurations = append(shape.DhcpConfigurations, c)
	}
	return shape
}

// DescribeDhcpOptionsInput is what DescribeDhcpOptions takes.
type DescribeDhcpOptionsInput struct {
	DhcpOptionsIds []string `in:"DhcpOptionsId"`
	NextToken      string
	MaxResults     *int32
	DryRun         bool
	Filters        []Filter `in:"Filter"`
}

// DescribeDhcpOptionsOutput is what DescribeDhcpOptions gives.
type DescribeDhcpOptionsOutput struct {
	NextToken   string
	DhcpOptions []DhcpOptions `out:"dhcpOptionsSet"`
}
