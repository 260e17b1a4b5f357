package ec2

import (
	"strconv"
	"strings"

	"moat/action"
	"moat/fault"
	"moat/vpc"
)

// DescribeInstanceTypes lists the catalogue of machine types.
var DescribeInstanceTypes = action.Describe[DescribeInstanceTypesInput, DescribeInstanceTypesOutput, *vpc.InstanceType, InstanceTypeInfo]{
	Name: "DescribeInstanceTypes",
	Doc:  "Lists the machine types that instances may have here: those that configurations name most.",
	List: "instanceTypeSet",

	IDs: func(_ *action.Call, in *DescribeInstanceTypesInput) ([]*vpc.InstanceType, bool, error) {
		var rows []*vpc.InstanceType
		var missing []string
		for _, name := range in.InstanceTypes {
			if t := vpc.InstanceTypeNamed(name); t != nil {
				rows = append(rows, t)
			} else {
				missing = append(missing, name)
			}
		}
		if len(missing) > 0 {
			return nil, false, fault.InvalidInstanceType.With(strings.Join(missing, ", "))
		}
		return rows, len(in.InstanceTypes) > 0, nil
	},
	From: func(_ *action.Call, _ *DescribeInstanceTypesInput, id string) seq[*vpc.InstanceType] {
		return func(yield func(*vpc.InstanceType) bool) {
			for _, t := range vpc.InstanceTypes() {
				if t.Name >= id && !yield(t) {
					return
				}
			}
		}
	},
	ID:   func(t *vpc.InstanceType) string { return t.Name },
	Page: action.Page{Min: 5, Max: 100, WithIDs: fault.InvalidParameterCombination.With("InstanceTypes", "MaxResults")},

	Filters: typeFilters,
	Shape:   func(_ *action.Call, t *vpc.InstanceType) InstanceTypeInfo { return typeShape(t) },
	Key:     func(t *vpc.InstanceType) any { return t },
}

func onNumber(name string, get func(*vpc.InstanceType) int32) action.Match[*vpc.InstanceType] {
	return action.On(name, func(t *vpc.InstanceType) string { return strconv.Itoa(int(get(t))) })
}

func onConst(name, value string) action.Match[*vpc.InstanceType] {
	return action.On(name, func(*vpc.InstanceType) string { return value })
}

func onTexts(name string, get func(*vpc.InstanceType) []string) action.Match[*vpc.InstanceType] {
	return action.OnEach(name, func(t *vpc.InstanceType, yield func(string)) {
		for _, v := range get(t) {
			yield(v)
		}
	})
}

var typeFilters = []action.Match[*vpc.InstanceType]{
	action.On("instance-type", func(t *vpc.InstanceType) string { return t.Name }),
	action.OnBool("current-generation", func(t *vpc.InstanceType) bool { return !t.Previous }),
	action.OnBool("burstable-performance-supported", func(t *vpc.InstanceType) bool { return t.Burstable }),
	action.OnBool("free-tier-eligible", freeTier),
	action.On("hypervisor", func(t *vpc.InstanceType) string { return t.Hypervisor }),
	onTexts("processor-info.supported-architecture", func(t *vpc.InstanceType) []string { return t.Arch }),
	action.On("processor-info.sustained-clock-speed-in-ghz", func(t *vpc.InstanceType) string { return strconv.FormatFloat(t.GHz, 'g', -1, 64) }),
	onTexts("supported-boot-mode", func(t *vpc.InstanceType) []string { return t.Boot }),
	onNumber("vcpu-info.default-vcpus", func(t *vpc.InstanceType) int32 { return t.VCPUs }),
	onNumber("vcpu-info.default-cores", (*vpc.InstanceType).Cores),
	onNumber("vcpu-info.default-threads-per-core", func(t *vpc.InstanceType) int32 { return t.Threads }),
	onNumber("memory-info.size-in-mib", func(t *vpc.InstanceType) int32 { return t.MemoryMiB }),
	onNumber("network-info.maximum-network-interfaces", func(t *vpc.InstanceType) int32 { return t.Interfaces }),
	onNumber("network-info.ipv4-addresses-per-interface", func(t *vpc.InstanceType) int32 { return t.Addresses }),
	onNumber("network-info.ipv6-addresses-per-interface", ipv6PerInterface),
	onConst("network-info.maximum-network-cards", "1"),
	action.On("network-info.network-performance", func(t *vpc.InstanceType) string { return t.Performance }),
	action.On("network-info.ena-support", func(t *vpc.InstanceType) string { return t.ENA }),
	action.OnBool("network-info.ipv6-supported", func(t *vpc.InstanceType) bool { return ipv6PerInterface(t) > 0 }),
	onConst("network-info.efa-supported", "false"),
	onConst("network-info.encryption-in-transit-supported", "false"),
	onConst("bare-metal", "false"), onConst("dedicated-hosts-supported", "false"), onConst("hibernation-supported", "false"),
	onConst("instance-storage-supported", "false"), onConst("auto-recovery-supported", "true"),
	onConst("supported-root-device-type", "ebs"), onConst("supported-usage-class", "on-demand"), onConst("supported-virtualization-type", "hvm"),
	onConst("ebs-info.encryption-support", "supported"), onConst("ebs-info.ebs-optimized-support", "default"), onConst("nitro-enclaves-support", "unsupported"),
	never[*vpc.InstanceType]("instance-storage-info.disk.type"), never[*vpc.InstanceType]("instance-storage-info.nvme-support"),
	never[*vpc.InstanceType]("ebs-info.nvme-support"), never[*vpc.InstanceType]("nitro-tpm-support"),
}

// freeTier tells which types the free tier has: AWS Free Tier, "Amazon EC2".
func freeTier(t *vpc.InstanceType) bool { return t.Name == "t2.micro" || t.Name == "t3.micro" }

func ipv6PerInterface(t *vpc.InstanceType) int32 {
	if t.Previous {
		return 0
	}
	return t.Addresses
}

// typeShape gives a type as it is described.
func typeShape(t *vpc.InstanceType) InstanceTypeInfo {
	ena := t.ENA
	s := InstanceTypeInfo{
		InstanceType: t.Name, CurrentGeneration: ptr(!t.Previous), FreeTierEligible: ptr(freeTier(t)),
		SupportedUsageClasses: []string{"on-demand"}, SupportedRootDeviceTypes: []string{"ebs"}, SupportedVirtualizationTypes: []string{"hvm"},
		BareMetal: ptr(false), Hypervisor: t.Hypervisor, InstanceStorageSupported: ptr(false),
		ProcessorInfo: &ProcessorInfo{SupportedArchitectures: t.Arch},
		VCpuInfo:      &VCpuInfo{DefaultVCpus: ptr(t.VCPUs), DefaultCores: ptr(t.Cores()), DefaultThreadsPerCore: ptr(t.Threads)},
		MemoryInfo:    &MemoryInfo{SizeInMiB: ptr(int64(t.MemoryMiB))},
		EbsInfo:       &EbsInfo{EbsOptimizedSupport: "default", EncryptionSupport: "supported"},
		NetworkInfo: &NetworkInfo{
			NetworkPerformance: t.Performance, MaximumNetworkInterfaces: ptr(t.Interfaces), MaximumNetworkCards: ptr(int32(1)), DefaultNetworkCardIndex: ptr(int32(0)),
			NetworkCards: []NetworkCardInfo{{
				NetworkCardIndex: ptr(int32(0)), NetworkPerformance: t.Performance, MaximumNetworkInterfaces: ptr(t.Interfaces), InterfaceTypes: []string{"interface"},
			}},
			Ipv4AddressesPerInterface: ptr(t.Addresses), Ipv6AddressesPerInterface: ptr(ipv6PerInterface(t)), Ipv6Supported: ptr(ipv6PerInterface(t) > 0),
			EnaSupport: ena, EfaSupported: ptr(false), EncryptionInTransitSupported: ptr(false), EnaSrdSupported: ptr(false),
		},
		PlacementGroupInfo: &PlacementGroupInfo{SupportedStrategies: []string{}}, HibernationSupported: ptr(false),
		BurstablePerformanceSupported: ptr(t.Burstable), DedicatedHostsSupported: ptr(false), AutoRecoverySupported: ptr(true),
		SupportedBootModes: t.Boot, NitroEnclavesSupport: "unsupported", NitroTpmSupport: "unsupported",
	}
	if t.GHz > 0 {
		s.ProcessorInfo.SustainedClockSpeedInGhz = ptr(t.GHz)
	}
	return s
}

// DescribeInstanceTypesInput is what DescribeInstanceTypes takes.
type DescribeInstanceTypesInput struct {
	DryRun                     bool
	InstanceTypes              []string `in:"InstanceType"`
	Filters                    []Filter `in:"Filter"`
	MaxResults                 *int32
	NextToken                  string
	IncludeUnsupportedInRegion *bool
}

// DescribeInstanceTypesOutput is what DescribeInstanceTypes gives.
type DescribeInstanceTypesOutput struct {
	InstanceTypes []InstanceTypeInfo `out:"instanceTypeSet"`
	NextToken     string
}
