package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// hostFirewalls says which other firewalls of this host may have a say, one a
// line. It reads only, and what it may not read, or has no tool for, it leaves
// out.
func hostFirewalls() []string {
	return firewallsOf(os.DirFS("/"), func() []byte {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		out, _ := exec.CommandContext(ctx, "nft", "-j", "list", "ruleset").Output()
		return out
	})
}

// firewallsOf looks at a root file system and the output of `nft -j list
// ruleset`.
func firewallsOf(root fs.FS, nft func() []byte) []string {
	var out []string
	managers := managersOf(root)
	out = append(out, nftChains(nft())...)
	if tables, err := fs.ReadFile(root, "proc/net/ip_tables_names"); err == nil && len(strings.Fields(string(tables))) > 0 {
		out = append(out, "iptables (legacy): tables "+strings.Join(strings.Fields(string(tables)), ", ")+": see `iptables-legacy-save`")
	}
	if tables, err := fs.ReadFile(root, "proc/net/ip6_tables_names"); err == nil && len(strings.Fields(string(tables))) > 0 {
		out = append(out, "ip6tables (legacy): tables "+strings.Join(strings.Fields(string(tables)), ", ")+": see `ip6tables-legacy-save`")
	}
	out = append(out, managers...)
	if len(out) == 0 {
		return nil
	}
	if b, err := fs.ReadFile(root, "proc/sys/net/bridge/bridge-nf-call-iptables"); err == nil && strings.TrimSpace(string(b)) == "1" {
		out = append(out, "net.bridge.bridge-nf-call-iptables is 1: they see the packets of bridges too")
	}
	return out
}

// managersOf tells the programs that write firewall rules, by their processes
// and ufw by its setting.
func managersOf(root fs.FS) []string {
	running := map[string]bool{}
	names, _ := fs.Glob(root, "proc/[0-9]*/comm")
	for _, name := range names {
		if b, err := fs.ReadFile(root, name); err == nil {
			running[strings.TrimSpace(string(b))] = true
		}
	}
	var out []string
	if b, err := fs.ReadFile(root, "etc/ufw/ufw.conf"); err == nil {
		for line := range strings.Lines(string(b)) {
			if k, v, _ := strings.Cut(strings.TrimSpace(line), "="); k == "ENABLED" && strings.EqualFold(strings.Trim(v, `"`), "yes") {
				out = append(out, "ufw is enabled: see `ufw status verbose`")
			}
		}
	}
	// firewalld is a Python program: its name is that of its script, cut at 15.
	if running["firewalld"] {
		out = append(out, "firewalld is running: see `firewall-cmd --list-all-zones`")
	}
	if running["dockerd"] {
		out = append(out, "Docker is running: it filters what is forwarded, see the chain DOCKER-USER")
	}
	return out
}

// nftChains tells the base chains that may drop: those with policy drop, or
// with a rule that drops or rejects, in themselves or in a chain of their table.
func nftChains(output []byte) []string {
	var doc struct {
		Nftables []struct {
			Chain *struct{ Family, Table, Name, Hook, Policy string }
			Rule  *struct {
				Family, Table, Chain string
				Expr                 []map[string]json.RawMessage
			}
		}
	}
	if len(output) == 0 || json.Unmarshal(output, &doc) != nil {
		return nil
	}
	type table struct{ family, name string }
	drops := map[table]int{}
	for _, o := range doc.Nftables {
		if o.Rule == nil {
			continue
		}
		for _, e := range o.Rule.Expr {
			_, drop := e["drop"]
			_, reject := e["reject"]
			if drop || reject {
				drops[table{o.Rule.Family, o.Rule.Table}]++
				break
			}
		}
	}
	var out []string
	seen := map[table]bool{}
	for _, o := range doc.Nftables {
		c := o.Chain
		if c == nil || !slices.Contains([]string{"prerouting", "input", "forward", "output", "postrouting", "ingress", "egress"}, c.Hook) {
			continue
		}
		t := table{c.Family, c.Table}
		if id, ok := strings.CutPrefix(c.Table, "moat-"); ok && uuid.Validate(id) == nil {
			continue // of Moat's own guards
		}
		switch {
		case c.Policy == "drop":
			out = append(out, fmt.Sprintf("nftables: chain %s (hook %s) drops what no rule accepts", path.Join(c.Family, c.Table, c.Name), c.Hook))
		case drops[t] > 0 && !seen[t]:
			seen[t] = true
			out = append(out, fmt.Sprintf("nftables: table %s %s drops or rejects by %s", c.Family, c.Table, count(drops[t], "rule")))
		}
	}
	return out
}
