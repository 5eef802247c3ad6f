package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func requests(t *testing.T, pattern string) int {
	t.Helper()
	files, err := filepath.Glob(pattern)
	must(t, err)
	for _, file := range files {
		if info, err := os.Lstat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file, info, err)
		}
	}
	return len(files)
}

func TestARequestIsKeptInTheFirstPlaceThatTakesIt(t *testing.T) {
	state, _ := safeFolder(t)
	home, _ := safeFolder(t)
	outputs, _ := safeFolder(t)
	j := job{home: home, state: state, start: startEvent{Images: []imageEntry{
		{Path: []byte("/nowhere/app.sif")},
		{Path: []byte(outputs + "/out.sif"), Writable: true},
	}}}

	for range 2 {
		command, err := j.keepFor([]byte("one\n"))
		if err != nil || command != "sifprov flush" {
			t.Fatal(command, err)
		}
	}
	if n := requests(t, state+"/sifprov/spool/*.request.jsonl"); n != 2 {
		t.Errorf("%d below XDG_STATE_HOME", n)
	}

	j.state = "relative"
	command, err := j.keepFor([]byte("one\n"))
	if err != nil || command != "sifprov flush" {
		t.Fatal(command, err)
	}
	if n := requests(t, home+"/.local/state/sifprov/spool/*.request.jsonl"); n != 1 {
		t.Errorf("%d below HOME", n)
	}

	j.home = "/proc/1"
	command, err = j.keepFor([]byte("one\n"))
	if err != nil || command != "sifprov flush --search "+outputs {
		t.Fatal(command, err)
	}
	if n := requests(t, outputs+"/.sifprov-*.request.jsonl"); n != 1 {
		t.Errorf("%d beside the output", n)
	}

	j.start.Images = nil
	if command, err = j.keepFor(nil); err == nil || strings.Contains(err.Error(), "\n") {
		t.Error(command, err)
	}
}
