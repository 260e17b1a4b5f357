package server

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 60 * time.Second
	idleTimeout       = 120 * time.Second
	readyPatience     = 2 * time.Second
)

// serveAside answers what stands beside the API on the same listener: health,
// the caller's address, backups, and what the operator of the host does. It reports whether it did.
func (s *Server) serveAside(w http.ResponseWriter, r *request) bool {
	switch r.URL.Path {
	case "/healthz":
		sendText(w, r, http.StatusOK, "text/plain; charset=utf-8", "ok\n")
		return true
	case "/readyz":
		// The listener opens once the store is loaded, so what may be missing
		// is an etcd cluster that answers.
		ctx, cancel := context.WithTimeout(r.Context(), readyPatience)
		defer cancel()
		if _, err := s.store.View(ctx); err != nil {
			sendText(w, r, http.StatusServiceUnavailable, "text/plain; charset=utf-8", "etcd does not answer\n")
			return true
		}
		sendText(w, r, http.StatusOK, "text/plain; charset=utf-8", "ok\n")
		return true
	case BackupPath:
		s.serveBackup(w, r)
		return true
	}
	if strings.HasPrefix(r.URL.Path, AdminPath) {
		s.serveAdmin(w, r)
		return true
	}
	if s.isCheckIP(r) {
		s.checkIP(w, r)
		return true
	}
	return false
}

// isCheckIP tells checkip's requests: the path /checkip, or / of a host whose
// name begins with checkip. A request with an Action is the API's, wherever it
// was sent.
func (s *Server) isCheckIP(r *request) bool {
	path := strings.TrimSuffix(r.URL.Path, "/")
	if path != "/checkip" && (path != "" || !strings.HasPrefix(strings.ToLower(r.Host), "checkip.")) {
		return false
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	return !r.URL.Query().Has("Action")
}

// checkIP answers with the caller's address and a newline, as
// checkip.amazonaws.com does; with ?format=json as an object.
func (s *Server) checkIP(w http.ResponseWriter, r *request) {
	w.Header().Set("Cache-Control", "no-cache, no-store")
	if r.URL.Query().Get("format") == "json" {
		body, _ := json.Marshal(map[string]string{"ip": r.source.String()})
		sendText(w, r, http.StatusOK, "application/json", string(body)+"\n")
		return
	}
	sendText(w, r, http.StatusOK, "text/plain; charset=utf-8", r.source.String()+"\n")
}

func sendText(w http.ResponseWriter, r *request, status int, contentType, body string) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		w.Write([]byte(body))
	}
}
