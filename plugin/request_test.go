package main

import (
	"encoding/json"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestStartLine(t *testing.T) {
	id := "2"
	e := startEvent{
		Argv:  [][]byte{[]byte("a\xff\n")},
		Binds: []bindEntry{{Source: []byte("in.sif"), ID: &id, RO: true}, {ImageSrc: []byte("/x")}},
	}
	line, err := e.line()
	must(t, err)
	for _, want := range []string{
		`"schema":"sifprov.capture-request/1","event":"start","captured_by":{"kind":"plugin","version":"0.1.0"}`,
		`"argv":["Yf8K"]`, `"image_src":null,"id":"2","ro":true,"ro_added":false`, `"image_src":"L3g=","id":null`,
	} {
		if !strings.Contains(string(line), want) {
			t.Errorf("%s lacks %s", line, want)
		}
	}
	if strings.Count(string(line), "\n") != 1 {
		t.Errorf("not one line: %q", line)
	}
}

func TestALineWithoutEnvironmentIsOneThatTheHelperReads(t *testing.T) {
	line, err := startEvent{}.line()
	must(t, err)
	if !strings.Contains(string(line), `"environment":{},`) {
		t.Errorf("%s", line)
	}
}

func TestStartLineIsBounded(t *testing.T) {
	long := [][]byte{make([]byte, 900_000)}
	for _, c := range []struct {
		e             startEvent
		argv, command bool
	}{
		{startEvent{Argv: long}, false, false},
		{startEvent{Argv: long, Command: [][]byte{{1}}}, false, true},
		{startEvent{Argv: [][]byte{{1}}, Command: long}, false, false},
	} {
		line, err := c.e.line()
		must(t, err)
		var back startEvent
		must(t, json.Unmarshal(line, &back))
		if len(line) > maxLine || (back.Argv != nil) != c.argv || (back.Command != nil) != c.command {
			t.Errorf("%d bytes, argv %v, command %v", len(line), back.Argv != nil, back.Command != nil)
		}
	}
	if _, err := (startEvent{Cwd: long[0]}).line(); err == nil {
		t.Error("a line of more than 1 MiB")
	}
}

func TestEndLine(t *testing.T) {
	now := time.Date(2026, 11, 21, 15, 0, 1, 5, time.FixedZone("", 3600))
	for status, want := range map[syscall.WaitStatus]string{
		7 << 8: `{"event":"end","ended":"2026-11-21T14:00:01.000000005Z","started_process":true,"exit_code":7,"signal":null}`,
		9:      `{"event":"end","ended":"2026-11-21T14:00:01.000000005Z","started_process":true,"exit_code":null,"signal":9}`,
	} {
		if got := string(newEnd(status, true, now).line()); got != want+"\n" {
			t.Errorf("%s, not %s", got, want)
		}
	}
}

func TestAllowed(t *testing.T) {
	got := allowed([]string{"LANG=C", "LC_ALL=x=y", "LCX=1", "SECRET=s", "TZ", "=a=b"}, []string{"LANG", "LC_*", "TZ", ""})
	if len(got) != 2 || got["LANG"] != "C" || got["LC_ALL"] != "x=y" {
		t.Errorf("%v", got)
	}
}

func TestStashFits(t *testing.T) {
	s := stash{Argv: [][]byte{make([]byte, 3000)}, Environment: map[string]string{"A": strings.Repeat("x", 2000)}}
	for room, want := range map[int]string{10000: "argv environment", 3000: "environment", 500: "rest", 50: "none", -5: "none"} {
		data := s.fit(room)
		var back stash
		got := "none"
		if data != nil {
			must(t, json.Unmarshal(data, &back))
			switch {
			case back.Argv != nil:
				got = "argv environment"
			case back.Environment != nil:
				got = "environment"
			default:
				got = "rest"
			}
		}
		if got != want || len(data) > max(room, 0) {
			t.Errorf("room %d: %s, not %s", room, got, want)
		}
	}
}

func TestRoom(t *testing.T) {
	const full = maxChunks*maxChunk - ownMargin
	for _, c := range []struct {
		size  int
		stack uint64
		want  int
	}{
		{1000, 8 << 20, full - 1000},
		{0, 1<<64 - 1, full}, // unlimited
		{0, 1 << 20, 1<<18 - kernelMargin - ownMargin},
		{0, 0, -ownMargin},
		{full + 5, 8 << 20, -5},
	} {
		if got := roomForStash(c.size, c.stack); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}

func TestGivenImage(t *testing.T) {
	for _, c := range []struct {
		image, base string
		argv        []string
		want        string
	}{
		{"/w/app.sif", "app.sif", []string{"singularity", "exec", "app.sif"}, "/w/app.sif"},
		{"/tmp/rootfs-1/root", "app.sif", []string{"singularity", "exec", "-B", "x", "../d/app.sif", "sh"}, "/d/app.sif"},
		{"/tmp/rootfs-1/root", "app.sif", []string{"app.sif", "docker://x/app.sif"}, "/tmp/rootfs-1/root"},
		{"/tmp/rootfs-1/root", "", nil, "/tmp/rootfs-1/root"},
	} {
		if got := givenImage(c.image, c.base, c.argv, "/w"); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func TestWarningIsOneCleanLine(t *testing.T) {
	if got, want := warning("a\nb\x1b[31m\u009b\u202e\xffc"), "sifprov: a?b?[31m???c\n"; got != want {
		t.Errorf("%q, not %q", got, want)
	}
	if got := warning(strings.Repeat("é", 5000)); len(got) > maxWarning+30 || strings.Contains(got, "\uFFFD") {
		t.Errorf("%d bytes", len(got))
	}
}

// One version for the whole program.
func TestVersion(t *testing.T) {
	data, err := os.ReadFile("../pytools/sifprov/version.py")
	must(t, err)
	if !strings.Contains(string(data), `VERSION = "`+version+`"`) {
		t.Errorf("%s is not what version.py says", version)
	}
	for adaptor, pin := range map[string]struct{ file, before string }{
		"adaptor_singularity.go": {"go.mod", "singularity/v4 v"},
		"adaptor_apptainer.go":   {"../tools/build-apptainer", "version="},
	} {
		source, err := os.ReadFile(adaptor)
		must(t, err)
		_, rest, found := strings.Cut(string(source), `Version: "`)
		made, _, _ := strings.Cut(rest, `"`)
		pinned, err := os.ReadFile(pin.file)
		must(t, err)
		if !found || !strings.Contains(string(pinned), pin.before+made+"\n") {
			t.Errorf("%s is made for %q, which %s does not pin", adaptor, made, pin.file)
		}
	}
}
