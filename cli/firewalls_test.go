package cli

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func TestOtherFirewalls(t *testing.T) {
	const accepting = `{"nftables": [{"metainfo": {"version": "1.0.6"}}, {"table": {"family": "inet", "name": "filter", "handle": 1}},
		{"chain": {"family": "inet", "table": "filter", "name": "input", "handle": 1, "type": "filter", "hook": "input", "prio": 0, "policy": "accept"}},
		{"rule": {"family": "inet", "table": "filter", "chain": "input", "handle": 4, "expr": [{"counter": {"packets": 0, "bytes": 0}}, {"accept": null}]}}]}`
	for _, row := range []struct {
		what  string
		files map[string]string
		nft   string
		want  []string
	}{
		{what: "a host without any"},
		{what: "nftables that accepts", nft: accepting},
		{what: "no JSON", nft: "Error: syntax error"},
		{what: "policy drop", nft: strings.Replace(accepting, `"policy": "accept"`, `"policy": "drop"`, 1),
			want: []string{"nftables: chain inet/filter/input (hook input) drops what no rule accepts"}},
		{what: "a rule that drops", nft: strings.Replace(accepting, `{"accept": null}`, `{"drop": null}`, 1),
			want: []string{"nftables: table inet filter drops or rejects by 1 rule"}},
		{what: "Moat's own guards", nft: strings.NewReplacer(`{"accept": null}`, `{"drop": null}`, `"table": "filter"`, `"table": "moat-6f9619ff-8b86-4d01-b42d-00c04fc964ff"`).Replace(accepting)},
		{what: "a table that is called like them", nft: strings.NewReplacer(`{"accept": null}`, `{"drop": null}`, `"table": "filter"`, `"table": "moat-filter"`).Replace(accepting),
			want: []string{"nftables: table inet moat-filter drops or rejects by 1 rule"}},
		{what: "a rule that rejects", nft: strings.Replace(accepting, `{"accept": null}`, `{"reject": {"type": "icmp"}}`, 1),
			want: []string{"nftables: table inet filter drops or rejects by 1 rule"}},
		{what: "a chain without hook", nft: strings.Replace(accepting, `"hook": "input", `, ``, 1)},
		{what: "iptables without tables", files: map[string]string{"proc/net/ip_tables_names": ""}},
		{what: "iptables of old", files: map[string]string{"proc/net/ip_tables_names": "nat\nfilter\n", "proc/sys/net/bridge/bridge-nf-call-iptables": "1\n"},
			want: []string{"iptables (legacy): tables nat, filter: see `iptables-legacy-save`", "net.bridge.bridge-nf-call-iptables is 1: they see the packets of bridges too"}},
		{what: "a setting for bridges alone", files: map[string]string{"proc/sys/net/bridge/bridge-nf-call-iptables": "1\n"}},
		{what: "ufw, off", files: map[string]string{"etc/ufw/ufw.conf": "# conf\nENABLED=no\n"}},
		{what: "ufw, on", files: map[string]string{"etc/ufw/ufw.conf": "# conf\nENABLED=yes\n"}, want: []string{"ufw is enabled: see `ufw status verbose`"}},
		{what: "firewalld and Docker", files: map[string]string{"proc/12/comm": "firewalld\n", "proc/13/comm": "dockerd\n", "proc/14/comm": "bash\n"},
			want: []string{"firewalld is running: see `firewall-cmd --list-all-zones`", "Docker is running: it filters what is forwarded, see the chain DOCKER-USER"}},
		{what: "another process", files: map[string]string{"proc/14/comm": "docker\n"}},
	} {
		root := fstest.MapFS{}
		for name, text := range row.files {
			root[name] = &fstest.MapFile{Data: []byte(text)}
		}
		if got := firewallsOf(root, func() []byte { return []byte(row.nft) }); !slices.Equal(got, row.want) {
			t.Errorf("%s: got %q, want %q", row.what, got, row.want)
		}
	}
}
