package main

import (
	"fmt"
	"strings"
	"time"
)

// permissions measures what a user's policies add to a describe by id: the
// same calls of the root, who needs no permission, of a user with one
// statement, and of one with a hundred, in turns on one server.
func (b *bench) permissions() error {
	section("Permissions: a describe by id as the root and as a user")
	groups := 1000
	if b.short {
		groups = 100
	}
	d, err := b.dataset("permissions", groups, 2)
	if err != nil {
		return err
	}
	defer d.stop()
	few, err := d.user("few", []string{describes})
	if err != nil {
		return err
	}
	many, err := d.user("many", hundred())
	if err != nil {
		return err
	}
	for _, conns := range []int{1, 16} {
		candidateOf := func(name string, s *signer) *candidate {
			n := min(pool, len(d.IDs))
			reqs := s.requests(n, "DescribeSecurityGroups", func(i int) params { return params{"GroupId.1", d.IDs[i]} })
			// Short turns: what drifts on the machine meets all alike.
			return &candidate{name: name, on: d.process, load: func() load {
				return load{addr: s.addr, reqs: reqs, conns: conns, For: b.length / 4}
			}}
		}
		cs := []*candidate{
			candidateOf("root", &d.signer), candidateOf("root again", &d.signer),
			candidateOf("1 statement", few), candidateOf("100 statements", many),
		}
		if err := rounds(8*b.rounds, cs); err != nil {
			return err
		}
		for _, c := range cs {
			fmt.Printf("%-16s %2d connections %8.0f/s   %.2f µs of processor time each, %.3f of the root's\n", c.name, conns, c.of(rate), c.of(cpuOfOne)/1e3, c.against(cs[0], cpuOfOne))
		}
		// Against both turns of the root: one of them is as good as the other.
		cost := (cs[3].against(cs[0], cpuOfOne)+cs[3].against(cs[1], cpuOfOne))/2 - 1
		goal(fmt.Sprintf("100 statements, %d connections: processor time added", conns), "less than 5 %", fmt.Sprintf("%.1f %%", 100*cost), cost < 0.05)
	}
	return nil
}

// describes is what lets the benchmark's users ask.
const describes = `{"Effect":"Allow","Action":["ec2:Describe*","ec2:Get*"],"Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}}}`

// hundred gives the statements of a user of long standing: of a hundred, 25
// are about every action of EC2 and have conditions to look at, 50 about some
// of EC2 and 24 about other services. The last one allows.
func hundred() []string {
	var out []string
	for i := range 99 {
		var s string
		switch {
		case i%4 == 0:
			s = fmt.Sprintf(`{"Effect":"Deny","Action":"ec2:*","Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/team":"team-%d"},"StringNotLike":{"aws:PrincipalTag/team":"team-%d*"}}}`, i, i)
		case i%4 == 1:
			s = fmt.Sprintf(`{"Effect":"Allow","Action":["ec2:Authorize*","ec2:Revoke*"],"Resource":"arn:aws:ec2:*:*:security-group/sg-%04d*","Condition":{"StringEquals":{"ec2:ResourceTag/team":"team-%d"}}}`, i, i)
		case i%4 == 2:
			s = fmt.Sprintf(`{"Effect":"Deny","Action":["ec2:Delete*","ec2:Modify*"],"Resource":"arn:aws:ec2:*:*:vpc/vpc-%04d*"}`, i)
		default:
			s = fmt.Sprintf(`{"Effect":"Allow","Action":["s3:Get*","s3:List*","sqs:*"],"Resource":"arn:aws:s3:::bucket-%d/*"}`, i)
		}
		out = append(out, s)
	}
	return append(out, describes)
}

// user makes a user who has the statements in managed policies of ten, and
// gives a signer with its key. One that an earlier run made is made anew.
func (d *dataset) user(name string, statements []string) (*signer, error) {
	c := &conn{addr: d.signer.addr}
	defer c.close()
	ask := func(action string, p params) (string, error) {
		_, err := c.do(d.signer.requestTo("iam", "2010-05-08", action, p), true)
		return string(c.body), err
	}
	name = fmt.Sprintf("%s-%d", name, time.Now().UnixNano())
	if _, err := ask("CreateUser", params{"UserName", name}); err != nil {
		return nil, err
	}
	for i := 0; i < len(statements); i += 10 {
		doc := `{"Version":"2012-10-17","Statement":[` + strings.Join(statements[i:min(i+10, len(statements))], ",") + `]}`
		body, err := ask("CreatePolicy", params{"PolicyName", fmt.Sprintf("%s-%d", name, i), "PolicyDocument", doc})
		if err != nil {
			return nil, err
		}
		if _, err := ask("AttachUserPolicy", params{"UserName", name, "PolicyArn", element([]byte(body), "Arn")}); err != nil {
			return nil, err
		}
	}
	body, err := ask("CreateAccessKey", params{"UserName", name})
	if err != nil {
		return nil, err
	}
	return &signer{d.signer.addr, element([]byte(body), "AccessKeyId"), element([]byte(body), "SecretAccessKey"), d.signer.region}, nil
}
