package cli

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"moat/dataplane"
	"moat/ruleset"
	"moat/server"
	"moat/store"
	"moat/vpc"
)

// settings are those of `moat serve`. Each is a flag; what no flag says comes
// from the environment (--data-dir: MOAT_DATA_DIR), then from the
// configuration file (data-dir:), then from its default.
type settings struct {
	config                             string
	listen                             string
	insecure                           bool
	dataDir                            string
	region                             string
	regions                            []string
	account                            string
	auth                               string
	allowedHosts                       []string
	maxConnections, maxBodyMemory      int
	quotas                             string
	reads                              string
	etcd                               []string
	etcdCA                             string
	etcdCert                           string
	etcdKey                            string
	etcdUser                           string
	etcdPassword                       string
	etcdMaxTxnOps, etcdMaxRequestBytes int
	tlsCert, tlsKey, tlsCA             string
	trustedProxies                     []string
	upstream                           string
	metricsListen                      string
	history, audit                     days
	historyRevisions                   uint64
	auditExport                        string
	logLevel, logFormat                string
	waitEnforced                       string
	waitTimeout                        time.Duration
	onRevoke                           string
	adopt                              time.Duration
	exempt                             []string
	exemptGiven                        bool // by a flag, the environment or the file
	failsafe                           []string
	bindFile                           string
	managedBridges                     []string
	guard                              []string

	secretKeyFile  string
	discardSecrets bool

	proxies    []netip.Prefix
	passOn     *url.URL
	quotaTable *vpc.Quotas
	enforcing  ruleset.Options
	configured []server.ConfiguredBinding
	guards     []dataplane.Pattern // those of --guard and of --bind
}

func (s *settings) flags(f *pflag.FlagSet) {
	s.history, s.audit = 30*24*days(time.Hour), 400*24*days(time.Hour)
	s.placeFlags(f)
	f.StringVar(&s.listen, "listen", "127.0.0.1:4599", "`HOST:PORT` of the API; port 0 takes a free one")
	f.BoolVar(&s.insecure, "insecure-listen", false, "allow --listen beyond loopback without TLS")
	f.StringVar(&s.region, "region", "us-east-1", "default `REGION`")
	f.StringSliceVar(&s.regions, "regions", nil, "`REGIONS` to serve (default: every region of AWS, and --region)")
	f.StringVar(&s.account, "account", "123456789012", "default `ACCOUNT`, 12 digits")
	f.StringVar(&s.auth, "auth", "verify", "`verify|any`: check signatures, or take every credential (loopback only; a key of 12 digits chooses the account)")
	f.StringSliceVar(&s.allowedHosts, "allowed-host", nil, "`NAMES` of hosts that --auth any answers to, beside addresses, localhost, the machine's own name and names without a dot")
	f.IntVar(&s.maxConnections, "max-connections", 2048, "`NUMBER` of connections to the API at once; at the bound the slowest one ends for a new one")
	f.IntVar(&s.maxBodyMemory, "max-body-memory", 64<<20, "`BYTES` that request bodies may take before their signatures are checked; at the bound the one that has been arriving for longest is given up")
	f.StringVar(&s.quotas, "quotas", "aws", "`aws|off|FILE`: those of AWS, none, or those of a YAML file")
	f.StringVar(&s.reads, "reads", "linearizable", "`linearizable|local`: local is faster with several servers, and possibly behind")
	s.etcdFlags(f)
	f.StringVar(&s.tlsCert, "tls-cert", "", "`FILE` of the certificate of the API, PEM")
	f.StringVar(&s.tlsKey, "tls-key", "", "`FILE` of its key, PEM")
	f.StringVar(&s.tlsCA, "tls-ca", "", "`FILE` of the authority that signed --tls-cert, handed on by `moat env`")
	f.StringSliceVar(&s.trustedProxies, "trusted-proxies", nil, "`CIDRS` of proxies whose X-Forwarded-For is believed")
	f.StringVar(&s.secretKeyFile, "secret-key-file", "", "`FILE` of the key that encrypts secrets in the database, in base64 and one a line: the first encrypts, all decrypt (default: secret.key in the data directory, made when it is needed)")
	f.BoolVar(&s.discardSecrets, "discard-secrets", false, "delete the access keys whose secrets cannot be decrypted, because the key is lost")
	f.StringVar(&s.upstream, "upstream", "", "`URL` of another emulator, to which requests go whose action Moat does not have (default: none, and they get InvalidAction)")
	f.StringVar(&s.metricsListen, "metrics-listen", "", "`HOST:PORT` of the Prometheus metrics (default: off)")
	f.Var(&s.history, "history", "how long earlier states are kept")
	f.Uint64Var(&s.historyRevisions, "history-revisions", 10_000, "`NUMBER` of revisions of history that are kept at least")
	f.Var(&s.audit, "audit-retention", "how long audit events are kept")
	f.StringVar(&s.waitEnforced, "wait-enforced", "local", "`local|all|none`: a call that changes something returns when this host's data plane obeys, when that of every host of the cluster does that has bound interfaces, or at once")
	f.StringVar(&s.auditExport, "audit-export", "", "`FILE` to which audit events are appended as lines of JSON, within a second or so (default: none)")
	f.DurationVar(&s.waitTimeout, "wait-timeout", 5*time.Second, "how long such a call waits at most")
	f.StringVar(&s.onRevoke, "on-revoke", "cut", "`cut|aws|drain SECONDS`: end the tracked flows that no rule allows any more, let them live as EC2 does, or let them live for a while; the tag "+ruleset.OnRevokeTag+" of a group says otherwise for its interfaces")
	f.DurationVar(&s.adopt, "adopt", 3*time.Hour, "how long after a device is enforced TCP connections that were open before are tracked from their next packet on, unless the interface loses a rule first; 0s for never")
	f.StringSliceVar(&s.exempt, "exempt", nil, "`TRAFFIC,...` that passes whatever the rules say: aws for the services of AWS (DNS, metadata, time), which interfaces may open; ADDRESS/PORT or [ADDRESS]:PORT for a TCP and UDP port, which interfaces may open; ADDRESS or a block such as 10.0.0.0/24 for everything in both directions; none for nothing, which is the default")
	f.StringSliceVar(&s.failsafe, "failsafe", nil, "`PORT/CIDR,...`: TCP ports that stay open on the host's own devices whatever the rules say; out:PORT/CIDR for ports of others, as of an etcd cluster")
	f.StringVar(&s.bindFile, "bind", "", "`FILE` (YAML) of devices that are bound to interfaces whenever they appear")
	f.StringSliceVar(&s.managedBridges, "managed-bridge", nil, "`BRIDGES` whose ports pass nothing until they are bound")
	f.StringSliceVar(&s.guard, "guard", nil, "`PATTERNS` of names of devices that pass no IP packet until they are bound, from their first one on; those of --bind are guarded anyway")
}

// placeFlags are those by which every command finds the data.
func (s *settings) placeFlags(f *pflag.FlagSet) {
	f.StringVar(&s.config, "config", "", "configuration `FILE` (YAML, keys named as the flags of serve)")
	f.StringVar(&s.dataDir, "data-dir", defaultDataDir(), "`DIR` of the database, the lock and the root key")
	f.StringVar(&s.logLevel, "log-level", "info", "`debug|info|warn|error`: what is logged at least")
	f.StringVar(&s.logFormat, "log-format", "text", "`text|json`: the form of the log")
}

func (s *settings) etcdFlags(f *pflag.FlagSet) {
	f.StringSliceVar(&s.etcd, "etcd", nil, "`URLS` of an external etcd cluster (default: an etcd inside this process)")
	f.StringVar(&s.etcdCA, "etcd-cacert", "", "`FILE` of the certificate authority of the etcd cluster")
	f.StringVar(&s.etcdCert, "etcd-cert", "", "`FILE` of the client certificate for the etcd cluster")
	f.StringVar(&s.etcdKey, "etcd-key", "", "`FILE` of its key")
	f.StringVar(&s.etcdUser, "etcd-user", "", "`NAME` of the user at the etcd cluster; the password is MOAT_ETCD_PASSWORD in the environment")
	f.IntVar(&s.etcdMaxTxnOps, "etcd-max-txn-ops", 128, "the `NUMBER` that is the cluster's --max-txn-ops")
	f.IntVar(&s.etcdMaxRequestBytes, "etcd-max-request-bytes", 1<<20+1<<19, "the `NUMBER` that is the cluster's --max-request-bytes")
}

// complete fills in what no flag says, and checks everything.
func (s *settings) complete(f *pflag.FlagSet) error {
	if err := s.find(f); err != nil {
		return err
	}
	host, _, err := net.SplitHostPort(s.listen)
	if err != nil {
		return fmt.Errorf("--listen %q: want HOST:PORT: %w", s.listen, err)
	}
	if (s.tlsCert == "") != (s.tlsKey == "") {
		return errors.New("--tls-cert and --tls-key go together")
	}
	if (s.etcdCert == "") != (s.etcdKey == "") {
		return errors.New("--etcd-cert and --etcd-key go together")
	}
	if !isLoopback(host) {
		if s.auth == "any" {
			return fmt.Errorf("--auth any takes every credential: --listen %s must be a loopback address", s.listen)
		}
		if s.tlsCert == "" && !s.insecure {
			return fmt.Errorf("--listen %s is reachable from outside: give --tls-cert and --tls-key, or --insecure-listen to go without", s.listen)
		}
	}
	if s.metricsListen != "" {
		if h, _, err := net.SplitHostPort(s.metricsListen); err != nil || !isLoopback(h) && !s.insecure {
			return fmt.Errorf("--metrics-listen %q: want HOST:PORT on loopback (metrics have no authentication), or --insecure-listen", s.metricsListen)
		}
	}
	if !regexp.MustCompile(`^[0-9]{12}$`).MatchString(s.account) {
		return fmt.Errorf("--account %q: want 12 digits", s.account)
	}
	for _, r := range append([]string{s.region}, s.regions...) {
		if !regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`).MatchString(r) {
			return fmt.Errorf("region %q: want lower-case letters, digits and dashes", r)
		}
	}
	for _, e := range []struct {
		flag, value string
		words       []string
	}{
		{"auth", s.auth, []string{"verify", "any"}},
		{"reads", s.reads, []string{"linearizable", "local"}},
		{"log-format", s.logFormat, []string{"text", "json"}},
		{"wait-enforced", s.waitEnforced, []string{"local", "all", "none"}},
	} {
		ok := false
		for _, w := range e.words {
			ok = ok || w == e.value
		}
		if !ok {
			return fmt.Errorf("--%s %q: want %s", e.flag, e.value, strings.Join(e.words, " or "))
		}
	}
	if s.maxConnections < 1 {
		return fmt.Errorf("--max-connections %d: want at least 1", s.maxConnections)
	}
	if s.maxBodyMemory < 2<<20 {
		return fmt.Errorf("--max-body-memory %d: want at least %d, two bodies of the largest size", s.maxBodyMemory, 2<<20)
	}
	for _, h := range s.allowedHosts {
		if !regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`).MatchString(h) {
			return fmt.Errorf("--allowed-host %q: want the name of a host, without a port", h)
		}
	}
	for _, p := range s.trustedProxies {
		prefix, err := netip.ParsePrefix(p)
		if err != nil {
			a, e := netip.ParseAddr(p)
			if e != nil {
				return fmt.Errorf("--trusted-proxies %q: %w", p, err)
			}
			prefix = netip.PrefixFrom(a, a.BitLen())
		}
		s.proxies = append(s.proxies, prefix.Masked())
	}
	if s.upstream != "" {
		u, err := url.Parse(s.upstream)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Path != "" && u.Path != "/" {
			return fmt.Errorf("--upstream %q: want http://HOST:PORT or https://HOST:PORT and nothing more", s.upstream)
		}
		s.passOn = u
	}
	if s.waitTimeout < 0 {
		return fmt.Errorf("--wait-timeout %s: want a duration such as 5s", s.waitTimeout)
	}
	s.exemptGiven = f.Changed("exempt")
	if s.enforcing, err = enforcementOptions(s.onRevoke, s.exempt, s.failsafe); err != nil {
		return err
	}
	if s.bindFile != "" {
		if s.configured, err = readBindings(s.bindFile); err != nil {
			return fmt.Errorf("--bind %s: %w", s.bindFile, err)
		}
	}
	if s.guards, err = guardedNames(s.guard, s.configured); err != nil {
		return err
	}
	s.quotaTable, err = readQuotas(s.quotas)
	return err
}

// find fills in what no flag says.
func (s *settings) find(f *pflag.FlagSet) error {
	s.etcdPassword = os.Getenv("MOAT_ETCD_PASSWORD")
	return fromEnvironmentAndFile(f)
}

// fromEnvironmentAndFile sets the flags that the command line leaves out.
func fromEnvironmentAndFile(f *pflag.FlagSet) error {
	given := map[string]bool{}
	f.Visit(func(g *pflag.Flag) { given[g.Name] = true })
	var err error
	set := func(g *pflag.Flag, value, source string) {
		if e := f.Set(g.Name, value); e != nil && err == nil {
			err = fmt.Errorf("%s: %w", source, e)
		}
		given[g.Name] = true
	}
	f.VisitAll(func(g *pflag.Flag) {
		name := "MOAT_" + strings.ToUpper(strings.ReplaceAll(g.Name, "-", "_"))
		if v := os.Getenv(name); v != "" && !given[g.Name] && g.Name != "help" { // empty is as good as none
			set(g, v, name)
		}
	})
	file := f.Lookup("config").Value.String()
	if err != nil || file == "" {
		return err
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read --config: %w", err)
	}
	var values map[string]yaml.Node
	if err := yaml.Unmarshal(b, &values); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	all := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	new(settings).flags(all)
	for k, v := range values {
		if all.Lookup(k) == nil || k == "config" {
			return fmt.Errorf("%s: there is no setting %q", file, k)
		}
		g := f.Lookup(k)
		if g == nil || given[k] {
			continue // g is nil for what only serve has a use for
		}
		text, ok := settingText(&v)
		if !ok {
			return fmt.Errorf("%s: %s: want a value, or a list of them", file, k)
		}
		set(g, text, file+": "+k)
	}
	return err
}

// settingText gives a value of the configuration file as a flag takes it: as
// it is written, so that an account number keeps its zeros.
func settingText(v *yaml.Node) (text string, ok bool) {
	switch {
	case v.Kind == yaml.ScalarNode && v.Tag != "!!null":
		return v.Value, true
	case v.Kind == yaml.SequenceNode:
		words := make([]string, len(v.Content))
		for i, w := range v.Content {
			if w.Kind != yaml.ScalarNode || w.Tag == "!!null" {
				return "", false
			}
			words[i] = w.Value
		}
		return strings.Join(words, ","), true
	}
	return "", false
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

// readQuotas gives the quotas that a word or a file names. A file changes
// AWS's defaults; what it leaves out stays.
func readQuotas(name string) (*vpc.Quotas, error) {
	switch name {
	case "aws":
		return vpc.DefaultQuotas(), nil
	case "off":
		return vpc.NoQuotas(), nil
	}
	f, err := os.Open(name)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("--quotas %q: want aws, off, or a file that exists", name)
		}
		return nil, fmt.Errorf("--quotas: %w", err)
	}
	defer f.Close()
	q := vpc.DefaultQuotas()
	d := yaml.NewDecoder(f)
	d.KnownFields(true)
	if err := d.Decode(q); err != nil && !errors.Is(err, io.EOF) { // an empty file changes nothing
		return nil, fmt.Errorf("--quotas %s: %w", name, err)
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("--quotas %s: want one YAML document", name)
	}
	for v, i := reflect.ValueOf(q).Elem(), 0; i < v.NumField(); i++ {
		if n := v.Field(i).Int(); n < 0 {
			return nil, fmt.Errorf("--quotas %s: %s: %d: a quota is 0 or more", name, v.Type().Field(i).Tag.Get("yaml"), n)
		}
	}
	return q, nil
}

// hosts are the names that --auth any answers to: those that the operator allows,
// and the machine's own.
func (s *settings) hosts() []string {
	if own, err := os.Hostname(); err == nil { // without one there is a name less
		return append(slices.Clone(s.allowedHosts), own)
	}
	return s.allowedHosts
}

func (s *settings) retention() store.Retention {
	return store.Retention{History: time.Duration(s.history), HistoryRevisions: s.historyRevisions, Audit: time.Duration(s.audit)}
}

func (s *settings) logger() (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(s.logLevel)); err != nil {
		return nil, fmt.Errorf("--log-level %q: want debug, info, warn or error", s.logLevel)
	}
	o := &slog.HandlerOptions{Level: level}
	if s.logFormat == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, o)), nil
	}
	return slog.New(slog.NewTextHandler(os.Stderr, o)), nil
}

func (s *settings) etcdTLS() (*tls.Config, error) {
	if s.etcdCA == "" && s.etcdCert == "" {
		return nil, nil // https URLs use the system's authorities
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.etcdCA != "" {
		pem, err := os.ReadFile(s.etcdCA)
		if err != nil {
			return nil, fmt.Errorf("--etcd-cacert: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("--etcd-cacert %s: no certificate in PEM form", s.etcdCA)
		}
	}
	if s.etcdCert != "" {
		cert, err := tls.LoadX509KeyPair(s.etcdCert, s.etcdKey)
		if err != nil {
			return nil, fmt.Errorf("--etcd-cert and --etcd-key: %w", err)
		}
		c.Certificates = []tls.Certificate{cert}
	}
	return c, nil
}

// days is a duration that may be given in days: 30d.
type days time.Duration

func (d *days) String() string {
	if h := time.Duration(*d); h > 0 && h%(24*time.Hour) == 0 {
		return strconv.Itoa(int(h/(24*time.Hour))) + "d"
	}
	return time.Duration(*d).String()
}

func (d *days) Set(v string) error {
	if n, ok := strings.CutSuffix(v, "d"); ok {
		if i, err := strconv.Atoi(n); err == nil && i >= 0 && i < 36500 {
			*d = days(time.Duration(i) * 24 * time.Hour)
			return nil
		}
	}
	p, err := time.ParseDuration(v)
	if err != nil || p < 0 {
		return fmt.Errorf("%q is no duration such as 30d or 12h", v)
	}
	*d = days(p)
	return nil
}

func (d *days) Type() string { return "duration" }
