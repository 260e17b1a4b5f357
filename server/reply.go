package server

import (
	"io"
	"net/http"
	"strconv"
	"sync"

	"moat/action"
	"moat/awsjson"
	"moat/ec2query"
	"moat/fault"
)

// Replies are rendered into pooled buffers. One that fits is sent with its
// length, header and body in one write. A list whose items are rendered
// already is sent so too, straight from where they are kept; any other long
// one is sent in pieces while the rest is still being rendered.
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
	if r.inJSON {
		buf = awsjson.Append(buf, reply.Out)
	} else if r.service != serviceEC2 {
		buf = r.service.namespace().AppendResponse(buf, r.action, r.id, reply.Out)
	} else {
		if reply.Item != nil && reply.Len >= gatherFrom && s.gather(w, r, reply, buf) {
			return
		}
		var out *patient // once the answer is streamed
		buf = ec2query.AppendHead(buf, r.action, r.id)
		buf = reply.AppendMembers(buf, func(piece []byte) []byte {
			if out == nil {
				out = &patient{w: w, c: http.NewResponseController(w)}
			}
			if _, err := out.Write(piece); err != nil {
				// The caller went away: the rest need not be rendered.
				s.cfg.Metrics.served(r, fault.Unavailable.Code, s.cfg.Now().Sub(r.began))
				panic(http.ErrAbortHandler)
			}
			return piece[:0]
		})
		buf = ec2query.AppendTail(buf, r.action)
		if out != nil {
			out.Write(buf)
			s.cfg.Metrics.served(r, "", s.cfg.Now().Sub(r.began))
			return
		}
	}
	send(w, r, http.StatusOK, buf)
	s.cfg.Metrics.served(r, "", s.cfg.Now().Sub(r.began))
}

// gatherFrom is the number of items from which on copying them costs more than
// naming them to the kernel one by one.
const gatherFrom = 16

// gatherMost is the longest list that is sent in one go: what goes on for
// longer is streamed, so that a slow caller is told from one that went away.
const gatherMost = 16 << 20

// gather sends a list from the pieces that its items are kept in. It sends
// nothing, and says so, when too much would have to be rendered first: the
// caller is to see the first byte at once. buf is scratch.
func (s *Server) gather(w http.ResponseWriter, r *request, reply *action.Reply, buf []byte) bool {
	pieces := make([][]byte, 1, reply.Len+2)
	size, fresh := 0, 0
	for i := range reply.Len {
		item, now := reply.Item(i)
		if now {
			fresh += len(item)
		}
		if size += len(item); size > gatherMost || fresh > 64<<10 {
			return false
		}
		pieces = append(pieces, item)
	}
	buf = reply.AppendOpen(ec2query.AppendHead(buf, r.action, r.id))
	head := len(buf)
	buf = ec2query.AppendTail(reply.AppendClose(buf), r.action)
	pieces[0] = buf[:head]
	sendPieces(w, r, http.StatusOK, append(pieces, buf[head:]))
	s.cfg.Metrics.served(r, "", s.cfg.Now().Sub(r.began))
	return true
}

// refuse answers with an error in the form of the addressed service.
func (s *Server) refuse(w http.ResponseWriter, r *request, err error) {
	f := s.fault(r, err)
	s.noteRefusal(r, err, f)
	setHeaders(w.Header(), r)
	send(w, r, f.Status, r.service.appendError(nil, f, r.id))
	s.cfg.Metrics.served(r, f.Code, s.cfg.Now().Sub(r.began))
}

// setHeaders sets the headers that the service sends. The map is written
// directly: the keys are in canonical form.
func setHeaders(h http.Header, r *request) {
	h["Content-Type"] = contentType
	if r.service == serviceCloudTrail {
		h["Content-Type"] = jsonType
	}
	h["Cache-Control"] = cacheControl
	h["Strict-Transport-Security"] = transportSecurity
	h["Vary"] = vary
	h["Server"] = serverName
	h["X-Amzn-Requestid"] = r.headers[0].set(r.id)
	if r.rev > 0 {
		h["X-Moat-Revision"] = r.headers[1].set(strconv.FormatUint(r.rev, 10))
	}
	if r.enforced != "" {
		word := r.enforced
		if word == enforcedDegraded {
			word = enforcedFailed // clients know three words
		}
		h["X-Moat-Enforced"] = []string{word}
	}
	if r.degraded {
		h["X-Moat-Degraded"] = []string{"yes"}
	}
	if r.enforcedHosts != "" {
		h["X-Moat-Enforced-Hosts"] = []string{r.enforcedHosts}
	}
}

// A header is the one value of a header of a reply.
type header [1]string

func (h *header) set(v string) []string {
	h[0] = v
	return h[:]
}

var (
	contentType       = []string{"text/xml;charset=UTF-8"}
	jsonType          = []string{awsjson.ContentType}
	cacheControl      = []string{"no-cache, no-store"}
	transportSecurity = []string{"max-age=31536000; includeSubDomains"}
	vary              = []string{"accept-encoding"}
	serverName        = []string{"AmazonEC2"}
)

// fitsBuffer is what net/http sends in one write with the header, its buffer
// being of 4 KiB.
const fitsBuffer = 3 << 10

// send writes a whole answer, in one write to the connection where that is
// plain HTTP/1.
func send(w http.ResponseWriter, r *request, status int, body []byte) {
	if len(body) > fitsBuffer {
		sendPieces(w, r, status, [][]byte{body})
		return
	}
	w.Header()["Content-Length"] = r.headers[2].set(strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		w.Write(body)
	}
}

// sendPieces is send for a long body.
func sendPieces(w http.ResponseWriter, r *request, status int, pieces [][]byte) {
	body := &gathered{pieces}
	w.Header()["Content-Length"] = r.headers[2].set(strconv.Itoa(body.len()))
	c := corkOf(r.Context())
	if c != nil {
		c.cork()
	}
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		io.Copy(w, body) // an error shows in the next write, or not at all: the caller went away
	}
	if c != nil {
		w.(http.Flusher).Flush()
		c.uncork() // an error closes the connection
	}
}
