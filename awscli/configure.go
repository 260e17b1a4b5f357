package awscli

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"moat/awsargs"
)

// configure writes and shows the configuration, as `aws configure` does.
func (s *session) configure(args []string) (int, error) {
	choices := []string{"list", "get", "set", "list-profiles"}
	if s.compat {
		choices = []string{"list", "get", "set", "add-model", "import", "list-profiles", "sso", "sso-session", "export-credentials", "wizard"}
	}
	p := &awsargs.Parser{Options: []*awsargs.Option{{Name: "subcommand", Arity: awsargs.Opt, Choices: choices}}}
	values, rest, err := p.Parse(args)
	if err != nil {
		return 0, err
	}
	sub, _ := values["subcommand"].(string)
	positional := map[string][]string{"get": {"varname"}, "set": {"varname", "value"}}[sub]
	var words []string
	if positional != nil {
		q := &awsargs.Parser{}
		for _, n := range positional {
			q.Options = append(q.Options, &awsargs.Option{Name: n, Required: true})
		}
		var got map[string]any
		if got, rest, err = q.Parse(rest); err != nil {
			return 0, err
		}
		for _, n := range positional {
			words = append(words, got[n].(string))
		}
	}
	if len(rest) > 0 {
		return 0, wrongLine("Unknown options: %s", strings.Join(rest, ","))
	}
	switch sub {
	case "list":
		return s.configureList()
	case "get":
		return s.configureGet(words[0])
	case "set":
		return 0, s.configureSet(words[0], words[1])
	case "list-profiles":
		if err := s.config.load(); err != nil {
			return 0, err
		}
		for _, n := range s.config.names {
			fmt.Fprintln(s.out, n)
		}
		return 0, nil
	case "":
		return 0, s.configureAsk()
	}
	return 0, wrongLine("configure %s: this is a command of the AWS CLI alone", sub)
}

func mask(v string) string {
	return strings.Repeat("*", 16) + v[max(len(v)-4, 0):]
}

// configureAsk asks for what a profile needs. An empty answer keeps what is.
func (s *session) configureAsk() error {
	p, _ := s.config.profile()
	in := bufio.NewReader(s.In)
	var files, credentials []setting
	for _, q := range []struct{ key, prompt string }{
		{"aws_access_key_id", "AWS Access Key ID"}, {"aws_secret_access_key", "AWS Secret Access Key"},
		{"region", "Default region name"}, {"output", "Default output format"},
	} {
		have, ok := p.get(q.key)
		shown := have
		secret := strings.HasPrefix(q.key, "aws_")
		switch {
		case !ok:
			shown = "None"
		case secret:
			shown = mask(have)
		}
		fmt.Fprintf(s.out, "%s [%s]: ", q.prompt, shown)
		line, err := in.ReadString('\n')
		if err != nil && line == "" {
			return general("EOF when reading a line")
		}
		if line = strings.TrimRight(line, "\r\n"); line == "" || line == have {
			continue
		}
		if secret {
			credentials = append(credentials, setting{q.key, line, ""})
		} else {
			files = append(files, setting{q.key, line, ""})
		}
	}
	name, named := s.config.profileName()
	section := "default"
	if named {
		section = name
	}
	if len(credentials) > 0 {
		if err := writeSettings(s.config.credentialsFile(), section, credentials); err != nil {
			return err
		}
	}
	if len(files) == 0 && len(credentials) == 0 {
		return nil
	}
	return writeSettings(s.config.file(), profileSection(section), files)
}

// profileSection gives the name of a profile's section in the config file.
func profileSection(name string) string {
	if name == "default" {
		return name
	}
	if strings.ContainsAny(name, " \t") {
		name = "'" + strings.ReplaceAll(name, "'", `'"'"'`) + "'"
	}
	return "profile " + name
}

func (s *session) configureSet(name, value string) error {
	profile, key, sub := "default", name, ""
	inUse, named := s.config.profileName()
	parts := strings.Split(name, ".")
	switch {
	case len(parts) == 1:
		if named {
			profile = inUse
		}
	case parts[0] == "default" || parts[0] == "profile":
		rest := parts[1:]
		if parts[0] == "profile" {
			if len(parts) < 3 {
				return general("list index out of range")
			}
			profile, rest = parts[1], parts[2:]
		}
		key = rest[0]
		if len(rest) == 2 {
			sub = rest[1]
		}
	case parts[0] != "plugins":
		if named {
			profile = inUse
		}
		key = parts[0]
		if len(parts) == 2 {
			sub = parts[1]
		}
	default:
		return writeSettings(s.config.file(), "plugins", []setting{{parts[1], value, ""}})
	}
	set := setting{key, value, ""}
	if sub != "" {
		set = setting{key, value, sub}
	}
	switch key {
	case "aws_access_key_id", "aws_secret_access_key", "aws_session_token":
		return writeSettings(s.config.credentialsFile(), profile, []setting{set})
	}
	return writeSettings(s.config.file(), profileSection(profile), []setting{set})
}

func (s *session) configureGet(name string) (int, error) {
	if err := s.config.load(); err != nil {
		return 0, err
	}
	parts := strings.Split(name, ".")
	inUse, _ := s.config.profileName()
	var p *profile
	key, rest := parts[0], parts[1:]
	switch {
	case len(parts) == 1:
		var err error
		if p, err = s.config.profile(); err != nil {
			return 0, err
		}
	case parts[0] == "profile":
		if len(parts) < 3 {
			return 0, general("list index out of range")
		}
		p, key, rest = s.config.profiles[parts[1]], parts[2], parts[3:]
	case parts[0] == "default" || s.config.profiles[parts[0]] != nil:
		p, key, rest = s.config.profiles[parts[0]], parts[1], parts[2:]
	default:
		p = s.config.profiles[inUse]
	}
	if p == nil {
		return 1, nil
	}
	if len(rest) == 1 {
		if v, ok := p.nested[key][rest[0]]; ok {
			fmt.Fprintln(s.out, v)
			return 0, nil
		}
		return 1, nil
	}
	if p.nested[key] != nil {
		fmt.Fprintf(s.err, "varname (%s) must reference a value, not a section or sub-section.", name)
		return 1, nil
	}
	v, ok := p.get(key)
	if !ok {
		return 1, nil
	}
	fmt.Fprintln(s.out, v)
	return 0, nil
}

func (s *session) configureList() (int, error) {
	row := func(name, value, kind, location string) {
		fmt.Fprintf(s.out, "%10s %24s %16s    %s\n", name, value, kind, location)
	}
	const unset = "<not set>"
	p, err := s.config.profile()
	if err != nil {
		return 0, err
	}
	row("Name", "Value", "Type", "Location")
	row("----", "-----", "----", "--------")
	switch {
	case s.config.given != "":
		row("profile", s.config.given, "manual", "--profile")
	case s.Getenv("AWS_PROFILE") != "" || s.Getenv("AWS_DEFAULT_PROFILE") != "":
		name, _ := s.config.profileName()
		row("profile", name, "env", "['AWS_PROFILE', 'AWS_DEFAULT_PROFILE']")
	default:
		row("profile", unset, "None", "None")
	}
	region, err := s.regionInUse()
	if err != nil {
		return 0, err
	}
	if k, err := s.credentials(s.ctx, region); err == nil {
		row("access_key", mask(k.id), k.source, "")
		row("secret_key", mask(k.secret), k.source, "")
	} else {
		row("access_key", unset, "None", "None")
		row("secret_key", unset, "None", "None")
	}
	inFile, _ := p.get("region")
	switch {
	case s.Getenv("AWS_REGION") != "" || s.Getenv("AWS_DEFAULT_REGION") != "":
		v := s.Getenv("AWS_REGION")
		if v == "" {
			v = s.Getenv("AWS_DEFAULT_REGION")
		}
		row("region", v, "env", "['AWS_REGION', 'AWS_DEFAULT_REGION']")
	case inFile != "":
		where := s.Getenv("AWS_CONFIG_FILE")
		if where == "" {
			where = "~/.aws/config"
		}
		row("region", inFile, "config-file", where)
	case region != "":
		row("region", region, "imds", "")
	default:
		row("region", unset, "None", "None")
	}
	return 0, nil
}

// A setting is a key and its value, or a key below a key.
type setting struct{ key, value, sub string }

var (
	sectionLine = regexp.MustCompile(`^\s*\[([^]]+)\]`)
	optionLine  = regexp.MustCompile(`^([^:=]+)\s*([:=])\s*(.*)$`)
)

// writeSettings puts settings into a section of an INI file, and leaves all
// else as it is. The file is readable by its owner only if it is made here.
func writeSettings(path, section string, settings []setting) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return general("%v", err)
	}
	b, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return general("%v", err)
	}
	lines := strings.SplitAfter(string(b), "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	out := updated(lines, section, settings)
	if err := os.WriteFile(path, []byte(out), 0o600); err != nil {
		return general("%v", err)
	}
	return nil
}

func updated(lines []string, section string, settings []setting) string {
	start := -1
	for i, l := range lines {
		if m := sectionLine.FindStringSubmatch(l); m != nil && (m[1] == section || unquoteSection(m[1]) == unquoteSection(section)) {
			start = i
			break
		}
	}
	fresh := func(s setting) []string {
		if s.sub != "" {
			return []string{s.key + " =\n", "    " + s.sub + " = " + s.value + "\n"}
		}
		return []string{s.key + " = " + s.value + "\n"}
	}
	if n := len(lines); n > 0 && !strings.HasSuffix(lines[n-1], "\n") {
		lines[n-1] += "\n"
	}
	if start < 0 {
		lines = append(lines, "["+section+"]\n")
		for _, s := range settings {
			lines = append(lines, fresh(s)...)
		}
		return strings.Join(lines, "")
	}
	for _, s := range settings {
		last, done := start, false
		for i := start + 1; i < len(lines) && !sectionLine.MatchString(lines[i]); i++ {
			text := strings.TrimSpace(lines[i])
			m := optionLine.FindStringSubmatch(strings.TrimRight(lines[i], "\n"))
			if m == nil || strings.HasPrefix(text, "#") || strings.HasPrefix(text, ";") {
				continue
			}
			last = i
			indented := lines[i][0] == ' ' || lines[i][0] == '\t'
			if indented || strings.TrimSpace(m[1]) != s.key {
				continue
			}
			if s.sub == "" {
				lines[i] = s.key + " = " + s.value + "\n"
			} else {
				lines = below(lines, i, s)
			}
			done = true
			break
		}
		if !done {
			lines = append(lines[:last+1], append(fresh(s), lines[last+1:]...)...)
		}
	}
	return strings.Join(lines, "")
}

// below sets a key below the one at a line.
func below(lines []string, at int, s setting) []string {
	i := at + 1
	for ; i < len(lines) && (strings.HasPrefix(lines[i], " ") || strings.HasPrefix(lines[i], "\t")); i++ {
		if m := optionLine.FindStringSubmatch(strings.TrimRight(lines[i], "\n")); m != nil && strings.TrimSpace(m[1]) == s.sub {
			indent := lines[i][:len(lines[i])-len(strings.TrimLeft(lines[i], " \t"))]
			lines[i] = indent + s.sub + " = " + s.value + "\n"
			return lines
		}
	}
	return append(lines[:i], append([]string{"    " + s.sub + " = " + s.value + "\n"}, lines[i:]...)...)
}

func unquoteSection(s string) string {
	kind, name, ok := strings.Cut(s, " ")
	if !ok {
		return s
	}
	return kind + " " + unquote(strings.TrimSpace(name))
}
