package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"moat/server"
)

// An adminError is the refusal of a call to moat's own API.
type adminError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (e *adminError) Error() string { return fmt.Sprintf("%s (%s)", e.Message, e.Code) }

// admin calls moat's own API, with JSON in and out. in is nil for a GET.
func (e endpoint) admin(ctx context.Context, call string, in, out any) error {
	method, body := http.MethodGet, []byte(nil)
	if in != nil {
		method = http.MethodPost
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	reply, err := e.send(ctx, server.ServiceMoat, method, server.AdminPath+call, body)
	if err != nil {
		return err
	}
	if reply.status != http.StatusOK {
		f := &adminError{}
		if json.Unmarshal(reply.body, f) != nil || f.Message == "" {
			return fmt.Errorf("the server at %s answers %d", e.URL, reply.status)
		}
		return f
	}
	return json.Unmarshal(reply.body, out)
}

// adminCommand adds to a command the flags by which it finds the server, and
// has run called with that.
func adminCommand(c *cobra.Command, run func(c *cobra.Command, args []string, e endpoint) error) *cobra.Command {
	s := &settings{}
	c.Flags().StringVar(&s.dataDir, "data-dir", chosenDataDir(), "data directory of the server, if the environment (moat env) names none")
	c.RunE = func(c *cobra.Command, args []string) error {
		e, err := s.endpoint(c.Flags().Changed("data-dir"))
		if err != nil {
			return err
		}
		return run(c, args, e)
	}
	return c
}

func printJSON(w io.Writer, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err == nil {
		_, err = fmt.Fprintln(w, string(b))
	}
	return err
}

// place gives a device with its namespace, for people.
func place(device, netns string) string {
	if netns == "" {
		return device
	}
	return device + " in " + strings.TrimPrefix(netns, "/run/netns/")
}
