package awscli

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
)

// keys are what requests are signed with.
type keys struct {
	id, secret, token string
	source            string // where they were found, for `configure list`
}

// dynamic are the keys of a profile by which it gets its credentials from
// elsewhere, in the order in which the AWS CLI looks.
var dynamic = []string{"role_arn", "sso_session", "sso_start_url", "sso_account_id"}

// credentials finds the keys: those of the environment, unless --profile was
// given; then those of the profile: of a role it assumes, of a session it is
// signed in to, in the files, from its command; then those of the container or
// the machine. All but keys in plain text is left to AWS's library.
func (s *session) credentials(ctx context.Context, region string) (*keys, error) {
	if k := s.environmentKeys(); k != nil {
		if k.secret == "" {
			return nil, general("Partial credentials found in env, missing: AWS_SECRET_ACCESS_KEY")
		}
		return k, nil
	}
	p, err := s.config.profile()
	if err != nil {
		return nil, err
	}
	plain := true
	for _, k := range dynamic {
		if _, ok := p.get(k); ok {
			plain = false
		}
	}
	if id, ok := p.get("aws_access_key_id"); ok && plain {
		secret, ok := p.get("aws_secret_access_key")
		if !ok {
			return nil, general("Partial credentials found in shared-credentials-file, missing: aws_secret_access_key")
		}
		token, _ := p.get("aws_session_token")
		if token == "" {
			token, _ = p.get("aws_security_token")
		}
		return &keys{id: id, secret: secret, token: token, source: "shared-credentials-file"}, nil
	}
	return s.libraryKeys(ctx, region)
}

// environmentKeys gives the keys of the environment, or nil.
func (s *session) environmentKeys() *keys {
	id := s.Getenv("AWS_ACCESS_KEY_ID")
	if id == "" || s.config.given != "" {
		return nil
	}
	token := s.Getenv("AWS_SESSION_TOKEN")
	if token == "" {
		token = s.Getenv("AWS_SECURITY_TOKEN")
	}
	return &keys{id: id, secret: s.Getenv("AWS_SECRET_ACCESS_KEY"), token: token, source: "env"}
}

// libraryKeys lets AWS's library look.
func (s *session) libraryKeys(ctx context.Context, region string) (*keys, error) {
	options := []func(*config.LoadOptions) error{
		config.WithSharedConfigFiles([]string{s.config.file()}),
		config.WithSharedCredentialsFiles([]string{s.config.credentialsFile()}),
		config.WithRegion(region),
		config.WithAssumeRoleCredentialOptions(func(o *stscreds.AssumeRoleOptions) {
			o.TokenProvider = s.mfa
		}),
	}
	if name, named := s.config.profileName(); named {
		options = append(options, config.WithSharedConfigProfile(name))
	}
	// The library looks for the endpoint of STS in its own places alone, which
	// are fewer than those where the AWS CLI looks.
	if at, err := s.config.endpoint("STS"); err == nil && at != "" && !s.compat {
		if err := os.Setenv("AWS_ENDPOINT_URL_STS", at); err != nil {
			return nil, general("%v", err)
		}
	}
	c, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, general("%v", err)
	}
	got, err := c.Credentials.Retrieve(ctx)
	switch {
	case ctx.Err() != nil:
		return nil, errInterrupted
	case err != nil && s.nothingConfigured():
		return nil, &failure{exitConfig, "NoCredentials", fmt.Sprintf("Unable to locate credentials. You can configure credentials by running \"%s %s\".", s.prog, s.signIn())}
	case err != nil:
		return nil, general("Error when retrieving credentials: %v", err)
	}
	return &keys{id: got.AccessKeyID, secret: got.SecretAccessKey, token: got.SessionToken, source: sourceName(got.Source)}, nil
}

func (s *session) signIn() string { return "configure" }

// nothingConfigured reports whether no source of credentials is named
// anywhere, so that what failed was only the search for a machine's own.
func (s *session) nothingConfigured() bool {
	for _, e := range []string{"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"} {
		if s.Getenv(e) != "" {
			return false
		}
	}
	p, err := s.config.profile()
	if err != nil {
		return false
	}
	for _, k := range append([]string{"credential_process", "source_profile", "credential_source", "web_identity_token_file"}, dynamic...) {
		if _, ok := p.get(k); ok {
			return false
		}
	}
	return true
}

// sourceName gives the AWS CLI's name of a source.
func sourceName(library string) string {
	switch library {
	case "AssumeRoleProvider":
		return "assume-role"
	case "WebIdentityCredentials":
		return "assume-role-with-web-identity"
	case "SSOProvider":
		return "sso"
	case "ProcessProvider":
		return "custom-process"
	case "CredentialsEndpointProvider":
		return "container-role"
	case "EC2RoleProvider":
		return "iam-role"
	}
	return library
}

// mfa asks for the code of a second factor.
func (s *session) mfa() (string, error) {
	fmt.Fprint(s.err, "Enter MFA code: ")
	var code string
	_, err := fmt.Fscanln(s.In, &code)
	return code, err
}

// machineRegion gives the region of the EC2 machine that this runs on, or "".
func (s *session) machineRegion() string {
	if v := s.Getenv("AWS_EC2_METADATA_DISABLED"); v == "true" || v == "TRUE" || v == "True" {
		return ""
	}
	ctx, cancel := context.WithTimeout(s.ctx, time.Second)
	defer cancel()
	out, err := imds.NewFromConfig(aws.Config{}, func(o *imds.Options) { o.Retryer = aws.NopRetryer{} }).GetRegion(ctx, nil)
	if err != nil {
		return ""
	}
	return out.Region
}
