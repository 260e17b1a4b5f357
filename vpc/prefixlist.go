package vpc

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"

	"moat/fault"
)

// The address families of prefix lists, as EC2 spells them.
const (
	FamilyIPv4 = "IPv4"
	FamilyIPv6 = "IPv6"
)

// MaxEntryChanges is how many entries one call may add, and how many it may
// remove: EC2 API reference, ModifyManagedPrefixList.
const MaxEntryChanges = 100

// OwnerAWS is the owner of the prefix lists that AWS manages.
const OwnerAWS AccountID = "AWS"

// IsAWS reports whether AWS manages the list: such a list may be read and
// named in rules, and nothing else.
func (l *PrefixList) IsAWS() bool { return l.Owner == OwnerAWS }

// ARN gives the list's resource name. AWS's own lists have aws in place of an
// account.
func (l *PrefixList) ARN(region string) string {
	owner := l.Owner
	if l.IsAWS() {
		owner = "aws"
	}
	return ARN(region, owner, "prefix-list", string(l.ID))
}

// PrefixListWeight gives how many rules a rule that names the list counts for:
// the maximum of its entries, be they there or not, and for a list of AWS's the
// weight that AWS publishes. VPC user guide, "Prefix list concepts and rules".
func PrefixListWeight(l *PrefixList) int {
	if !l.IsAWS() {
		return int(l.MaxEntries)
	}
	for i := range awsPrefixLists {
		if a := &awsPrefixLists[i]; strings.HasSuffix(l.Name, "."+a.service) && a.family == l.Family {
			return a.weight
		}
	}
	return 1
}

// CheckPrefixListName refuses a name that a customer's list cannot have.
func CheckPrefixListName(name string) error {
	switch {
	case utf8.RuneCountInString(name) > 255:
		return fault.InvalidParameterValue.With(name, "PrefixListName", "The name must have at most 255 characters.")
	case strings.HasPrefix(name, "com.amazonaws"):
		return fault.InvalidParameterValue.With(name, "PrefixListName", "The name cannot start with 'com.amazonaws'.")
	}
	return nil
}

// CheckPrefixListSize refuses a maximum of entries that is not from 1 to most.
func CheckPrefixListSize(size int32, most int) error {
	switch {
	case size < 1:
		return fault.InvalidParameterValue.With(fmt.Sprint(size), "MaxEntries", "The value must be greater than 0.")
	case int(size) > most:
		return fault.InvalidParameterValue.With(fmt.Sprint(size), "MaxEntries", fmt.Sprintf("The value must be at most %d.", most))
	}
	return nil
}

// ParsePrefixListCIDR reads a range of a list of one family, in canonical form:
// without host bits.
func ParsePrefixListCIDR(family, cidr string) (netip.Prefix, error) {
	if cidr == "" {
		return netip.Prefix{}, fault.MissingParameter.With("Cidr")
	}
	p, err := netip.ParsePrefix(cidr)
	if err != nil {
		return netip.Prefix{}, fault.InvalidParameterValue.With(cidr, "Cidr", "This is not a valid CIDR block.")
	}
	if p.Addr().Is4() != (family == FamilyIPv4) {
		return netip.Prefix{}, fault.InvalidParameterValue.With(cidr, "Cidr", "The address family of the prefix list is "+family+".")
	}
	return p.Masked(), nil
}

// ParsePrefixListEntry reads an entry of a list of one family.
func ParsePrefixListEntry(family, cidr, description string) (PrefixListEntry, error) {
	p, err := ParsePrefixListCIDR(family, cidr)
	if err != nil {
		return PrefixListEntry{}, err
	}
	if utf8.RuneCountInString(description) > 255 {
		return PrefixListEntry{}, fault.InvalidParameterValue.With(description, "Description", "A description has at most 255 characters.")
	}
	return PrefixListEntry{CIDR: p, Description: description}, nil
}

// ChangeEntries gives the entries of a list after one call: what it removes is
// there, what it adds is not, and no range is in the call twice. The result is
// sorted by range.
func ChangeEntries(old, add []PrefixListEntry, remove []netip.Prefix) ([]PrefixListEntry, error) {
	gone := make(map[netip.Prefix]bool, len(remove))
	for _, p := range remove {
		if gone[p] {
			return nil, fault.InvalidParameterValue.Say("Request cannot contain Cidr %s more than once in RemovePrefixListEntries", p)
		}
		gone[p] = true
	}
	fresh := make(map[netip.Prefix]bool, len(add))
	for _, e := range add {
		switch {
		case gone[e.CIDR]:
			return nil, fault.InvalidParameterValue.Say("Request cannot contain Cidr %s in both AddPrefixListEntries and RemovePrefixListEntries", e.CIDR)
		case fresh[e.CIDR]:
			return nil, fault.InvalidParameterValue.Say("Request cannot contain Cidr %s more than once in AddPrefixListEntries", e.CIDR)
		}
		fresh[e.CIDR] = true
	}
	out := make([]PrefixListEntry, 0, len(old)+len(add))
	for _, e := range old {
		switch {
		case gone[e.CIDR]:
			delete(gone, e.CIDR)
			continue
		case fresh[e.CIDR]:
			// A new description too: AWS wants the entry removed first, by a call
			// of its own.
			return nil, fault.InvalidPrefixListModification.Say("An entry with the CIDR (%s) and description (%s) already exists.", e.CIDR, e.Description)
		}
		out = append(out, e)
	}
	for _, p := range remove {
		if gone[p] {
			return nil, fault.InvalidPrefixListModification.Say("An entry with the CIDR (%s) does not exist.", p)
		}
	}
	out = append(out, add...)
	slices.SortFunc(out, func(a, b PrefixListEntry) int {
		return cmp.Or(a.CIDR.Addr().Compare(b.CIDR.Addr()), cmp.Compare(a.CIDR.Bits(), b.CIDR.Bits()))
	})
	return out, nil
}

// awsPrefixLists is the catalogue of the lists that AWS manages in every
// region: VPC user guide, "AWS-managed prefix lists". Moat does not know the
// addresses of AWS's services, and they are of no use to another network's
// firewall: each list holds a range set aside for documentation (RFC 5737,
// RFC 3849), so that a rule which names it is accepted and opens nothing.
var awsPrefixLists = []awsPrefixList{
	{"s3", false, FamilyIPv4, 1, documented("198.51.100.0/28")},
	{"dynamodb", false, FamilyIPv4, 1, documented("198.51.100.16/28")},
	{"vpc-lattice", false, FamilyIPv4, 10, documented("198.51.100.32/28")},
	{"ipv6.vpc-lattice", false, FamilyIPv6, 10, documented("2001:db8:1::/48")},
	{"ec2-instance-connect", false, FamilyIPv4, 2, documented("198.51.100.48/29")},
	{"ipv6.ec2-instance-connect", false, FamilyIPv6, 2, documented("2001:db8:2::/48")},
	{"cloudfront.origin-facing", true, FamilyIPv4, 55, documented("203.0.113.0/25", "203.0.113.128/26")},
	{"ipv6.cloudfront.origin-facing", true, FamilyIPv6, 55, documented("2001:db8:3::/48")},
	{"groundstation", true, FamilyIPv4, 5, documented("203.0.113.192/27")},
}

type awsPrefixList struct {
	service string // the end of its name
	global  bool   // "global" in place of the region in its name
	family  string
	weight  int
	entries []PrefixListEntry
}

func documented(cidrs ...string) (out []PrefixListEntry) {
	for _, c := range cidrs {
		out = append(out, PrefixListEntry{CIDR: netip.MustParsePrefix(c)})
	}
	return out
}

func (a *awsPrefixList) name(region string) string {
	if a.global {
		region = "global"
	}
	return "com.amazonaws." + region + "." + a.service
}

// id gives the list's id in a region: AWS's own where it is known from AWS's
// documents, else one made from the name, the same at any time.
func (a *awsPrefixList) id(region string) PrefixListID {
	if region == "us-east-1" {
		switch a.service {
		case "s3":
			return "pl-63a5400a"
		case "dynamodb":
			return "pl-02cd2c6b"
		}
	}
	h := fnv.New32a()
	h.Write([]byte(region + "/" + a.service))
	return PrefixListID(fmt.Sprintf("%s-%08x", PrefixListPrefix, h.Sum32()))
}

func (a *awsPrefixList) in(region string) *PrefixList {
	return &PrefixList{
		ID: a.id(region), Owner: OwnerAWS, Name: a.name(region), Family: a.family,
		State: PrefixListCreated, Entries: a.entries,
	}
}

// AWSPrefixLists gives the lists that AWS manages in a region, in the order of
// ids. They have neither a version nor a maximum of entries.
func AWSPrefixLists(region string) []*PrefixList {
	out := make([]*PrefixList, len(awsPrefixLists))
	for i := range awsPrefixLists {
		out[i] = awsPrefixLists[i].in(region)
	}
	slices.SortFunc(out, func(a, b *PrefixList) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// AWSPrefixList gives the list with an id that AWS manages in a region, or nil.
func AWSPrefixList(region string, id PrefixListID) *PrefixList {
	if len(id) != len("pl-00000000") {
		return nil
	}
	for i := range awsPrefixLists {
		if awsPrefixLists[i].id(region) == id {
			return awsPrefixLists[i].in(region)
		}
	}
	return nil
}

// The states in which a list can be stored. The ones in progress are only ever
// told in the answer to a change: by then Moat has made it.
const (
	PrefixListCreated      = "create-complete"
	PrefixListModified     = "modify-complete"
	PrefixListModifyFailed = "modify-failed"
	PrefixListRestored     = "restore-complete"
	PrefixListDeleteFailed = "delete-failed"
)
