package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestUserEnvironment(t *testing.T) {
	home := t.TempDir()
	file := filepath.Join(home, ".config", "sifprov", "config.ini")
	must(t, os.MkdirAll(filepath.Dir(file), 0o700))
	getenv := func(name string) string { return map[string]string{"HOME": home}[name] }
	for text, want := range map[string]string{
		"[capture]\nenvironment = A, B_*\n  C D\n; E\ncache = no\n": "A B_* C D",
		"[capture]\nEnvironment=A B\nenvironment2 = C":              "A B",
		"[other]\nenvironment = A\n":                                "",
		"environment = A\n":                                         "",
		"[capture]\nenvironment = *\n":                              "",
		"\x00\xff[capture":                                          "",
	} {
		must(t, os.WriteFile(file, []byte(text), 0o600))
		if got := strings.Join(userEnvironment(getenv), " "); got != want {
			t.Errorf("%q: %q, not %q", text, got, want)
		}
	}
	must(t, os.WriteFile(file, []byte("[capture]\nenvironment = A\n"), 0o600))
	must(t, os.Chmod(file, 0o620))
	if got := userEnvironment(getenv); len(got) != 0 {
		t.Errorf("a file that others can write counts: %q", got)
	}
	must(t, os.Remove(file))
	must(t, os.Mkdir(file, 0o700))
	if _, found := environmentOf(file, os.Getuid()); found {
		t.Error("a folder counts")
	}
}
