package server

import (
	"net/http"
	"strconv"
	"sync"

	"moat/action"
	"moat/ec2query"
)

// Replies are rendered into pooled buffers. One that fits is sent with its
// length, header and body in one write; a longer one is sent in pieces while
// the rest is still being rendered.
var replies = sync.Pool{New: func() any { b := make([]byte, 0, 96<<10); return &b }}

const maxPooled = 1 << 20

func (s *Server) reply(w http.ResponseWriter, r *request, reply *action.Reply) {
	pooled := replies.Get().(*[]byte)
	buf := (*pooled)[:0]
	defer func() {
		if cap(buf) <= maxPooled {
			*pooled = buf[:0]
			replies.Put(pooled)
		}
	}()
	setHeaders(w.Header(), r)
	if r.service != serviceEC2 {
		buf = r.service.namespace().AppendResponse(buf, r.action, r.id, reply.Out)
	} else {
		streamed := false
		buf = ec2query.AppendHead(buf, r.action, r.id)
		buf = reply.AppendMembers(buf, func(piece []byte) []byte {
			streamed = true
			w.Write(piece) // an error shows in the next write, or not at all: the caller went away
			return piece[:0]
		})
		buf = ec2query.AppendTail(buf, r.action)
		if streamed {
			w.Write(buf)
			s.cfg.Metrics.served(r, "", s.cfg.Now().Sub(r.began))
			return
		}
	}
	send(w, r, http.StatusOK, buf)
	s.cfg.Metrics.served(r, "", s.cfg.Now().Sub(r.began))
}

// refuse answers with an error in the form of the addressed service.
func (s *Server) refuse(w http.ResponseWriter, r *request, err error) {
	f := s.fault(r, err)
	setHeaders(w.Header(), r)
	send(w, r, f.Status, r.service.appendError(nil, f, r.id))
	s.cfg.Metrics.served(r, f.Code, s.cfg.Now().Sub(r.began))
}

// setHeaders sets the headers that the service sends. The map is written
// directly: the keys are in canonical form.
func setHeaders(h http.Header, r *request) {
	h["Content-Type"] = contentType
	h["Cache-Control"] = cacheControl
	h["Strict-Transport-Security"] = transportSecurity
	h["Vary"] = vary
	h["Server"] = serverName
	h["X-Amzn-Requestid"] = []string{r.id}
	if r.rev > 0 {
		h["X-Moat-Revision"] = []string{strconv.FormatUint(r.rev, 10)}
	}
	if r.enforced != "" {
		h["X-Moat-Enforced"] = []string{r.enforced}
	}
}

var (
	contentType       = []string{"text/xml;charset=UTF-8"}
	cacheControl      = []string{"no-cache, no-store"}
	transportSecurity = []string{"max-age=31536000; includeSubDomains"}
	vary              = []string{"accept-encoding"}
	serverName        = []string{"AmazonEC2"}
)

// send writes a whole answer, in one write to the connection where that is
// plain HTTP/1.
func send(w http.ResponseWriter, r *request, status int, body []byte) {
	w.Header()["Content-Length"] = []string{strconv.Itoa(len(body))}
	c := corkOf(r.Context())
	if c != nil {
		c.cork()
	}
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		w.Write(body)
	}
	if c != nil {
		w.(http.Flusher).Flush()
		c.uncork()
	}
}
