package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestWhoWantsReports(t *testing.T) {
	dir, _ := safeFolder(t)
	site, home := filepath.Join(dir, "site.ini"), filepath.Join(dir, "home")
	own := filepath.Join(home, ".config", name, "config.ini")
	if err := os.MkdirAll(filepath.Dir(own), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", home)
	t.Setenv("XDG_CONFIG_HOME", "")
	for _, c := range []struct {
		own, variable string
		set, want     bool
	}{
		{"", "", false, false},
		{"live = yes", "", false, true},
		{"live = no", "", false, false},
		{"live = yes", "", true, false},
		{"live = yes", "0", true, false},
		{"live = no", "1", true, true},
		{"", "yes", true, true},
		{"", "perhaps", true, false},
	} {
		if err := os.WriteFile(own, []byte("[capture]\n"+c.own+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv("SIFPROV_LIVE", c.variable)
		if !c.set {
			_ = os.Unsetenv("SIFPROV_LIVE")
		}
		if got := reportsLive(site); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
	// Who can write a file decides for himself alone.
	_ = os.Unsetenv("SIFPROV_LIVE")
	if err := os.WriteFile(own, []byte("[capture]\nlive = yes\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(own, 0o622); err != nil {
		t.Fatal(err)
	}
	if reportsLive(site) {
		t.Error("a file that others can write was heeded")
	}
}

func TestGatherForReports(t *testing.T) {
	_ = os.Unsetenv("SIFPROV_CAPTURED")
	t.Setenv("LANG", "C")
	image := fakeBind{Source: "/x.sif", Options: map[string]*fakeOption{"image-src": {"/"}}}
	for _, c := range []struct {
		what, live, captured string
		engine               *fakeEngine
		found, reported      bool
	}{
		{"no data", "1", "", fake(), true, true},
		{"no data, not wanted", "0", "", fake(), false, false},
		{"data", "1", "", fake(image), true, true},
		{"data, not wanted", "0", "", fake(image), true, false},
		{"captured by the wrapper, which reports itself", "1", "1", fake(image), false, false},
	} {
		t.Setenv("SIFPROV_LIVE", c.live)
		t.Setenv("SIFPROV_CAPTURED", c.captured)
		st, _ := gatherBy(config{Environment: []string{"LANG"}}, viewEngine(c.engine), "SINGULARITY_NAME", time.Now())
		if (st != nil) != c.found || st != nil && (st.Live != c.reported || st.Environment["LANG"] != "C") {
			t.Errorf("%s: %+v", c.what, st)
		}
	}
}

func TestARequestNamesItsRecord(t *testing.T) {
	start := startEvent{ID: "0b2f3c1e-0000-4000-8000-000000000001", Live: true}
	line, err := start.kept().line()
	if err != nil || !strings.Contains(string(line), `"record_id":"0b2f3c1e-0000-4000-8000-000000000001","live":true`) {
		t.Errorf("%s: %v", line, err)
	}
	line, _ = startEvent{}.line()
	if strings.Contains(string(line), `"live"`) {
		t.Errorf("%s: nobody asked for reports", line)
	}
}

func TestADelivererThatOthersCouldHaveWrittenIsNotStarted(t *testing.T) {
	dir, own := safeFolder(t)
	program, script := filepath.Join(dir, "python3"), filepath.Join(dir, "main.py")
	for _, path := range []string{program, script} {
		if err := os.WriteFile(path, nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	command := []string{program, "-I", script}
	if got := (config{Deliver: command}).deliverer(own); len(got) != 3 {
		t.Errorf("%v", got)
	}
	for _, bad := range [][]string{nil, {"python3", "-I", script}, {program, script + "\x00"}, {program, filepath.Join(dir, "none")}} {
		if got := (config{Deliver: bad}).deliverer(own); got != nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
	if err := os.Chmod(script, 0o777); err != nil {
		t.Fatal(err)
	}
	if got := (config{Deliver: command}).deliverer(own); got != nil {
		t.Errorf("%v", got)
	}
	line, _ := startEvent{Deliver: command}.kept().line()
	if strings.Contains(string(line), "deliver") {
		t.Errorf("%s: it lies where its user can change it", line)
	}
}
