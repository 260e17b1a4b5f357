package clients_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"moat/test/moattest"
)

// TestPermissions is what an operator does: make a user, see it refused, give
// it what it needs, let it assume a role, take its key away.
func TestPermissions(t *testing.T) {
	eachCLI(t, func(t *testing.T, cli awsCLI) {
		server := moattest.Start(t)
		root := newTerminal(t, cli)
		root.use(server.Dir)
		file := func(name, text string) string {
			path := filepath.Join(root.home, name)
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			return "file://" + path
		}
		// as gives the terminal of somebody with these credentials.
		as := func(credentials any) *terminal {
			x := newTerminal(t, cli)
			x.env = append(x.env, root.env...)
			x.set("HOME", x.home)
			text := func(name string) string { s, _ := at(credentials, name).(string); return s }
			x.set("AWS_ACCESS_KEY_ID", text("AccessKeyId"))
			x.set("AWS_SECRET_ACCESS_KEY", text("SecretAccessKey"))
			x.set("AWS_SESSION_TOKEN", text("SessionToken"))
			return x
		}

		user := root.json(`aws iam create-user --user-name alice --tags Key=team,Value=web`)
		want(t, "ARN", at(user, "User.Arn"), `"arn:aws:iam::123456789012:user/alice"`)
		alice := as(at(root.json(`aws iam create-access-key --user-name alice`), "AccessKey"))
		want(t, "who", at(alice.json(`aws sts get-caller-identity`), "Arn"), `"arn:aws:iam::123456789012:user/alice"`)
		alice.fails(cli, `aws ec2 describe-security-groups`, "UnauthorizedOperation", "DescribeSecurityGroups",
			"You are not authorized to perform this operation. User: arn:aws:iam::123456789012:user/alice is not authorized to perform: ec2:DescribeSecurityGroups because no identity-based policy allows the ec2:DescribeSecurityGroups action")

		root.fails(cli, `aws iam put-user-policy --user-name alice --policy-name p --policy-document '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"describe","Resource":"*"}]}'`,
			"MalformedPolicyDocument", "PutUserPolicy", `~Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc\..*`)
		root.run(`aws iam put-user-policy --user-name alice --policy-name p --policy-document ` +
			file("read.json", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:Describe*","Resource":"*"}]}`))
		group := at(alice.json(`aws ec2 describe-security-groups`), "SecurityGroups.0.GroupId").(string)
		authorize := `aws ec2 authorize-security-group-ingress --group-id ` + group + ` --protocol tcp --port 443 --cidr 198.51.100.0/24`
		_, errOut, status := alice.try(authorize)
		if status != cli.failure || !strings.Contains(errOut, "is not authorized to perform: ec2:AuthorizeSecurityGroupIngress on resource: arn:aws:ec2:us-east-1:123456789012:security-group/"+group+" because no identity-based policy allows") {
			t.Errorf("a refused rule: %s", errOut)
		}
		_, encoded, _ := strings.Cut(errOut, "Encoded authorization failure message: ")
		decoded := root.run(`aws sts decode-authorization-message --query DecodedMessage --output text --encoded-message ` + strings.TrimSpace(encoded))
		if !strings.Contains(decoded, `"action":"ec2:AuthorizeSecurityGroupIngress"`) {
			t.Errorf("decoded: %s", decoded)
		}
		_, errOut, _ = alice.try(authorize + ` --dry-run`)
		if !strings.Contains(errOut, "(UnauthorizedOperation)") {
			t.Errorf("a dry run without permission: %s", errOut)
		}
		root.run(`aws iam attach-user-policy --user-name alice --policy-arn arn:aws:iam::aws:policy/AmazonEC2FullAccess`)
		_, errOut, _ = alice.try(authorize + ` --dry-run`)
		if !strings.Contains(errOut, "(DryRunOperation)") {
			t.Errorf("a dry run with permission: %s", errOut)
		}
		alice.run(authorize)
		root.run(`aws iam detach-user-policy --user-name alice --policy-arn arn:aws:iam::aws:policy/AmazonEC2FullAccess`)

		root.run(`aws iam create-role --role-name deploy --assume-role-policy-document ` +
			file("trust.json", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/alice"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"42"}}}]}`))
		root.run(`aws iam attach-role-policy --role-name deploy --policy-arn arn:aws:iam::aws:policy/AmazonVPCFullAccess`)
		assume := `aws sts assume-role --role-arn arn:aws:iam::123456789012:role/deploy --role-session-name s1`
		alice.fails(cli, assume, "AccessDenied", "AssumeRole", "User: arn:aws:iam::123456789012:user/alice is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::123456789012:role/deploy")
		session := as(at(alice.json(assume+` --external-id 42`), "Credentials"))
		want(t, "who", at(session.json(`aws sts get-caller-identity`), "Arn"), `"arn:aws:sts::123456789012:assumed-role/deploy/s1"`)
		session.run(`aws ec2 revoke-security-group-ingress --group-id ` + group + ` --protocol tcp --port 443 --cidr 198.51.100.0/24`)
		session.fails(cli, `aws iam list-users`, "AccessDenied", "ListUsers", `~User: arn:aws:sts::123456789012:assumed-role/deploy/s1 is not authorized to perform: iam:ListUsers .*`)

		key := strings.TrimSpace(root.run(`aws iam list-access-keys --user-name alice --query 'AccessKeyMetadata[0].AccessKeyId' --output text`))
		root.run(`aws iam update-access-key --user-name alice --access-key-id ` + key + ` --status Inactive`)
		const invalid = "The security token included in the request is invalid."
		alice.fails(cli, `aws sts get-caller-identity`, "InvalidClientTokenId", "GetCallerIdentity", invalid)
		session.fails(cli, `aws sts get-caller-identity`, "InvalidClientTokenId", "GetCallerIdentity", invalid)
		alice.fails(cli, `aws ec2 describe-vpcs`, "AuthFailure", "DescribeVpcs", "AWS was not able to validate the provided access credentials")

		// All of it is there after a power cut.
		server.Kill()
		server.Again()
		root.use(server.Dir)
		alice.fails(cli, `aws sts get-caller-identity`, "InvalidClientTokenId", "GetCallerIdentity", invalid)
		root.run(`aws iam update-access-key --user-name alice --access-key-id ` + key + ` --status Active`)
		alice.run(`aws ec2 describe-vpcs`)
		session.run(`aws ec2 describe-vpcs`)
	})
}
