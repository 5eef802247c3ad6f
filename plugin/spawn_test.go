package main

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What the helper sees of the process that starts it: nothing.
func TestHelperInheritsNothing(t *testing.T) {
	leak, err := os.Open("/etc/passwd")
	if err != nil {
		t.Fatal(err)
	}
	defer leak.Close()
	inherited, err := syscall.Dup(int(leak.Fd())) // without close-on-exec, as the starter's images
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(inherited)
	t.Setenv("SIFPROV_SECRET", "x")
	// The 3 is what ls itself opens.
	if got := strings.Join(says(t, "exec ls /proc/self/fd >&2"), " "); got != "0 1 2 3" {
		t.Errorf("open files: %q", got)
	}
	if got := strings.Join(says(t, "exec env >&2"), " "); got != "PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 PWD=/" {
		t.Errorf("environment: %q", got)
	}
	if got := strings.Fields(says(t, "exec cat /proc/self/stat >&2")[0]); got[0] != got[5] {
		t.Errorf("process %s is in session %s", got[0], got[5])
	}
	if flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(inherited), syscall.F_GETFD, 0); errno != 0 || flags&syscall.FD_CLOEXEC != 0 {
		t.Errorf("the starter's own table was changed: %d, %v", flags, errno)
	}
}

// says runs a shell in the helper's place and returns the lines of its standard error.
func says(t *testing.T, script string) []string {
	t.Helper()
	p, err := spawn([]string{"/bin/sh", "-c", script})
	if err != nil {
		t.Fatal(err)
	}
	text := make([]byte, 0, 4096)
	buf := make([]byte, 4096)
	within(t, 20*time.Second, func() {
		for {
			n, err := syscall.Read(p.stderr, buf)
			if n <= 0 || err != nil {
				return
			}
			text = append(text, buf[:n]...)
		}
	})
	_, _ = p.wait()
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

func TestCloseOnExecOneByOne(t *testing.T) {
	fd, err := syscall.Open("/etc/passwd", syscall.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := closeOnExecEach(); err != nil {
		t.Fatal(err)
	}
	if flags, _, _ := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0); flags&syscall.FD_CLOEXEC == 0 {
		t.Error("still inherited")
	}
}

func TestNoSIGPIPE(t *testing.T) {
	signals := runtimeSignals(t)
	p, err := spawn(helperCommand("die"))
	if err != nil {
		t.Fatal(err)
	}
	if status, err := p.wait(); err != nil || status.ExitStatus() != 9 {
		t.Errorf("%v, %v", status, err)
	}
	if err := p.write(make([]byte, 1<<20)); err == nil {
		t.Error("wrote to a helper that is gone")
	}
	for {
		select {
		case s := <-signals:
			if s == syscall.SIGPIPE {
				t.Fatal("SIGPIPE")
			}
			continue
		default:
		}
		break
	}
}
