package ec2

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
