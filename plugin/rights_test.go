package main

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// A setuid starter that still holds root's rights must start no helper, and write no request.
func TestNothingIsStartedWithOtherRights(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("taking another user's rights needs root")
	}
	for _, what := range []string{"uid", "gid"} {
		self := exec.Command(os.Args[0])
		self.Env = append(os.Environ(), roleVariable+"=rights:"+what)
		if out, err := self.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", what, err, out)
		}
	}
}

// playOtherRights ends with 0 when nothing can be started or written.
func playOtherRights(what string) int {
	var err error
	if what == "uid" {
		err = syscall.Setresuid(65534, 0, 0)
	} else {
		err = syscall.Setresgid(65534, 0, 0)
	}
	if err != nil {
		return 2
	}
	if p, err := spawn([]string{"/bin/true"}); err == nil {
		_, _ = p.wait()
		return 3
	} else if !strings.Contains(err.Error(), "other rights") {
		return 4
	}
	home := os.TempDir()
	if err := spool(home, []byte("x\n")); err == nil || !strings.Contains(err.Error(), "other rights") {
		return 5
	}
	return 0
}
