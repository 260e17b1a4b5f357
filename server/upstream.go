package server

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"time"

	"moat/fault"
	"moat/iam"
)

// forwardedHeader marks a request that a Moat passed on. One that comes back
// is not passed on again, so that two that point at each other make no loop.
const forwardedHeader = "X-Moat-Forwarded"

// forwardTimeout is how long an upstream may take for its answer.
const forwardTimeout = 60 * time.Second

// hopHeaders are about one connection and are not passed on: RFC 9110, 7.6.1.
var hopHeaders = []string{
	"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

// An upstream is another emulator, which answers what Moat does not have.
type upstream struct {
	url    url.URL
	client *http.Client
}

func newUpstream(u *url.URL) *upstream {
	if u == nil {
		return nil
	}
	return &upstream{*u, &http.Client{
		// No proxy of the environment, and answers as they come.
		Transport:     &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// passesOn reports whether a request for an action that Moat does not have
// goes to the upstream.
func (s *Server) passesOn(r *request) bool {
	return s.upstream != nil && r.action != "" && !r.known && r.Header.Get(forwardedHeader) == ""
}

// forward passes a request on as it came: body, headers and signature. Its
// caller is known by then, and must be allowed the action on every resource:
// Moat cannot tell which ones it is about.
func (s *Server) forward(w http.ResponseWriter, r *request) error {
	if err := s.mayForward(r); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), forwardTimeout)
	defer cancel()
	to := s.upstream.url
	to.Path, to.RawPath, to.RawQuery = r.URL.Path, r.URL.RawPath, r.URL.RawQuery
	// A copy: the transport may still read it when the answer is there, and the
	// body's buffer is another request's by then.
	out, err := http.NewRequestWithContext(ctx, r.Method, to.String(), bytes.NewReader(bytes.Clone(r.body)))
	if err != nil {
		return fault.InvalidRequest.Say("The request cannot be passed on: %v", err)
	}
	out.Header = r.Header.Clone()
	for _, h := range hopHeaders {
		out.Header.Del(h)
	}
	out.Header.Set(forwardedHeader, "1")
	out.Host = r.Host // it is signed
	resp, err := s.upstream.client.Do(out)
	if err != nil {
		s.cfg.Logger.Warn("the upstream does not answer", "request", r.id, "action", r.action, "err", err)
		return fault.Unavailable.Say("The upstream that serves %s does not answer.", r.action)
	}
	defer resp.Body.Close()
	for k, v := range resp.Header {
		w.Header()[k] = v
	}
	for _, h := range hopHeaders {
		w.Header().Del(h)
	}
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, resp.Body) // what fails now shows in a body that ends too early
	s.cfg.Metrics.served(r, "", s.cfg.Now().Sub(r.began))
	return nil
}

// mayForward refuses a call of an action that its caller has no permission for.
func (s *Server) mayForward(r *request) error {
	if r.caller.IsRoot() {
		return nil
	}
	view, err := s.store.View(r.Context())
	if err != nil {
		return err
	}
	if err := s.identifyAgain(r, view); err != nil {
		return err
	}
	p := &r.permit
	*p = permit{r: r, policies: s.policiesOf(r, viewPlace(view), r.who), needs: []iam.Need{{Action: string(r.service) + ":" + r.action, Resource: "*"}}}
	return p.decide(&p.needs[0], nil)
}
