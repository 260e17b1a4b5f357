package awscli

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A profile is a section of the configuration: its keys in order. A value that
// is indented lines has keys of its own.
type profile struct {
	keys   []string
	values map[string]string
	nested map[string]map[string]string
}

func (p *profile) get(key string) (string, bool) {
	if p == nil {
		return "", false
	}
	v, ok := p.values[key]
	return v, ok
}

func (p *profile) set(key, value string) {
	if _, ok := p.values[key]; !ok {
		p.keys = append(p.keys, key)
	}
	p.values[key] = value
}

// A configuration is what ~/.aws/config and ~/.aws/credentials hold, and the
// environment.
type configuration struct {
	getenv   func(string) string
	given    string // --profile
	region   string // --region
	profiles map[string]*profile
	names    []string // of the profiles, in order
	services map[string]*profile
	plugins  *profile
	err      error
}

func (c *configuration) file() string { return c.path("AWS_CONFIG_FILE", "~/.aws/config") }

func (c *configuration) credentialsFile() string {
	return c.path("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")
}

func (c *configuration) path(env, otherwise string) string {
	if v := c.getenv(env); v != "" {
		otherwise = v
	}
	return c.expand(otherwise)
}

// expand replaces variables and a leading ~.
func (c *configuration) expand(path string) string {
	path = os.Expand(path, func(name string) string {
		if v := c.getenv(name); v != "" {
			return v
		}
		return "$" + name
	})
	if path == "~" || strings.HasPrefix(path, "~/") {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, path[1:])
		}
	}
	return path
}

// load reads both files, once.
func (c *configuration) load() error {
	if c.profiles != nil {
		return c.err
	}
	c.profiles, c.services = map[string]*profile{}, map[string]*profile{}
	sections, err := readSections(c.file())
	if err != nil {
		c.err = err
		return err
	}
	add := func(name string, p *profile) {
		have := c.profiles[name]
		if have == nil {
			c.profiles[name] = p
			c.names = append(c.names, name)
			return
		}
		for _, k := range p.keys {
			have.set(k, p.values[k])
		}
		for k, v := range p.nested {
			have.nested[k] = v
		}
	}
	for _, s := range sections {
		kind, name, _ := strings.Cut(s.name, " ")
		name = unquote(strings.TrimSpace(name))
		switch {
		case s.name == "default":
			add("default", s.profile)
		case kind == "profile" && name != "":
			add(name, s.profile)
		case kind == "services" && name != "":
			c.services[name] = s.profile
		case s.name == "plugins":
			c.plugins = s.profile
		}
	}
	if sections, err = readSections(c.credentialsFile()); err != nil {
		c.err = err
		return err
	}
	for _, s := range sections {
		add(s.name, s.profile)
	}
	return nil
}

func unquote(s string) string {
	if len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0] {
		return s[1 : len(s)-1]
	}
	return s
}

// profileName gives the profile that is in use; named is false for the one
// that nobody named.
func (c *configuration) profileName() (name string, named bool) {
	for _, v := range []string{c.given, c.getenv("AWS_PROFILE"), c.getenv("AWS_DEFAULT_PROFILE")} {
		if v != "" {
			return v, true
		}
	}
	return "default", false
}

// profile gives the profile in use, nil if there is no default one. A profile
// that was named must exist.
func (c *configuration) profile() (*profile, error) {
	if err := c.load(); err != nil {
		return nil, err
	}
	name, named := c.profileName()
	p := c.profiles[name]
	if p == nil && named {
		return nil, general("The config profile (%s) could not be found", name)
	}
	return p, nil
}

// setting gives a value from the environment or the profile.
func (c *configuration) setting(key string, envs ...string) (string, error) {
	for _, e := range envs {
		if v := c.getenv(e); v != "" {
			return v, nil
		}
	}
	p, err := c.profile()
	if err != nil {
		return "", err
	}
	v, _ := p.get(key)
	return v, nil
}

// endpoint gives the URL that is configured for a service, or "".
func (c *configuration) endpoint(serviceID string) (string, error) {
	p, err := c.profile()
	if err != nil {
		return "", err
	}
	ignore := c.getenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
	if ignore == "" {
		ignore, _ = p.get("ignore_configured_endpoint_urls")
	}
	if strings.EqualFold(ignore, "true") {
		return "", nil
	}
	id := strings.ReplaceAll(serviceID, " ", "_")
	for _, e := range []string{"AWS_ENDPOINT_URL_" + strings.ToUpper(id), "AWS_ENDPOINT_URL"} {
		if v := c.getenv(e); v != "" {
			return v, nil
		}
	}
	if name, ok := p.get("services"); ok {
		if s := c.services[name]; s != nil {
			if v := s.nested[strings.ToLower(id)]["endpoint_url"]; v != "" {
				return v, nil
			}
		}
	}
	v, _ := p.get("endpoint_url")
	return v, nil
}

type namedSection struct {
	name string
	*profile
}

// readSections reads an INI file. A file that is not there has no sections.
func readSections(path string) ([]namedSection, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || err != nil && isDir(path) {
		return nil, nil
	}
	if err != nil {
		return nil, general("%v", err)
	}
	broken := general("Unable to parse config file: %s", path)
	var sections []namedSection
	var s *profile
	key := ""
	for _, line := range strings.Split(string(b), "\n") {
		line = strings.TrimRight(line, " \t\r")
		text := strings.TrimLeft(line, " \t")
		if text == "" || text[0] == '#' || text[0] == ';' {
			continue
		}
		if len(text) < len(line) && s != nil && key != "" { // goes on with the value above
			s.values[key] += "\n" + text
			continue
		}
		if text[0] == '[' {
			end := strings.IndexByte(text, ']')
			if end < 0 {
				return nil, broken
			}
			name := text[1:end]
			s, key = &profile{values: map[string]string{}, nested: map[string]map[string]string{}}, ""
			if slices.ContainsFunc(sections, func(n namedSection) bool { return n.name == name }) {
				return nil, broken
			}
			sections = append(sections, namedSection{name, s})
			continue
		}
		at := strings.IndexAny(text, "=:")
		if at < 0 || s == nil {
			return nil, broken
		}
		key = strings.ToLower(strings.TrimSpace(text[:at]))
		s.set(key, strings.TrimSpace(text[at+1:]))
	}
	for _, s := range sections {
		for _, k := range s.keys {
			v := s.values[k]
			if !strings.HasPrefix(v, "\n") {
				continue
			}
			s.nested[k] = map[string]string{}
			for _, line := range strings.Split(v[1:], "\n") {
				name, value, ok := strings.Cut(line, "=")
				if !ok {
					return nil, broken
				}
				s.nested[k][strings.TrimSpace(name)] = strings.TrimSpace(value)
			}
		}
	}
	return sections, nil
}

func isDir(path string) bool {
	i, err := os.Stat(path)
	return err == nil && i.IsDir()
}
