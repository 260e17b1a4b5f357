// Package ec2client is a small client of the EC2 API for tests that care about
// what a call did, not about its shapes: it signs, sends once, and tells an
// answer from none.
package ec2client

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"moat/sigv4"
)

// A Client makes calls as one access key.
type Client struct {
	URL, Region         string
	AccessKeyID, Secret string
	HTTP                *http.Client
}

// New gives a client by the variables that `moat env` prints, with connections
// of its own.
func New(env map[string]string) *Client {
	return &Client{
		URL: env["AWS_ENDPOINT_URL"], Region: env["AWS_REGION"],
		AccessKeyID: env["AWS_ACCESS_KEY_ID"], Secret: env["AWS_SECRET_ACCESS_KEY"],
		HTTP: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
	}
}

// A Reply is what a call was answered.
type Reply struct {
	Status        int
	Code, Message string // of an error
	Rev           uint64 // x-moat-revision, 0 without
	Enforced      string // x-moat-enforced
	EnforcedHosts string // x-moat-enforced-hosts
	Body          []byte
}

// OK reports whether the call succeeded.
func (r *Reply) OK() bool { return r.Status == http.StatusOK }

func (r *Reply) String() string {
	return fmt.Sprintf("%d %s %s (revision %d)", r.Status, r.Code, r.Message, r.Rev)
}

// Get gives the text of the first element with a name.
func (r *Reply) Get(name string) string {
	_, rest, _ := strings.Cut(string(r.Body), "<"+name+">")
	text, _, _ := strings.Cut(rest, "</")
	return text
}

// Parse reads the body into v, with encoding/xml's tags.
func (r *Reply) Parse(v any) error { return xml.Unmarshal(r.Body, v) }

// Do makes a call with parameters by name and value. An error says that there
// was no answer: what became of the call is not known.
func (c *Client) Do(ctx context.Context, action string, params ...string) (*Reply, error) {
	form := url.Values{"Action": {action}, "Version": {"2016-11-15"}}
	for i := 0; i < len(params); i += 2 {
		form.Set(params[i], params[i+1])
	}
	body := form.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL+"/", strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	// A client that sends twice by itself would make one call two.
	req.GetBody = nil
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	sigv4.Sign(req, []byte(body), sigv4.Credential{AccessKeyID: c.AccessKeyID, Region: c.Region, Service: "ec2"}, c.Secret, "", time.Now())
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	r := &Reply{Status: resp.StatusCode}
	if r.Body, err = io.ReadAll(resp.Body); err != nil {
		return nil, err
	}
	r.Rev, _ = strconv.ParseUint(resp.Header.Get("X-Moat-Revision"), 10, 64)
	r.Enforced, r.EnforcedHosts = resp.Header.Get("X-Moat-Enforced"), resp.Header.Get("X-Moat-Enforced-Hosts")
	if !r.OK() {
		r.Code, r.Message = r.Get("Code"), r.Get("Message")
	}
	return r, nil
}
