// Package awscli is the AWS CLI's commands for the services that Moat serves:
// its options, its configuration, its output, its exit statuses. It speaks to
// any server of these services, Moat's or AWS's own.
//
// What an operation takes and gives comes from the types of its action, or, in
// the form of a former version (--cli-compat), from that version's table.
package awscli

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"moat/action"
	"moat/awsargs"
	"moat/awsformat"
	"moat/awsmodel"
	"moat/jmespath"
)

// Compat is the version whose form --cli-compat takes.
const Compat = "2.9.19"

// The tables, by service. They are read in place: nothing is copied.
var (
	//go:embed table/2.9.19/ec2.txt
	ec2Table string
	//go:embed table/2.9.19/iam.txt
	iamTable string
	//go:embed table/2.9.19/sts.txt
	stsTable string
	//go:embed table/later/ec2.txt
	ec2Later string
	//go:embed table/later/iam.txt
	iamLater string
	//go:embed table/later/sts.txt
	stsLater string
	//go:embed table/2.9.19/cloudtrail.txt
	cloudtrailTable string
	//go:embed table/later/cloudtrail.txt
	cloudtrailLater string
	//go:embed table/2.9.19/commands.txt
	commandTable string
)

// A Service is one that Moat serves.
type Service struct {
	Name    string
	Actions []action.Action
}

// An Invocation is one run of the command line.
type Invocation struct {
	Prog     string // how the program calls itself: moat, or aws
	Args     []string
	In       io.Reader
	Out, Err *os.File
	Getenv   func(string) string
	Version  string // of Moat, for User-Agent and --version
	Services []Service
	// Other runs what is none of ours by the AWS CLI that is installed beside
	// us, and does not return if there is one. Nil where we are not its stand-in.
	Other func(args []string)
}

var errInterrupted = errors.New("interrupted")

// A session is one run.
type session struct {
	Invocation
	ctx         context.Context
	prog        string
	compat      bool
	errorFormat string
	out, err    io.Writer
	globals     globals
	config      *configuration
	agent       string
	wireTimes   bool
}

// globals are the options of every command.
type globals struct {
	debug, noPager, noSign, noVerify bool
	paginate                         bool
	endpointURL, output, color       string
	caBundle, binaryFormat           string
	query                            *jmespath.Expression
	readTimeout, connectTimeout      time.Duration
}

// Run runs a command line and gives the exit status.
func Run(ctx context.Context, inv Invocation) int {
	if inv.Getenv == nil {
		inv.Getenv = os.Getenv
	}
	s := &session{Invocation: inv, ctx: ctx, prog: inv.Prog, out: inv.Out, err: inv.Err}
	s.config = &configuration{getenv: inv.Getenv}
	s.agent = "moat-cli/" + inv.Version
	version := ""
	var err error
	if s.Args, version, err = takeCompat(inv.Args, inv.Getenv("MOAT_CLI_COMPAT")); err != nil {
		return s.fail(err)
	}
	switch version {
	case "":
	case Compat:
		s.compat, s.prog = true, "aws"
		s.agent = "aws-cli/" + Compat + " moat-cli/" + inv.Version
	default:
		return s.fail(wrongLine("--cli-compat %s: the one version there is a table of is %s", version, Compat))
	}
	status, err := s.run()
	if err == nil {
		return status
	}
	return s.fail(err)
}

// takeCompat removes --cli-compat from a line.
func takeCompat(args []string, version string) ([]string, string, error) {
	rest := make([]string, 0, len(args))
	for i := 0; i < len(args); i++ {
		if v, ok := strings.CutPrefix(args[i], "--cli-compat="); ok {
			version = v
			continue
		}
		if args[i] == "--cli-compat" {
			if i+1 == len(args) {
				return nil, "", &awsargs.UsageError{Message: "argument --cli-compat: expected one argument"}
			}
			i++
			version = args[i]
			continue
		}
		rest = append(rest, args[i])
	}
	return rest, version, nil
}

// globalOptions are the options of the AWS CLI that stand anywhere.
func (s *session) globalOptions() []*awsargs.Option {
	outputs := []string{"json", "text", "table", "yaml", "yaml-stream"}
	if !s.compat {
		outputs = append(outputs, "off")
	}
	off := func(name, dest string) *awsargs.Option {
		return &awsargs.Option{Name: name, Dest: dest, Arity: awsargs.Zero, Const: false, Default: true}
	}
	on := func(name string) *awsargs.Option {
		return &awsargs.Option{Name: name, Arity: awsargs.Zero, Const: true, Default: false}
	}
	options := []*awsargs.Option{
		on("--debug"), {Name: "--endpoint-url"}, off("--no-verify-ssl", "verify_ssl"), off("--no-paginate", "paginate"),
		{Name: "--output", Choices: outputs}, {Name: "--query"}, {Name: "--profile"}, {Name: "--region"}, on("--version"),
		{Name: "--color", Choices: []string{"on", "off", "auto"}, Default: "auto"}, off("--no-sign-request", "sign_request"),
		{Name: "--ca-bundle"}, {Name: "--cli-read-timeout", Dest: "read_timeout"}, {Name: "--cli-connect-timeout", Dest: "connect_timeout"},
		{Name: "--cli-binary-format", Choices: []string{"base64", "raw-in-base64-out"}}, on("--no-cli-pager"),
		on("--cli-auto-prompt"), on("--no-cli-auto-prompt"),
	}
	if !s.compat {
		options = append(options, &awsargs.Option{Name: "--cli-error-format", Choices: []string{"enhanced", "legacy", "json", "yaml", "text", "table"}})
	}
	return options
}

// run reads the line up to the command, and runs that.
func (s *session) run() (int, error) {
	s.errorFormat = s.Getenv("AWS_CLI_ERROR_FORMAT")
	if s.compat {
		if done, err := s.firstPass(); done || err != nil {
			return 0, err
		}
	}
	options := s.globalOptions()
	commands := s.commandNames()
	p := &awsargs.Parser{Options: append(options, &awsargs.Option{Name: "command", Arity: awsargs.One, Required: true, Choices: commands})}
	if s.Other != nil { // anything may be a command of the other AWS CLI
		p.Options[len(p.Options)-1].Choices = nil
	}
	if slices.Contains(s.Args, "--version") {
		return s.version()
	}
	values, rest, err := p.Parse(s.Args)
	if err != nil {
		if s.Other != nil && len(s.Args) == 0 {
			s.Other(s.Args)
		}
		return 0, err
	}
	command := values["command"].(string)
	service := s.service(command)
	if s.Other != nil && service == nil && !s.ours(command, rest) || s.Other != nil && service != nil && s.foreign(service, rest) {
		s.Other(s.Args)
	}
	if !slices.Contains(commands, command) {
		p.Options[len(p.Options)-1].Choices = commands
		_, _, err := p.Parse(s.Args)
		return 0, err
	}
	if err := s.take(values); err != nil {
		return 0, err
	}
	switch {
	case service != nil:
		return s.runService(service, rest)
	case command == "configure":
		return s.configure(rest)
	case command == "help":
		return s.helpTop()
	}
	return 0, wrongLine("%s: moat serves %s; this is a command of the AWS CLI", command, strings.Join(s.served(), ", "))
}

// firstPass looks for --debug and --profile alone, as that version does before
// all else; with a usage and a help of its own.
func (s *session) firstPass() (done bool, err error) {
	p := &awsargs.Parser{Options: []*awsargs.Option{
		{Name: "-h", Arity: awsargs.Zero, Const: true, Dest: "help"}, {Name: "--help", Arity: awsargs.Zero, Const: true},
		{Name: "--profile"}, {Name: "--debug", Arity: awsargs.Zero, Const: true},
	}}
	const usage = "usage: aws [-h] [--profile PROFILE] [--debug]\n"
	values, _, err := p.Parse(s.Args)
	if err != nil {
		return false, wrongLine("%s\naws: error: %s\n", usage, err)
	}
	if values["help"] == nil {
		return false, nil
	}
	fmt.Fprint(s.out, usage+"\noptions:\n  -h, --help         show this help message and exit\n  --profile PROFILE\n  --debug\n")
	return true, nil
}

// take keeps the options of every command.
func (s *session) take(values map[string]any) error {
	text := func(key string) string { v, _ := values[key].(string); return v }
	g := &s.globals
	g.debug, g.noPager = values["debug"].(bool), values["no_cli_pager"].(bool)
	g.noSign, g.noVerify, g.paginate = !values["sign_request"].(bool), !values["verify_ssl"].(bool), values["paginate"].(bool)
	g.output, g.color, g.caBundle, g.binaryFormat = text("output"), text("color"), text("ca_bundle"), text("cli_binary_format")
	g.endpointURL = text("endpoint_url")
	s.config.given, s.config.region = text("profile"), text("region")
	if f := text("cli_error_format"); f != "" {
		s.errorFormat = f
	}
	if q, ok := values["query"].(string); ok {
		var err error
		if g.query, err = jmespath.Parse(q); err != nil {
			return wrongLine("Bad value for --query %s: %s", q, err)
		}
	}
	if v, ok := values["endpoint_url"].(string); ok {
		if u, err := url.Parse(v); err != nil || u.Scheme == "" {
			return wrongLine("Bad value for --endpoint-url \"%s\": scheme is missing.  Must be of the form http://<hostname>/ or https://<hostname>/", v)
		}
	}
	for _, t := range []struct {
		key string
		to  *time.Duration
	}{{"read_timeout", &g.readTimeout}, {"connect_timeout", &g.connectTimeout}} {
		*t.to = time.Minute
		if v, ok := values[t.key].(string); ok {
			n, err := strconv.Atoi(strings.TrimSpace(v))
			if err != nil {
				return general("invalid literal for int() with base 10: %s", awsargs.Repr(v))
			}
			*t.to = time.Duration(n) * time.Second
		}
	}
	return nil
}

func (s *session) debugf(format string, args ...any) {
	if s.globals.debug {
		fmt.Fprintf(s.err, "%s - moat - DEBUG - %s\n", time.Now().Format("2006-01-02 15:04:05,000"), fmt.Sprintf(format, args...))
	}
}

// served gives the names of the services.
func (s *session) served() []string {
	names := make([]string, len(s.Services))
	for i := range s.Services {
		names[i] = s.Services[i].Name
	}
	return names
}

// tableOf gives what 2.9.19 knows of a service, and the later table; both are
// empty for other services.
func tableOf(name string) (known, later string) {
	switch name {
	case "ec2":
		return ec2Table, ec2Later
	case "iam":
		return iamTable, iamLater
	case "sts":
		return stsTable, stsLater
	case "cloudtrail":
		return cloudtrailTable, cloudtrailLater
	}
	return "", ""
}

// service gives a service by its name, or nil.
func (s *session) service(name string) *awsmodel.Service {
	table, newer := tableOf(name)
	if table == "" {
		return nil
	}
	known := awsmodel.ReadTable(table)
	if s.compat {
		return known
	}
	for _, have := range s.Services {
		if have.Name == name {
			base := awsmodel.Service{Name: known.Name, ID: known.ID, Title: known.Title, Version: known.Version, Protocol: known.Protocol, Target: known.Target, Global: known.Global}
			return awsmodel.FromActions(base, have.Actions, later(known, awsmodel.ReadTable(newer)))
		}
	}
	return nil
}

// later gives what is known of a service, with the waiters and the pages that
// a later version of the AWS CLI knows.
func later(known, newer *awsmodel.Service) *awsmodel.Service {
	s := *known
	s.Waiters, s.Wait = newer.Waiters, newer.Wait
	s.Lookup = func(name string) *awsmodel.Operation {
		o := known.Lookup(name)
		pages := newer.PagesOf(name)
		switch {
		case o != nil && pages != nil:
			o.Pages = pages
		case pages != nil:
			o = &awsmodel.Operation{Service: &s, Name: name, Pages: pages}
		}
		return o
	}
	return &s
}

// commandNames gives what may stand where the service stands.
func (s *session) commandNames() []string {
	if s.compat {
		return strings.Fields(commandTable)
	}
	return append(s.served(), "configure", "help")
}

// ours reports whether we run a command that is no service.
func (s *session) ours(command string, rest []string) bool {
	if command != "configure" {
		return false
	}
	return len(rest) == 0 || slices.Contains([]string{"list", "get", "set", "list-profiles"}, rest[0]) || strings.HasPrefix(rest[0], "-")
}

// foreign reports whether the service's operation is not one that Moat serves.
func (s *session) foreign(service *awsmodel.Service, rest []string) bool {
	if len(rest) == 0 {
		return false
	}
	for _, have := range s.Services {
		if have.Name != service.Name {
			continue
		}
		if rest[0] == "wait" || rest[0] == "help" {
			return false
		}
		op := service.Find(rest[0])
		if op == nil {
			return true
		}
		return !slices.ContainsFunc(have.Actions, func(a action.Action) bool { return a.Info().Name == op.Name })
	}
	return true
}

// runService runs what follows a service's name.
func (s *session) runService(service *awsmodel.Service, args []string) (int, error) {
	choices := service.Choices
	if !s.compat {
		choices = service.Commands()
		if len(service.Waiters) > 0 {
			choices = append(choices, "wait")
		}
		choices = append(choices, "help")
	}
	p := &awsargs.Parser{Options: []*awsargs.Option{{Name: "operation", Arity: awsargs.One, Required: true, Choices: choices}}}
	values, rest, err := p.Parse(args)
	if err != nil {
		return 0, err
	}
	switch name := values["operation"].(string); name {
	case "help":
		return s.helpService(service, choices)
	case "wait":
		return s.runWait(service, rest)
	default:
		op := service.Find(name)
		if op == nil {
			return 0, wrongLine("%s %s: this is not an operation of the service, but a command of the AWS CLI alone", service.Name, name)
		}
		return s.runOperation(op, rest)
	}
}

// loader reads what file:// and fileb:// name.
func (s *session) loader(word string) (any, bool, error) {
	for _, prefix := range []string{"file://", "fileb://"} {
		path, ok := strings.CutPrefix(word, prefix)
		if !ok {
			continue
		}
		path = s.config.expand(path)
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, false, fmt.Errorf("Unable to load paramfile %s: %s", word, pythonError(err, path))
		}
		if prefix == "fileb://" {
			return b, true, nil
		}
		if !validText(b) {
			return nil, false, fmt.Errorf("Unable to load paramfile (%s), text contents could not be decoded.  If this is a binary file, please use the fileb:// prefix instead of the file:// prefix.", path)
		}
		return strings.ReplaceAll(strings.ReplaceAll(string(b), "\r\n", "\n"), "\r", "\n"), true, nil
	}
	return nil, false, nil
}

// runOperation runs one operation.
func (s *session) runOperation(op *awsmodel.Operation, args []string) (int, error) {
	table := awsargs.For(op, false)
	req, err := table.Read(args, s.globals.paginate, s.loader, readYAML)
	if err != nil {
		return 0, err
	}
	if req.Help {
		return s.helpOperation(op, table)
	}
	switch req.Skeleton {
	case "input":
		_, err := s.out.Write(append(awsformat.AppendASCII(nil, awsargs.Skeleton(op.In, false)), '\n'))
		return 0, err
	case "yaml-input":
		_, err := s.out.Write(yamlSkeleton(op))
		return 0, err
	}
	s.limitPages(op, req)
	c, err := s.newClient(op.Service)
	if err != nil {
		return 0, err
	}
	if err := s.timeFormat(); err != nil {
		return 0, err
	}
	if req.Skeleton == "output" {
		out, _ := awsargs.Skeleton(op.Out, true).(*awsmodel.Map)
		if s.compat && op.Out != nil { // that version finds its own example too short
			if report := awsargs.Validate(out, op.Out); report != "" {
				return 0, &failure{exitParam, "ParamValidation", "Parameter validation failed:\n" + report}
			}
		}
		if err := s.check(op, req.Params); err != nil {
			return 0, err
		}
		return 0, s.show(op, func(yield func(*awsmodel.Map) error) error { return yield(out) }, nil)
	}
	if !req.Paginate {
		if err := s.check(op, req.Params); err != nil {
			return 0, err
		}
		a, err := c.call(s.ctx, op, req.Params)
		if err != nil {
			return 0, err
		}
		if a.refused != nil {
			return 0, a.refused
		}
		return 0, s.show(op, func(yield func(*awsmodel.Map) error) error { return yield(a.out) }, nil)
	}
	pages, err := newPages(s, c, op, req)
	if err != nil {
		return 0, err
	}
	return 0, s.show(op, pages.each, pages)
}

// limitPages asks for pages of 1000 where a single answer with everything
// would take AWS too long.
func (s *session) limitPages(op *awsmodel.Operation, req *awsargs.Request) {
	if op.Service.Name != "ec2" || !req.Paginate || req.Paging.Has("PageSize") {
		return
	}
	may := map[string][]string{"DescribeVolumes": {}, "DescribeSnapshots": {"OwnerIds", "RestorableByUserIds"}}[op.Name]
	if may == nil {
		return
	}
	for _, k := range req.Params.Keys {
		if !slices.Contains(may, k) && k != "NextToken" && k != "DryRun" {
			return
		}
	}
	req.Paging.Set("PageSize", int64(1000))
}

// check completes the parameters of a call and refuses what the service would
// not understand.
func (s *session) check(op *awsmodel.Operation, params *awsmodel.Map) error {
	format := s.globals.binaryFormat
	if format == "" {
		format, _ = s.config.setting("cli_binary_format")
	}
	if format != "raw-in-base64-out" && op.In != nil {
		if _, err := awsargs.DecodeBlobs(params, op.In); err != nil {
			return err
		}
	}
	awsargs.Complete(op, params, newToken)
	if op.In == nil {
		return nil
	}
	if report := awsargs.Validate(params, op.In); report != "" {
		return &failure{exitParam, "ParamValidation", "Parameter validation failed:\n" + report}
	}
	return nil
}

func (s *session) timeFormat() error {
	p, err := s.config.profile()
	if err != nil {
		return err
	}
	switch v, _ := p.get("cli_timestamp_format"); v {
	case "", "iso8601":
	case "wire":
		s.wireTimes = true
	default:
		return &failure{exitConfig, "Configuration", fmt.Sprintf("Unknown cli_timestamp_format value: %s, valid values are \"wire\" or \"iso8601\"", v)}
	}
	return nil
}

// show writes pages in the form that is asked for. Paging is nil for a single
// answer.
func (s *session) show(op *awsmodel.Operation, pages func(func(*awsmodel.Map) error) error, paging *pages) error {
	output := s.globals.output
	if output == "" {
		var err error
		if output, err = s.config.setting("output", "AWS_DEFAULT_OUTPUT"); err != nil {
			return err
		}
	}
	if output == "" {
		output = "json"
	}
	if !slices.Contains([]string{"json", "text", "table", "yaml", "yaml-stream"}, output) && (output != "off" || s.compat) {
		return general("Unknown output type: %s", output)
	}
	w, err := s.pager()
	if err != nil {
		return err
	}
	defer w.Close()
	query := func(v any) (any, error) {
		if s.globals.query == nil {
			return v, nil
		}
		out, err := s.globals.query.Search(v)
		if err != nil {
			return nil, general("%v", err)
		}
		return out, nil
	}
	switch output {
	case "text":
		return s.showText(w, pages, paging, query)
	case "yaml-stream":
		return pages(func(page *awsmodel.Map) error {
			v, err := query(page)
			if err != nil {
				return err
			}
			if m, ok := v.(*awsmodel.Map); ok && m.Len() == 0 && paging == nil {
				return nil
			}
			_, err = w.Write(awsformat.AppendYAML(nil, []any{v}))
			return err
		})
	}
	var whole *awsmodel.Map
	if paging != nil {
		whole, err = paging.all()
	} else {
		err = pages(func(page *awsmodel.Map) error { whole = page; return nil })
	}
	if err != nil {
		return err
	}
	v, err := query(whole)
	if err != nil {
		return err
	}
	nothing := false
	if m, ok := v.(*awsmodel.Map); ok && m.Len() == 0 {
		nothing = true
	}
	var b []byte
	switch {
	case output == "off" || nothing && output != "table":
	case output == "json":
		b = append(awsformat.AppendJSON(nil, v), '\n')
	case output == "yaml":
		b = awsformat.AppendYAML(nil, v)
	case output == "table":
		t := awsformat.Table{Width: s.width(), Color: s.globals.color == "on" || s.globals.color == "auto" && isTerminal(s.Out)}
		if b, err = t.Append(nil, op.Name, v); err != nil {
			return general("%v", err)
		}
	}
	_, err = w.Write(b)
	return err
}

// showText writes each page as it comes.
func (s *session) showText(w io.Writer, pages func(func(*awsmodel.Map) error) error, paging *pages, query func(any) (any, error)) error {
	write := func(v any) error {
		v, err := query(v)
		if err != nil {
			return err
		}
		_, err = w.Write(awsformat.AppendText(nil, v))
		return err
	}
	if paging == nil {
		return pages(func(page *awsmodel.Map) error { return write(page) })
	}
	first := true
	err := pages(func(page *awsmodel.Map) error {
		current := &awsmodel.Map{}
		if first {
			current = paging.fixed
			first = false
		}
		for _, k := range paging.p.ResultKey {
			put(current, k, pick(page, k))
		}
		return write(current)
	})
	if err != nil || paging.resume == "" {
		return err
	}
	token := &awsmodel.Map{}
	token.Set("NextToken", paging.resume)
	outer := &awsmodel.Map{}
	outer.Set("NextToken", token)
	return write(outer)
}

func (s *session) version() (int, error) {
	if s.Other != nil {
		s.Other(s.Args)
	}
	fmt.Fprintf(s.out, "moat-cli/%s\n", s.Version)
	return 0, nil
}

func (s *session) sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return errInterrupted
	}
}

func validText(b []byte) bool { return bytes.Equal(b, bytes.ToValidUTF8(b, nil)) }
