package server

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"moat/change"
	"moat/fault"
	"moat/state"
	"moat/store"
	"moat/vpc"
	"moat/words"
)

// An Undo takes revisions back, in one revision: what they changed in the
// caller's account and region becomes what it was before them. What was done
// since stays; where both are about the same thing nothing is done.
type Undo struct {
	// From and To are the first and the last of the revisions. Without From it is
	// the newest one; without To there is no other, and with Since it is every one
	// from there on.
	From  uint64 `json:"from,omitempty"`
	To    uint64 `json:"to,omitempty"`
	Since bool   `json:"since,omitempty"`

	DryRun bool   `json:"dry_run,omitempty"`
	Expect string `json:"expect,omitempty"`
}

// An Undone says what was done, or what would be.
type Undone struct {
	Changed
	// From and To are the revisions.
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
}

// undoPatience is how often the history is read again because a call came
// between, before everything there is is looked at for what stands in the way.
const undoPatience = 3

// errMovedOn says that the history goes on after what was read of it.
var errMovedOn = errors.New("the history has moved on")

func (s *Server) undo(r *request) (any, error) {
	var in Undo
	if err := decodeAdmin(r, &in); err != nil {
		return nil, err
	}
	if in.Since && in.To != 0 || in.To != 0 && in.To < in.From || in.From == 0 && (in.To != 0 || in.Since) {
		return nil, fault.InvalidParameterValue.Say("The revisions %d to %d are none: want the first and the last one.", in.From, in.To)
	}
	// Who asks is told nothing of the history before they may.
	view, err := s.store.View(r.Context())
	if err != nil {
		return nil, err
	}
	if err := s.mayUndo(r, viewPlace(view)); err != nil {
		return nil, err
	}
	for again := 0; ; again++ {
		out, err := s.undoOnce(r, in, again < undoPatience)
		if errors.Is(err, errMovedOn) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return out, nil
	}
}

// mayUndo refuses who may not undo, or not look at what an undo tells of.
func (s *Server) mayUndo(r *request, at place) error {
	one := *r
	one.service, one.action = ServiceMoat, "Undo"
	if _, err := s.authorise(&one, at, &change.UndoInput{}, nil); err != nil {
		return err
	}
	return s.mayLook(r, at)
}

func (s *Server) undoOnce(r *request, in Undo, strict bool) (*Undone, error) {
	view, err := s.store.View(r.Context())
	if err != nil {
		return nil, err
	}
	u, out, err := s.readUndo(r, in, view)
	if err != nil {
		return nil, err
	}
	var unfit *change.UnfitError
	err = s.change(r, &out.Done, in.DryRun, func(tx *state.Txn) (*changing, error) {
		unfit = nil
		if strict && tx.Before().Rev != u.Head {
			return nil, errMovedOn
		}
		if err := s.mayUndo(r, txnPlace(tx)); err != nil {
			return nil, err
		}
		plan, put, err := u.Make(tx)
		if errors.As(err, &unfit) {
			return nil, err
		}
		if err != nil {
			return nil, err
		}
		who := &known{policies: s.policiesOf(r, txnPlace(tx), nil)}
		for i := range put { // which the plan tells of
			if kind := put[i].Kind(); kind != state.AnyKind(state.ClientTokens) {
				if err := s.maySee(r, who, kind, put[i].ID(), txnPlace(tx), viewPlace(u.Before), viewPlace(u.After)); err != nil {
					return nil, err
				}
			}
		}
		out.Plan = plan
		if in.Expect != "" && in.Expect != plan.Digest {
			return nil, notAsShown()
		}
		return &changing{
			title:  "Undo",
			params: url.Values{"From": {strconv.FormatUint(out.From, 10)}, "To": {strconv.FormatUint(out.To, 10)}},
			also: func(tx *state.Txn) error {
				u := &restorer{s, r, who, map[[2]string]bool{}}
				return u.restore(tx, put)
			},
		}, nil
	})
	if unfit != nil {
		return nil, s.unfit(r, u, out, unfit)
	}
	return out, err
}

// A restorer puts what an undo brings back, if its caller may make the calls of
// EC2 that would do the same.
type restorer struct {
	s   *Server
	r   *request
	who *known
	// asked has the resources that calls name before the undo.
	asked map[[2]string]bool
}

// restore asks for the calls on what is there before, and on what is there
// after.
func (u *restorer) restore(tx *state.Txn, put []change.Restored) error {
	for i := range put {
		if !put[i].New {
			if err := u.may(tx, &put[i], false); err != nil {
				return err
			}
		}
	}
	// Rules are judged last, when the lists and the members of the groups that they
	// name are back: a group that comes back is first as new, with none.
	for i := range put {
		d, calls := put[i].Decoded, put[i].Calls
		if g, ok := d.Row().(*vpc.SecurityGroup); ok {
			if !put[i].New {
				continue
			}
			d, calls = d.With(change.AsCreated(g)), nil
		}
		if err := u.put(tx, d, calls); err != nil {
			return err
		}
	}
	for i := range put {
		if _, ok := put[i].Row().(*vpc.SecurityGroup); ok {
			if err := u.put(tx, put[i].Decoded, put[i].Calls); err != nil {
				return err
			}
		}
	}
	for i := range put {
		if put[i].Row() != nil {
			if err := u.may(tx, &put[i], true); err != nil {
				return err
			}
		}
	}
	return nil
}

// may refuses who may not make the calls of a record. After the undo the same
// resources are asked for, which may have other tags, and those that came back.
func (u *restorer) may(tx *state.Txn, d *change.Restored, after bool) error {
	for _, c := range d.Calls {
		one, p := u.permit(tx, c)
		for i := 0; p != nil && i < len(p.needs); i++ {
			n := &p.needs[i]
			key := [2]string{n.Action, n.Resource}
			if after && !d.New && !u.asked[key] {
				continue // as of an association that is over
			}
			u.asked[key] = true
			if err := p.decide(n, nil); err != nil {
				return u.inItsWords(one, err)
			}
			if head, ok := strings.CutSuffix(n.Resource, "/*"); ok && d.New && strings.HasSuffix(head, ":"+d.Kind().ResourceType()) {
				// The call names no id for what it makes; here it is known.
				back := *n
				back.Resource = head + "/" + d.ID()
				if k, ok := d.Row().(*vpc.KeyPair); ok {
					back.Resource = head + "/" + k.Name
				}
				if err := p.decide(&back, nil); err != nil {
					return u.inItsWords(one, err)
				}
			}
		}
	}
	return nil
}

// put puts a record, with the permission for each rule that this adds.
func (u *restorer) put(tx *state.Txn, d state.Decoded, calls []change.Call) error {
	_, err := tx.Nested(func(inner *state.Txn) error {
		change.Restore(inner, d)
		for _, c := range append([]change.Call{{Action: "Undo", In: &change.UndoInput{}}}, calls...) {
			one, p := u.permit(inner, c)
			if err := p.rules(inner); err != nil {
				return u.inItsWords(one, err)
			}
		}
		return nil
	})
	return err
}

// permit gives what the caller needs for a call, nil for nothing.
func (u *restorer) permit(tx *state.Txn, c change.Call) (*request, *permit) {
	one := *u.r
	one.service, one.action = serviceOfCall(c), c.Action
	return &one, u.s.permitOf(&one, txnPlace(tx), c.In, u.who)
}

// inItsWords gives a refusal as the service of the call words it.
func (u *restorer) inItsWords(r *request, err error) error {
	if f := u.s.asFault(r, err); f != nil {
		return f
	}
	return err
}

// readUndo reads the history that an undo needs.
func (s *Server) readUndo(r *request, in Undo, view *state.View) (*change.Undo, *Undone, error) {
	ctx := r.Context()
	out := &Undone{From: in.From, To: in.To}
	switch {
	case in.From == 0:
		rev, err := s.newest(ctx, r, view.Rev)
		if err != nil {
			return nil, nil, err
		}
		out.From, out.To = rev, rev
	case in.Since:
		out.To = view.Rev
	case in.To == 0:
		out.To = in.From
	}
	if out.To > view.Rev {
		return nil, nil, fault.InvalidParameterValue.Say("There is no revision %d yet: the newest is %d.", out.To, view.Rev)
	}
	u := &change.Undo{Scope: r.scope, Head: view.Rev}
	var err error
	if u.Before, u.After, u.Touched, err = s.store.Between(ctx, out.From-1, out.To); err == nil {
		_, _, u.Since, err = s.store.Between(ctx, out.To, view.Rev)
	}
	if h, ok := errors.AsType[*store.HistoryError](err); ok {
		return nil, nil, fault.InvalidParameterValue.Say("%v", h)
	}
	if err != nil {
		return nil, nil, err
	}
	mine := scopePrefix(r.scope)
	if !slices.ContainsFunc(u.Touched, func(key string) bool { return strings.HasPrefix(key, mine) }) {
		return nil, nil, fault.OperationNotPermitted.With(fmt.Sprintf(
			"%s changed nothing of EC2 in region %s of account %s: undo takes back that, and neither identities nor guardrails, nor another region or account.", revisions(out.From, out.To), r.scope.Region, r.scope.Account))
	}
	return u, out, nil
}

func revisions(from, to uint64) string {
	if from == to {
		return fmt.Sprintf("Revision %d", from)
	}
	return fmt.Sprintf("Revisions %d to %d", from, to)
}

func scopePrefix(s state.Scope) string { return s.Region + "/" + string(s.Account) + "/" }

// lookBack is how many entries of the history are read at once, from the newest
// on.
const lookBack = 64

// newest gives the newest revision of the caller's account and region that
// somebody made.
func (s *Server) newest(ctx context.Context, r *request, head uint64) (uint64, error) {
	mine := scopePrefix(r.scope)
	for to := head; to > 0; {
		from := uint64(1)
		if to > lookBack {
			from = to - lookBack + 1
		}
		entries, err := s.store.Scan(ctx, store.Past, from, lookBack) // one of each revision
		if err != nil {
			return 0, err
		}
		for _, e := range slices.Backward(entries) {
			if e.Rev > to {
				continue
			}
			was, err := store.DecodeBefore(e.Value)
			if err != nil {
				return 0, err
			}
			if !slices.ContainsFunc(was.Rows, func(row store.OldRow) bool { return strings.HasPrefix(row.Key, mine) }) {
				continue
			}
			house, err := s.keptHouse(ctx, e.Rev)
			if err != nil {
				return 0, err
			}
			if !house {
				return e.Rev, nil
			}
		}
		to = from - 1
	}
	return 0, fault.OperationNotPermitted.With("There is nothing to undo: nobody has changed anything here, as far back as the history goes.")
}

// keptHouse reports whether a revision is of the server's own doing.
func (s *Server) keptHouse(ctx context.Context, rev uint64) (bool, error) {
	entries, err := s.store.Scan(ctx, store.Audit, rev, 1)
	if err != nil || len(entries) == 0 || entries[0].Rev != rev {
		return false, err
	}
	event, err := store.DecodeEvent(entries[0].Value)
	if err != nil {
		return false, err
	}
	return event.Service == ServiceMoat && slices.Contains([]string{"Furnish", "Expire", "ForgetPeerings"}, event.Action), nil
}

// unfit says why an undo no longer fits, and who is the reason.
func (s *Server) unfit(r *request, u *change.Undo, out *Undone, why *change.UnfitError) error {
	text := fmt.Sprintf("%s no longer fits: %s", revisions(out.From, out.To), why.Text)
	var entries []store.Entry
	if s.mayDo(r, s.store.Latest(), mayKnowWho) == nil {
		var err error
		if entries, err = s.store.Scan(r.Context(), store.Audit, out.To+1, 1000); err != nil {
			return err
		}
	}
	for _, e := range slices.Backward(entries) {
		event, err := store.DecodeEvent(e.Value)
		if err == nil && slices.Contains(event.Changed, why.Key) {
			text += fmt.Sprintf(", by revision %d (%s, %s). `moat undo %d` takes that back first, `moat undo %d..` everything since", e.Rev, event.Action, words.Caller(event.Principal), e.Rev, out.From)
			break
		}
	}
	return &fault.Error{Code: "NoLongerFits", Status: 409, Message: text + ". Nothing was changed."}
}
