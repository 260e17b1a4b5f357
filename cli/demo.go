package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"moat/ec2"
	"moat/fault"
	"moat/server"
	"moat/vpc"
)

func demoCommand() *cobra.Command {
	var dir string
	clean := false
	c := &cobra.Command{
		Use:   "demo",
		Short: "Make three small machines to try security groups on",
		Long: `Makes three network namespaces of this host, client, web and stranger, each with
a link to one bridge, and for each a network interface in the default VPC that
is enforced on the host's end of its link. A web server runs in web. Its group,
demo, lets nobody in: open it, and close it again.

    moat demo
    moat try client web:80

Running it again makes what is missing. --clean takes everything away: the
namespaces, the links, the web server, the interfaces and the groups. What the
demo made is written down in the data directory.

It needs root, and a server with the same data directory that enforces.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			abs, err := filepath.Abs(dir)
			if err != nil {
				return err
			}
			d, err := openDemo(abs)
			if err != nil {
				return err
			}
			if clean {
				return d.clean(c.Context(), c.OutOrStdout())
			}
			if err := demoPrivileges(); err != nil {
				return err
			}
			e, err := readEndpoint(abs)
			if err != nil {
				return err
			}
			return d.build(c.Context(), e, c.OutOrStdout())
		},
	}
	c.Flags().BoolVar(&clean, "clean", false, "take away everything that the demo made")
	c.Flags().StringVar(&dir, "data-dir", chosenDataDir(), "data directory of the server")
	return c
}

// demoFile holds what a demo made, in the data directory.
const demoFile = "demo.json"

// A demo is what moat demo made, or is about to make: it is written down
// before a thing is made, so that cleaning finds it.
type demo struct {
	dir string // the data directory

	// ID marks what was made through the API, in the tag demoTag.
	ID     string
	Bridge string
	Ends   []demoEnd
	Web    demoProcess
}

// demoTag is the key of the tag with a demo's ID.
const demoTag = "moat:demo"

// A demoEnd is one of the demo's machines.
type demoEnd struct {
	Name string
	// Netns is the path of its network namespace.
	Netns string
	// Device is the host's end of its link.
	Device    string
	Group     string // the name of its group
	Interface vpc.InterfaceID
	Address   netip.Prefix // with the length of the subnet
	MAC       string
}

// A demoProcess is a process with the time at which it started: another one
// may have got its id.
type demoProcess struct {
	PID   int
	Start string
}

const webPort = 80

func openDemo(dir string) (*demo, error) {
	d := &demo{dir: dir}
	b, err := os.ReadFile(filepath.Join(dir, demoFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return d, nil
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("the data directory %s belongs to another user: use sudo, or name your own with --data-dir", dir)
	case err != nil:
		return nil, err
	}
	if err := json.Unmarshal(b, d); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", filepath.Join(dir, demoFile), err)
	}
	return d, nil
}

func (d *demo) exists() bool { return d.ID != "" }

func (d *demo) save() error {
	return replaceFile(filepath.Join(d.dir, demoFile), func(w io.Writer) error {
		b, err := json.MarshalIndent(d, "", "  ")
		if err == nil {
			_, err = w.Write(append(b, '\n'))
		}
		return err
	})
}

func (d *demo) end(name string) *demoEnd {
	for i := range d.Ends {
		if e := &d.Ends[i]; e.Name == name || string(e.Interface) == name || e.Address.IsValid() && e.Address.Addr().String() == name {
			return e
		}
	}
	return nil
}

// build makes what is missing.
func (d *demo) build(ctx context.Context, e endpoint, out io.Writer) error {
	status := &server.Status{}
	if err := e.admin(ctx, "status", nil, status); err != nil {
		return err
	}
	if status.DataPlane == "" {
		return fmt.Errorf("the server at %s enforces nothing: %s", e.URL, status.Reason)
	}
	if !d.exists() {
		if err := d.plan(); err != nil {
			return err
		}
	}
	if err := d.makeInterfaces(ctx, e); err != nil {
		return fmt.Errorf("%w (moat demo --clean takes away what was made)", err)
	}
	if err := d.makeLinks(ctx, e); err != nil {
		return fmt.Errorf("%w (moat demo --clean takes away what was made)", err)
	}
	if err := d.startWeb(); err != nil {
		return fmt.Errorf("start the web server: %w (moat demo --clean takes away what was made)", err)
	}
	for _, end := range d.Ends {
		what := ""
		if end.Name == "web" {
			what = fmt.Sprintf(", a web server on port %d", webPort)
		}
		fmt.Fprintf(out, "%-9s %-15s %s, group %s%s\n", end.Name, end.Address.Addr(), end.Interface, end.Group, what)
	}
	moat := moatCommand()
	suffix := dataDirFlag(d.dir)
	fmt.Fprint(out, "\nGroup demo lets nobody in. Next:\n\n")
	if os.Getenv("MOAT_ENDPOINT_URL") == "" {
		fmt.Fprintf(out, "    eval \"$(%s)\"\n", envCommandLine(d.dir)) // for the aws commands that try prints
	}
	fmt.Fprintf(out, "    %s try client web:%d%s\n\nand when you are done: %s demo --clean%s\n", moat, webPort, suffix, moat, suffix)
	return nil
}

// plan writes down what will be made, once nobody else has it.
func (d *demo) plan() error {
	n := &demo{dir: d.dir, ID: uuid.NewString(), Bridge: "moat-demo"}
	for _, end := range []demoEnd{{Name: "client", Group: "demo-client"}, {Name: "web", Group: "demo"}, {Name: "stranger", Group: "demo-stranger"}} {
		end.Netns, end.Device = filepath.Join(demoNetnsDir(), "moat-demo-"+end.Name), "moat-"+end.Name
		n.Ends = append(n.Ends, end)
		if _, err := os.Stat(end.Netns); err == nil {
			return fmt.Errorf("network namespace %s is there already, and not of this data directory's demo: take that away first (moat demo --clean --data-dir DIR, or ip netns del)", end.Netns)
		}
	}
	devices := []string{n.Bridge}
	for _, end := range n.Ends {
		devices = append(devices, end.Device)
	}
	for _, name := range devices {
		if _, err := net.InterfaceByName(name); err == nil {
			return fmt.Errorf("network device %s is there already, and not of this data directory's demo: take that away first (moat demo --clean --data-dir DIR, or ip link del)", name)
		}
	}
	if err := n.save(); err != nil {
		return err
	}
	*d = *n
	return nil
}

// made gives what the demo made through the API.
func (d *demo) made(ctx context.Context, e endpoint) (groups []ec2.SecurityGroup, interfaces []ec2.NetworkInterface, err error) {
	mine := []ec2.Filter{{Name: "tag:" + demoTag, Values: []string{d.ID}}}
	var g ec2.DescribeSecurityGroupsOutput
	if err := e.ec2(ctx, "DescribeSecurityGroups", ec2.DescribeSecurityGroupsInput{Filters: mine}, &g); err != nil {
		return nil, nil, err
	}
	var i ec2.DescribeNetworkInterfacesOutput
	if err := e.ec2(ctx, "DescribeNetworkInterfaces", ec2.DescribeNetworkInterfacesInput{Filters: mine}, &i); err != nil {
		return nil, nil, err
	}
	return g.SecurityGroups, i.NetworkInterfaces, nil
}

func (d *demo) tagged(resource, name string) []ec2.TagSpecification {
	return []ec2.TagSpecification{{ResourceType: resource, Tags: []ec2.Tag{{Key: "Name", Value: &name}, {Key: demoTag, Value: &d.ID}}}}
}

// makeInterfaces makes the groups and interfaces that are missing, and writes
// down their addresses.
func (d *demo) makeInterfaces(ctx context.Context, e endpoint) error {
	groups, interfaces, err := d.made(ctx, e)
	if err != nil {
		return err
	}
	var vpcs ec2.DescribeVpcsOutput
	if err := e.ec2(ctx, "DescribeVpcs", ec2.DescribeVpcsInput{Filters: []ec2.Filter{{Name: "is-default", Values: []string{"true"}}}}, &vpcs); err != nil {
		return err
	}
	if len(vpcs.Vpcs) == 0 {
		return fmt.Errorf("there is no default VPC in %s: make one with `aws ec2 create-default-vpc`", e.Region)
	}
	var subnets ec2.DescribeSubnetsOutput
	if err := e.ec2(ctx, "DescribeSubnets", ec2.DescribeSubnetsInput{Filters: []ec2.Filter{
		{Name: "vpc-id", Values: []string{vpcs.Vpcs[0].VpcId}}, {Name: "default-for-az", Values: []string{"true"}}}}, &subnets); err != nil {
		return err
	}
	if len(subnets.Subnets) == 0 {
		return fmt.Errorf("the default VPC %s has no default subnet: make one with `aws ec2 create-default-subnet`", vpcs.Vpcs[0].VpcId)
	}
	slices.SortFunc(subnets.Subnets, func(a, b ec2.Subnet) int { return strings.Compare(a.AvailabilityZone, b.AvailabilityZone) })
	subnet := subnets.Subnets[0]
	for i := range d.Ends {
		end := &d.Ends[i]
		// The interface that is there may be in a subnet of its own choice.
		at := slices.IndexFunc(interfaces, func(n ec2.NetworkInterface) bool { return tagValue(n.TagSet, "Name") == end.Name })
		if at < 0 {
			id, err := d.groupFor(ctx, e, end, groups, vpcs.Vpcs[0].VpcId)
			if err != nil {
				return err
			}
			var made ec2.CreateNetworkInterfaceOutput
			if err := e.ec2(ctx, "CreateNetworkInterface", ec2.CreateNetworkInterfaceInput{
				SubnetId: subnet.SubnetId, Groups: []string{id}, Description: "moat demo", TagSpecifications: d.tagged("network-interface", end.Name),
			}, &made); err != nil {
				return fmt.Errorf("make the interface of %s: %w", end.Name, err)
			}
			interfaces = append(interfaces, *made.NetworkInterface)
			at = len(interfaces) - 1
		}
		n := interfaces[at]
		a, err := netip.ParseAddr(n.PrivateIpAddress)
		if err != nil {
			return fmt.Errorf("interface %s has no IPv4 address: %w", n.NetworkInterfaceId, err)
		}
		bits := 20
		for _, s := range subnets.Subnets {
			if p, err := netip.ParsePrefix(s.CidrBlock); err == nil && s.SubnetId == n.SubnetId {
				bits = p.Bits()
			}
		}
		end.Interface, end.Address, end.MAC = vpc.InterfaceID(n.NetworkInterfaceId), netip.PrefixFrom(a, bits), n.MacAddress
	}
	return d.save()
}

// groupFor gives the group of an end, made if it is missing.
func (d *demo) groupFor(ctx context.Context, e endpoint, end *demoEnd, groups []ec2.SecurityGroup, vpcID string) (string, error) {
	for _, g := range groups {
		if g.GroupName == end.Group {
			return g.GroupId, nil
		}
	}
	var made ec2.CreateSecurityGroupOutput
	err := e.ec2(ctx, "CreateSecurityGroup", ec2.CreateSecurityGroupInput{
		GroupName: end.Group, Description: "moat demo: " + end.Name, VpcId: vpcID, TagSpecifications: d.tagged("security-group", end.Group),
	}, &made)
	if f := (*fault.Error)(nil); errors.As(err, &f) && f.Code == "InvalidGroup.Duplicate" {
		return "", fmt.Errorf("the default VPC has a group %s already that is not the demo's: the demo leaves it alone and needs the name", end.Group)
	}
	if err != nil {
		return "", fmt.Errorf("make group %s: %w", end.Group, err)
	}
	return made.GroupId, nil
}

func tagValue(tags []ec2.Tag, key string) string {
	for _, t := range tags {
		if t.Key == key && t.Value != nil {
			return *t.Value
		}
	}
	return ""
}

// makeLinks makes the namespaces and links that are missing. An interface is
// bound before its link is up.
func (d *demo) makeLinks(ctx context.Context, e endpoint) error {
	if err := makeBridge(d.Bridge); err != nil {
		return fmt.Errorf("make bridge %s: %w", d.Bridge, err)
	}
	bound := &server.Interfaces{}
	if err := e.admin(ctx, "interfaces", nil, bound); err != nil {
		return err
	}
	for i := range d.Ends {
		end := &d.Ends[i]
		fresh, err := end.makeLink()
		if err != nil {
			return fmt.Errorf("make the namespace of %s: %w", end.Name, err)
		}
		is := slices.ContainsFunc(bound.Interfaces, func(b server.BoundStatus) bool { return b.Interface == end.Interface })
		if is && fresh {
			// Bound to a device that is gone.
			if err := e.admin(ctx, "detach", &server.DetachDevice{Interface: end.Interface}, &server.Bound{}); err != nil {
				return fmt.Errorf("detach %s: %w", end.Interface, err)
			}
			is = false
		}
		if !is {
			out := &server.Bound{}
			if err := e.admin(ctx, "attach", &server.AttachDevice{Interface: end.Interface, Device: end.Device}, out); err != nil {
				return fmt.Errorf("attach %s to %s: %w", end.Interface, end.Device, err)
			}
			if out.Enforced != "yes" {
				return fmt.Errorf("attach %s to %s: it is bound, and its rules are not in force: %s %s", end.Interface, end.Device, out.Enforced, out.Error)
			}
		}
		if err := end.connect(d.Bridge); err != nil {
			return fmt.Errorf("connect %s: %w", end.Name, err)
		}
	}
	return nil
}

// clean takes away what the demo made, as far as it can, and forgets it when
// nothing is left.
func (d *demo) clean(ctx context.Context, out io.Writer) error {
	if !d.exists() {
		fmt.Fprintf(out, "there is no demo in the data directory %s\n", d.dir)
		return nil
	}
	if err := demoPrivileges(); err != nil {
		return err
	}
	var errs []error
	if err := d.Web.stop(); err != nil {
		errs = append(errs, fmt.Errorf("stop the web server: %w", err))
	}
	// What is no longer enforced passes everything: nothing is to pass then.
	for _, end := range d.Ends {
		if err := end.disconnect(); err != nil {
			errs = append(errs, fmt.Errorf("disconnect %s: %w", end.Name, err))
		}
	}
	e, err := readEndpoint(d.dir)
	if err == nil {
		err = d.cleanAPI(ctx, e)
	}
	if err != nil {
		errs = append(errs, fmt.Errorf("take away the interfaces and groups: %w", err))
	}
	for _, end := range d.Ends {
		if err := end.removeLink(); err != nil {
			errs = append(errs, fmt.Errorf("take away the namespace of %s: %w", end.Name, err))
		}
	}
	if err := removeLink(d.Bridge); err != nil {
		errs = append(errs, fmt.Errorf("take away bridge %s: %w", d.Bridge, err))
	}
	if len(errs) > 0 {
		return fmt.Errorf("something of the demo is left, run it again: %w", errors.Join(errs...))
	}
	if err := os.Remove(filepath.Join(d.dir, demoFile)); err != nil {
		return err
	}
	fmt.Fprintln(out, "the demo is gone")
	return nil
}

// cleanAPI takes away what was made through the API: rules of others that
// refer to the demo's groups are not the demo's, so they stop it.
func (d *demo) cleanAPI(ctx context.Context, e endpoint) error {
	groups, interfaces, err := d.made(ctx, e)
	if err != nil {
		return err
	}
	bound := &server.Interfaces{}
	if err := e.admin(ctx, "interfaces", nil, bound); err != nil {
		return err
	}
	var errs []error
	for _, n := range interfaces {
		id := vpc.InterfaceID(n.NetworkInterfaceId)
		if slices.ContainsFunc(bound.Interfaces, func(b server.BoundStatus) bool { return b.Interface == id }) {
			if err := e.admin(ctx, "detach", &server.DetachDevice{Interface: id}, &server.Bound{}); err != nil {
				errs = append(errs, fmt.Errorf("detach %s: %w", id, err))
				continue
			}
		}
		if err := e.ec2(ctx, "DeleteNetworkInterface", ec2.DeleteNetworkInterfaceInput{NetworkInterfaceId: n.NetworkInterfaceId}, &ec2.DeleteNetworkInterfaceOutput{}); err != nil {
			errs = append(errs, fmt.Errorf("delete %s: %w", id, err))
		}
	}
	// Groups of the demo may refer to each other: those that are referred to
	// can go once the others have.
	for range groups {
		var left []ec2.SecurityGroup
		var last []error
		for _, g := range groups {
			if err := e.ec2(ctx, "DeleteSecurityGroup", ec2.DeleteSecurityGroupInput{GroupId: &g.GroupId}, &ec2.DeleteSecurityGroupOutput{}); err != nil {
				left, last = append(left, g), append(last, fmt.Errorf("delete %s: %w", g.GroupId, err))
			}
		}
		if len(left) == 0 {
			break
		}
		if len(left) == len(groups) {
			errs = append(errs, last...)
			break
		}
		groups = left
	}
	return errors.Join(errs...)
}

// moatCommand gives moat as the person who runs it can paste it.
func moatCommand() string {
	moat := "moat"
	if _, err := exec.LookPath(moat); err != nil {
		if moat = os.Args[0]; strings.ContainsAny(moat, " '\"$\\") {
			moat = shellQuote(moat)
		}
	}
	if os.Geteuid() == 0 && os.Getenv("SUDO_USER") != "" {
		moat = "sudo " + moat
	}
	return moat
}

// dataDirFlag gives what a command needs to find a data directory: nothing
// where the environment or the default names it.
func dataDirFlag(dir string) string {
	if dir == chosenDataDir() {
		return ""
	}
	return " --data-dir " + shellQuote(dir)
}

// demoWebCommand is the web server of the demo. It says "ready" on its
// standard output when it listens.
func demoWebCommand() *cobra.Command {
	var listen string
	c := &cobra.Command{
		Use: "demo-web", Hidden: true, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			l, err := net.Listen("tcp", listen)
			if err != nil {
				return err
			}
			fmt.Fprintln(c.OutOrStdout(), "ready")
			s := server.NewHTTPServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprintf(w, "hello %s, this is web\n", r.RemoteAddr)
			}))
			go func() {
				<-c.Context().Done()
				s.Close()
			}()
			s.IdleTimeout = 10 * time.Minute
			if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		},
	}
	c.Flags().StringVar(&listen, "listen", "", "address")
	return c
}
