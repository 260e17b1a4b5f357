package vpc

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
)

// A Region is one of the regions that AWS has.
type Region struct {
	Name string
	// LongName is how AWS calls it where people read it.
	LongName string
	// Country is its geography.
	Country string
	// OptIn tells that an account must enable the region before using it.
	OptIn bool

	// zones are pairs of a zone's letter and the number in its id.
	zones string
}

// Partition gives the partition that the region belongs to.
func (r *Region) Partition() string { return Partition(r.Name) }

// Endpoint gives the host that serves EC2 there.
func (r *Region) Endpoint() string { return RegionEndpoint(r.Name) }

// A Zone is an availability zone.
type Zone struct {
	Name   string // us-east-1a
	ID     string // use1-az6: the same place in every account
	Region string
}

// regions lists the regions in the order of their names, those that need no
// opt-in and those that do: AWS general reference, "Regions and endpoints".
// Which letter has which id differs from account to account on AWS; here it is
// one of the maps that accounts have.
var regions = []Region{
	{"af-south-1", "Africa (Cape Town)", "South Africa", true, "a1b2c3"},
	{"ap-east-1", "Asia Pacific (Hong Kong)", "Hong Kong", true, "a1b2c3"},
	{"ap-east-2", "Asia Pacific (Taipei)", "Taiwan", true, "a1b2c3"},
	{"ap-northeast-1", "Asia Pacific (Tokyo)", "Japan", false, "a4c1d2"},
	{"ap-northeast-2", "Asia Pacific (Seoul)", "South Korea", false, "a1b2c3d4"},
	{"ap-northeast-3", "Asia Pacific (Osaka)", "Japan", false, "a3b1c2"},
	{"ap-south-1", "Asia Pacific (Mumbai)", "India", false, "a1b3c2"},
	{"ap-south-2", "Asia Pacific (Hyderabad)", "India", true, "a1b2c3"},
	{"ap-southeast-1", "Asia Pacific (Singapore)", "Singapore", false, "a1b2c3"},
	{"ap-southeast-2", "Asia Pacific (Sydney)", "Australia", false, "a1b3c2"},
	{"ap-southeast-3", "Asia Pacific (Jakarta)", "Indonesia", true, "a1b2c3"},
	{"ap-southeast-4", "Asia Pacific (Melbourne)", "Australia", true, "a1b2c3"},
	{"ap-southeast-5", "Asia Pacific (Malaysia)", "Malaysia", true, "a1b2c3"},
	{"ap-southeast-6", "Asia Pacific (New Zealand)", "New Zealand", true, "a1b2c3"},
	{"ap-southeast-7", "Asia Pacific (Thailand)", "Thailand", true, "a1b2c3"},
	{"ca-central-1", "Canada (Central)", "Canada", false, "a1b2d4"},
	{"ca-west-1", "Canada West (Calgary)", "Canada", true, "a1b2c3"},
	{"cn-north-1", "China (Beijing)", "China", false, "a1b2d4"},
	{"cn-northwest-1", "China (Ningxia)", "China", false, "a1b2c3"},
	{"eu-central-1", "Europe (Frankfurt)", "Germany", false, "a1b2c3"},
	{"eu-central-2", "Europe (Zurich)", "Switzerland", true, "a1b2c3"},
	{"eu-north-1", "Europe (Stockholm)", "Sweden", false, "a1b2c3"},
	{"eu-south-1", "Europe (Milan)", "Italy", true, "a1b2c3"},
	{"eu-south-2", "Europe (Spain)", "Spain", true, "a1b2c3"},
	{"eu-west-1", "Europe (Ireland)", "Ireland", false, "a3b1c2"},
	{"eu-west-2", "Europe (London)", "United Kingdom", false, "a2b3c1"},
	{"eu-west-3", "Europe (Paris)", "France", false, "a1b2c3"},
	{"il-central-1", "Israel (Tel Aviv)", "Israel", true, "a1b2c3"},
	{"me-central-1", "Middle East (UAE)", "United Arab Emirates", true, "a1b2c3"},
	{"me-south-1", "Middle East (Bahrain)", "Bahrain", true, "a1b2c3"},
	{"mx-central-1", "Mexico (Central)", "Mexico", true, "a1b2c3"},
	{"sa-east-1", "South America (Sao Paulo)", "Brazil", false, "a1b2c3"},
	{"us-east-1", "US East (N. Virginia)", "United States of America", false, "a6b1c2d4e3f5"},
	{"us-east-2", "US East (Ohio)", "United States of America", false, "a1b2c3"},
	{"us-gov-east-1", "AWS GovCloud (US-East)", "United States of America", false, "a1b2c3"},
	{"us-gov-west-1", "AWS GovCloud (US-West)", "United States of America", false, "a1b2c3"},
	{"us-west-1", "US West (N. California)", "United States of America", false, "a3b1"},
	{"us-west-2", "US West (Oregon)", "United States of America", false, "a2b1c3d4"},
}

// Regions gives every region of the catalogue, in the order of their names.
func Regions() []Region { return slices.Clone(regions) }

// KnownRegion reports whether the catalogue has a region.
func KnownRegion(name string) bool { return regionNamed(name) != nil }

func regionNamed(name string) *Region {
	i, ok := slices.BinarySearchFunc(regions, name, func(r Region, name string) int { return strings.Compare(r.Name, name) })
	if !ok {
		return nil
	}
	return &regions[i]
}

// RegionNamed gives a region of the catalogue. A name that it lacks makes a
// region with zones a, b and c, so that people may call theirs as they like.
func RegionNamed(name string) Region {
	if r := regionNamed(name); r != nil {
		return *r
	}
	return Region{Name: name, LongName: name, zones: "a1b2c3"}
}

// RegionEndpoint gives the host that serves EC2 in a region of AWS.
func RegionEndpoint(name string) string {
	if Partition(name) == "aws-cn" {
		return "ec2." + name + ".amazonaws.com.cn"
	}
	return "ec2." + name + ".amazonaws.com"
}

// Zones gives the zones of a region, in the order of their names; there is
// always one.
func Zones(region string) []Zone {
	letters, prefix := RegionNamed(region).zones, zoneIDPrefix(region)
	out := make([]Zone, 0, len(letters)/2)
	for ; len(letters) >= 2; letters = letters[2:] {
		out = append(out, Zone{Name: region + letters[:1], ID: prefix + "-az" + letters[1:2], Region: region})
	}
	return out
}

// ZoneNamed finds a zone of a region by its name.
func ZoneNamed(region, name string) (Zone, bool) {
	return findZone(region, func(z Zone) bool { return z.Name == name })
}

// ZoneByID finds a zone of a region by its id.
func ZoneByID(region, id string) (Zone, bool) {
	return findZone(region, func(z Zone) bool { return z.ID == id })
}

func findZone(region string, is func(Zone) bool) (Zone, bool) {
	zones := Zones(region)
	if i := slices.IndexFunc(zones, is); i >= 0 {
		return zones[i], true
	}
	return Zone{}, false
}

// zoneIDPrefix shortens a region's name as ids of zones do: us-east-1 is use1,
// ap-northeast-2 apne2, us-gov-west-1 usgw1.
func zoneIDPrefix(region string) string {
	parts := strings.Split(region, "-")
	var b strings.Builder
	for i, p := range parts {
		_, err := strconv.Atoi(p)
		switch {
		case i == 0 || err == nil || p == "":
			b.WriteString(p)
		default:
			b.WriteByte(p[0])
			for _, second := range []string{"east", "west"} {
				if len(p) > len(second) && strings.HasSuffix(p, second) {
					b.WriteByte(second[0])
				}
			}
		}
	}
	return b.String()
}

// DefaultDHCPOptions gives the id of the DHCP options that a region of an
// account begins with. It is always the same one.
func DefaultDHCPOptions(region string, account AccountID) string {
	sum := sha256.Sum256([]byte("dhcp options " + region + "/" + string(account)))
	return DHCPOptionsPrefix + "-0" + hex.EncodeToString(sum[:8])
}
