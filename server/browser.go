package server

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"moat/fault"
)

// guardBrowser refuses what a web page can make a browser send. It matters only
// under --auth any, where no secret stands between a page and the API: a page
// can load a URL on loopback as an image, and it can point a DNS name of its own
// at loopback (DNS rebinding). Clients of the API send none of the headers that
// are looked at, and browsers do not let a page set them.
func (s *Server) guardBrowser(r *request) error {
	if !s.servesHost(r.Host) {
		return s.refuseBrowser(r, "With --auth any, this server does not answer to the host name "+hostName(r.Host)+
			", because a web page could use it to reach the server. If the name is yours, start the server with --allowed-host "+hostName(r.Host)+".")
	}
	site, origin := r.Header.Values("Sec-Fetch-Site"), r.Header.Values("Origin")
	for _, v := range site {
		if v != "none" && v != "same-origin" {
			return s.refuseBrowser(r, "With --auth any, this server does not answer requests of other web sites (Sec-Fetch-Site: "+v+").")
		}
	}
	for _, v := range origin {
		if v != "http://"+r.Host && v != "https://"+r.Host {
			return s.refuseBrowser(r, "With --auth any, this server does not answer requests of other web sites (Origin: "+v+").")
		}
	}
	if slices.Contains(site, "none") && s.mayWrite(r) {
		// The user opened a link. Chromium says so too if the link led elsewhere
		// and was redirected here.
		return s.refuseBrowser(r, "With --auth any, opening a link changes nothing.")
	}
	if len(site)+len(origin) == 0 && strings.HasPrefix(r.UserAgent(), "Mozilla/") {
		// Browsers send Sec-Fetch-Site over https and to loopback addresses only,
		// and old ones never do.
		return s.refuseBrowser(r, "With --auth any, this server answers a browser only if it says which site a request comes from. Use https, or the address 127.0.0.1.")
	}
	return nil
}

func (s *Server) refuseBrowser(r *request, message string) error {
	s.cfg.Logger.Debug("a browser's request is refused", "request", r.id, "source", r.source, "err", message)
	switch r.service {
	case serviceEC2:
		return fault.AuthFailure.Say("%s", message)
	case serviceCloudTrail:
		return fault.AccessDeniedException.With(message)
	}
	return fault.AccessDenied.With(message)
}

// mayWrite reports whether a request may change something.
func (s *Server) mayWrite(r *request) bool {
	if r.service == ServiceMoat {
		return r.Method != http.MethodGet
	}
	a := s.actions[r.service][r.action]
	return a == nil || a.Info().Writes || issues[r.action]
}

// containerNames are the names by which Docker and Podman make the host known
// to containers. The domain internal is reserved: no page can have such a name.
var containerNames = []string{"host.docker.internal", "gateway.docker.internal", "host.containers.internal"}

// servesHost reports whether a Host header cannot be a name that somebody
// pointed at this server: an address, a name of loopback, one without a dot, or
// one that the operator allows. Resolvers do not ask the Internet for the last
// three.
func (s *Server) servesHost(host string) bool {
	name := hostName(host)
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	return !strings.Contains(name, ".") || strings.HasSuffix(name, ".localhost") || name == "localhost.localdomain" ||
		slices.Contains(containerNames, name) || slices.ContainsFunc(s.cfg.AllowedHosts, func(h string) bool { return hostName(h) == name })
}

// hostName gives the name of a Host header: without a port, brackets and the
// dot of the root, in lower case.
func hostName(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
}
