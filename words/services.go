package words

import "moat/flow"

// A service is a port that people know by a name.
type service struct {
	port int32
	name string
	on   string // tcp, udp or both
}

// services are those that people open ports for, by the names under which they
// look for them: mostly IANA's, and the usual one where that is another.
var services = []service{
	{20, "ftp-data", "tcp"}, {21, "ftp", "tcp"}, {22, "ssh", "tcp"}, {23, "telnet", "tcp"}, {25, "smtp", "tcp"},
	{53, "dns", "tcp udp"}, {67, "dhcp", "udp"}, {69, "tftp", "udp"}, {80, "http", "tcp"}, {88, "kerberos", "tcp udp"},
	{110, "pop3", "tcp"}, {111, "rpcbind", "tcp udp"}, {123, "ntp", "udp"}, {143, "imap", "tcp"}, {161, "snmp", "udp"},
	{162, "snmptrap", "udp"}, {179, "bgp", "tcp"}, {389, "ldap", "tcp"}, {443, "https", "tcp"}, {445, "smb", "tcp"},
	{465, "smtps", "tcp"}, {500, "isakmp", "udp"}, {514, "syslog", "udp"}, {587, "submission", "tcp"}, {636, "ldaps", "tcp"},
	{853, "dns-tls", "tcp"}, {873, "rsync", "tcp"}, {993, "imaps", "tcp"}, {995, "pop3s", "tcp"}, {1194, "openvpn", "udp"},
	{1433, "mssql", "tcp"}, {1521, "oracle", "tcp"}, {1883, "mqtt", "tcp"}, {2049, "nfs", "tcp udp"}, {2375, "docker", "tcp"},
	{2376, "docker-tls", "tcp"}, {2379, "etcd", "tcp"}, {2380, "etcd-peer", "tcp"}, {3306, "mysql", "tcp"}, {3389, "rdp", "tcp udp"},
	{4500, "ipsec-nat", "udp"}, {4789, "vxlan", "udp"}, {5060, "sip", "tcp udp"}, {5432, "postgres", "tcp"}, {5671, "amqps", "tcp"},
	{5672, "amqp", "tcp"}, {5900, "vnc", "tcp"}, {5985, "winrm", "tcp"}, {5986, "winrm-tls", "tcp"}, {6379, "redis", "tcp"},
	{6443, "kubernetes", "tcp"}, {8080, "http-alt", "tcp"}, {8443, "https-alt", "tcp"}, {9042, "cassandra", "tcp"}, {9092, "kafka", "tcp"},
	{9200, "elasticsearch", "tcp"}, {10250, "kubelet", "tcp"}, {11211, "memcached", "tcp"}, {27017, "mongodb", "tcp"}, {51820, "wireguard", "udp"},
}

// aliases are other names for services.
var aliases = map[string]string{
	"domain": "dns", "postgresql": "postgres", "ms-sql-s": "mssql", "mariadb": "mysql", "web": "http", "k8s": "kubernetes", "mongo": "mongodb",
	"wg": "wireguard", "ipsec": "isakmp", "cifs": "smb", "memcache": "memcached",
}

// protocols are those beside TCP, UDP and ICMP that people allow.
var protocols = []struct {
	number flow.Protocol
	name   string
}{{2, "igmp"}, {4, "ipip"}, {41, "ipv6-in-ip"}, {47, "gre"}, {50, "esp"}, {51, "ah"}, {89, "ospf"}, {112, "vrrp"}, {132, "sctp"}}

// Service gives the name of what usually listens on a port, "" if nothing is
// known for it.
func Service(p flow.Protocol, port int32) string {
	for i := range services {
		if s := &services[i]; s.port == port && s.uses(p) {
			return s.name
		}
	}
	return ""
}

func (s *service) uses(p flow.Protocol) bool {
	switch s.on {
	case "tcp":
		return p == flow.TCP
	case "udp":
		return p == flow.UDP
	}
	return p == flow.TCP || p == flow.UDP
}

// Services lists the names of services, for completion.
func Services() (all []string) {
	for i := range services {
		all = append(all, services[i].name)
	}
	return all
}

func protocolName(p flow.Protocol) string {
	for _, known := range protocols {
		if known.number == p {
			return known.name
		}
	}
	return ""
}
