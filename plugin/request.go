package main

import (
	"encoding/json"
	"errors"
	"strconv"
	"syscall"
	"time"
)

// maxLine bounds each line of a capture request (docs/formats.md, "Capture request").
const maxLine = 1 << 20

// A []byte is standard base64 in JSON and null when nil, as the format asks.

type component struct {
	Name    string `json:"name,omitempty"`
	Kind    string `json:"kind,omitempty"`
	Version string `json:"version"`
}

// bindEntry is one bind of an image, as the user gave it.
type bindEntry struct {
	Source      []byte  `json:"source"`
	Destination []byte  `json:"destination"`
	ImageSrc    []byte  `json:"image_src"`
	ID          *string `json:"id"`
	RO          bool    `json:"ro"`
	ROAdded     bool    `json:"ro_added"`
}

// imageEntry is one image of the runtime's own list.
type imageEntry struct {
	Path     []byte `json:"path"`
	Writable bool   `json:"writable"`
	Usage    int    `json:"usage"`
	Type     int    `json:"type"`
}

// startEvent is the first line of a capture request.
type startEvent struct {
	Schema      string            `json:"schema"`
	Event       string            `json:"event"`
	CapturedBy  component         `json:"captured_by"`
	Runtime     component         `json:"runtime"`
	Argv        [][]byte          `json:"argv"`
	Command     [][]byte          `json:"command"`
	Cwd         []byte            `json:"cwd"`
	Started     string            `json:"started"`
	Environment map[string]string `json:"environment"`
	Variables   map[string]string `json:"variables,omitempty"`
	Facts       map[string]fact   `json:"facts,omitempty"`
	Image       []byte            `json:"image"`
	Binds       []bindEntry       `json:"binds"`
	Images      []imageEntry      `json:"images"`
	Metadata    []byte            `json:"metadata"` // where the records go, nil for what the settings say
	Instance    bool              `json:"instance"`
	Fakeroot    bool              `json:"fakeroot"`
	Timeout     int               `json:"timeout_seconds"`
	SiteLog     *siteLog          `json:"site_log,omitempty"`
	ID          string            `json:"record_id,omitempty"` // what its records will be called
	Live        bool              `json:"live,omitempty"`      // it is to be reported when it starts and ends
	Deliver     []string          `json:"deliver,omitempty"`
}

// runningLine tells that the container's process runs, and which it is. Where no end follows, it parts a run of
// unknown outcome (the runtime was killed) from a container that was never set up.
func runningLine(pid int64) []byte {
	return []byte(`{"event":"running","pid":` + strconv.FormatInt(pid, 10) + "}\n")
}

// endEvent is the last line.
type endEvent struct {
	Event          string `json:"event"`
	Ended          string `json:"ended"`
	StartedProcess bool   `json:"started_process"`
	ExitCode       *int   `json:"exit_code"`
	Signal         *int   `json:"signal"`

	// Mounts is the mount table of the container's process, as /proc/PID/mountinfo shows it.
	Mounts []byte          `json:"mounts,omitempty"`
	Facts  map[string]fact `json:"facts,omitempty"`
}

// line returns the event as one line. A command line too long for it is left out
// before what runs in the container, which the runtime's own limit keeps shorter.
func (e startEvent) line() ([]byte, error) {
	e.Schema, e.Event = "sifprov.capture-request/1", "start"
	e.CapturedBy = component{Kind: "plugin", Version: version}
	if e.Environment == nil { // it did not fit into the stash
		e.Environment = map[string]string{}
	}
	for {
		data, err := json.Marshal(e)
		switch {
		case err != nil:
			return nil, err
		case len(data) < maxLine:
			return append(data, '\n'), nil
		case e.Argv != nil:
			e.Argv = nil
		case e.Command != nil:
			e.Command = nil
		default:
			return nil, errors.New("the request is longer than 1 MiB")
		}
	}
}

func newEnd(status syscall.WaitStatus, started bool, now time.Time) endEvent {
	e := endEvent{Event: "end", Ended: timestamp(now), StartedProcess: started}
	if status.Signaled() {
		signal := int(status.Signal())
		e.Signal = &signal
	} else {
		code := status.ExitStatus()
		e.ExitCode = &code
	}
	return e
}

func (e endEvent) line() []byte {
	data, _ := json.Marshal(e) // strings and numbers only: cannot fail
	return append(data, '\n')
}

func timestamp(t time.Time) string {
	return t.UTC().Format("2006-01-02T15:04:05.000000000Z")
}

func byteStrings(list []string) [][]byte {
	out := make([][]byte, len(list))
	for i, s := range list {
		out[i] = []byte(s)
	}
	return out
}
