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

func TestWhatDecidesAboutReadOnlyInputs(t *testing.T) {
	folder := t.TempDir()
	site, home := filepath.Join(folder, "site.ini"), filepath.Join(folder, "home")
	own := filepath.Join(home, ".config", "sifprov", "config.ini")
	must(t, os.MkdirAll(filepath.Dir(own), 0o700))
	environ := map[string]string{"HOME": home, "XDG_CONFIG_HOME": "relative"}
	getenv := func(name string) string { return environ[name] }
	const no, yes = "# x\n[capture]\ndigest = full\nro_inputs = no\n", "[capture]\nRO_Inputs=yes\n"
	for i, c := range []struct {
		conf                bool
		site, own, variable string
		mode                os.FileMode
		want                bool
	}{
		{true, "", "", "", 0o600, true},
		{false, "", yes, "yes", 0o600, false},
		{true, "", no, "", 0o600, false},
		{true, "", no, "yes", 0o600, true},
		{true, "", yes, "no", 0o600, false},
		{true, "", no, "", 0o620, true},
		{true, "", "ro_inputs = no\n", "", 0o600, true},
		{true, "", "[other]\nro_inputs = no\n", "", 0o600, true},
		{true, "", "[capture]\nro_inputs\n", "", 0o600, true},
	} {
		write(t, own, c.own, c.mode)
		environ["SIFPROV_RO_INPUTS"] = c.variable
		if got := addsRO(config{ROInputs: c.conf}, site, getenv); got != c.want {
			t.Errorf("case %d: %v", i, got)
		}
	}
	if os.Getuid() == 0 {
		environ["SIFPROV_RO_INPUTS"] = ""
		write(t, site, no, 0o644)
		for text, want := range map[string]bool{"": false, yes: true} {
			write(t, own, text, 0o600)
			if got := addsRO(config{ROInputs: true}, site, getenv); got != want {
				t.Errorf("below a site's no, %q: %v", text, got)
			}
		}
	}
}
