package server

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"moat/fault"
	"moat/store"
)

// BackupPath answers a signed GET with a backup of everything. Its requests
// are signed for the service "moat" with a root key of the default account:
// a backup has the data and the secret keys of every account. So the
// signature is verified even where every credential is taken.
const (
	BackupPath  = "/moat/backup"
	ServiceMoat = "moat"
)

// stall is how long a client of a backup may take nothing before it is given
// up: the moment that is read is kept from compaction meanwhile.
const stall = time.Minute

func (s *Server) serveBackup(w http.ResponseWriter, r *request) {
	r.service, r.action, r.known = ServiceMoat, "Backup", true
	r.hash = sha256.Sum256(nil)
	if err := s.mayBackup(r); err != nil {
		s.refuseBackup(w, r, err)
		return
	}
	// A backup may take longer than a request may take to arrive.
	out := &patient{w: w, c: http.NewResponseController(w)}
	_ = out.c.SetReadDeadline(time.Time{})
	defer func() { _ = out.c.SetWriteDeadline(time.Time{}) }()
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Cache-Control", "no-store")
	info, err := s.store.Backup(r.Context(), out, s.cfg.Version, s.cfg.Now())
	switch {
	case err == nil:
		s.cfg.Logger.Info("a backup was sent", "request", r.id, "action", r.action, "principal", r.caller.ARN, "revision", info.Rev, "keys", info.Keys, "bytes", out.sent)
		s.cfg.Metrics.served(r, "", s.cfg.Now().Sub(r.began))
	case out.sent == 0:
		s.refuseBackup(w, r, err)
	default:
		s.cfg.Logger.Warn("a backup was cut short", "request", r.id, "action", r.action, "principal", r.caller.ARN, "err", err)
		s.cfg.Metrics.served(r, fault.InternalError.With().Code, s.cfg.Now().Sub(r.began))
		// The reader must not take what it has for an end.
		panic(http.ErrAbortHandler)
	}
}

// mayBackup finds out whether the request comes from the operator.
func (s *Server) mayBackup(r *request) error {
	if r.Method != http.MethodGet || r.ContentLength > 0 {
		return &fault.Error{Code: "InvalidRequest", Status: http.StatusMethodNotAllowed, Message: "A backup is read with GET, without a body."}
	}
	if err := s.operator(r, "read a backup"); err != nil {
		return err
	}
	s.senderKnown(r)
	return nil
}

// refuseBackup answers with an error, for moat's own command line.
func (s *Server) refuseBackup(w http.ResponseWriter, r *request, err error) {
	f := s.fault(r, err)
	if errors.Is(err, store.ErrEmpty) {
		f = &fault.Error{Code: "NoData", Status: http.StatusConflict, Message: err.Error()}
	}
	body, _ := json.Marshal(map[string]string{"code": f.Code, "message": f.Message, "request_id": r.id})
	sendText(w, r, f.Status, "application/json", string(body)+"\n")
	s.cfg.Metrics.served(r, f.Code, s.cfg.Now().Sub(r.began))
}

// patient writes to a client that may take as long as it likes, if it only
// goes on.
type patient struct {
	w    io.Writer
	c    *http.ResponseController
	sent int64
}

func (p *patient) Write(b []byte) (int, error) {
	_ = p.c.SetWriteDeadline(time.Now().Add(stall)) // without it the client is only waited for longer
	n, err := p.w.Write(b)
	p.sent += int64(n)
	return n, err
}
