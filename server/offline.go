package server

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"moat/agent"
	"moat/dataplane"
	"moat/fault"
	"moat/iam"
	"moat/ruleset"
	"moat/sigv4"
	"moat/state"
	"moat/store"
	"moat/vpc"
)

// Offline answers the operator of a host whose server started and has not reached
// its database yet: how the host stands, and detach. It knows neither keys nor
// names of the state, so that it takes one key, and that from the host itself only.
type Offline struct {
	Enforcement Enforcement
	Booting     agent.Booting
	Region      string
	Account     vpc.AccountID
	Version     string
	// AccessKeyID and Secret are the key that the data directory has.
	AccessKeyID, Secret string
	// Reason says why there is no database.
	Reason string
}

// Age returns how long ago the rules of a snapshot were written. A clock that was
// set back makes it 0.
func Age(b *agent.Booting, now time.Time) time.Duration {
	if b.Saved.IsZero() {
		return 0
	}
	return max(0, now.Sub(b.Saved))
}

// ServeHTTP answers calls of AdminPath.
func (o *Offline) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	out, err := o.answer(r)
	status := http.StatusOK
	if err != nil {
		f := fault.Unavailable.Say("%s", o.Reason)
		if known, ok := err.(*fault.Error); ok {
			f = known
		}
		status, out = f.Status, map[string]string{"code": f.Code, "message": f.Message}
	}
	body, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("server: an answer is no JSON: %v", err))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(append(body, '\n'))
}

var errOffline = fmt.Errorf("it takes the database to answer this")

func (o *Offline) answer(r *http.Request) (any, error) {
	call := r.Method + " " + strings.TrimPrefix(r.URL.Path, AdminPath)
	if call != "GET status" && call != "GET interfaces" && call != "POST detach" || o.Enforcement.Agent == nil {
		return nil, errOffline
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, freeBody))
	if err != nil {
		return nil, fault.RequestEntityTooLarge.With(freeBody)
	}
	if err := o.operator(r, body); err != nil {
		return nil, err
	}
	switch call {
	case "GET status":
		return o.status(r.Context())
	case "GET interfaces":
		all, err := o.interfaces(r.Context())
		return &Interfaces{all}, err
	}
	return o.detach(&request{Request: r, body: body, began: time.Now()})
}

// operator refuses whoever does not call from the host itself with its own key.
func (o *Offline) operator(r *http.Request, body []byte) error {
	denied := &fault.Error{Code: "AccessDenied", Status: http.StatusForbidden, Message: "While the database is unavailable, only the root key of this host's data directory is taken, from this host itself."}
	if o.Secret == "" || !fromHere(r) {
		return denied
	}
	sig, err := sigv4.Parse(r)
	if err != nil {
		return serviceEC2.authFault(err)
	}
	if sig.AccessKeyID != o.AccessKeyID || sig.Service != ServiceMoat || sig.SessionToken != "" {
		return denied
	}
	if err := sig.CheckTime(time.Now()); err != nil {
		return serviceEC2.authFault(err)
	}
	if err := sig.Verify(r, sha256.Sum256(body), sigv4.DeriveKey(o.Secret, sig.Date, sig.Region, sig.Credential.Service), r.TLS != nil); err != nil {
		return serviceEC2.authFault(err)
	}
	return nil
}

// fromHere reports whether a connection comes from the host itself.
func fromHere(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if local == nil {
		return false
	}
	own, err := netip.ParseAddrPort(local.String())
	return err == nil && (peer.Addr().Unmap().IsLoopback() || peer.Addr().Unmap() == own.Addr().Unmap())
}

func (o *Offline) status(ctx context.Context) (*Status, error) {
	e, b := &o.Enforcement, &o.Booting
	out := &Status{
		Version: o.Version, Region: o.Region, Account: o.Account, Revision: b.Rev, Enforced: b.Rev, State: enforcedYes,
		ViewAge: Age(b, time.Now()).Seconds(), Stale: true, Unavailable: o.Reason, Host: e.Hostname, Identity: e.Host, DataPlane: e.Kind,
		OnRevoke: e.Options.OnRevoke.String(), Exemptions: []ExemptionStatus{}, Failsafe: pinholes(e.Options.Failsafe),
		Guards: append([]dataplane.Pattern{}, e.Agent.Guards()...),
	}
	for _, x := range e.Options.Exempt {
		out.Exemptions = append(out.Exemptions, ExemptionStatus{Option: x.Option(), Text: x.Text(), BothWays: x.BothWays(), Rules: x.RuleIDs()})
	}
	if err := e.Agent.Status().Unguarded; err != nil {
		out.GuardError = err.Error()
	}
	if b.Err != nil {
		began := b.Began
		out.State, out.Error, out.Since = enforcedFailed, b.Err.Error(), &began
	}
	out.addOrphans(e)
	var err error
	out.Interfaces, err = o.interfaces(ctx)
	return out, err
}

// interfaces returns what the snapshot, or a process before this one, has bound.
func (o *Offline) interfaces(ctx context.Context) ([]BoundStatus, error) {
	a := o.Enforcement.Agent
	have, err := a.Plane().Bindings(ctx)
	if err != nil {
		return nil, fault.IncorrectState.Say("What is bound cannot be read: %v", err)
	}
	stats, err := a.Plane().Stats(ctx)
	if err != nil {
		stats = &dataplane.Stats{}
	}
	rules, err := a.Plane().Actual(ctx)
	if err != nil {
		rules = &ruleset.Ruleset{}
	}
	out := []BoundStatus{}
	add := func(b dataplane.Binding, mode, trouble string) {
		k := BoundStatus{
			Interface: b.Interface, Addresses: []netip.Addr{}, Groups: []vpc.GroupID{}, Host: cmp.Or(o.Enforcement.Hostname, o.Enforcement.Host),
			Device: b.Device, Index: b.Index, Netns: b.Netns, Side: sideName(b.Side), Mode: mode, Error: trouble,
			Flows: stats.Flows[b.Interface], Drops: stats.Drops[b.Interface], WithoutRule: stats.WithoutRule[b.Interface],
		}
		if i := rules.Interface(b.Interface); i != nil {
			k.VPC, k.Revision, k.OnRevoke = i.VPC, rules.Rev, i.OnRevoke.String()
		}
		out = append(out, k)
	}
	for _, b := range o.Booting.Bindings {
		if slices.ContainsFunc(a.Releases(), func(r agent.Release) bool { return r.Interface == b.Interface && !r.Over }) {
			continue
		}
		at := slices.IndexFunc(have, func(h dataplane.Binding) bool { return h.Interface == b.Interface })
		switch {
		case at < 0 || have[at].Index == 0:
			add(b, "gone", "the device is not there")
		case have[at].Observes(time.Now()):
			add(have[at], "observe", "")
		default:
			add(have[at], "enforce", "")
		}
	}
	for _, r := range a.Releases() {
		if !r.Over {
			add(dataplane.Binding{Interface: r.Interface, Device: r.Device, Netns: r.Netns}, "released", releasedText(&r))
		}
	}
	return out, nil
}

// detach takes a device's filter off without the state.
func (o *Offline) detach(r *request) (*Bound, error) {
	var in DetachDevice
	if err := decodeAdmin(r, &in); err != nil {
		return nil, err
	}
	if (in.Interface == "") == (in.Device == "") {
		return nil, fault.InvalidRequest.Say("Name either the interface or the device.")
	}
	a := o.Enforcement.Agent
	netns := in.Netns
	if p, err := agent.NetnsPath(in.Netns); err == nil {
		netns = p
	}
	var found []dataplane.Binding
	for _, b := range o.Booting.Bindings {
		if b.Interface == in.Interface || in.Device != "" && b.Device == in.Device && (netns == "" || b.Netns == netns) {
			found = append(found, b)
		}
	}
	switch {
	case len(found) == 0:
		return nil, fault.InvalidParameterValue.Say("Nothing that this host enforces is bound so. While the database is unavailable, name the interface by its id, or the device: moat status lists both.")
	case len(found) > 1:
		return nil, fault.InvalidParameterValue.Say("Devices named %s are bound in several network namespaces: name one.", in.Device)
	}
	b := found[0]
	scope := state.Scope{Region: o.Region, Account: o.Account}
	event := store.Event{
		Source: r.RemoteAddr, UserAgent: userAgent(r.Request), RequestID: newRequestID(), Service: string(ServiceMoat), Action: "DetachDevice",
		Region: scope.Region, Account: scope.Account, Host: r.Host[:min(len(r.Host), 255)],
	}
	if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		event.Source = peer.Addr().Unmap().String()
	}
	root := iam.Root(o.Account, vpc.Partition(o.Region), o.AccessKeyID)
	tellCaller(&event, &root)
	if err := release(r.Context(), a, agent.Release{Interface: b.Interface, Device: b.Device, Netns: b.Netns}, r.began, event); err != nil {
		return nil, fault.IncorrectState.With(err.Error())
	}
	out := boundReply(b)
	out.Closed, out.Deferred, out.Enforced, out.Revision = a.Closes(b.Device, b.Netns), true, enforcedYes, o.Booting.Rev
	return out, nil
}
