package main

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"syscall"
	"testing"
)

type fakeNamespace struct{ Type, Path string }

func TestIsolationIsReadFromTheEngine(t *testing.T) {
	type engineJSON struct {
		fakeJSON
		Contain, NoHome, NvLegacy, NvCCLI bool
		SkipBinds                         []string
	}
	type oci struct {
		Process *fakeProcess
		Linux   *struct{ Namespaces []fakeNamespace }
	}
	engine := &struct {
		JSON      *engineJSON
		OciConfig *oci
	}{
		&engineJSON{Contain: true, NvCCLI: true, SkipBinds: []string{"tmp"}},
		&oci{
			Process: &fakeProcess{Env: []string{"B_TOKEN=canary", "A=1", "odd"}},
			Linux:   &struct{ Namespaces []fakeNamespace }{[]fakeNamespace{{"pid", ""}, {"mount", "/x"}}},
		},
	}
	got := viewEngine(engine).isolation()
	want := map[string]any{
		"contain": true, "no_home": false, "nvidia": true, "fakeroot": false,
		"namespaces": []string{"mount", "pid"}, "environment": []string{"A", "B_TOKEN"}, "not_mounted": []string{"tmp"},
	}
	if !reflect.DeepEqual(got.Value, want) || got.Source != "engine configuration" {
		t.Errorf("%+v", got)
	}
	data, err := json.Marshal(got)
	must(t, err)
	if strings.Contains(string(data), "canary") {
		t.Errorf("a value went along: %s", data)
	}
}

func TestIsolationOfAnEngineThatSaysLittle(t *testing.T) {
	got := viewEngine(fake()).isolation().Value
	for _, name := range []string{"namespaces", "environment", "not_mounted"} {
		if list, ok := got[name].([]string); !ok || list == nil || len(list) != 0 {
			t.Errorf("%s: %#v", name, got[name])
		}
	}
}

func TestUsed(t *testing.T) {
	usage := syscall.Rusage{
		Utime: syscall.Timeval{Sec: 2, Usec: 5}, Stime: syscall.Timeval{Usec: 7}, Maxrss: 3, Inblock: 4, Oublock: 5,
	}
	got := used(usage, nil, nil)
	if got.Source != "wait4" || got.Value["user_us"] != int64(2_000_005) || got.Value["system_us"] != int64(7) ||
		got.Value["peak_memory_bytes"] != int64(3072) || got.Value["storage_write_bytes"] != int64(2560) {
		t.Errorf("%+v", got)
	}
	io := "rchar: 10\nwchar: 20\nsyscr: 1\nsyscw: 1\nread_bytes: 30\nwrite_bytes: 40\ncancelled_write_bytes: 0\n"
	got = used(usage, []byte(io), nil)
	if got.Value["read_bytes"] != int64(10) || got.Value["write_bytes"] != int64(20) ||
		got.Value["storage_read_bytes"] != int64(30) || got.Value["storage_write_bytes"] != int64(40) {
		t.Errorf("%+v", got)
	}
	group := map[string]any{"peak_memory_bytes": int64(1)}
	got = used(usage, nil, group)
	if got.Source != "wait4, cgroup" || !reflect.DeepEqual(got.Value["cgroup"], group) {
		t.Errorf("%+v", got)
	}
	for _, bad := range []string{"rchar: x", "rchar: -1", "rchar: 99999999999999999999", "xrchar: 1"} {
		if n, ok := counter([]byte(bad), "rchar"); ok {
			t.Errorf("%q counts as %d", bad, n)
		}
	}
}

func TestTheMountsOfAProcessAreKept(t *testing.T) {
	defer func() { seenMounts, seenCgroup = nil, nil }()
	lookAtContainer(os.Getpid())
	if len(seenCgroup) == 0 {
		t.Error("no control group")
	}
	if !strings.Contains(string(seenMounts), " / ") {
		t.Errorf("%q", seenMounts)
	}
	// The group is the test's own.
	postStarted.Store(true)
	defer postStarted.Store(false)
	if got := ofGroup(); got != nil {
		t.Errorf("%v", got)
	}
	seenMounts = nil
	lookAtContainer(1 << 30) // nobody
	if seenMounts != nil {
		t.Errorf("%q", seenMounts)
	}
}

func TestTheEndTellsOfTheProcess(t *testing.T) {
	pid := start(t, "exit:3")
	must(t, awaitEnd(pid))
	io := ioCounters(pid, &recorder{})
	var status syscall.WaitStatus
	var usage syscall.Rusage
	_, err := syscall.Wait4(pid, &status, 0, &usage)
	must(t, err)
	value := used(usage, io, nil).Value
	if value["peak_memory_bytes"].(int64) < 1<<20 || value["read_bytes"] == nil {
		t.Errorf("%+v", value)
	}
}

func TestNoSecretLiesOnDisk(t *testing.T) {
	args := []string{
		"singularity", "exec", "--docker-password", "canary1", "--env", "DB_TOKEN=canary2", "--env=A=1,API_KEY=canary3",
		"https://u:canary4@host/?a=b", "app.sif", "sh", "-c", "curl -H 'Authorization: canary5'", "-pcanary6password",
		"ghp_canary7", "--pass=canary8", "--n=5", "in.sif:/In:image-src=/In",
	}
	e := startEvent{
		Argv: byteStrings(args), Command: byteStrings(args[8:]),
		Environment: map[string]string{"LANG": "C", "SINGULARITYENV_TOKEN": "canary9", "SINGULARITYENV_X": "Bearer canary0"},
	}
	line, err := e.kept().line()
	must(t, err)
	var back startEvent
	must(t, json.Unmarshal(line, &back))
	all := strings.Builder{}
	for _, arg := range append(back.Argv, back.Command...) {
		all.WriteString(string(arg) + "\n")
	}
	for name, value := range back.Environment {
		all.WriteString(name + "=" + value + "\n")
	}
	if strings.Contains(all.String(), "canary") {
		t.Errorf("kept %s", all.String())
	}
	for _, want := range []string{
		"singularity", "--docker-password", "DB_TOKEN=" + hidden, "--n=5", "in.sif:/In:image-src=/In", "LANG=C", "app.sif",
	} {
		if !strings.Contains(all.String(), want+"\n") {
			t.Errorf("lost %s: %s", want, all.String())
		}
	}
	if len(back.Argv) != len(args) || string(e.Argv[3]) != "canary1" {
		t.Error("the places moved, or the helper's own copy was changed")
	}
	if hide(nil) != nil {
		t.Error("an unknown command line became a known one")
	}
}
