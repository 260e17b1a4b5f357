package ec2query

import (
	"fmt"
	"testing"
)

// groupOf is a group with n rules as DescribeSecurityGroups shows it.
func groupOf(n int) *securityGroup {
	g := &securityGroup{
		OwnerId: "123456789012", GroupId: "sg-0a1b2c3d4e5f60718", GroupName: "web", Description: "web tier", VpcId: "vpc-0123456789abcdef0",
		Tags:             []tag{{"Name", "web"}, {"team", "net"}},
		SecurityGroupArn: "arn:aws:ec2:eu-west-1:123456789012:security-group/sg-0a1b2c3d4e5f60718",
	}
	for i := range n {
		g.IpPermissions = append(g.IpPermissions, permission{
			IpProtocol: "tcp", FromPort: new(int32(1000 + i)), ToPort: new(int32(1000 + i)),
			IpRanges: []ipRange{{fmt.Sprintf("203.0.113.%d/32", i), "office"}},
		})
	}
	return g
}

func BenchmarkRenderGroup20Rules(b *testing.B) {
	g := groupOf(20)
	var buf []byte
	for b.Loop() {
		buf = AppendElement(buf[:0], "item", g)
	}
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
}

func BenchmarkParseAndDecode(b *testing.B) {
	for _, c := range []struct {
		name string
		src  any
		dst  func() any
	}{
		{"describe", &describeIn{GroupIds: []groupID{"sg-0a1b2c3d4e5f60718"}}, func() any { return new(describeIn) }},
		{"authorize20", &authorizeIn{GroupId: "sg-1", IpPermissions: groupOf(20).IpPermissions}, func() any { return new(authorizeIn) }},
	} {
		body := []byte(EncodeForm("Do", "2016-11-15", c.src))
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				f, err := ParseForm("", body, Limits{})
				if err != nil {
					b.Fatal(err)
				}
				if err := f.Decode(c.dst()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
