package main

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"moat/sigv4"
)

// A signer prepares the requests of one server.
type signer struct {
	addr                string // HOST:PORT
	key, secret, region string
}

// params are the parameters of an action in pairs: name, value, name, value.
type params []string

// request gives a signed request as it goes on the wire, with the headers that
// the AWS CLI sends. A signature is good for a quarter of an hour.
func (s *signer) request(action string, p params) []byte {
	return s.requestTo("ec2", "2016-11-15", action, p)
}

// requestTo is request for a service other than EC2 and its version.
func (s *signer) requestTo(service, version, action string, p params) []byte {
	form := url.Values{"Action": {action}, "Version": {version}}
	for i := 0; i < len(p); i += 2 {
		form.Set(p[i], p[i+1])
	}
	body := form.Encode()
	r := &http.Request{Method: "POST", Host: s.addr, URL: &url.URL{Path: "/"}, Header: http.Header{
		"Content-Type":    {"application/x-www-form-urlencoded; charset=utf-8"},
		"Accept-Encoding": {"identity"},
		"User-Agent":      {"aws-cli/2.9.19 Python/3.11.2 Linux/6.1.0-9-amd64 source/x86_64.debian.12 prompt/off"},
	}}
	cred := sigv4.Credential{AccessKeyID: s.key, Region: s.region, Service: service}
	sigv4.Sign(r, []byte(body), cred, s.secret, "", time.Now())
	var b strings.Builder
	b.WriteString("POST / HTTP/1.1\r\nHost: " + s.addr + "\r\n")
	names := make([]string, 0, len(r.Header))
	for name := range r.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		b.WriteString(name + ": " + r.Header[name][0] + "\r\n")
	}
	b.WriteString("Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body)
	return []byte(b.String())
}

// requests gives n requests of one action.
func (s *signer) requests(n int, action string, p func(i int) params) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		out[i] = s.request(action, p(i))
	}
	return out
}

// createGroup and authorize are the parameters of the two writes.
func createGroup(name, vpc, team string) params {
	return params{
		"GroupName", name, "GroupDescription", "made by the benchmark", "VpcId", vpc,
		"TagSpecification.1.ResourceType", "security-group",
		"TagSpecification.1.Tag.1.Key", "team", "TagSpecification.1.Tag.1.Value", team,
	}
}

// authorize adds n rules to a group. Rule k of any group is the same rule;
// every fourth refers to a group, the others to ranges.
func authorize(group, peer string, from, n int) params {
	p := params{"GroupId", group}
	for i := range n {
		k := from + i
		at := "IpPermissions." + strconv.Itoa(i+1) + "."
		port := strconv.Itoa(1024 + k)
		p = append(p, at+"IpProtocol", "tcp", at+"FromPort", port, at+"ToPort", port)
		switch {
		case k%4 == 3 && peer != "":
			p = append(p, at+"Groups.1.GroupId", peer)
		default:
			p = append(p, at+"IpRanges.1.CidrIp", fmt.Sprintf("10.%d.%d.0/24", k>>8&255, k&255),
				at+"IpRanges.1.Description", "rule "+strconv.Itoa(k))
		}
	}
	return p
}

// element gives the text of the first element of that name in a reply.
func element(doc []byte, name string) string {
	_, rest, ok := strings.Cut(string(doc), "<"+name+">")
	if !ok {
		return ""
	}
	text, _, _ := strings.Cut(rest, "<")
	return text
}
