package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// safeFolder returns a folder that the test's own trust starts at.
func safeFolder(t *testing.T) (string, trust) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	must(t, os.Chmod(dir, 0o755))
	return dir, trust{base: dir, owner: uint32(os.Getuid())}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(text), mode))
	must(t, os.Chmod(path, mode))
}

func TestTrust(t *testing.T) {
	dir, tr := safeFolder(t)
	write(t, dir+"/good/file", "", 0o644)
	write(t, dir+"/group/file", "", 0o664)
	write(t, dir+"/other/file", "", 0o646)
	write(t, dir+"/open/deep/file", "", 0o644)
	must(t, os.Chmod(dir+"/open", 0o777))
	write(t, dir+"/sticky/file", "", 0o644)
	must(t, os.Chmod(dir+"/sticky", 0o777|os.ModeSticky))
	must(t, os.Symlink("good/file", dir+"/link"))
	must(t, os.Symlink(dir+"/good", dir+"/folder"))
	must(t, os.Symlink("open/deep/file", dir+"/tooopen"))
	must(t, os.Symlink("../good/file", dir+"/open/link"))
	must(t, os.Symlink("loop", dir+"/loop"))
	for path, want := range map[string]string{
		"/good/file":         "",
		"/good/../good/file": "",
		"/link":              "",
		"/folder/file":       "",
		"/group/file":        "/group/file: others than root may write it",
		"/other/file":        "/other/file: others than root may write it",
		"/open/deep/file":    "/open: others than root may write it",
		"/sticky/file":       "/sticky: others than root may write it",
		"/tooopen":           "/open: others than root may write it",
		"/open/link":         "/open: others than root may write it",
		"/loop":              "too many symbolic links",
		"/missing":           "no such file",
	} {
		err := tr.check(dir + path)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, not %q", path, err, want)
		}
	}
	if err := tr.check("good/file"); err == nil {
		t.Error("a relative path passed")
	}
	tr.owner++
	if err := tr.check(dir + "/good/file"); err == nil || !strings.Contains(err.Error(), "does not belong to root") {
		t.Errorf("another owner: %v", err)
	}
}

// The system's own programs are what a real configuration names.
func TestSystemTrust(t *testing.T) {
	tr, err := systemTrust()
	must(t, err)
	must(t, tr.check("/bin/sh"))
	if err := tr.check(t.TempDir()); err == nil {
		t.Error("trusts a folder below a sticky one that all may write")
	}
}

func TestTheOwnerOfRootIsTheAdministrator(t *testing.T) {
	if _, err := trustOwner(1000); err == nil {
		t.Error("a user who owns / is trusted")
	}
	tr, err := trustOwner(0)
	must(t, err)
	must(t, tr.check("/bin/sh"))
	// In a user namespace that does not map the administrator, uid 0 is the user himself.
	if tr, err = trustOwner(65534); err != nil || tr.check("/bin/sh") == nil {
		t.Errorf("what a mapped uid 0 owns is trusted: %v", err)
	}
}

func TestLoadConfig(t *testing.T) {
	dir, tr := safeFolder(t)
	write(t, dir+"/helper.py", "", 0o644)
	write(t, dir+"/evil.py", "", 0o666)
	path := dir + "/sifprov.json"
	good := `{"schema": "sifprov.plugin-config/1", "helper": ["` + dir + `/helper.py", "-I"], "environment": ["A"], "ro_inputs": false, "timeout_seconds": 7}`
	write(t, path, good, 0o644)
	c, err := loadConfig(tr, path)
	must(t, err)
	if c.Timeout != 7 || c.ROInputs || len(c.Environment) != 1 || c.Helper[1] != "-I" {
		t.Errorf("%+v", c)
	}
	for _, bad := range []struct{ from, to, want string }{
		{"config/1", "config/2", "schema: "},
		{dir + "/helper.py", "helper.py", "helper: "},
		{dir + "/helper.py", dir + "/evil.py", "helper[0]: "},
		{`"-I"`, `"` + dir + `/evil.py"`, "helper[1]: "},
		{`"-I"`, `"a\u0000b"`, "helper[1]: holds a NUL"},
		{": 7", ": 0", "timeout_seconds: "},
		{"{", `{"site_log": {"to": "dev/log"}, `, "site_log: "},
		{"{", `{"site_log": {"to": "/dev/../log"}, `, "site_log: "},
		{": 7", ": 1000000000", "timeout_seconds: "},
		{"{", "[", "sifprov.json: "},
		{"{", strings.Repeat(" ", 1<<16) + "{", "longer than"},
	} {
		write(t, path, strings.Replace(good, bad.from, bad.to, 1), 0o644)
		c, err := loadConfig(tr, path)
		if err == nil || !strings.Contains(err.Error(), bad.want) {
			t.Errorf("%s for %s: %v", bad.to, bad.from, err)
		}
		if c.Helper != nil || c.Timeout != defaultConfig().Timeout {
			t.Errorf("%s for %s: not the default: %+v", bad.to, bad.from, c)
		}
	}
	write(t, path, strings.Replace(good, "{", `{"site_log": {"to": "/dev/log", "argv": true}, `, 1), 0o644)
	if c, err = loadConfig(tr, path); err != nil || c.SiteLog == nil || *c.SiteLog != (siteLog{"/dev/log", true}) {
		t.Errorf("%v %+v", err, c.SiteLog)
	}
	write(t, path, good, 0o664)
	if _, err := loadConfig(tr, path); err == nil {
		t.Error("a configuration that others may write passed")
	}
}

func TestSpool(t *testing.T) {
	home, _ := safeFolder(t)
	must(t, spool(home, []byte("one\n")))
	must(t, spool(home, []byte("two\n")))
	dir := home + "/.local/state/sifprov/spool"
	entries, err := os.ReadDir(dir)
	must(t, err)
	if len(entries) != 2 {
		t.Errorf("%v", entries)
	}
	for _, path := range []string{dir, home + "/.local/state/sifprov"} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	for _, entry := range entries {
		if info, _ := entry.Info(); info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v", entry.Name(), info.Mode())
		}
	}
	for _, bad := range []string{"", "home", home + "/missing", "/proc/1"} {
		if err := spool(bad, nil); err == nil {
			t.Errorf("%q: spooled", bad)
		}
	}
	must(t, os.Chmod(dir, 0o777))
	if err := spool(home, nil); err == nil {
		t.Error("spooled where all may write")
	}
}
