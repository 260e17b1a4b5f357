package ec2

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
