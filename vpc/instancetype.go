package vpc

import (
	"slices"
	"strings"
)

// An InstanceType says what a client wants to know of a machine type: how
// many interfaces and addresses it may have is held, the rest is told.
type InstanceType struct {
	Name string
	*typeFamily

	VCPUs     int32
	MemoryMiB int32
	// Interfaces and Addresses are how many interfaces an instance may have, and
	// how many addresses of a family each of them.
	Interfaces, Addresses int32
	Performance           string // of the network
}

// A typeFamily is what the types with one prefix have in common.
type typeFamily struct {
	name string
	// Arch are the architectures that it runs.
	Arch       []string
	GHz        float64
	Hypervisor string // nitro or xen
	Previous   bool   // generation
	Burstable  bool
	ENA        string // unsupported, supported or required
	Threads    int32  // per core
	Boot       []string
	sizes      []size
}

// A size is a member of a family: its name after the dot, and what EC2's user
// guide says of it in "Instance type specifications".
type size struct {
	name                  string
	vcpus, memory         int32
	interfaces, addresses int32
	performance           string
}

var (
	intel = []string{"x86_64"}
	old   = []string{"i386", "x86_64"}
	arm   = []string{"arm64"}
	bios  = []string{"legacy-bios"}
	both  = []string{"legacy-bios", "uefi"}
	uefi  = []string{"uefi"}
)

// burst are the sizes that t3, t3a and t4g share.
var burst = []size{
	{"nano", 2, 512, 2, 2, "Up to 5 Gigabit"}, {"micro", 2, 1024, 2, 2, "Up to 5 Gigabit"},
	{"small", 2, 2048, 3, 4, "Up to 5 Gigabit"}, {"medium", 2, 4096, 3, 6, "Up to 5 Gigabit"},
	{"large", 2, 8192, 3, 12, "Up to 5 Gigabit"}, {"xlarge", 4, 16384, 4, 15, "Up to 5 Gigabit"},
	{"2xlarge", 8, 32768, 4, 15, "Up to 5 Gigabit"},
}

// general gives the sizes of a family with so much memory for a processor.
func general(perCPU int32, performance string) []size {
	return []size{
		{"large", 2, 2 * perCPU, 3, 10, performance}, {"xlarge", 4, 4 * perCPU, 4, 15, performance},
		{"2xlarge", 8, 8 * perCPU, 4, 15, performance}, {"4xlarge", 16, 16 * perCPU, 8, 30, performance},
	}
}

// medium is the size that families with Graviton processors have beside.
func medium(perCPU int32, performance string) []size {
	return append([]size{{"medium", 1, perCPU, 2, 4, performance}}, general(perCPU, performance)...)
}

// typeFamilies is the catalogue: the types that configurations name most.
var typeFamilies = []*typeFamily{
	{name: "c5", Arch: intel, GHz: 3.4, Hypervisor: "nitro", ENA: "required", Threads: 2, Boot: both, sizes: general(2048, "Up to 10 Gigabit")},
	{name: "c6g", Arch: arm, GHz: 2.5, Hypervisor: "nitro", ENA: "required", Threads: 1, Boot: uefi, sizes: medium(2048, "Up to 10 Gigabit")},
	{name: "c6i", Arch: intel, GHz: 3.5, Hypervisor: "nitro", ENA: "required", Threads: 2, Boot: both, sizes: general(2048, "Up to 12.5 Gigabit")},
	{name: "c7g", Arch: arm, GHz: 2.6, Hypervisor: "nitro", ENA: "required", Threads: 1, Boot: uefi, sizes: medium(2048, "Up to 12.5 Gigabit")},
	{name: "c7i", Arch: intel, GHz: 3.2, Hypervisor: "nitro", ENA: "required", Threads: 2, Boot: both, sizes: general(2048, "Up to 12.5 Gigabit")},
	{name: "m1", Arch: old, GHz: 0, Hypervisor: "xen", Previous: true, ENA: "unsupported", Threads: 1, Boot: bios, sizes: []size{
		{"small", 1, 1740, 2, 4, "Low"}, {"medium", 1, 3788, 2, 6, "Moderate"}, {"large", 2, 7680, 3, 10, "Moderate"}, {"xlarge", 4, 15360, 4, 15, "High"},
	}},
	{name: "m4", Arch: intel, GHz: 2.4, Hypervisor: "xen", ENA: "unsupported", Threads: 2, Boot: bios, sizes: []size{
		{"large", 2, 8192, 2, 10, "Moderate"}, {"xlarge", 4, 16384, 4, 15, "High"}, {"2xlarge", 8, 32768, 4, 15, "High"}, {"4xlarge", 16, 65536, 8, 30, "High"},
	}},
	{name: "m5", Arch: intel, GHz: 3.1, Hypervisor: "nitro", ENA: "required", Threads: 2, Boot: both, sizes: general(4096, "Up to 10 Gigabit")},
	{name: "m6g", Arch: arm, GHz: 2.5, Hypervisor: "nitro", ENA: "required", Threads: 1, Boot: uefi, sizes: medium(4096, "Up to 10 Gigabit")},
	{name: "m6i", Arch: intel, GHz: 3.5, Hypervisor: "nitro", ENA: "required", Threads: 2, Boot: both, sizes: general(4096, "Up to 12.5 Gigabit")},
	{name: "m7g", Arch: arm, GHz: 2.6, Hypervisor: "nitro", ENA: "required", Threads: 1, Boot: uefi, sizes: medium(4096, "Up to 12.5 Gigabit")},
	{name: "m7i", Arch: intel, GHz: 3.2, Hypervisor: "nitro", ENA: "required", Threads: 2, Boot: both, sizes: general(4096, "Up to 12.5 Gigabit")},
	{name: "r5", Arch: intel, GHz: 3.1, Hypervisor: "nitro", ENA: "required", Threads: 2, Boot: both, sizes: general(8192, "Up to 10 Gigabit")},
	{name: "r6g", Arch: arm, GHz: 2.5, Hypervisor: "nitro", ENA: "required", Threads: 1, Boot: uefi, sizes: medium(8192, "Up to 10 Gigabit")},
	{name: "r6i", Arch: intel, GHz: 3.5, Hypervisor: "nitro", ENA: "required", Threads: 2, Boot: both, sizes: general(8192, "Up to 12.5 Gigabit")},
	{name: "t2", Arch: old, GHz: 2.5, Hypervisor: "xen", Burstable: true, ENA: "unsupported", Threads: 1, Boot: bios, sizes: []size{
		{"nano", 1, 512, 2, 2, "Low to Moderate"}, {"micro", 1, 1024, 2, 2, "Low to Moderate"}, {"small", 1, 2048, 3, 4, "Low to Moderate"},
		{"medium", 2, 4096, 3, 6, "Low to Moderate"}, {"large", 2, 8192, 3, 12, "Low to Moderate"}, {"xlarge", 4, 16384, 3, 15, "Moderate"},
		{"2xlarge", 8, 32768, 3, 15, "Moderate"},
	}},
	{name: "t3", Arch: intel, GHz: 2.5, Hypervisor: "nitro", Burstable: true, ENA: "required", Threads: 2, Boot: both, sizes: burst},
	{name: "t3a", Arch: intel, GHz: 2.2, Hypervisor: "nitro", Burstable: true, ENA: "required", Threads: 2, Boot: both, sizes: burst},
	{name: "t4g", Arch: arm, GHz: 2.5, Hypervisor: "nitro", Burstable: true, ENA: "required", Threads: 1, Boot: uefi, sizes: burst},
}

// instanceTypes has every type in the order of names.
var instanceTypes = func() (out []*InstanceType) {
	for _, f := range typeFamilies {
		for _, s := range f.sizes {
			out = append(out, &InstanceType{f.name + "." + s.name, f, s.vcpus, s.memory, s.interfaces, s.addresses, s.performance})
		}
	}
	slices.SortFunc(out, func(a, b *InstanceType) int { return strings.Compare(a.Name, b.Name) })
	return out
}()

// InstanceTypes gives the catalogue, in the order of names.
func InstanceTypes() []*InstanceType { return slices.Clone(instanceTypes) }

// InstanceTypeNamed finds a type, or gives nil.
func InstanceTypeNamed(name string) *InstanceType {
	i, ok := slices.BinarySearchFunc(instanceTypes, name, func(t *InstanceType, name string) int { return strings.Compare(t.Name, name) })
	if !ok {
		return nil
	}
	return instanceTypes[i]
}

// Cores gives how many processor cores the type has.
func (t *InstanceType) Cores() int32 { return max(1, t.VCPUs/t.Threads) }

// Credits gives the CPU credit option that instances of a burstable type begin
// with, and "" for another type: EC2 user guide, "Burstable performance
// instances" (T2 are standard, the later ones unlimited).
func (t *InstanceType) Credits() string {
	switch {
	case !t.Burstable:
		return ""
	case t.typeFamily.name == "t2":
		return "standard"
	}
	return "unlimited"
}
