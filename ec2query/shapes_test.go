package ec2query

import (
	"encoding/base64"
	"net/netip"
	"time"
)

// Shapes of the tests, spelled as the service model spells them.

type filter struct {
	Name   string
	Values []string `in:"Value"`
}

type tag struct{ Key, Value string }

type groupID string

type ipRange struct {
	CidrIp      string
	Description string
}

type groupPair struct {
	UserId, GroupId string
}

type permission struct {
	IpProtocol    string
	FromPort      *int32
	ToPort        *int32
	UserIdGroups  []groupPair `in:"Groups" out:"groups,always"`
	IpRanges      []ipRange   `out:",always"`
	Ipv6Ranges    []ipRange   `out:",always"`
	PrefixListIds []string    `out:",always"`
}

type securityGroup struct {
	OwnerId             string
	GroupId             groupID
	GroupName           string
	Description         string `out:"groupDescription,always"`
	VpcId               string
	IpPermissions       []permission `out:",always"`
	IpPermissionsEgress []permission `out:",always"`
	Tags                []tag        `out:"tagSet"`
	SecurityGroupArn    string
}

type paging struct {
	MaxResults *int32
	NextToken  *string
}

type describeIn struct {
	DryRun   bool
	Filters  []filter  `in:"Filter"`
	GroupIds []groupID `in:"GroupId"`
	paging
}

type authorizeIn struct {
	DryRun        *bool
	GroupId       groupID
	IpPermissions []permission
}

type attribute struct{ Value *bool }

type inner struct {
	Name  string
	Other *string
}

// Everything has a member of each kind.
type everything struct {
	Text     string
	TextP    *string
	Named    groupID
	Flag     bool
	FlagP    *bool
	Number   int
	Number32 *int32
	Number64 *int64
	Port     uint16
	Ratio    float64
	RatioP   *float64
	Data     []byte
	At       time.Time
	AtP      *time.Time
	Net      netip.Prefix
	NetP     *netip.Prefix
	Addrs    []netip.Addr
	Texts    []string `in:"Word" out:"wordSet"`
	Numbers  []int32
	Flags    []bool
	Times    []time.Time
	Inner    inner
	InnerP   *inner
	Inners   []inner  `in:"Item"`
	InnerPs  []*inner `out:"innerPointers"`
	Tree     *tree
	paging
	InOnly  string `out:"-"`
	OutOnly string `in:"-"`
}

type tree struct {
	Leaf     string
	Branches []tree `in:"Branch"`
}

func full() everything {
	at := time.Date(2024, 1, 2, 3, 4, 5, 678e6, time.UTC)
	net := netip.MustParsePrefix("2001:db8::/32")
	return everything{
		Text: "a & b", TextP: new(""), Named: "sg-1", Flag: true, FlagP: new(false),
		Number: -1, Number32: new(int32(-1)), Number64: new(int64(1 << 40)), Port: 65535,
		Ratio: 0.1, RatioP: new(-1e300), Data: []byte{0, 255}, At: at, AtP: &at,
		Net: netip.MustParsePrefix("10.0.0.0/8"), NetP: &net,
		Addrs:   []netip.Addr{netip.MustParseAddr("::1"), netip.MustParseAddr("10.0.0.1")},
		Texts:   []string{"ü+ %", "", "x"},
		Numbers: []int32{0, -5}, Flags: []bool{false, true}, Times: []time.Time{at},
		Inner: inner{Name: "in", Other: new("o")}, InnerP: &inner{Name: "p"},
		Inners:  []inner{{Name: "1"}, {}, {Name: "3"}},
		InnerPs: []*inner{{Name: "1"}},
		Tree:    &tree{Leaf: "root", Branches: []tree{{Leaf: "l"}, {Branches: []tree{{Leaf: "m"}}}}},
		paging:  paging{MaxResults: new(int32(5)), NextToken: new("t")},
	}
}

// fullForm is full on the wire, by hand.
const fullForm = "Text=a+%26+b&TextP=&Named=sg-1&Flag=true&FlagP=false&Number=-1&Number32=-1&Number64=1099511627776" +
	"&Port=65535&Ratio=0.1&RatioP=-1e%2B300&Data=AP8%3D&At=2024-01-02T03%3A04%3A05.678Z&AtP=2024-01-02T03%3A04%3A05.678Z" +
	"&Net=10.0.0.0%2F8&NetP=2001%3Adb8%3A%3A%2F32&Addrs.1=%3A%3A1&Addrs.2=10.0.0.1&Word.1=%C3%BC%2B+%25&Word.2=&Word.3=x" +
	"&Numbers.1=0&Numbers.2=-5&Flags.1=false&Flags.2=true&Times.1=2024-01-02T03%3A04%3A05.678Z" +
	"&Inner.Name=in&Inner.Other=o&InnerP.Name=p&Item.1.Name=1&Item.2.Name=&Item.3.Name=3&InnerPs.1.Name=1" +
	"&Tree.Leaf=root&Tree.Branch.1.Leaf=l&Tree.Branch.2.Branch.1.Leaf=m&MaxResults=5&NextToken=t"

// shout is a text that refuses the lower case.
type shout string

func (s *shout) UnmarshalText(b []byte) error {
	if string(b) == "quiet" {
		return errQuiet
	}
	*s = shout(b)
	return nil
}

var errQuiet = base64.CorruptInputError(3)
