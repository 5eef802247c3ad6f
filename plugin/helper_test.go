package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// trial runs a child under the loop with a helper that behaves in a given way.
type trial struct {
	child    string
	helper   []string
	confErr  error
	timeout  int
	during   func(chan os.Signal)
	status   syscall.WaitStatus
	onlyLog  bool
	siteLog  *siteLog
	warnings []string
	spooled  []string
	took     time.Duration
}

func (tr *trial) run(t *testing.T) {
	t.Helper()
	home := t.TempDir()
	if err := os.Chmod(home, 0o700); err != nil {
		t.Fatal(err)
	}
	warned := make(chan string, 8)
	if tr.timeout == 0 {
		tr.timeout = 60
	}
	signals := runtimeSignals(t)
	pid := start(t, tr.child)
	rec := startRecorder(job{
		start: startEvent{Argv: byteStrings([]string{"a", "b\xff"}), Timeout: 300},
		load: func() (config, error) {
			return config{Helper: tr.helper, Timeout: tr.timeout, SiteLog: tr.siteLog}, tr.confErr
		},
		home:    home,
		onlyLog: tr.onlyLog,
		warn:    func(line string) { warned <- line },
	})
	if tr.during != nil {
		go tr.during(signals)
	}
	began := time.Now()
	within(t, 50*time.Second, func() {
		var err error
		if tr.status, err = monitor(pid, signals, false, rec); err != nil {
			t.Error(err)
		}
	})
	tr.took = time.Since(began)
	close(warned)
	for line := range warned {
		tr.warnings = append(tr.warnings, line)
	}
	files, _ := filepath.Glob(filepath.Join(home, ".local/state/sifprov/spool/*"))
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil || !strings.HasSuffix(file, ".request.jsonl") {
			t.Errorf("%s: %v", file, err)
		}
		tr.spooled = append(tr.spooled, string(data))
	}
}

// failed checks what a user sees of every failure: code untouched, one line, one file.
func (tr *trial) failed(t *testing.T, reason string) {
	t.Helper()
	if tr.status.ExitStatus() != 7 {
		t.Errorf("the exit code became %v", tr.status)
	}
	if len(tr.warnings) != 1 {
		t.Fatalf("warnings: %q", tr.warnings)
	}
	want := "sifprov: this run was not recorded (" + reason + "); 'sifprov flush' will try again\n"
	if tr.warnings[0] != want {
		t.Errorf("said %q, not %q", tr.warnings[0], want)
	}
	if len(tr.spooled) != 1 {
		t.Fatalf("spooled: %q", tr.spooled)
	}
	lines := strings.Split(tr.spooled[0], "\n")
	var first startEvent
	var last endEvent
	if len(lines) != 3 || json.Unmarshal([]byte(lines[0]), &first) != nil || json.Unmarshal([]byte(lines[1]), &last) != nil {
		t.Fatalf("spooled %q", tr.spooled[0])
	}
	if first.Event != "start" || string(first.Argv[1]) != "b\xff" || last.Event != "end" || *last.ExitCode != 7 {
		t.Errorf("spooled %+v, %+v", first, last)
	}
}

func helperCommand(behaviour string) []string {
	self, _ := os.Executable()
	return []string{self, "helper", behaviour}
}

func TestHelperIsToldThatTheContainerRuns(t *testing.T) {
	file := filepath.Join(t.TempDir(), "request")
	runs := make(chan struct{})
	startedPID.Store(4711)
	close(runs)
	r := startRecorder(job{
		load: func() (config, error) {
			return config{Helper: helperCommand("save:" + file), Timeout: 60}, nil
		},
		runs: runs,
		warn: func(line string) { t.Error(line) },
	})
	time.Sleep(300 * time.Millisecond) // a run that is not over at once
	within(t, 20*time.Second, func() { r.finish(endEvent{Event: "end"}, nil) })
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(data), "\n")
	if len(lines) != 4 || lines[1] != `{"event":"running","pid":4711}`+"\n" || !strings.Contains(lines[2], `"end"`) {
		t.Errorf("the helper got %q", lines)
	}
}

func TestHelperGetsTheRequest(t *testing.T) {
	file := filepath.Join(t.TempDir(), "request")
	tr := trial{child: "exit:7", helper: helperCommand("save:" + file)}
	tr.run(t)
	if tr.status.ExitStatus() != 7 || len(tr.warnings) != 0 || len(tr.spooled) != 0 {
		t.Errorf("%+v", tr)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if lines := bytes.Split(data, []byte("\n")); len(lines) != 3 || !bytes.Contains(lines[1], []byte(`"exit_code":7`)) {
		t.Errorf("got %q", data)
	}
}

func TestHelperFailures(t *testing.T) {
	for _, c := range []struct{ behaviour, reason string }{
		{"fail", "no room in ?[31mout.sif"},
		{"die", "the helper ended with 9"},
		{"deaf", "the helper ended with 4"},
		{"flood", strings.Repeat("x", 4096)},
	} {
		t.Run(c.behaviour, func(t *testing.T) {
			tr := trial{child: "exit:7", helper: helperCommand(c.behaviour)}
			if c.behaviour != "flood" {
				tr.run(t)
				tr.failed(t, c.reason)
				return
			}
			tr.run(t)
			if len(tr.warnings) != 1 || len(tr.warnings[0]) > 600 || len(tr.spooled) != 1 {
				t.Errorf("%d warnings, %d spooled", len(tr.warnings), len(tr.spooled))
			}
		})
	}
}

func TestHelperThatDiesLongBeforeTheEnd(t *testing.T) {
	tr := trial{child: "sleep:500", helper: helperCommand("die")}
	tr.run(t)
	if len(tr.spooled) != 1 || len(tr.warnings) != 1 || tr.status.ExitStatus() != 0 {
		t.Errorf("%+v", tr)
	}
}

func TestHelperThatSpeaks(t *testing.T) {
	tr := trial{child: "exit:7", helper: helperCommand("say")}
	tr.run(t)
	if len(tr.warnings) != 1 || tr.warnings[0] != "sifprov: the output is full\n" || len(tr.spooled) != 0 {
		t.Errorf("%+v", tr)
	}
}

func TestHelperThatNeverStarts(t *testing.T) {
	tr := trial{child: "exit:7", helper: []string{"/nonexistent/helper"}}
	tr.run(t)
	tr.failed(t, "cannot start the helper: no such file or directory")
}

func TestConfigurationNotTrusted(t *testing.T) {
	tr := trial{child: "exit:7", confErr: errors.New("/x: does not belong to root")}
	tr.run(t)
	tr.failed(t, "/x: does not belong to root")
}

func TestHelperThatHangs(t *testing.T) {
	tr := trial{child: "exit:7", helper: helperCommand("hang"), timeout: 1}
	tr.run(t)
	tr.failed(t, "the helper did not end within 11s")
	if tr.took > 15*time.Second {
		t.Errorf("took %v", tr.took)
	}
}

func TestSecondInterruptEndsTheWait(t *testing.T) {
	tr := trial{child: "exit:7", helper: helperCommand("hang"), during: func(chan os.Signal) {
		time.Sleep(1500 * time.Millisecond)
		_ = syscall.Kill(os.Getpid(), syscall.SIGINT)
	}}
	tr.run(t)
	tr.failed(t, "interrupted while the record was written")
	if tr.took > 5*time.Second {
		t.Errorf("took %v", tr.took)
	}
}

func TestAnInterruptAtTheEndIsTheSameKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "request")
	r := startRecorder(job{load: func() (config, error) {
		return config{Helper: helperCommand("save:" + file), Timeout: 5}, nil
	}})
	signals := make(chan os.Signal, 2)
	signals <- syscall.SIGINT
	signals <- syscall.SIGINT
	within(t, 20*time.Second, func() { r.finish(endEvent{Event: "end"}, signals) })
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
}

func TestAbandonedHelperReadsNoEnd(t *testing.T) {
	file := filepath.Join(t.TempDir(), "request")
	r := startRecorder(job{load: func() (config, error) {
		return config{Helper: helperCommand("save:" + file), Timeout: 5}, nil
	}})
	r.abandon()
	within(t, 20*time.Second, func() { <-r.done })
	data, err := os.ReadFile(file)
	if err != nil || bytes.Count(data, []byte("\n")) != 1 {
		t.Errorf("%q, %v", data, err)
	}
	(*recorder)(nil).abandon()
	(*recorder)(nil).finish(endEvent{}, nil)
}
