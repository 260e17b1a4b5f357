package ec2

import (
	"slices"

	"moat/action"
	"moat/fault"
	"moat/vpc"
)

// DescribeVpcEndpointServices lists the services that endpoints can be for.
var DescribeVpcEndpointServices = action.Read[DescribeVpcEndpointServicesInput, DescribeVpcEndpointServicesOutput]{
	Name: "DescribeVpcEndpointServices",
	Doc:  `Lists the services for which VPCs can have endpoints: those with gateway endpoints.`,
	Read: func(c *action.Call, in *DescribeVpcEndpointServicesInput) (*DescribeVpcEndpointServicesOutput, error) {
		services := vpc.EndpointServices(c.Region)
		for _, name := range in.ServiceNames {
			if !slices.Contains(services, name) {
				return nil, fault.InvalidServiceName.With(name)
			}
		}
		if len(in.ServiceRegions) > 0 && !slices.Contains(in.ServiceRegions, c.Region) {
			services = nil
		}
		match := func(f Filter, values ...string) bool {
			return slices.ContainsFunc(f.Values, func(p string) bool {
				return slices.ContainsFunc(values, func(v string) bool { return action.Glob(p, v) })
			})
		}
		var details []ServiceDetail
		for _, name := range services {
			if len(in.ServiceNames) > 0 && !slices.Contains(in.ServiceNames, name) {
				continue
			}
			d, keep := serviceShape(c.Region, name), true
			for _, f := range in.Filters {
				switch f.Name {
				case "service-name":
					keep = keep && match(f, name)
				case "service-type":
					keep = keep && match(f, "Gateway")
				case "owner":
					keep = keep && match(f, d.Owner)
				case "service-region":
					keep = keep && match(f, c.Region)
				case "supported-ip-address-types":
					keep = keep && match(f, d.SupportedIpAddressTypes...)
				case "tag-key":
					keep = false // AWS's services have no tags
				default:
					if len(f.Name) < 5 || f.Name[:4] != "tag:" {
						return nil, fault.InvalidParameterValue.Say("The filter '%s' is invalid", f.Name)
					}
					keep = false
				}
			}
			if keep {
				details = append(details, d)
			}
		}
		page, next, err := action.Paged("DescribeVpcEndpointServices", action.Page{Min: 1, Max: 1000}, in, details, func(d ServiceDetail) string { return d.ServiceName })
		if err != nil {
			return nil, err
		}
		out := &DescribeVpcEndpointServicesOutput{ServiceNames: []string{}, ServiceDetails: []ServiceDetail{}, NextToken: next}
		for _, d := range page {
			out.ServiceNames = append(out.ServiceNames, d.ServiceName)
			out.ServiceDetails = append(out.ServiceDetails, d)
		}
		return out, nil
	},
}

func serviceShape(region, name string) ServiceDetail {
	d := ServiceDetail{
		ServiceName: name, ServiceType: []ServiceTypeDetail{{ServiceType: "Gateway"}}, ServiceRegion: region, Owner: "amazon",
		BaseEndpointDnsNames:       []string{name[len("com.amazonaws."+region+"."):] + "." + region + ".amazonaws.com"},
		VpcEndpointPolicySupported: true, Tags: []Tag{}, SupportedIpAddressTypes: []string{"ipv4"}, PrivateDnsNames: []PrivateDnsDetails{},
	}
	for _, z := range vpc.Zones(region) {
		d.AvailabilityZones, d.AvailabilityZoneIds = append(d.AvailabilityZones, z.Name), append(d.AvailabilityZoneIds, z.ID)
	}
	return d
}

// DescribeVpcEndpointServicesInput is what DescribeVpcEndpointServices takes.
type DescribeVpcEndpointServicesInput struct {
	DryRun         bool
	ServiceNames   []string `in:"ServiceName"`
	Filters        []Filter `in:"Filter"`
	MaxResults     *int32
	NextToken      string
	ServiceRegions []string `in:"ServiceRegion"`
}

// DescribeVpcEndpointServicesOutput is what DescribeVpcEndpointServices gives.
type DescribeVpcEndpointServicesOutput struct {
	ServiceNames   []string        `out:"serviceNameSet"`
	ServiceDetails []ServiceDetail `out:"serviceDetailSet"`
	NextToken      string
}
