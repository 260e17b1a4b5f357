package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"syscall"
	"time"

	"moat/ec2query"
	"moat/sigv4"
)

// endpoint gives the server that a command speaks to: the one of the data
// directory if that was named on the command line, else the environment's,
// else the data directory's all the same.
func (s *settings) endpoint(named bool) (endpoint, error) {
	if e := endpointFromEnvironment(); e.URL != "" && !named {
		return e, nil
	}
	return readEndpoint(s.dataDir)
}

// ec2 calls an action of EC2. A refusal of the service is a *fault.Error.
func (e endpoint) ec2(ctx context.Context, action string, in, out any) error {
	body := []byte(ec2query.EncodeForm(action, "2016-11-15", in))
	reply, err := e.send(ctx, "ec2", http.MethodPost, "/", body)
	if err != nil {
		return err
	}
	if reply.status != http.StatusOK {
		f, _, err := ec2query.DecodeError(reply.body)
		if err != nil {
			return fmt.Errorf("%s: the server at %s answers %d", action, e.URL, reply.status)
		}
		f.Status = reply.status
		return f
	}
	return ec2query.DecodeResponse(reply.body, out)
}

type answer struct {
	status int
	body   []byte
}

// send signs a request for a service and gives the answer.
func (e endpoint) send(ctx context.Context, service, method, path string, body []byte) (*answer, error) {
	base, err := url.Parse(e.URL)
	if err != nil {
		return nil, fmt.Errorf("the server's address %q: %w", e.URL, err)
	}
	ref, err := url.Parse(path)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, method, base.ResolveReference(ref).String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	}
	sigv4.Sign(r, body, sigv4.Credential{AccessKeyID: e.AccessKeyID, Region: e.Region, Service: service}, e.SecretAccessKey, os.Getenv("AWS_SESSION_TOKEN"), time.Now())
	client, err := e.client()
	if err != nil {
		return nil, err
	}
	defer client.CloseIdleConnections()
	resp, err := client.Do(r)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil, &noServerError{e.URL}
	}
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return &answer{resp.StatusCode, b}, err
}

// A noServerError says that nobody answers at a server's address.
type noServerError struct{ url string }

func (e *noServerError) Error() string {
	return fmt.Sprintf("no server answers at %s: start it with `moat serve`, or name a data directory with --data-dir", e.url)
}
