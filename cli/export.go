package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"moat/server"
	"moat/trail"
)

// exportEvery is how soon events are in the file of --audit-export.
const exportEvery = time.Second

// exportTrail appends the audit trail to a file, as long as ctx lasts. It goes
// on after the last whole line of the file, and in a new file when that is
// moved away, so that events are written once and none is left out as long as
// retention keeps it.
func exportTrail(ctx context.Context, name string, api *server.Server, logger *slog.Logger) {
	x := &exporter{name: name, api: api}
	defer x.close()
	tick := time.NewTicker(exportEvery)
	defer tick.Stop()
	complained := false
	for {
		if err := x.run(ctx); err != nil && ctx.Err() == nil {
			if !complained {
				logger.Error("the audit trail cannot be exported; it is tried again", "file", name, "err", err)
			}
			complained = true
			x.close()
		} else {
			complained = false
		}
		select {
		case <-ctx.Done():
			// What was written while the server stopped.
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			if err := x.run(last); err != nil {
				logger.Error("the end of the audit trail could not be exported; it is when the server starts again", "file", name, "err", err)
			}
			return
		case <-tick.C:
		}
	}
}

type exporter struct {
	name string
	api  *server.Server
	file *os.File
	last trail.Place
}

func (x *exporter) close() {
	if x.file != nil {
		x.file.Close()
		x.file = nil
	}
}

// run writes what is new.
func (x *exporter) run(ctx context.Context) error {
	if err := x.open(); err != nil {
		return err
	}
	for {
		records, last, err := x.api.Export(ctx, x.last)
		if err != nil || len(records) == 0 {
			return err
		}
		text := append(bytes.Join(records, []byte("\n")), '\n')
		if _, err := x.file.Write(text); err != nil {
			return err
		}
		x.last = last
	}
}

// open opens the file, unless it is open and still has its name.
func (x *exporter) open() error {
	if x.file != nil {
		ours, err := x.file.Stat()
		named, err2 := os.Stat(x.name)
		if err == nil && err2 == nil && os.SameFile(ours, named) {
			return nil
		}
		x.close() // it was moved away: what follows belongs into a new one
	}
	f, err := os.OpenFile(x.name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	last, end, err := lastExported(f)
	if err == nil {
		// Half of a line, of a process that was killed, is written again.
		err = f.Truncate(end)
	}
	if err == nil {
		_, err = f.Seek(end, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return err
	}
	if last != (trail.Place{}) {
		x.last = last
	}
	x.file = f
	return nil
}

// lastExported gives the place of the last whole line of a file, and where that
// line ends. A file without one gives zero.
func lastExported(f *os.File) (last trail.Place, end int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return last, 0, err
	}
	// The longest line is far shorter.
	const most = 4 << 20
	from := max(0, info.Size()-most)
	tail := make([]byte, info.Size()-from)
	if _, err := f.ReadAt(tail, from); err != nil && !errors.Is(err, io.EOF) {
		return last, 0, err
	}
	n := bytes.LastIndexByte(tail, '\n')
	if n < 0 {
		if from > 0 {
			return last, 0, fmt.Errorf("%s does not end in lines that an export writes: %w", f.Name(), fs.ErrInvalid)
		}
		return last, 0, nil
	}
	line := tail[bytes.LastIndexByte(tail[:n], '\n')+1 : n]
	var record struct {
		AdditionalEventData struct {
			MoatRevision string `json:"moatRevision"`
		} `json:"additionalEventData"`
	}
	if err := json.Unmarshal(line, &record); err == nil {
		last, err = trail.ParsePlace(record.AdditionalEventData.MoatRevision)
		if err == nil {
			return last, from + int64(n) + 1, nil
		}
	}
	return last, 0, fmt.Errorf("the last line of %s is not of an export: name another file", f.Name())
}
