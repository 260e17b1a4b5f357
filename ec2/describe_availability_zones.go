package ec2

import (
	"slices"

	"moat/action"
	"moat/fault"
	"moat/vpc"
)

// DescribeAvailabilityZones lists the zones of the region.
var DescribeAvailabilityZones = action.Describe[DescribeAvailabilityZonesInput, DescribeAvailabilityZonesOutput, vpc.Zone, AvailabilityZone]{
	Name: "DescribeAvailabilityZones",
	Doc:  `Lists the Availability Zones of the region.`,
	List: "availabilityZoneInfo",
	IDs: func(c *action.Call, in *DescribeAvailabilityZonesInput) (zones []vpc.Zone, ok bool, err error) {
		for _, name := range in.ZoneNames {
			z, ok := vpc.ZoneNamed(c.Region, name)
			if !ok {
				return nil, false, fault.InvalidParameterValue.Say("Invalid availability zone: [%s]", name)
			}
			zones = append(zones, z)
		}
		for _, id := range in.ZoneIds {
			z, ok := vpc.ZoneByID(c.Region, id)
			if !ok {
				return nil, false, fault.InvalidParameterValue.Say("Invalid availability zone-id: [%s]", id)
			}
			zones = append(zones, z)
		}
		return zones, len(zones) > 0, nil
	},
	From: func(c *action.Call, _ *DescribeAvailabilityZonesInput, _ string) seq[vpc.Zone] {
		return slices.Values(vpc.Zones(c.Region))
	},
	ID: func(z vpc.Zone) string { return z.Name },
	Filters: []action.Match[vpc.Zone]{
		action.On("group-long-name", zoneGroupLongName),
		action.On("group-name", func(z vpc.Zone) string { return z.Region }),
		action.On("message", func(vpc.Zone) string { return "" }),
		action.On("opt-in-status", func(vpc.Zone) string { return optInNotRequired }),
		action.On("parent-zone-id", func(vpc.Zone) string { return "" }),
		action.On("parent-zone-name", func(vpc.Zone) string { return "" }),
		action.On("region-name", func(z vpc.Zone) string { return z.Region }),
		action.On("state", func(vpc.Zone) string { return "available" }),
		action.On("zone-id", func(z vpc.Zone) string { return z.ID }),
		action.On("zone-name", func(z vpc.Zone) string { return z.Name }),
		action.On("zone-type", func(vpc.Zone) string { return "availability-zone" }),
	},
	Shape: func(_ *action.Call, z vpc.Zone) AvailabilityZone {
		r := vpc.RegionNamed(z.Region)
		shape := AvailabilityZone{
			OptInStatus: optInNotRequired, Messages: []AvailabilityZoneMessage{}, RegionName: z.Region,
			ZoneName: z.Name, ZoneId: z.ID, GroupName: z.Region, NetworkBorderGroup: z.Region,
			ZoneType: "availability-zone", GroupLongName: zoneGroupLongName(z), State: "available",
		}
		if r.Country != "" {
			shape.Geography = []AvailabilityZoneGeography{{r.Country}}
		}
		return shape
	},
}

const optInNotRequired = "opt-in-not-required"

// zoneGroupLongName names the group of a region's own zones, which is its first.
func zoneGroupLongName(z vpc.Zone) string { return vpc.RegionNamed(z.Region).LongName + " 1" }

// DescribeAvailabilityZonesInput is what DescribeAvailabilityZones takes.
type DescribeAvailabilityZonesInput struct {
	ZoneNames            []string `in:"ZoneName"`
	ZoneIds              []string `in:"ZoneId"`
	AllAvailabilityZones *bool
	DryRun               bool
	Filters              []Filter `in:"Filter"`
}

// DescribeAvailabilityZonesOutput is what DescribeAvailabilityZones gives.
type DescribeAvailabilityZonesOutput struct {
	AvailabilityZones []AvailabilityZone `out:"availabilityZoneInfo"`
}
