package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// loopOn draws a loop device as sysfs shows it.
func loopOn(t *testing.T, sys, name, backing, ro string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(sys, name, "loop"), 0o755); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{"loop/backing_file": backing, "ro": ro} {
		if err := os.WriteFile(filepath.Join(sys, name, file), []byte(text+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWriterOf(t *testing.T) {
	folder := t.TempDir()
	path, link := filepath.Join(folder, "a.sif"), filepath.Join(folder, "other name.sif")
	if err := os.WriteFile(path, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(path, link); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, backing, ro, want string }{
		{"writable", path, "0", "loop3"},
		{"by another name", link, "0", "loop3"},
		{"read-only", path, "1", ""},
		{"another file", folder, "0", ""},
		{"deleted", path + " (deleted)", "0", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			sys := t.TempDir()
			loopOn(t, sys, "loop3", c.backing, c.ro)
			if err := os.MkdirAll(filepath.Join(sys, "loop4"), 0o755); err != nil {
				t.Fatal(err)
			}
			if got := writerOf(path, sys, ""); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	if got := writerOf(filepath.Join(folder, "none"), t.TempDir(), ""); got != "" {
		t.Errorf("a missing file: %q", got)
	}
}

func TestOnlyLoopsWithASizeAreAsked(t *testing.T) {
	folder := t.TempDir()
	path, table := filepath.Join(folder, "a.sif"), filepath.Join(folder, "partitions")
	sys := filepath.Join(folder, "sys")
	loopOn(t, sys, "loop3", path, "0")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	const headings = "major minor  #blocks  name\n\n   8        0   20971520 sda\n"
	for text, want := range map[string]string{
		headings: "", headings + "   7        3       1120 loop3\n": "loop3", "": "loop3",
	} {
		if err := os.WriteFile(table, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := writerOf(path, sys, table); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestWarnOfWritersLeavesReadersAlone(t *testing.T) {
	var said []string
	path := filepath.Join(t.TempDir(), "a.sif")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	warnOfWriters([]bindEntry{{Source: []byte(path), RO: true}, {Source: []byte(path)}},
		func(text string) { said = append(said, text) })
	if len(said) != 0 {
		t.Errorf("warned: %s", strings.Join(said, ""))
	}
}
