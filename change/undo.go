package change

import (
	"bytes"
	"cmp"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"moat/fault"
	"moat/flow"
	"moat/state"
	"moat/vpc"
	"moat/words"
)

// An Undo is what is known of revisions that are to be taken back.
type Undo struct {
	Scope state.Scope
	// Before is the state before the first of them, After the one after the last,
	// and Touched are the keys of the records that they touched.
	Before, After *state.View
	Touched       []string
	// Head is the newest revision that is known, and Since are the keys of what was
	// touched after the last of those to be taken back, up to there.
	Head  uint64
	Since []string
}

// An UnfitError says that something cannot be taken back any more, because of
// what was done to a record since.
type UnfitError struct{ Key, Text string }

func (e *UnfitError) Error() string { return e.Text }

// Make gives the plan that takes the revisions back on the newest state, with
// the records to be put. What was done since stays where it is about other
// records, other rules of a group, other tags; where it is not, the error is an
// *UnfitError.
func (u *Undo) Make(tx *state.Txn) (*Plan, []Restored, error) {
	w := &undoing{Undo: u, tx: tx, before: u.Before.In(u.Scope), after: u.After.In(u.Scope), Plan: &Plan{Title: "Undo"}}
	if err := w.targets(); err != nil {
		return nil, nil, err
	}
	if err := w.fits(); err != nil {
		return nil, nil, err
	}
	if len(w.bindings) > 0 {
		if len(w.put) == 0 {
			return nil, nil, notUndone("%s was bound to a device then, or taken off one, or enforced: `moat attach`, `moat detach` and `moat enforce` do that, which look at the device.", list(w.bindings))
		}
		w.note("to which device %s is bound, and how, stays as it is: `moat attach`, `moat detach` and `moat enforce` change that", list(w.bindings))
	}
	w.tell()
	w.seal()
	w.Idle = len(w.put) == 0
	return w.Plan, restored(tx, w.put), nil
}

// Restore puts a record of an undo.
func Restore(tx *state.Txn, d state.Decoded) {
	now, _ := d.Now(tx).(*vpc.SecurityGroup)
	g, _ := d.Row().(*vpc.SecurityGroup)
	tx.Put(d)
	if now != nil && g != nil && g.Name != now.Name {
		Renamed(tx, g.ID)
	}
}

type undoing struct {
	*Undo
	*Plan
	tx            *state.Txn
	before, after *state.Space
	put           []state.Decoded
	// bindings are the interfaces whose device stays what it is.
	bindings []string
}

// targets finds out what each record comes to.
func (w *undoing) targets() error {
	prefix := strings.TrimSuffix(state.Key(w.Scope, state.Groups, ""), state.Groups.Name()+"/")
	for _, key := range w.Touched {
		if !strings.HasPrefix(key, prefix) {
			continue // of another account or region, or about identities
		}
		d, err := state.Decode(state.Record{Key: key})
		if err != nil {
			return err
		}
		b, a, n := d.Now(w.before), d.Now(w.after), d.Now(w.tx)
		if err := w.may(&d, b, a); err != nil {
			return err
		}
		bound, err := w.bindingStays(&d, b, a)
		if err != nil {
			return err
		}
		b = bound
		switch {
		case same(b, a), same(n, b):
			continue
		case same(n, a):
			w.put = append(w.put, d.With(b))
			continue
		case d.Kind() == state.AnyKind(state.ClientTokens):
			continue // forgotten since, when its time had passed
		case a == nil || b == nil || n == nil:
			return &UnfitError{Key: key, Text: changedSince(&d, b, a, n)}
		}
		merged, field := merge(b, a, n)
		if field != "" {
			return &UnfitError{Key: key, Text: fmt.Sprintf("%s of %s is another one now", field, thing(&d, n))}
		}
		if g, ok := merged.(*vpc.SecurityGroup); ok {
			// What was done to outbound rules since still was.
			g.EgressTouched = g.EgressTouched || n.(*vpc.SecurityGroup).EgressTouched && !slices.EqualFunc(outbound(g), outbound(b.(*vpc.SecurityGroup)), sameRule)
			if r := twice(g); r != nil {
				return &UnfitError{Key: key, Text: fmt.Sprintf("%s has the rule %s again", thing(&d, n), words.Rule(r, ""))}
			}
		}
		if !same(merged, n) {
			w.put = append(w.put, d.With(merged))
		}
	}
	return nil
}

func changedSince(d *state.Decoded, b, a, n any) string {
	switch {
	case n == nil:
		return thing(d, a) + " is gone"
	case b == nil:
		return thing(d, n) + ", which was made then, is another one now"
	}
	return thing(d, n) + " is there again"
}

// may refuses what records alone do not take back.
func (w *undoing) may(d *state.Decoded, b, a any) error {
	either := b
	if a != nil {
		either = a
	}
	if d.Kind() == state.AnyKind(state.Spaces) {
		return notUndone("What every account begins with was made then.")
	}
	if p, ok := either.(*vpc.Peering); ok {
		for _, side := range []vpc.PeeringSide{p.Requester, p.Accepter} {
			if side.Owner != w.Scope.Account || side.Region != w.Scope.Region {
				return notUndone("%s is between two accounts or regions, each of which has its part of it.", thing(d, p))
			}
		}
	}
	return nil
}

// bindingStays gives a network interface as it was before, with the device that
// it had after: to bind a device takes a look at it, and to free one opens it.
func (w *undoing) bindingStays(d *state.Decoded, before, after any) (any, error) {
	b, _ := before.(*vpc.Interface)
	a, _ := after.(*vpc.Interface)
	was, is := deviceOf(b), deviceOf(a)
	if (was == nil) == (is == nil) && (was == nil || equal(reflect.ValueOf(was), reflect.ValueOf(is))) {
		return before, nil
	}
	if b == nil {
		return nil, notUndone("%s, which was made then, is bound to %s: `moat detach` first.", thing(d, a), is.Name)
	}
	c := *b
	var at vpc.Attachment
	switch {
	case b.Attachment != nil:
		at = *b.Attachment
	case is != nil:
		at = *a.Attachment
	}
	if at.Device = is; is == nil && at.Instance == "" {
		c.Attachment = nil
	} else {
		c.Attachment = &at
	}
	w.bindings = append(w.bindings, thing(d, b))
	return &c, nil
}

func deviceOf(i *vpc.Interface) *vpc.Device {
	if i == nil || i.Attachment == nil {
		return nil
	}
	return i.Attachment.Device
}

func notUndone(format string, args ...any) error {
	return fault.OperationNotPermitted.With("This cannot be undone: " + fmt.Sprintf(format, args...))
}

// same tells rows of one kind that hold the same.
func same(a, b any) bool {
	if a == nil || b == nil || a == b {
		return a == b
	}
	return bytes.Equal(state.Encode(a), state.Encode(b))
}

func twice(g *vpc.SecurityGroup) *vpc.Rule {
	seen := map[vpc.RuleKey]bool{}
	for i := range g.Rules {
		k := g.Rules[i].Key()
		if seen[k] {
			return &g.Rules[i]
		}
		seen[k] = true
	}
	return nil
}

// merge gives now without what led from before to after: what only one of the
// two ways changed is taken from that one. field names what both changed.
func merge(before, after, now any) (merged any, field string) {
	b, a, n := reflect.ValueOf(before).Elem(), reflect.ValueOf(after).Elem(), reflect.ValueOf(now).Elem()
	out := reflect.New(n.Type())
	out.Elem().Set(n)
	for i := range n.NumField() {
		v, ok := mergeValue(b.Field(i), a.Field(i), n.Field(i))
		if !ok {
			return nil, strings.ReplaceAll(kebab(n.Type().Field(i).Name), "-", " ")
		}
		out.Elem().Field(i).Set(v)
	}
	return out.Interface(), ""
}

func mergeValue(b, a, n reflect.Value) (reflect.Value, bool) {
	switch {
	case equal(b, a), equal(n, b):
		return n, true
	case equal(n, a):
		return b, true
	case n.Kind() != reflect.Slice || keyOf(n.Type().Elem()) == nil:
		return n, false
	}
	key := keyOf(n.Type().Elem())
	index := func(s reflect.Value) map[any]reflect.Value {
		m := map[any]reflect.Value{}
		for i := range s.Len() {
			m[key(s.Index(i))] = s.Index(i)
		}
		return m
	}
	bs, as := index(b), index(a)
	out := reflect.MakeSlice(n.Type(), 0, n.Len())
	done := map[any]bool{}
	one := func(k any, now reflect.Value) bool { // an element that is not there is the zero Value
		done[k] = true
		before, after := bs[k], as[k]
		v := now
		switch {
		case elementsEqual(before, after), elementsEqual(now, before):
		case elementsEqual(now, after):
			v = before
		default:
			return false
		}
		if v.IsValid() {
			out = reflect.Append(out, v)
		}
		return true
	}
	for i := range n.Len() {
		if !one(key(n.Index(i)), n.Index(i)) {
			return n, false
		}
	}
	for _, s := range []reflect.Value{b, a} {
		for i := range s.Len() {
			if k := key(s.Index(i)); !done[k] && !one(k, reflect.Value{}) {
				return n, false
			}
		}
	}
	if tags, ok := out.Interface().(vpc.Tags); ok {
		slices.SortFunc(tags, func(a, b vpc.Tag) int { return strings.Compare(a.Key, b.Key) })
	}
	return out, true
}

func elementsEqual(a, b reflect.Value) bool {
	if !a.IsValid() || !b.IsValid() {
		return a.IsValid() == b.IsValid()
	}
	return equal(a, b)
}

func equal(a, b reflect.Value) bool {
	if a.Kind() == reflect.Slice && a.Len() == 0 && b.Len() == 0 {
		return true
	}
	if a.Type() == reflect.TypeFor[vpc.Rule]() {
		return sameRule(a.Interface().(vpc.Rule), b.Interface().(vpc.Rule))
	}
	switch a.Kind() {
	case reflect.Struct, reflect.Pointer, reflect.Slice: // as they are stored: times of any place are the same
		return bytes.Equal(state.Encode(a.Interface()), state.Encode(b.Interface()))
	}
	return a.Interface() == b.Interface()
}

func sameRule(a, b vpc.Rule) bool {
	return a.ID == b.ID && a.Key() == b.Key() && a.Description == b.Description && slices.Equal(a.Tags, b.Tags) && reflect.DeepEqual(a.Foreign, b.Foreign)
}

func outbound(g *vpc.SecurityGroup) (out []vpc.Rule) {
	for _, r := range g.Rules {
		if r.Direction == flow.Egress {
			out = append(out, r)
		}
	}
	return out
}

// keyOf gives what tells the elements of a list apart; nil for lists that are
// taken whole only.
func keyOf(t reflect.Type) func(reflect.Value) any {
	switch t {
	case reflect.TypeFor[vpc.Rule]():
		return func(v reflect.Value) any { return v.Interface().(vpc.Rule).ID }
	case reflect.TypeFor[vpc.Tag]():
		return func(v reflect.Value) any { return v.Interface().(vpc.Tag).Key }
	case reflect.TypeFor[vpc.Block]():
		return func(v reflect.Value) any { return v.Interface().(vpc.Block).Association }
	case reflect.TypeFor[vpc.GroupID](), reflect.TypeFor[netip.Addr](), reflect.TypeFor[netip.Prefix](), reflect.TypeFor[vpc.RouteTableID]():
		return func(v reflect.Value) any { return v.Interface() }
	}
	return nil
}

// fits judges what the records would come to: what they refer to is there, what
// is removed is referred to by nothing, and what must be unique is.
func (w *undoing) fits() error {
	gone, put := map[string]*state.Decoded{}, map[string]*state.Decoded{}
	keyOf := func(d *state.Decoded) string { return state.Key(w.Scope, d.Kind(), d.ID()) }
	for i := range w.put {
		d := &w.put[i]
		if d.Row() == nil {
			gone[keyOf(d)] = d
		} else {
			put[keyOf(d)] = d
		}
	}
	rowOf := func(key string, r state.Reader) any {
		d, err := state.Decode(state.Record{Key: key})
		if err != nil {
			return nil
		}
		return d.Now(r)
	}
	for i := range w.put {
		d := &w.put[i]
		if d.Row() == nil || d.Kind() == state.AnyKind(state.ClientTokens) {
			continue
		}
		for id := range references(d.Row()) {
			key := state.Key(w.Scope, kindOfID(id), id)
			there := put[key] != nil || gone[key] == nil && rowOf(key, w.tx) != nil
			if id != d.ID() && !there && rowOf(key, w.before) != nil {
				return &UnfitError{Key: key, Text: fmt.Sprintf("%s needs %s, which is gone", thing(d, d.Row()), id)}
			}
		}
		if id := instanceOf(d.Row()); id != "" {
			key := state.Key(w.Scope, state.Instances, string(id))
			if n := state.Instances.Get(w.tx, id); n != nil && n.State == vpc.Terminated && put[key] == nil {
				return &UnfitError{Key: key, Text: fmt.Sprintf("%s was attached to %s, which is terminated", thing(d, d.Row()), id)}
			}
		}
		if i, ok := d.Row().(*vpc.Interface); ok && len(i.Groups) == 0 {
			return &UnfitError{Key: keyOf(d), Text: thing(d, i) + " would have no group"}
		}
		if g, ok := d.Row().(*vpc.SecurityGroup); ok {
			if now := state.Groups.Get(w.tx, g.ID); now != nil && overQuota(w.tx, g) && !overQuota(w.tx, now) {
				return &UnfitError{Key: keyOf(d), Text: thing(d, g) + " would have more rules than its quota allows, with those that it got since"}
			}
		}
	}
	// Only what was touched since can have come to stand in the way.
	check := func(c *state.Decoded, row any) error {
		if row == nil || c.Kind() == state.AnyKind(state.ClientTokens) { // which outlive what they were for
			return nil
		}
		if len(gone) > 0 {
			for id := range references(row) {
				g := gone[state.Key(w.Scope, kindOfID(id), id)]
				if g != nil && id != c.ID() {
					return &UnfitError{Key: keyOf(c), Text: fmt.Sprintf("%s, which was made then, is used by %s", thing(g, g.Now(w.tx)), thing(c, row))}
				}
			}
		}
		for i := range w.put {
			d := &w.put[i]
			if d.Row() == nil || d.Kind() != c.Kind() || d.ID() == c.ID() {
				continue
			}
			if what := collide(d.Row(), row); what != "" {
				return &UnfitError{Key: keyOf(c), Text: fmt.Sprintf("%s needs %s, which %s has now", thing(d, d.Row()), what, thing(c, row))}
			}
		}
		return nil
	}
	comesTo := func(c *state.Decoded) any {
		if p := put[keyOf(c)]; p != nil {
			return p.Row()
		}
		if gone[keyOf(c)] != nil {
			return nil
		}
		return c.Now(w.tx)
	}
	if w.tx.Before().Rev != w.Head {
		for c := range state.Rows(w.tx) {
			if err := check(&c, comesTo(&c)); err != nil {
				return err
			}
		}
		return nil
	}
	for _, key := range slices.Concat(w.Since, w.Touched) {
		c, err := state.Decode(state.Record{Key: key})
		if err != nil || c.Scope() != w.Scope {
			continue
		}
		if err := check(&c, comesTo(&c)); err != nil {
			return err
		}
	}
	return nil
}

func overQuota(tx *state.Txn, g *vpc.SecurityGroup) bool {
	weight := func(id vpc.PrefixListID) int {
		if l := prefixList(tx, id); l != nil {
			return vpc.PrefixListWeight(l)
		}
		return 0
	}
	limit := tx.Quotas.RulesEach()
	for _, d := range directions {
		if v4, v6 := vpc.CountRules(g.Rules, d, weight); v4 > limit || v6 > limit {
			return true
		}
	}
	return false
}

func instanceOf(row any) vpc.InstanceID {
	switch row := row.(type) {
	case *vpc.Interface:
		if row.Attachment != nil {
			return vpc.InstanceID(row.Attachment.Instance)
		}
	case *vpc.Volume:
		return row.Instance
	}
	return ""
}

// references gives the ids that a row names. Texts that people write are not
// looked at.
func references(row any) map[string]bool {
	out := map[string]bool{}
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer:
			if !v.IsNil() {
				walk(v.Elem())
			}
		case reflect.Slice:
			if v.Type() == reflect.TypeFor[vpc.Tags]() || v.Type().Elem().Kind() == reflect.Uint8 {
				return
			}
			for i := range v.Len() {
				walk(v.Index(i))
			}
		case reflect.Struct:
			t := v.Type()
			if t.PkgPath() != reflect.TypeFor[vpc.VPC]().PkgPath() {
				return // addresses, times
			}
			for i := range v.NumField() {
				switch t.Field(i).Name {
				case "Description", "Policy", "UserData", "Name", "Message":
				default:
					walk(v.Field(i))
				}
			}
		case reflect.String:
			if s := v.String(); kindOfID(s) != nil {
				out[s] = true
			}
		}
	}
	walk(reflect.ValueOf(row))
	return out
}

// kindOfID gives the kind whose rows have such ids, or nil.
func kindOfID(id string) state.AnyKind {
	prefix, digits, ok := strings.Cut(id, "-")
	if !ok || digits == "" || strings.Trim(digits, "0123456789abcdef") != "" {
		return nil
	}
	for _, k := range state.Kinds {
		if k.IDPrefix() == prefix {
			return k
		}
	}
	return nil
}

// collide says what two rows of a kind cannot both have; "" for nothing.
func collide(a, b any) string {
	switch a := a.(type) {
	case *vpc.SecurityGroup:
		if b := b.(*vpc.SecurityGroup); a.VPC == b.VPC && strings.EqualFold(a.Name, b.Name) {
			return "the name " + quoted(a.Name)
		}
	case *vpc.Interface:
		return collideInterfaces(a, b.(*vpc.Interface))
	case *vpc.Subnet:
		b := b.(*vpc.Subnet)
		if a.VPC != b.VPC {
			return ""
		}
		if r := overlap(subnetRanges(a), subnetRanges(b)); r != "" {
			return "the range " + r
		}
		if a.DefaultForAZ && b.DefaultForAZ && a.AvailabilityZone == b.AvailabilityZone {
			return "the place of the default subnet of " + a.AvailabilityZone
		}
	case *vpc.VPC:
		if a.Default && b.(*vpc.VPC).Default {
			return "the place of the default VPC"
		}
	case *vpc.KeyPair:
		if a.Name == b.(*vpc.KeyPair).Name {
			return "the name " + quoted(a.Name)
		}
	case *vpc.Address:
		if a.Address == b.(*vpc.Address).Address {
			return "the address " + a.Address.String()
		}
	case *vpc.InternetGateway:
		if a.VPC != "" && a.VPC == b.(*vpc.InternetGateway).VPC {
			return "the place of the gateway of " + string(a.VPC)
		}
	case *vpc.RouteTableAssociation:
		b := b.(*vpc.RouteTableAssociation)
		if a.VPC == b.VPC && a.Main == b.Main && a.Subnet == b.Subnet && a.Gateway == b.Gateway {
			return "the route table of " + cmp.Or(string(a.Subnet), string(a.Gateway), string(a.VPC))
		}
	case *vpc.NetworkACLAssociation:
		if a.Subnet == b.(*vpc.NetworkACLAssociation).Subnet {
			return "the network ACL of " + string(a.Subnet)
		}
	}
	return ""
}

func collideInterfaces(a, b *vpc.Interface) string {
	if a.Subnet == b.Subnet {
		if r := overlap(ownRanges(a), ownRanges(b)); r != "" {
			return "the address " + r
		}
	}
	for _, p := range a.Public {
		if slices.ContainsFunc(b.Public, func(o vpc.PublicAddress) bool { return o.Address == p.Address }) {
			return "the public address " + p.Address.String()
		}
	}
	x, y := a.Attachment, b.Attachment
	if x != nil && y != nil && x.Instance != "" && x.Instance == y.Instance && x.DeviceIndex == y.DeviceIndex && x.CardIndex == y.CardIndex {
		return fmt.Sprintf("device index %d of %s", x.DeviceIndex, x.Instance)
	}
	return ""
}

func subnetRanges(s *vpc.Subnet) (out []netip.Prefix) {
	if s.CIDR.IsValid() {
		out = append(out, s.CIDR)
	}
	for _, b := range s.IPv6 {
		out = append(out, b.CIDR)
	}
	return out
}

func ownRanges(i *vpc.Interface) []netip.Prefix {
	return slices.Concat(addressesOf(i), i.IPv4Prefixes, i.IPv6Prefixes)
}

func overlap(a, b []netip.Prefix) string {
	for _, p := range a {
		if slices.ContainsFunc(b, p.Overlaps) {
			return strings.TrimSuffix(strings.TrimSuffix(p.String(), "/32"), "/128")
		}
	}
	return ""
}
