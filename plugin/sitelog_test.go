package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSiteLogReachesTheHelperAndNoDisk(t *testing.T) {
	file := filepath.Join(t.TempDir(), "request")
	to := &siteLog{To: "/dev/log", Argv: true}
	tr := trial{child: "exit:7", helper: helperCommand("save:" + file), siteLog: to}
	tr.run(t)
	data, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(data), `"site_log":{"to":"/dev/log","argv":true}`) {
		t.Errorf("%v: the helper got %q", err, data)
	}
	tr = trial{child: "exit:7", helper: helperCommand("fail"), siteLog: to}
	tr.run(t)
	if len(tr.spooled) != 1 || strings.Contains(tr.spooled[0], "site_log") {
		t.Errorf("spooled %q: it would be logged twice", tr.spooled)
	}
}

func TestARunThatIsOnlyLoggedDisturbsNobody(t *testing.T) {
	for name, tr := range map[string]trial{
		"fail":  {helper: helperCommand("fail")},
		"speak": {helper: helperCommand("say")},
		"none":  {helper: []string{"/nonexistent/helper"}},
		"trust": {confErr: errors.New("/x: does not belong to root")},
		"hang":  {helper: helperCommand("hang")},
	} {
		t.Run(name, func(t *testing.T) {
			tr.child, tr.onlyLog = "exit:7", true
			tr.run(t)
			if tr.status.ExitStatus() != 7 || len(tr.warnings) != 0 || len(tr.spooled) != 0 {
				t.Errorf("%+v", tr)
			}
			if tr.took > logPatience+3*time.Second {
				t.Errorf("took %v", tr.took)
			}
		})
	}
}

func TestGatherForTheSiteLog(t *testing.T) {
	dir, _ := safeFolder(t)
	_ = os.Unsetenv("SIFPROV_CAPTURED")
	image := fakeBind{Source: "/x.sif", Options: map[string]*fakeOption{"image-src": {"/"}}}
	for _, c := range []struct {
		what           string
		log            *siteLog
		captured       string
		engine         *fakeEngine
		found, onlyLog bool
	}{
		{"no data, no log", nil, "", fake(), false, false},
		{"no data", &siteLog{To: dir}, "", fake(), true, true},
		{"data", &siteLog{To: dir}, "", fake(image), true, false},
		{"data, captured by the wrapper", &siteLog{To: dir}, "1", fake(image), true, true},
		{"data, captured, no log", nil, "1", fake(image), false, false},
	} {
		t.Setenv("SIFPROV_LIVE", "")
		t.Setenv("SIFPROV_CAPTURED", c.captured)
		st, use := gatherBy(config{SiteLog: c.log}, viewEngine(c.engine), "SINGULARITY_NAME", time.Now())
		if (st != nil) != c.found || st != nil && (st.OnlyLog != c.onlyLog || c.onlyLog && (st.Binds == nil || len(st.Binds) != 0 || st.Environment == nil)) {
			t.Errorf("%s: %+v", c.what, st)
		}
		if st != nil {
			use()
		}
	}
}
