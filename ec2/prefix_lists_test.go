package ec2_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"moat/ec2/ec2test"
	"moat/flow"
	"moat/state"
	"moat/vpc"
)

const (
	s3List = "pl-63a5400a" // AWS's, in us-east-1
	noList = "pl-0123456789abcdef0"
)

// newList makes a list of a size with entries and gives its id.
func newList(t *testing.T, w *ec2test.World, size int, cidrs ...string) string {
	t.Helper()
	params := []string{"PrefixListName", "offices", "AddressFamily", "IPv4", "MaxEntries", fmt.Sprint(size)}
	for i, c := range cidrs {
		params = append(params, fmt.Sprintf("Entry.%d.Cidr", i+1), c)
	}
	return ec2test.One(w.Must("CreateManagedPrefixList", params...), "prefixListId")
}

// namingGroup stages a group with ingress rules from each of some peers, and
// gives its id.
func namingGroup(w *ec2test.World, name string, peers ...string) (id string, rules []string) {
	w.Stage(func(tx *state.Txn) error {
		g := &vpc.SecurityGroup{ID: vpc.GroupID(tx.NewID("sg")), Owner: tx.Account, VPC: state.DefaultVPC(tx).ID, Name: name, Description: name}
		for _, ref := range peers {
			r := vpc.Rule{ID: tx.NewRuleID(g), Protocol: flow.TCP, Ports: flow.PortRange{From: 443, To: 443}, Peer: vpc.Peer{Ref: ref}}
			g.Rules = append(g.Rules, r)
			rules = append(rules, string(r.ID))
		}
		state.Groups.Put(tx, g)
		id = string(g.ID)
		return nil
	})
	return id, rules
}

func entriesOf(w *ec2test.World, id string, params ...string) string {
	xml := w.Must("GetManagedPrefixListEntries", append([]string{"PrefixListId", id}, params...)...)
	return strings.Join(ec2test.Text(xml, "cidr"), " ")
}

// shows checks the elements of a list's description, given as name=text.
func shows(t *testing.T, w *ec2test.World, id string, want ...string) {
	t.Helper()
	xml := w.Must("DescribeManagedPrefixLists", "PrefixListId.1", id)
	for _, pair := range want {
		name, text, _ := strings.Cut(pair, "=")
		if got := ec2test.One(xml, name); got != text {
			t.Errorf("list shows %s %q, want %q", name, got, text)
		}
	}
}

func eq[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestCreateManagedPrefixList(t *testing.T) {
	w := ec2test.New(t)
	xml := w.Must("CreateManagedPrefixList", "PrefixListName", "offices", "AddressFamily", "IPv4", "MaxEntries", "10",
		"Entry.1.Cidr", "203.0.113.77/24", "Entry.1.Description", "hq", "Entry.2.Cidr", "198.51.100.0/24",
		"TagSpecification.1.ResourceType", "prefix-list", "TagSpecification.1.Tag.1.Key", "team", "TagSpecification.1.Tag.1.Value", "net")
	eq(t, "answered state", ec2test.One(xml, "state"), "create-in-progress")
	eq(t, "answered version", ec2test.One(xml, "version"), "1")
	id := ec2test.One(xml, "prefixListId")
	shows(t, w, id, "state=create-complete", "version=1", "maxEntries=10", "addressFamily=IPv4", "prefixListName=offices",
		"ownerId=123456789012", "prefixListArn=arn:aws:ec2:us-east-1:123456789012:prefix-list/"+id, "key=team", "value=net")
	eq(t, "entries, canonical and sorted", entriesOf(w, id), "198.51.100.0/24 203.0.113.0/24")
	if xml := w.Must("GetManagedPrefixListEntries", "PrefixListId", id); !strings.Contains(xml, "<item><cidr>203.0.113.0/24</cidr><description>hq</description></item>") {
		t.Errorf("the description is not beside its entry: %s", xml)
	}

	six := ec2test.One(w.Must("CreateManagedPrefixList", "PrefixListName", "six", "AddressFamily", "IPv6", "MaxEntries", "1", "Entry.1.Cidr", "fd00:FEED:BEEF::1/48"), "prefixListId")
	eq(t, "IPv6 entry", entriesOf(w, six), "fd00:feed:beef::/48")
}

func TestCreateManagedPrefixListRefusals(t *testing.T) {
	good := []string{"PrefixListName", "n", "AddressFamily", "IPv4", "MaxEntries", "2"}
	with := func(params ...string) []string { // replaces or adds
		out := slices.Clone(good)
		for i := 0; i < len(params); i += 2 {
			at := slices.Index(out, params[i])
			switch {
			case at >= 0 && params[i+1] == "absent":
				out = slices.Delete(out, at, at+2)
			case at >= 0:
				out[at+1] = params[i+1]
			default:
				out = append(out, params[i], params[i+1])
			}
		}
		return out
	}
	many := []string{"MaxEntries", "1000"}
	for i := range 101 {
		many = append(many, fmt.Sprintf("Entry.%d.Cidr", i+1), fmt.Sprintf("10.0.%d.0/24", i))
	}
	for _, c := range []struct {
		code, message string
		params        []string
	}{
		{"MissingParameter", "The request must contain the parameter PrefixListName", with("PrefixListName", "absent")},
		{"MissingParameter", "The request must contain the parameter PrefixListName", with("PrefixListName", "")},
		{"MissingParameter", "The request must contain the parameter MaxEntries", with("MaxEntries", "absent")},
		{"MissingParameter", "The request must contain the parameter AddressFamily", with("AddressFamily", "absent")},
		{"InvalidParameterValue", "Value (ipv4) for parameter AddressFamily is invalid. Valid values are IPv4 and IPv6.", with("AddressFamily", "ipv4")},
		{"InvalidParameterValue", "Value (com.amazonaws.mine) for parameter PrefixListName is invalid. The name cannot start with 'com.amazonaws'.", with("PrefixListName", "com.amazonaws.mine")},
		{"InvalidParameterValue", "", with("PrefixListName", strings.Repeat("n", 256))},
		{"InvalidParameterValue", "Value (0) for parameter MaxEntries is invalid. The value must be greater than 0.", with("MaxEntries", "0")},
		{"InvalidParameterValue", "Value (1001) for parameter MaxEntries is invalid. The value must be at most 1000.", with("MaxEntries", "1001")},
		{"InvalidParameterValue", "Value (10.0.0.0) for parameter Cidr is invalid. This is not a valid CIDR block.", with("Entry.1.Cidr", "10.0.0.0")},
		{"InvalidParameterValue", "Value (10.0.0.0/33) for parameter Cidr is invalid. This is not a valid CIDR block.", with("Entry.1.Cidr", "10.0.0.0/33")},
		{"InvalidParameterValue", "Value (::/0) for parameter Cidr is invalid. The address family of the prefix list is IPv4.", with("Entry.1.Cidr", "::/0")},
		{"InvalidParameterValue", "Value (10.0.0.0/8) for parameter Cidr is invalid. The address family of the prefix list is IPv6.", with("AddressFamily", "IPv6", "Entry.1.Cidr", "10.0.0.0/8")},
		{"InvalidParameterValue", "", with("Entry.1.Cidr", "10.0.0.0/8", "Entry.1.Description", strings.Repeat("d", 256))},
		{"MissingParameter", "The request must contain the parameter Cidr", with("Entry.1.Description", "nothing")},
		{"InvalidParameterValue", "Request cannot contain Cidr 10.0.0.0/8 more than once in AddPrefixListEntries", with("Entry.1.Cidr", "10.0.0.0/8", "Entry.2.Cidr", "10.9.9.9/8")},
		{"PrefixListMaxEntriesExceeded", "The prefix list would exceed its maximum number of entries (2).", with("Entry.1.Cidr", "10.0.0.0/24", "Entry.2.Cidr", "10.0.1.0/24", "Entry.3.Cidr", "10.0.2.0/24")},
		{"InvalidParameterValue", "The number of entries per request cannot exceeds limit (100).", with(many...)},
		{"InvalidParameterValue", "'vpc' is not a valid taggable resource type for this operation.", with("TagSpecification.1.ResourceType", "vpc", "TagSpecification.1.Tag.1.Key", "k", "TagSpecification.1.Tag.1.Value", "v")},
		{"DryRunOperation", "Request would have succeeded, but DryRun flag is set.", with("DryRun", "true")},
	} {
		w := ec2test.New(t)
		if got := w.Refused(c.code, "CreateManagedPrefixList", c.params...); c.message != "" && got != c.message {
			t.Errorf("%q: message %q, want %q", c.params, got, c.message)
		}
	}
	w := ec2test.New(t)
	w.Must("CreateManagedPrefixList", with(many[:2+2*100]...)...) // exactly 100
	w.Must("CreateManagedPrefixList", with("PrefixListName", strings.Repeat("ü", 255))...)
	w.Must("CreateManagedPrefixList", with("MaxEntries", "1000")...)
	w.Must("CreateManagedPrefixList", with("MaxEntries", "1000")...) // names are not unique

	w.Quotas.PrefixListsPerRegion = 4
	eq(t, "quota", w.Refused("PrefixListLimitExceeded", "CreateManagedPrefixList", good...), "The maximum number of prefix lists has been reached.")
}

func TestCreateManagedPrefixListClientToken(t *testing.T) {
	w := ec2test.New(t)
	params := []string{"PrefixListName", "n", "AddressFamily", "IPv4", "MaxEntries", "2", "ClientToken", "once"}
	first := ec2test.One(w.Must("CreateManagedPrefixList", params...), "prefixListId")
	eq(t, "list of the second call", ec2test.One(w.Must("CreateManagedPrefixList", params...), "prefixListId"), first)
	w.Refused("IdempotentParameterMismatch", "CreateManagedPrefixList", append(params, "Entry.1.Cidr", "10.0.0.0/8")...)
	params[7] = "twice"
	if second := ec2test.One(w.Must("CreateManagedPrefixList", params...), "prefixListId"); second == first {
		t.Error("another token gave the same list")
	}
}

func TestModifyManagedPrefixListEntries(t *testing.T) {
	w := ec2test.New(t)
	id := newList(t, w, 3, "10.0.0.0/24", "10.0.1.0/24")
	xml := w.Must("ModifyManagedPrefixList", "PrefixListId", id, "CurrentVersion", "1",
		"AddEntry.1.Cidr", "10.0.3.4/24", "AddEntry.1.Description", "new", "RemoveEntry.1.Cidr", "10.0.0.7/24")
	eq(t, "answered state", ec2test.One(xml, "state"), "modify-in-progress")
	eq(t, "answered version", ec2test.One(xml, "version"), "1")
	shows(t, w, id, "state=modify-complete", "version=2")
	eq(t, "entries", entriesOf(w, id), "10.0.1.0/24 10.0.3.0/24")
	eq(t, "entries of version 1", entriesOf(w, id, "TargetVersion", "1"), "10.0.0.0/24 10.0.1.0/24")
	eq(t, "entries of version 2", entriesOf(w, id, "TargetVersion", "2"), "10.0.1.0/24 10.0.3.0/24")

	// Neither a name nor a size makes a version.
	eq(t, "answered name", ec2test.One(w.Must("ModifyManagedPrefixList", "PrefixListId", id, "PrefixListName", "branches"), "prefixListName"), "branches")
	w.Must("ModifyManagedPrefixList", "PrefixListId", id, "MaxEntries", "2")
	shows(t, w, id, "version=2", "prefixListName=branches", "maxEntries=2")
	w.Must("ModifyManagedPrefixList", "PrefixListId", id, "PrefixListName", "all", "CurrentVersion", "2", "RemoveEntry.1.Cidr", "10.0.1.0/24")
	shows(t, w, id, "version=3", "prefixListName=all")
}

func TestModifyManagedPrefixListRefusals(t *testing.T) {
	w := ec2test.New(t)
	id := newList(t, w, 3, "10.0.0.0/24", "10.0.1.0/24")
	var many, removals []string
	for i := range 101 {
		many = append(many, fmt.Sprintf("AddEntry.%d.Cidr", i+1), fmt.Sprintf("10.1.%d.0/24", i))
		removals = append(removals, fmt.Sprintf("RemoveEntry.%d.Cidr", i+1), fmt.Sprintf("10.1.%d.0/24", i))
	}
	v1 := func(params ...string) []string {
		return append([]string{"PrefixListId", id, "CurrentVersion", "1"}, params...)
	}
	for _, c := range []struct {
		code, message string
		params        []string
	}{
		{"MissingParameter", "The request must contain the parameter PrefixListId", []string{"PrefixListName", "x"}},
		{"InvalidPrefixListId.Malformed", `Invalid id: "pl-1" (expecting "pl-...")`, []string{"PrefixListId", "pl-1", "PrefixListName", "x"}},
		{"InvalidPrefixListID.NotFound", "The prefix list ID '" + noList + "' does not exist", []string{"PrefixListId", noList, "PrefixListName", "x"}},
		{"OperationNotPermitted", "The prefix list '" + s3List + "' is managed by AWS and does not permit this operation.", []string{"PrefixListId", s3List, "PrefixListName", "x"}},
		{"InvalidRequest", "The request received was invalid.", []string{"PrefixListId", id}},
		{"InvalidParameterCombination", "You cannot modify the entries and the maximum entries for the prefix list in the same request.", v1("AddEntry.1.Cidr", "10.0.2.0/24", "MaxEntries", "5")},
		{"InvalidParameterCombination", "You cannot modify the entries and the maximum entries for the prefix list in the same request.", v1("RemoveEntry.1.Cidr", "10.0.0.0/24", "MaxEntries", "5")},
		{"MissingParameter", "The request must contain the parameter CurrentVersion", []string{"PrefixListId", id, "AddEntry.1.Cidr", "10.0.2.0/24"}},
		{"InvalidParameterValue", "The specified value for version is not valid. The value must be greater than (1).", []string{"PrefixListId", id, "CurrentVersion", "0", "AddEntry.1.Cidr", "10.0.2.0/24"}},
		{"PrefixListVersionMismatch", "The prefix list has the incorrect version number.", []string{"PrefixListId", id, "CurrentVersion", "2", "AddEntry.1.Cidr", "10.0.2.0/24"}},
		{"PrefixListVersionMismatch", "The prefix list has the incorrect version number.", []string{"PrefixListId", id, "CurrentVersion", "2", "PrefixListName", "x"}},
		{"InvalidParameterValue", "Request cannot contain Cidr 10.0.0.0/24 in both AddPrefixListEntries and RemovePrefixListEntries", v1("AddEntry.1.Cidr", "10.0.0.0/24", "AddEntry.1.Description", "d", "RemoveEntry.1.Cidr", "10.0.0.9/24")},
		{"InvalidPrefixListModification", "An entry with the CIDR (10.0.0.0/24) and description () already exists.", v1("AddEntry.1.Cidr", "10.0.0.5/24", "AddEntry.1.Description", "d")},
		{"InvalidPrefixListModification", "An entry with the CIDR (10.0.2.0/24) does not exist.", v1("RemoveEntry.1.Cidr", "10.0.0.0/24", "RemoveEntry.2.Cidr", "10.0.2.0/24")},
		{"InvalidPrefixListModification", "", v1("RemoveEntry.1.Cidr", "10.0.0.0/25")}, // inside an entry is not the entry
		{"InvalidParameterValue", "", v1("RemoveEntry.1.Cidr", "10.0.0.0/24", "RemoveEntry.2.Cidr", "10.0.0.1/24")},
		{"InvalidParameterValue", "", v1("RemoveEntry.1.Cidr", "::/0")},
		{"InvalidParameterValue", "", v1("AddEntry.1.Cidr", "2001:db8::/32")},
		{"PrefixListMaxEntriesExceeded", "The prefix list would exceed its maximum number of entries (3).", v1("AddEntry.1.Cidr", "10.0.2.0/24", "AddEntry.2.Cidr", "10.0.3.0/24")},
		{"PrefixListMaxEntriesExceeded", "The prefix list would exceed its maximum number of entries (1).", []string{"PrefixListId", id, "MaxEntries", "1"}},
		{"InvalidParameterValue", "Value (1001) for parameter MaxEntries is invalid. The value must be at most 1000.", []string{"PrefixListId", id, "MaxEntries", "1001"}},
		{"InvalidParameterValue", "The number of entries per request cannot exceeds limit (100).", v1(many...)},
		{"InvalidParameterValue", "The number of entries per request cannot exceeds limit (100).", v1(removals...)},
		{"InvalidParameterValue", "", []string{"PrefixListId", id, "PrefixListName", "com.amazonaws.x"}},
		{"InvalidParameterValue", "", []string{"PrefixListId", id, "IpamPrefixListResolverSyncEnabled", "true"}},
		{"DryRunOperation", "", v1("AddEntry.1.Cidr", "10.0.2.0/24", "DryRun", "true")},
	} {
		if got := w.Refused(c.code, "ModifyManagedPrefixList", c.params...); c.message != "" && got != c.message {
			t.Errorf("%q: message %q, want %q", c.params, got, c.message)
		}
	}
	w.Must("ModifyManagedPrefixList", v1("AddEntry.1.Cidr", "10.0.2.0/24")...) // three fit
	w.Must("ModifyManagedPrefixList", "PrefixListId", id, "IpamPrefixListResolverSyncEnabled", "false")
}

func TestSurprise20_PrefixListsAreVersioned(t *testing.T) {
	w := ec2test.New(t)
	id := newList(t, w, 2, "10.0.0.0/24")
	w.Refused("MissingParameter", "ModifyManagedPrefixList", "PrefixListId", id, "AddEntry.1.Cidr", "10.0.1.0/24")
	xml := w.Must("ModifyManagedPrefixList", "PrefixListId", id, "CurrentVersion", "1", "AddEntry.1.Cidr", "10.0.1.0/24")
	eq(t, "answered state", ec2test.One(xml, "state"), "modify-in-progress")
	shows(t, w, id, "state=modify-complete", "version=2")
	w.Refused("PrefixListVersionMismatch", "ModifyManagedPrefixList", "PrefixListId", id, "CurrentVersion", "1", "RemoveEntry.1.Cidr", "10.0.1.0/24")
	w.Refused("InvalidParameterCombination", "ModifyManagedPrefixList", "PrefixListId", id, "CurrentVersion", "2", "RemoveEntry.1.Cidr", "10.0.1.0/24", "MaxEntries", "3")
}

func TestRestoreManagedPrefixListVersion(t *testing.T) {
	w := ec2test.New(t)
	id := newList(t, w, 2, "10.0.0.0/24", "10.0.1.0/24")
	w.Must("ModifyManagedPrefixList", "PrefixListId", id, "CurrentVersion", "1", "RemoveEntry.1.Cidr", "10.0.1.0/24")
	xml := w.Must("RestoreManagedPrefixListVersion", "PrefixListId", id, "PreviousVersion", "1", "CurrentVersion", "2")
	eq(t, "answered state", ec2test.One(xml, "state"), "restore-in-progress")
	eq(t, "answered version", ec2test.One(xml, "version"), "2") // as AWS's documents show
	shows(t, w, id, "state=restore-complete", "version=3")
	eq(t, "entries", entriesOf(w, id), "10.0.0.0/24 10.0.1.0/24")
	eq(t, "entries of version 2", entriesOf(w, id, "TargetVersion", "2"), "10.0.0.0/24")

	for _, c := range []struct {
		code   string
		params []string
	}{
		{"MissingParameter", []string{"PrefixListId", id, "CurrentVersion", "3"}},
		{"MissingParameter", []string{"PrefixListId", id, "PreviousVersion", "1"}},
		{"PrefixListVersionMismatch", []string{"PrefixListId", id, "PreviousVersion", "1", "CurrentVersion", "2"}},
		{"InvalidParameterValue", []string{"PrefixListId", id, "PreviousVersion", "0", "CurrentVersion", "3"}},
		{"InvalidParameterValue", []string{"PrefixListId", id, "PreviousVersion", "4", "CurrentVersion", "3"}},
		{"OperationNotPermitted", []string{"PrefixListId", s3List, "PreviousVersion", "1", "CurrentVersion", "1"}},
		{"InvalidPrefixListID.NotFound", []string{"PrefixListId", noList, "PreviousVersion", "1", "CurrentVersion", "1"}},
	} {
		w.Refused(c.code, "RestoreManagedPrefixListVersion", c.params...)
	}
	// A version that the list has become too small for.
	w.Must("ModifyManagedPrefixList", "PrefixListId", id, "CurrentVersion", "3", "RemoveEntry.1.Cidr", "10.0.1.0/24")
	w.Must("ModifyManagedPrefixList", "PrefixListId", id, "MaxEntries", "1")
	w.Refused("PrefixListMaxEntriesExceeded", "RestoreManagedPrefixListVersion", "PrefixListId", id, "PreviousVersion", "1", "CurrentVersion", "4")
	w.Must("RestoreManagedPrefixListVersion", "PrefixListId", id, "PreviousVersion", "2", "CurrentVersion", "4")
}

func TestPrefixListKeepsSoManyVersions(t *testing.T) {
	w := ec2test.New(t)
	w.Quotas.PrefixListVersions = 3
	id := newList(t, w, 10)
	for v := 1; v <= 4; v++ {
		w.Must("ModifyManagedPrefixList", "PrefixListId", id, "CurrentVersion", fmt.Sprint(v), "AddEntry.1.Cidr", fmt.Sprintf("10.0.%d.0/24", v))
	}
	eq(t, "entries of the oldest kept", entriesOf(w, id, "TargetVersion", "3"), "10.0.1.0/24 10.0.2.0/24")
	eq(t, "refusal of one dropped", w.Refused("InvalidParameterValue", "GetManagedPrefixListEntries", "PrefixListId", id, "TargetVersion", "2"),
		"The version (2) of the prefix list ("+id+") does not exist.")
	eq(t, "earlier versions kept", state.PrefixListVersions.Len(w.Space()), 2)
	w.Must("DeleteManagedPrefixList", "PrefixListId", id)
	eq(t, "versions kept of a deleted list", state.PrefixListVersions.Len(w.Space()), 0)
}

func TestDeleteManagedPrefixList(t *testing.T) {
	w := ec2test.New(t)
	id := newList(t, w, 2, "10.0.0.0/24")
	group, rules := namingGroup(w, "web", id)

	eq(t, "answered state", ec2test.One(w.Must("DeleteManagedPrefixList", "PrefixListId", id), "state"), "delete-in-progress")
	shows(t, w, id, "state=delete-failed", "stateMessage=The prefix list "+id+" is in use (held by rule "+rules[0]+" of group "+group+")")
	eq(t, "entries of the list that stays", entriesOf(w, id), "10.0.0.0/24")
	w.Must("ModifyManagedPrefixList", "PrefixListId", id, "PrefixListName", "still")
	shows(t, w, id, "state=modify-complete", "stateMessage=")

	w.Stage(func(tx *state.Txn) error { state.Groups.Delete(tx, vpc.GroupID(group)); return nil })
	eq(t, "answered state", ec2test.One(w.Must("DeleteManagedPrefixList", "PrefixListId", id), "state"), "delete-in-progress")
	w.Refused("InvalidPrefixListID.NotFound", "DescribeManagedPrefixLists", "PrefixListId.1", id)
	w.Refused("InvalidPrefixListID.NotFound", "DeleteManagedPrefixList", "PrefixListId", id)
	w.Refused("OperationNotPermitted", "DeleteManagedPrefixList", "PrefixListId", s3List)
	w.Refused("MissingParameter", "DeleteManagedPrefixList")
}

func TestResizeIsCheckedInEveryGroupThatNamesTheList(t *testing.T) {
	w := ec2test.New(t)
	id := newList(t, w, 5)
	small, _ := namingGroup(w, "small", id)
	big, _ := namingGroup(w, "big", id, s3List, "sg-0123456789abcdef0") // 2 rules more
	_ = small

	xml := w.Must("ModifyManagedPrefixList", "PrefixListId", id, "MaxEntries", "58")
	eq(t, "answered state", ec2test.One(xml, "state"), "modify-in-progress")
	shows(t, w, id, "state=modify-complete", "maxEntries=58") // 58 + 2 is 60
	w.Must("ModifyManagedPrefixList", "PrefixListId", id, "MaxEntries", "59", "PrefixListName", "larger")
	shows(t, w, id, "state=modify-failed", "maxEntries=58", "prefixListName=offices",
		"stateMessage=The following resources do not support the new maximum number of entries: "+big)
	w.Must("ModifyManagedPrefixList", "PrefixListId", id, "MaxEntries", "61")
	if msg := ec2test.One(w.Must("DescribeManagedPrefixLists", "PrefixListId.1", id), "stateMessage"); !strings.Contains(msg, small) || !strings.Contains(msg, big) {
		t.Errorf("state message %q does not name both groups", msg)
	}
	w.Must("ModifyManagedPrefixList", "PrefixListId", id, "MaxEntries", "10") // smaller always fits
	shows(t, w, id, "state=modify-complete", "maxEntries=10", "stateMessage=")

	for i := range 15 {
		namingGroup(w, fmt.Sprint("more", i), id)
	}
	w.Must("ModifyManagedPrefixList", "PrefixListId", id, "MaxEntries", "61")
	msg := ec2test.One(w.Must("DescribeManagedPrefixLists", "PrefixListId.1", id), "stateMessage")
	eq(t, "groups named", strings.Count(msg, "sg-"), 10)
}

func TestDescribeManagedPrefixLists(t *testing.T) {
	w := ec2test.New(t)
	a, b := newList(t, w, 1), newList(t, w, 2)
	w.Must("ModifyManagedPrefixList", "PrefixListId", b, "PrefixListName", "branches")
	w.Must("CreateTags", "ResourceId.1", b, "Tag.1.Key", "env", "Tag.1.Value", "test")
	ids := func(params ...string) string {
		return strings.Join(ec2test.Text(w.Must("DescribeManagedPrefixLists", params...), "prefixListId"), " ")
	}
	both := a + " " + b
	if b < a {
		both = b + " " + a
	}
	for _, c := range []struct {
		want   string
		params []string
	}{
		{a, []string{"PrefixListId.1", a}},
		{both, []string{"PrefixListId.1", a, "PrefixListId.2", b, "PrefixListId.3", a}},
		{both, []string{"Filter.1.Name", "owner-id", "Filter.1.Value.1", "123456789012"}},
		{a, []string{"Filter.1.Name", "prefix-list-name", "Filter.1.Value.1", "offices"}},
		{"", []string{"Filter.1.Name", "prefix-list-name", "Filter.1.Value.1", "Offices"}},
		{both, []string{"Filter.1.Name", "prefix-list-name", "Filter.1.Value.1", "offices", "Filter.1.Value.2", "branches"}},
		{b, []string{"Filter.1.Name", "prefix-list-name", "Filter.1.Value.1", "bran*"}},
		{b, []string{"Filter.1.Name", "tag:env", "Filter.1.Value.1", "test"}},
		{"", []string{"Filter.1.Name", "tag:env", "Filter.1.Value.1", "prod"}},
		{b, []string{"Filter.1.Name", "tag-key", "Filter.1.Value.1", "env"}},
		{b, []string{"Filter.1.Name", "prefix-list-id", "Filter.1.Value.1", b, "Filter.1.Value.2", noList}},
		{s3List, []string{"Filter.1.Name", "prefix-list-id", "Filter.1.Value.1", s3List}},
		{s3List, []string{"Filter.1.Name", "prefix-list-name", "Filter.1.Value.1", "com.amazonaws.us-east-1.s3"}},
		{"", []string{"Filter.1.Name", "prefix-list-name", "Filter.1.Value.1", "com.amazonaws.eu-west-1.s3"}},
		{"", []string{"PrefixListId.1", a, "Filter.1.Name", "prefix-list-name", "Filter.1.Value.1", "branches"}},
	} {
		if got := ids(c.params...); got != c.want {
			t.Errorf("%q: got %s, want %s", c.params, got, c.want)
		}
	}
	w.Refused("InvalidPrefixListID.NotFound", "DescribeManagedPrefixLists", "PrefixListId.1", a, "PrefixListId.2", noList)
	w.Refused("InvalidPrefixListId.Malformed", "DescribeManagedPrefixLists", "PrefixListId.1", noList, "PrefixListId.2", "pl-x")
	eq(t, "unknown filter", w.Refused("InvalidParameterValue", "DescribeManagedPrefixLists", "Filter.1.Name", "state", "Filter.1.Value.1", "x"), "The filter 'state' is invalid")
	w.Refused("InvalidParameterValue", "DescribeManagedPrefixLists", "MaxResults", "101")
	w.Refused("InvalidParameterValue", "DescribeManagedPrefixLists", "MaxResults", "0")
	w.Refused("InvalidParameterValue", "DescribeManagedPrefixLists", "NextToken", "garbage")

	// Pages give every list once, the account's and AWS's in one order.
	all := strings.Fields(ids())
	if !slices.IsSorted(all) || len(all) < 4 {
		t.Errorf("lists are not in the order of ids: %v", all)
	}
	var paged []string
	token := ""
	for range len(all) {
		xml := w.Must("DescribeManagedPrefixLists", "MaxResults", "2", "NextToken", token)
		paged = append(paged, ec2test.Text(xml, "prefixListId")...)
		if token = ec2test.One(xml, "nextToken"); token == "" {
			break
		}
	}
	if !slices.Equal(paged, all) {
		t.Errorf("pages give %v, want %v", paged, all)
	}
}

func TestAWSPrefixLists(t *testing.T) {
	w := ec2test.New(t)
	mine := newList(t, w, 1)
	xml := w.Must("DescribeManagedPrefixLists", "PrefixListId.1", s3List)
	for name, want := range map[string]string{
		"prefixListName": "com.amazonaws.us-east-1.s3", "ownerId": "AWS", "state": "create-complete", "addressFamily": "IPv4",
		"prefixListArn": "arn:aws:ec2:us-east-1:aws:prefix-list/" + s3List,
	} {
		eq(t, name, ec2test.One(xml, name), want)
	}
	for _, absent := range []string{"<version>", "<maxEntries>"} {
		if strings.Contains(xml, absent) {
			t.Errorf("a list of AWS's shows %s", absent)
		}
	}
	if !strings.Contains(xml, "<tagSet/>") {
		t.Error("an empty set of tags is not shown")
	}
	eq(t, "entries", entriesOf(w, s3List), "198.51.100.0/28")
	w.Refused("InvalidParameterValue", "GetManagedPrefixListEntries", "PrefixListId", s3List, "TargetVersion", "1")
	w.Refused("OperationNotPermitted", "GetManagedPrefixListAssociations", "PrefixListId", s3List)
	w.Refused("OperationNotPermitted", "CreateTags", "ResourceId.1", s3List, "Tag.1.Key", "k", "Tag.1.Value", "v")

	xml = w.Must("DescribePrefixLists", "Filter.1.Name", "prefix-list-name", "Filter.1.Value.1", "com.amazonaws.us-east-1.dynamodb")
	eq(t, "id", strings.Join(ec2test.Text(xml, "prefixListId"), " "), "pl-02cd2c6b")
	eq(t, "range", ec2test.One(xml, "cidrSet"), "<item>198.51.100.16/28</item>")
	eq(t, "by id", ec2test.One(w.Must("DescribePrefixLists", "PrefixListId.1", s3List), "prefixListName"), "com.amazonaws.us-east-1.s3")
	if ids := ec2test.Text(w.Must("DescribePrefixLists"), "prefixListId"); slices.Contains(ids, mine) || len(ids) != len(vpc.AWSPrefixLists("us-east-1")) {
		t.Errorf("DescribePrefixLists gives %v, want AWS's only", ids)
	}
	w.Refused("InvalidPrefixListID.NotFound", "DescribePrefixLists", "PrefixListId.1", mine)
	w.Refused("InvalidParameterValue", "DescribePrefixLists", "Filter.1.Name", "owner-id", "Filter.1.Value.1", "AWS")
	page := w.Must("DescribePrefixLists", "MaxResults", "1")
	eq(t, "lists on a page of one", len(ec2test.Text(page, "prefixListId")), 1)
	if ec2test.One(page, "nextToken") == "" {
		t.Error("a page before the last has no token")
	}
}

func TestGetManagedPrefixListEntries(t *testing.T) {
	w := ec2test.New(t)
	var cidrs []string
	for i := range 100 {
		cidrs = append(cidrs, fmt.Sprintf("10.0.%d.0/24", i))
	}
	id := newList(t, w, 200, cidrs...)
	w.Must("ModifyManagedPrefixList", "PrefixListId", id, "CurrentVersion", "1", "AddEntry.1.Cidr", "10.0.0.0/16", "AddEntry.2.Cidr", "9.0.0.0/8")

	xml := w.Must("GetManagedPrefixListEntries", "PrefixListId", id)
	first := ec2test.Text(xml, "cidr")
	eq(t, "entries of a page when none is asked for", len(first), 100)
	eq(t, "first entries", strings.Join(first[:3], " "), "9.0.0.0/8 10.0.0.0/16 10.0.0.0/24")
	rest := w.Must("GetManagedPrefixListEntries", "PrefixListId", id, "NextToken", ec2test.One(xml, "nextToken"))
	eq(t, "second page", strings.Join(ec2test.Text(rest, "cidr"), " "), "10.0.98.0/24 10.0.99.0/24")
	eq(t, "token of the last page", ec2test.One(rest, "nextToken"), "")
	if empty := w.Must("GetManagedPrefixListEntries", "PrefixListId", newList(t, w, 1)); !strings.Contains(empty, "<entrySet/>") {
		t.Errorf("a list without entries shows no empty set: %s", empty)
	}

	eq(t, "unknown list", w.Refused("InvalidPrefixListID.NotFound", "GetManagedPrefixListEntries", "PrefixListId", noList), "The prefix list ("+noList+") does not exist.")
	w.Refused("InvalidPrefixListId.Malformed", "GetManagedPrefixListEntries", "PrefixListId", "x")
	w.Refused("MissingParameter", "GetManagedPrefixListEntries")
	w.Refused("InvalidParameterValue", "GetManagedPrefixListEntries", "PrefixListId", id, "TargetVersion", "3")
	w.Refused("InvalidParameterValue", "GetManagedPrefixListEntries", "PrefixListId", id, "MaxResults", "101")
	w.Refused("InvalidParameterValue", "GetManagedPrefixListEntries", "PrefixListId", id, "NextToken", "garbage")
}

func TestGetManagedPrefixListAssociations(t *testing.T) {
	w := ec2test.New(t)
	id, other := newList(t, w, 1), newList(t, w, 1)
	g1, _ := namingGroup(w, "one", id, id) // two rules, one resource
	g2, _ := namingGroup(w, "two", id, other)
	namingGroup(w, "three", other)
	want := []string{g1, g2}
	slices.Sort(want)
	xml := w.Must("GetManagedPrefixListAssociations", "PrefixListId", id)
	if got := ec2test.Text(xml, "resourceId"); !slices.Equal(got, want) {
		t.Errorf("associations %v, want %v", got, want)
	}
	eq(t, "owner", ec2test.One(xml, "resourceOwner"), "123456789012")
	w.Refused("InvalidPrefixListID.NotFound", "GetManagedPrefixListAssociations", "PrefixListId", noList)
	w.Refused("InvalidParameterValue", "GetManagedPrefixListAssociations", "PrefixListId", id, "MaxResults", "4")
	w.Refused("InvalidParameterValue", "GetManagedPrefixListAssociations", "PrefixListId", id, "MaxResults", "256")
	w.Must("GetManagedPrefixListAssociations", "PrefixListId", id, "MaxResults", "255")
}
