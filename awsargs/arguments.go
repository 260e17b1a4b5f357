package awsargs

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"moat/awsmodel"
)

// A ParamError is a mistake in what the caller gave, found before anything is
// sent.
type ParamError struct{ Message string }

func (e *ParamError) Error() string { return e.Message }

func paramError(format string, args ...any) error { return &ParamError{fmt.Sprintf(format, args...)} }

// parsing is a mistake in the value of one option.
func parsing(option string, err error) error {
	return paramError("Error parsing parameter '%s': %s", option, err)
}

// An UnknownOptions error names words that no option takes.
type UnknownOptions struct{ Words []string }

func (e *UnknownOptions) Error() string { return "Unknown options: " + strings.Join(e.Words, ", ") }

// A Loader gives what a word such as file://x stands for: a string, or []byte.
// The word is its own value if ok is false.
type Loader func(word string) (data any, ok bool, err error)

// An Argument is an option of an operation's command, and the member of the
// operation's input that it sets.
type Argument struct {
	Option
	Member *awsmodel.Member // nil for options that are no member
	Hidden bool
	Group  string // of options that exclude each other, in help

	// put adds a value, which is not nil, to the input.
	put func(in *input, v any) error
}

// Shape gives what the option's value is made of, or nil for a word.
func (a *Argument) Shape() *awsmodel.Shape {
	if a.Member == nil {
		return nil
	}
	return a.Member.Shape
}

// input is what an operation is given, as it is put together.
type input struct {
	params *awsmodel.Map
	paging *awsmodel.Map
}

// Arguments are the options of one command.
type Arguments struct {
	Op   *awsmodel.Operation
	List []*Argument

	shadowed []*Argument // members that an option for paging hides
	wrapped  [][2]*Argument
	waiter   bool
}

// For gives the options of an operation, or of a waiter that polls it.
func For(op *awsmodel.Operation, waiter bool) *Arguments {
	t := &Arguments{Op: op, waiter: waiter}
	if op.In != nil {
		for i := range op.In.Members {
			t.member(&op.In.Members[i])
		}
	}
	if !waiter && op.Service.Name == "ec2" {
		t.ec2()
	}
	t.paging()
	t.add(&Argument{Option: Option{Name: "--cli-input-json"}, Group: "cli-input"})
	t.add(&Argument{Option: Option{Name: "--cli-input-yaml"}, Group: "cli-input"})
	t.add(&Argument{Option: Option{Name: "--generate-cli-skeleton", Arity: Opt, Const: "input", Choices: []string{"input", "output", "yaml-input"}}})
	return t
}

// add puts an option in the place of one with its name, or at the end.
func (t *Arguments) add(a *Argument) {
	for i, have := range t.List {
		if have.Name == a.Name {
			t.List[i] = a
			return
		}
	}
	t.List = append(t.List, a)
}

func (t *Arguments) find(name string) *Argument {
	for _, a := range t.List {
		if a.Name == name {
			return a
		}
	}
	return nil
}

// renamed are options that would have been named by rule, but are not.
var renamed = map[string]string{"--no-egress": "--ingress", "--no-disable-api-termination": "--enable-api-termination", "--no-no-reboot": "--reboot"}

func (t *Arguments) member(m *awsmodel.Member) {
	name := "--" + awsmodel.CommandName(m.Name)
	required := m.Required && !m.Token
	set := func(in *input, v any) error { in.params.Set(m.Name, v); return nil }
	if m.Shape.Kind == awsmodel.Boolean {
		a := &Argument{Option: Option{Name: name, Arity: Zero, Const: true}, Member: m, put: set, Group: name, Hidden: m.Hidden}
		no := "--no-" + name[2:]
		if to, ok := renamed[no]; ok && t.Op.Service.Name == "ec2" && !t.waiter {
			no = to
		}
		t.add(a)
		t.add(&Argument{Option: Option{Name: no, Arity: Zero, Const: false, Dest: a.Key()}, Group: name, Hidden: m.Hidden})
		return
	}
	a := &Argument{Option: Option{Name: name, Required: required}, Member: m, Hidden: m.Hidden}
	switch m.Shape.Kind {
	case awsmodel.List:
		a.Arity = Any
	case awsmodel.Long:
		a.Whole = true
	}
	a.put = func(in *input, v any) error {
		v, err := unpack(name, m.Shape, v)
		if err != nil {
			return err
		}
		in.params.Set(m.Name, v)
		return nil
	}
	t.add(a)
}

// unpack reads an option's value: shorthand, JSON, or the word itself.
func unpack(name string, s *awsmodel.Shape, v any) (any, error) {
	if isShorthand(s, v) {
		out, err := unpackShorthand(s, v)
		if _, ok := err.(*shorthandError); ok {
			return nil, parsing(name, err)
		}
		return out, err
	}
	return unpackPlain(name, s, v)
}

func isShorthand(s *awsmodel.Shape, v any) bool {
	first := v
	if words, ok := v.([]string); ok {
		if len(words) > 0 {
			first = words[0]
		}
	}
	if text, ok := first.(string); ok {
		text = strings.TrimSpace(text)
		if strings.HasPrefix(text, "[") || strings.HasPrefix(text, "{") {
			return false
		}
	}
	return Complex(s)
}

// Complex reports whether values of a shape can be written in shorthand.
func Complex(s *awsmodel.Shape) bool {
	return s.Kind == awsmodel.Structure || s.Kind == awsmodel.Mapping || s.Kind == awsmodel.List && !s.Elem.Kind.Scalar()
}

// OnlyValue reports whether a shape is a structure around one scalar of that
// kind that is called Value.
func OnlyValue(s *awsmodel.Shape, k awsmodel.Kind) bool {
	return s != nil && s.Kind == awsmodel.Structure && len(s.Members) == 1 && s.Members[0].Name == "Value" && s.Members[0].Shape.Kind == k
}

func unpackShorthand(s *awsmodel.Shape, v any) (any, error) {
	switch v := v.(type) {
	case []string:
		list := []any{}
		for _, w := range v {
			m, err := parseShorthand(w)
			if err != nil {
				return nil, err
			}
			list = append(list, m)
		}
		return fit(list, s)
	case string:
		if OnlyValue(s, awsmodel.String) && !strings.Contains(v, "=") {
			m := &awsmodel.Map{}
			m.Set("Value", v)
			return m, nil
		}
		m, err := parseShorthand(v)
		if err != nil {
			return nil, err
		}
		if s.Kind == awsmodel.List {
			return m, nil
		}
		return fit(m, s)
	}
	return v, nil
}

func unpackPlain(name string, s *awsmodel.Shape, v any) (any, error) {
	switch s.Kind {
	case awsmodel.Integer, awsmodel.Long:
		return toInt(v)
	case awsmodel.Float, awsmodel.Double:
		return toFloat(v)
	case awsmodel.Boolean:
		if text, ok := v.(string); ok {
			return text != "" && !strings.EqualFold(text, "false"), nil
		}
		return v, nil
	case awsmodel.Structure, awsmodel.Mapping:
		text, _ := v.(string)
		if strings.TrimSpace(text) == "" {
			return nil, fmt.Errorf("string index out of range")
		}
		if strings.HasPrefix(strings.TrimLeft(text, " \t\r\n"), "{") {
			return fromJSON(name, text)
		}
		return nil, parsing(name, fmt.Errorf("Invalid JSON:\n%s", text))
	case awsmodel.List:
		var words []string
		switch v := v.(type) {
		case string:
			if strings.HasPrefix(strings.TrimSpace(v), "[") {
				return fromJSON(name, v)
			}
			for _, r := range v {
				words = append(words, string(r))
			}
		case []string:
			if len(v) == 1 && strings.HasPrefix(strings.TrimSpace(v[0]), "[") {
				return fromJSON(name, v[0])
			}
			words = v
		}
		list := []any{}
		for _, w := range words {
			item, err := unpackPlain(name, s.Elem, w)
			if err != nil {
				if _, ok := err.(*ParamError); !ok {
					return nil, parsing(name, fmt.Errorf("%s", words[0]))
				}
				return nil, err
			}
			list = append(list, item)
		}
		return list, nil
	}
	return v, nil
}

func fromJSON(name, text string) (any, error) {
	v, err := parseJSON(text, "collections.OrderedDict")
	if err != nil {
		return nil, parsing(name, fmt.Errorf("Invalid JSON: %s\nJSON received: %s", err, text))
	}
	return v, nil
}

// A Request is a command line that was read.
type Request struct {
	Params *awsmodel.Map
	// Paging has StartingToken, MaxItems and PageSize, as far as given.
	Paging *awsmodel.Map
	// Paginate says that all pages are wanted.
	Paginate bool
	// Skeleton is input, output or yaml-input, where that is wanted instead of a call.
	Skeleton string
	Help     bool
}

// Read reads the words after the command's name.
func (t *Arguments) Read(args []string, paginate bool, load Loader, yaml func(string) (any, error)) (*Request, error) {
	if len(args) == 1 && args[0] == "help" {
		return &Request{Help: true}, nil
	}
	relaxed := slices.Contains(args, "--cli-input-json") || slices.Contains(args, "--cli-input-yaml")
	if i := slices.Index(args, "--generate-cli-skeleton"); i >= 0 && !(i+1 < len(args) && args[i+1] == "output") {
		relaxed = true
	}
	p := &Parser{}
	for _, a := range t.List {
		if relaxed {
			a.Required = false
		}
		p.Options = append(p.Options, &a.Option)
	}
	p.Options = append(p.Options, &Option{Name: "help", Arity: Opt})
	values, rest, err := p.Parse(args)
	if err != nil {
		return nil, err
	}
	switch help, _ := values["help"].(string); {
	case help == "help":
		return &Request{Help: true}, nil
	case help != "":
		rest = append(rest, help)
	}
	if len(rest) > 0 {
		return nil, &UnknownOptions{rest}
	}
	if paginate, err = t.checkPaging(values, paginate); err != nil {
		return nil, err
	}
	if err := t.checkTogether(values); err != nil {
		return nil, err
	}
	in := &input{&awsmodel.Map{}, &awsmodel.Map{}}
	for _, a := range t.List {
		v := values[a.Key()]
		if a.put == nil || v == nil {
			continue
		}
		if v, err = loaded(a.Name, v, load); err != nil {
			return nil, err
		}
		if err := a.put(in, v); err != nil {
			return nil, err
		}
	}
	if err := t.inputs(in, values, load, yaml); err != nil {
		return nil, err
	}
	if t.Op.Pages != nil {
		for _, name := range append(slices.Clone(t.Op.Pages.InputToken), t.Op.Pages.LimitKey) {
			if name != "" && in.params.Has(name) {
				paginate = false
			}
		}
	}
	r := &Request{Params: in.params, Paging: in.paging, Paginate: paginate && t.Op.Pages != nil}
	r.Skeleton, _ = values["generate_cli_skeleton"].(string)
	return r, nil
}

func loaded(name string, v any, load Loader) (any, error) {
	word, ok := v.(string)
	if words, isList := v.([]string); isList && len(words) == 1 {
		word, ok = words[0], true
	}
	if !ok || load == nil {
		return v, nil
	}
	data, ok, err := load(word)
	if err != nil {
		return nil, parsing(name, err)
	}
	if ok {
		return data, nil
	}
	return v, nil
}

// inputs adds what --cli-input-json or --cli-input-yaml hold and no option
// says otherwise.
func (t *Arguments) inputs(in *input, values map[string]any, load Loader, yaml func(string) (any, error)) error {
	for _, form := range []struct {
		key, name string
		read      func(string) (any, error)
	}{{"cli_input_json", "json", ParseJSON}, {"cli_input_yaml", "yaml", yaml}} {
		text, ok := values[form.key].(string)
		if !ok {
			continue
		}
		if values["cli_input_json"] != nil && values["cli_input_yaml"] != nil {
			return paramError("Only one --cli-input- parameter may be specified.")
		}
		data, ok, err := load(text)
		if err != nil {
			return parsing("--cli-input-"+form.name, err)
		}
		if ok {
			switch d := data.(type) {
			case string:
				text = d
			case []byte:
				text = string(d)
			}
		}
		v, err := form.read(text)
		if err != nil {
			return parsing("cli-input-"+form.name, fmt.Errorf("Invalid %s received.", strings.ToUpper(form.name)))
		}
		m, ok := v.(*awsmodel.Map)
		if !ok {
			return parsing("--cli-input-"+form.name, fmt.Errorf("Invalid type: expecting map, received %s", typeName(v)))
		}
		for i, k := range m.Keys {
			if !in.params.Has(k) {
				in.params.Set(k, m.Values[i])
			}
		}
	}
	return nil
}

// paging adds the options that make one listing of all pages.
func (t *Arguments) paging() {
	p := t.Op.Pages
	if p == nil {
		return
	}
	limit := (*awsmodel.Member)(nil)
	for _, name := range append(slices.Clone(p.InputToken), p.LimitKey) {
		if a := t.find("--" + awsmodel.CommandName(name)); a != nil && name != "" {
			a.Hidden = true
		}
	}
	if p.LimitKey != "" {
		limit = t.Op.In.Member(p.LimitKey)
	}
	whole := limit == nil || limit.Shape.Kind.Whole()
	for _, o := range []struct {
		name, key string
		whole     bool
	}{{"--starting-token", "StartingToken", false}, {"--page-size", "PageSize", whole}, {"--max-items", "MaxItems", whole}} {
		if o.key == "PageSize" && limit == nil {
			continue
		}
		if have := t.find(o.name); have != nil {
			t.shadowed = append(t.shadowed, have)
		}
		t.add(&Argument{Option: Option{Name: o.name, Whole: o.whole}, put: func(in *input, v any) error {
			if n, ok := v.(int); ok {
				v = int64(n)
			}
			in.paging.Set(o.key, v)
			return nil
		}})
	}
}

// checkPaging turns paging off where the caller pages by hand.
func (t *Arguments) checkPaging(values map[string]any, paginate bool) (bool, error) {
	p := t.Op.Pages
	if p == nil {
		return paginate, nil
	}
	for _, name := range append(slices.Clone(p.InputToken), p.LimitKey) {
		key := strings.ReplaceAll(awsmodel.CommandName(name), "-", "_")
		if name != "" && key != "max_items" && key != "start_token" && values[key] != nil {
			paginate = false
		}
	}
	if paginate {
		return true, nil
	}
	var used []string
	for _, key := range []string{"starting_token", "page_size", "max_items"} {
		shadows := slices.ContainsFunc(t.shadowed, func(a *Argument) bool { return a.Key() == key })
		if v := values[key]; !shadows && v != nil && v != "" && v != 0 {
			used = append(used, "--"+strings.ReplaceAll(key, "_", "-"))
		}
	}
	if used != nil {
		return false, paramError("Cannot specify --no-paginate along with pagination arguments: %s", strings.Join(used, ", "))
	}
	for _, a := range t.shadowed {
		t.add(a)
	}
	return false, nil
}

// unset is the value of an option that was not given, where one without a
// value means something.
type unset struct{}

// ec2 adds the options that make EC2's commands shorter.
func (t *Arguments) ec2() {
	for _, a := range slices.Clone(t.List) {
		if !OnlyValue(a.Shape(), awsmodel.Boolean) {
			continue
		}
		m := a.Member
		yes := &Argument{Option: Option{Name: a.Name, Arity: Opt, Default: unset{}}, Member: m, Hidden: a.Hidden, Group: a.Name}
		yes.put = func(in *input, v any) error {
			if v, err := unpack(a.Name, m.Shape, v); err != nil {
				return err
			} else {
				in.params.Set(m.Name, v)
			}
			return nil
		}
		no := &Argument{Option: Option{Name: "--no-" + a.Name[2:], Arity: Zero, Const: true, Default: unset{}}, Hidden: a.Hidden, Group: a.Name}
		t.add(yes)
		t.add(no)
		t.wrapped = append(t.wrapped, [2]*Argument{yes, no})
	}
	switch t.Op.Name {
	case "AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress", "RevokeSecurityGroupIngress", "RevokeSecurityGroupEgress":
		for _, name := range []string{"--ip-protocol", "--from-port", "--to-port", "--cidr-ip", "--source-security-group-name", "--source-security-group-owner-id"} {
			if a := t.find(name); a != nil {
				a.Hidden = true
			}
		}
		for _, o := range []struct {
			name string
			put  func(in *input, v string) error
		}{{"--protocol", putProtocol}, {"--port", putPort}, {"--cidr", putCIDR}, {"--source-group", putSource}, {"--group-owner", putOwner}} {
			t.add(&Argument{Option: Option{Name: o.name}, put: func(in *input, v any) error {
				if text, _ := v.(string); text != "" {
					return o.put(in, text)
				}
				return nil
			}})
		}
	case "RunInstances":
		t.runInstances()
	}
}

// permission gives the one permission that the short options describe.
func permission(in *input) *awsmodel.Map {
	if v, ok := in.params.Get("IpPermissions"); ok {
		if list, ok := v.([]any); ok && len(list) > 0 {
			if m, ok := list[0].(*awsmodel.Map); ok {
				return m
			}
		}
	}
	m := &awsmodel.Map{}
	in.params.Set("IpPermissions", []any{m})
	return m
}

func putProtocol(in *input, v string) error {
	if n, err := strconv.Atoi(v); err == nil {
		if (n < 0 || n > 255) && n != -1 {
			return paramError("protocol numbers must be in the range 0-255 or -1 to specify all protocols")
		}
	} else {
		if !slices.Contains([]string{"tcp", "udp", "icmp", "all"}, v) {
			return paramError("protocol parameter should be one of: tcp|udp|icmp|all or any valid protocol number.")
		}
		if v == "all" {
			v = "-1"
		}
	}
	permission(in).Set("IpProtocol", v)
	return nil
}

func putPort(in *input, v string) error {
	from, to := v, v
	if v == "-1" || v == "all" {
		from, to = "-1", "-1"
	} else if a, b, ok := strings.Cut(v, "-"); ok {
		from, to = a, b
	}
	wrong := paramError("port parameter should be of the form <from[-to]> (e.g. 22 or 22-25)")
	n, err := toInt(from)
	if err != nil {
		return wrong
	}
	permission(in).Set("FromPort", n)
	if n, err = toInt(to); err != nil {
		return wrong
	}
	permission(in).Set("ToPort", n)
	return nil
}

func putCIDR(in *input, v string) error {
	m := &awsmodel.Map{}
	m.Set("CidrIp", v)
	permission(in).Set("IpRanges", []any{m})
	return nil
}

// pair gives the one group pair of the permission.
func pair(in *input) *awsmodel.Map {
	p := permission(in)
	if v, ok := p.Get("UserIdGroupPairs"); ok {
		return v.([]any)[0].(*awsmodel.Map)
	}
	m := &awsmodel.Map{}
	p.Set("UserIdGroupPairs", []any{m})
	return m
}

func putSource(in *input, v string) error {
	if strings.HasPrefix(v, "sg-") {
		pair(in).Set("GroupId", v)
	} else {
		pair(in).Set("GroupName", v)
	}
	return nil
}

func putOwner(in *input, v string) error {
	pair(in).Set("UserId", v)
	return nil
}

// runInstances adds the options of run-instances that describe how many, and
// the first interface.
func (t *Arguments) runInstances() {
	t.List = slices.DeleteFunc(t.List, func(a *Argument) bool { return a.Name == "--min-count" || a.Name == "--max-count" })
	t.add(&Argument{Option: Option{Name: "--count"}, put: func(in *input, v any) error {
		least, most, ok := strings.Cut(v.(string), ":")
		if !ok {
			most = least
		}
		a, err := toInt(least)
		if err == nil {
			var b any
			if b, err = toInt(most); err == nil {
				in.params.Set("MinCount", a)
				in.params.Set("MaxCount", b)
				return nil
			}
		}
		return paramError("count parameter should be of form min[:max] (e.g. 1 or 1:10)")
	}})
	set := func(in *input, key string, v any) error {
		list, _ := in.params.Get("NetworkInterfaces")
		if list == nil {
			m := &awsmodel.Map{}
			m.Set("DeviceIndex", int64(0))
			list = []any{m}
			in.params.Set("NetworkInterfaces", list)
		}
		if m, ok := list.([]any)[0].(*awsmodel.Map); ok && (key != "PrivateIpAddresses" || !m.Has(key)) {
			m.Set(key, v)
		}
		return nil
	}
	t.add(&Argument{Option: Option{Name: "--secondary-private-ip-addresses", Arity: Any}, put: func(in *input, v any) error {
		words, _ := v.([]string)
		var list []any
		for _, w := range words {
			m := &awsmodel.Map{}
			m.Set("PrivateIpAddress", w)
			m.Set("Primary", false)
			list = append(list, m)
		}
		if list == nil {
			return nil
		}
		return set(in, "PrivateIpAddresses", list)
	}})
	t.add(&Argument{Option: Option{Name: "--secondary-private-ip-address-count", Whole: true}, put: func(in *input, v any) error {
		if n, _ := v.(int); n != 0 {
			return set(in, "SecondaryPrivateIpAddressCount", int64(n))
		}
		return nil
	}})
	t.add(&Argument{Option: Option{Name: "--associate-public-ip-address", Arity: Zero, Const: true}, Group: "public", put: func(in *input, v any) error {
		return set(in, "AssociatePublicIpAddress", true)
	}})
	t.add(&Argument{Option: Option{Name: "--no-associate-public-ip-address", Arity: Zero, Const: false}, Group: "public", put: func(in *input, v any) error {
		return set(in, "AssociatePublicIpAddress", false)
	}})
}

// checkTogether refuses options that do not go together, and settles those of
// which one without a value means something.
func (t *Arguments) checkTogether(values map[string]any) error {
	if v, _ := values["ip_permissions"].([]string); len(v) > 0 && t.find("--protocol") != nil {
		for _, key := range []string{"protocol", "port", "cidr", "source_group", "group_owner"} {
			if s, _ := values[key].(string); s != "" {
				return paramError("The --%s option is not compatible with the --ip-permissions option ", key)
			}
		}
	}
	if v, _ := values["network_interfaces"].([]string); len(v) > 0 && t.find("--secondary-private-ip-addresses") != nil {
		for _, key := range []string{"secondary_private_ip_addresses", "secondary_private_ip_address_count", "associate_public_ip_address"} {
			if v := values[key]; v != nil && v != false && v != 0 {
				return paramError("Mixing the --network-interfaces option with the simple, scalar options is not supported.")
			}
		}
	}
	for _, w := range t.wrapped {
		yes, no := values[w[0].Key()], values[w[1].Key()]
		_, withoutYes := yes.(unset)
		_, withoutNo := no.(unset)
		switch {
		case !withoutYes && !withoutNo:
			return paramError("Cannot specify both the \"%s\" option and the \"%s\" option.", w[0].Name, w[1].Name)
		case withoutYes && withoutNo:
			values[w[0].Key()] = nil
		case withoutYes:
			values[w[0].Key()] = "Value=false"
		case yes == nil:
			values[w[0].Key()] = "Value=true"
		}
		values[w[1].Key()] = nil
	}
	return nil
}

// Complete puts in what a client adds before it sends: the defaults of
// run-instances, numbers for the names of protocols in network ACLs, and a
// fresh token for each idempotency token that is not given.
func Complete(op *awsmodel.Operation, in *awsmodel.Map, token func() string) {
	if op.In == nil {
		return
	}
	switch op.Name {
	case "RunInstances":
		for _, k := range []string{"MaxCount", "MinCount"} {
			if op.Service.Name == "ec2" && !in.Has(k) {
				in.Set(k, int64(1))
			}
		}
		firstInterface(in)
	case "CreateNetworkAclEntry", "ReplaceNetworkAclEntry":
		numbers := map[any]string{"tcp": "6", "udp": "17", "icmp": "1", "all": "-1"}
		if v, ok := in.Get("Protocol"); ok {
			if s, ok := v.(string); ok && numbers[s] != "" {
				in.Set("Protocol", numbers[s])
			}
		}
	}
	for i := range op.In.Members {
		if m := &op.In.Members[i]; m.Token && !in.Has(m.Name) && m.Shape.Kind == awsmodel.String {
			in.Set(m.Name, token())
		}
	}
}

// firstInterface moves what run-instances says of the machine to its first
// interface, if that one is described.
func firstInterface(in *awsmodel.Map) {
	v, _ := in.Get("NetworkInterfaces")
	list, _ := v.([]any)
	if len(list) == 0 {
		return
	}
	first, ok := list[0].(*awsmodel.Map)
	if !ok || !first.Has("PrivateIpAddresses") && !first.Has("SecondaryPrivateIpAddressCount") && !first.Has("AssociatePublicIpAddress") {
		return
	}
	move := func(from, to string, change func(any) any) {
		if v, ok := in.Get(from); ok {
			first.Set(to, change(v))
			in.Delete(from)
		}
	}
	same := func(v any) any { return v }
	move("SubnetId", "SubnetId", same)
	move("SecurityGroupIds", "Groups", same)
	move("PrivateIpAddress", "PrivateIpAddresses", func(v any) any {
		m := &awsmodel.Map{}
		m.Set("PrivateIpAddress", v)
		m.Set("Primary", true)
		return []any{m}
	})
	move("Ipv6AddressCount", "Ipv6AddressCount", same)
	move("Ipv6Addresses", "Ipv6Addresses", same)
}
