package awscli

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"moat/awsmodel"
	"moat/awswire"
	"moat/sigv4"
)

// A client calls the operations of one service.
type client struct {
	s        *session
	service  *awsmodel.Service
	endpoint string
	region   string // of signatures
	attempts int
	http     *http.Client
	keys     *keys // found when first needed
}

var regionName = regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$`)

// newClient finds the endpoint, the region and how to connect.
func (s *session) newClient(service *awsmodel.Service) (*client, error) {
	if _, err := s.config.profile(); err != nil {
		return nil, err
	}
	region, err := s.regionInUse()
	if err != nil {
		return nil, err
	}
	c := &client{s: s, service: service, region: region}
	c.endpoint = s.globals.endpointURL
	if c.endpoint == "" && !s.compat { // that version knows the option only
		if c.endpoint, err = s.config.endpoint(service.ID); err != nil {
			return nil, err
		}
	}
	if region == "" {
		if service.Global == "" || service.Name == "sts" {
			return nil, s.noRegion()
		}
		region = "aws-global"
	}
	if region != "aws-global" && (!regionName.MatchString(region) || strings.Trim(region, "0123456789") == "") {
		return nil, general("Provided region_name '%s' doesn't match a supported format.", region)
	}
	if c.endpoint == "" {
		c.endpoint, c.region = s.publicEndpoint(service, region)
	} else if u, err := url.Parse(c.endpoint); err != nil || u.Host == "" || strings.ContainsAny(u.Hostname(), "_ ") {
		return nil, general("Invalid endpoint: %s", c.endpoint)
	}
	if c.region == "" || c.region == "aws-global" {
		c.region = "us-east-1"
	}
	if c.attempts, err = s.maxAttempts(); err != nil {
		return nil, err
	}
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: s.globals.connectTimeout}).DialContext,
		ResponseHeaderTimeout: s.globals.readTimeout,
		DisableCompression:    true,
	}
	if strings.HasPrefix(c.endpoint, "https") {
		if transport.TLSClientConfig, err = s.tlsConfig(); err != nil {
			return nil, err
		}
	}
	c.http = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return c, nil
}

func (s *session) noRegion() error {
	return &failure{exitConfig, "NoRegion", fmt.Sprintf("You must specify a region. You can also configure your region by running \"%s configure\".", s.prog)}
}

// regionInUse gives the region by the AWS CLI's order; "" for none.
func (s *session) regionInUse() (string, error) {
	if s.config.region != "" {
		return s.config.region, nil
	}
	region, err := s.config.setting("region", "AWS_REGION", "AWS_DEFAULT_REGION")
	if err != nil || region != "" {
		return region, err
	}
	return s.machineRegion(), nil
}

func (s *session) maxAttempts() (int, error) {
	text, err := s.config.setting("max_attempts", "AWS_MAX_ATTEMPTS")
	if err != nil {
		return 0, err
	}
	mode, _ := s.config.setting("retry_mode", "AWS_RETRY_MODE")
	if text == "" {
		if mode == "legacy" {
			return 5, nil
		}
		return 3, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, general("invalid literal for int() with base 10: '%s'", text)
	}
	if n < 1 {
		return 0, general("Value provided to \"max_attempts\": %d must be an integer greater than or equal to one.", n)
	}
	return n, nil
}

func (s *session) tlsConfig() (*tls.Config, error) {
	if s.globals.noVerify {
		return &tls.Config{InsecureSkipVerify: true}, nil
	}
	file := s.globals.caBundle
	if file == "" {
		var err error
		if file, err = s.config.setting("ca_bundle", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"); err != nil {
			return nil, err
		}
	}
	if file == "" {
		return &tls.Config{}, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, general("Could not find a suitable TLS CA certificate bundle, invalid path: %s", file)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, general("no certificate in %s", file)
	}
	return &tls.Config{RootCAs: pool}, nil
}

// publicEndpoint gives the endpoint of AWS's own service in a region, and the
// region that its signatures name: AWS General Reference, "Service endpoints".
func (s *session) publicEndpoint(service *awsmodel.Service, region string) (endpoint, signing string) {
	suffix, dual, first := "amazonaws.com", "api.aws", "us-east-1"
	switch {
	case strings.HasPrefix(region, "cn-"):
		suffix, dual, first = "amazonaws.com.cn", "api.amazonwebservices.com.cn", "cn-north-1"
	case strings.HasPrefix(region, "us-gov-"):
		first = "us-gov-west-1"
	case strings.HasPrefix(region, "us-isob-"):
		suffix, first = "sc2s.sgov.gov", "us-isob-east-1"
	case strings.HasPrefix(region, "us-isof-"):
		suffix, first = "csp.hci.ic.gov", "us-isof-south-1"
	case strings.HasPrefix(region, "us-iso-"):
		suffix, first = "c2s.ic.gov", "us-iso-east-1"
	case strings.HasPrefix(region, "eu-isoe-"):
		suffix, first = "cloud.adc-e.uk", "eu-isoe-west-1"
	case strings.HasPrefix(region, "eusc-"):
		suffix, dual, first = "amazonaws.eu", "api.amazonwebservices.eu", "eusc-de-east-1"
	}
	fips, _ := s.config.setting("use_fips_endpoint", "AWS_USE_FIPS_ENDPOINT")
	dualstack, _ := s.config.setting("use_dualstack_endpoint", "AWS_USE_DUALSTACK_ENDPOINT")
	name := service.Name
	if strings.EqualFold(fips, "true") {
		name += "-fips"
	}
	if service.Name == "iam" {
		switch first {
		case "us-east-1":
			return "https://" + name + ".amazonaws.com", first
		case "us-gov-west-1":
			return "https://iam.us-gov.amazonaws.com", first
		}
		return "https://iam." + first + "." + suffix, first
	}
	if region == "aws-global" {
		return "https://" + name + ".amazonaws.com", "us-east-1"
	}
	if strings.EqualFold(dualstack, "true") {
		suffix = dual
	}
	return "https://" + name + "." + region + "." + suffix, region
}

// answer is what a call gave: its members, or the service's refusal.
type answer struct {
	out     *awsmodel.Map
	refused *refusal
	status  int
}

var throttled = []string{
	"Throttling", "ThrottlingException", "ThrottledException", "RequestThrottledException", "TooManyRequestsException",
	"ProvisionedThroughputExceededException", "TransactionInProgressException", "RequestLimitExceeded", "BandwidthLimitExceeded",
	"LimitExceededException", "RequestThrottled", "SlowDown", "PriorRequestNotComplete", "EC2ThrottledException",
	"RequestTimeout", "RequestTimeoutException",
}

// call makes a call with checked parameters. What may pass by itself is tried
// again.
func (c *client) call(ctx context.Context, op *awsmodel.Operation, params *awsmodel.Map) (*answer, error) {
	body := awswire.Encode(op, params)
	for attempt := 1; ; attempt++ {
		a, err := c.send(ctx, op, body)
		again := err != nil && errors.As(err, new(*lostError)) || err == nil && a.refused != nil &&
			(slices.Contains([]int{500, 502, 503, 504}, a.status) || slices.Contains(throttled, a.refused.code))
		if !again {
			return a, err
		}
		if attempt >= c.attempts {
			if a != nil && attempt > 1 {
				a.refused.retries = attempt - 1
			}
			return a, err
		}
		wait := min(time.Duration(rand.Float64()*float64(int(1)<<(attempt-1))*float64(time.Second)), 20*time.Second)
		c.s.debugf("attempt %d failed, the next in %v", attempt, wait)
		if err := c.s.sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// A lostError is a connection that failed.
type lostError struct{ message string }

func (e *lostError) Error() string { return e.message }

func (c *client) send(ctx context.Context, op *awsmodel.Operation, body []byte) (*answer, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, general("%v", err)
	}
	if r.URL.Path == "" {
		r.URL.Path = "/"
	}
	for name, value := range awswire.Header(op) {
		r.Header.Set(name, value)
	}
	r.Header.Set("User-Agent", c.s.agent)
	unsigned := op.Name == "AssumeRoleWithSAML" || op.Name == "AssumeRoleWithWebIdentity"
	if !c.s.globals.noSign && !unsigned {
		if c.keys == nil {
			if c.keys, err = c.s.credentials(ctx, c.region); err != nil {
				return nil, err
			}
		}
		sigv4.Sign(r, body, sigv4.Credential{AccessKeyID: c.keys.id, Region: c.region, Service: c.service.Name}, c.keys.secret, c.keys.token, time.Now())
	}
	c.s.debugf("POST %s\n%s", r.URL, body)
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, c.lost(ctx, err)
	}
	defer resp.Body.Close()
	doc, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, c.lost(ctx, err)
	}
	c.s.debugf("%s\n%s", resp.Status, doc)
	if resp.StatusCode < 301 {
		out, err := awswire.Decode(op, doc, awswire.Options{WireTimes: c.s.wireTimes, Zone: time.Local})
		if err != nil {
			return nil, general("Unable to parse response (%v), invalid XML received. Further retries may succeed:\n%s", err, pythonBytes(doc))
		}
		return &answer{out: out, status: resp.StatusCode}, nil
	}
	refused := &refusal{operation: op.Name}
	text := strings.TrimSpace(string(doc))
	if resp.StatusCode >= 500 && (text == "" || strings.HasPrefix(text, "<html>")) {
		refused.code, refused.message = strconv.Itoa(resp.StatusCode), http.StatusText(resp.StatusCode)
	} else if refused.code, refused.message, err = awswire.DecodeError(op, doc); err != nil {
		return nil, general("Unable to parse response (%v), invalid XML received. Further retries may succeed:\n%s", err, pythonBytes(doc))
	}
	return &answer{refused: refused, status: resp.StatusCode}, nil
}

// url gives the endpoint; it was parsed before.
func (c *client) url() *url.URL {
	u, err := url.Parse(c.endpoint)
	if err != nil {
		return &url.URL{}
	}
	return u
}

// lost says how a connection failed.
func (c *client) lost(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errInterrupted
	}
	at := c.endpoint
	if u, e := url.Parse(at); e == nil && u.Path == "" {
		at += "/"
	}
	var op *net.OpError
	var certificate *tls.CertificateVerificationError
	var timeout net.Error
	switch {
	case errors.As(err, &certificate):
		return &lostError{fmt.Sprintf("SSL validation failed for %s %v", at, certificate.Err)}
	case errors.As(err, &op) && op.Op == "proxyconnect":
		proxy, _ := http.ProxyFromEnvironment(&http.Request{URL: c.url()})
		return &lostError{fmt.Sprintf("Failed to connect to proxy URL: \"%s\"", proxy)}
	case errors.As(err, &op) && op.Op == "dial" && op.Timeout():
		return &lostError{fmt.Sprintf("Connect timeout on endpoint URL: \"%s\"", at)}
	case errors.As(err, &op) && op.Op == "dial":
		return &lostError{fmt.Sprintf("Could not connect to the endpoint URL: \"%s\"", at)}
	case errors.As(err, &timeout) && timeout.Timeout():
		return &lostError{fmt.Sprintf("Read timeout on endpoint URL: \"%s\"", at)}
	}
	return &lostError{fmt.Sprintf("Connection was closed before we received a valid response from endpoint URL: \"%s\".", at)}
}

// pythonBytes shows a document as the AWS CLI does.
func pythonBytes(b []byte) string { return "b" + strconv.Quote(string(b)) }
