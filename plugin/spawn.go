package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const (
	closeRange        = 436 // SYS_CLOSE_RANGE, the same number everywhere
	closeRangeCloexec = 4
	firstFreeFD       = 3
)

// helperEnv is all that the helper sees of the environment.
var helperEnv = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"}

// process is a running helper, the leader of its own session.
type process struct {
	pid    int
	stdin  int // our end of a socket pair
	stderr int // the read end of a pipe
	bound  time.Duration

	mu     sync.Mutex
	reaped bool
}

// spawn starts the helper with the real user's rights and no open file but its own three.
//
// Its standard input is a socket: a write to one whose reader is gone can be told not to raise
// SIGPIPE, which the wait loop would have to tell from one meant for the container.
func spawn(argv []string) (*process, error) {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	var pipe [2]int
	if err := syscall.Pipe2(pipe[:], syscall.O_CLOEXEC); err != nil {
		closeAll(pair[:])
		return nil, err
	}
	type result struct {
		pid int
		err error
	}
	results := make(chan result)
	go func() {
		// The thread is never unlocked: it ends with this goroutine, and with it the private
		// table of open files. Go starts no other thread from a locked one.
		runtime.LockOSThread()
		pid, err := forkHelper(argv, pair, pipe)
		results <- result{pid, err}
	}()
	r := <-results
	closeAll([]int{pair[1], pipe[1]})
	if r.err != nil {
		closeAll([]int{pair[0], pipe[0]})
		return nil, r.err
	}
	return &process{pid: r.pid, stdin: pair[0], stderr: pipe[0]}, nil
}

// forkHelper runs on a thread of its own. The helper gets pair[1] and pipe[1].
func forkHelper(argv []string, pair, pipe [2]int) (int, error) {
	if err := ownRightsOnly(); err != nil {
		return 0, err
	}
	// The starter keeps images open across execve. Their flags are changed in a private copy of
	// the table, for the runtime may need them as they are; it ends with the thread.
	if err := syscall.Unshare(syscall.CLONE_FILES); err != nil {
		return 0, fmt.Errorf("unshare: %w", err)
	}
	// Should this be the process's first thread, Go parks it for ever: its copies would keep
	// the helper's standard error from ever reading as ended.
	defer closeAll([]int{pair[0], pair[1], pipe[0], pipe[1]})
	if err := closeOnExec(); err != nil {
		return 0, err
	}
	null, err := syscall.Open(os.DevNull, syscall.O_WRONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", os.DevNull, err)
	}
	defer syscall.Close(null)
	return syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{
		Dir:   "/", // hold no folder busy
		Env:   helperEnv,
		Files: []uintptr{uintptr(pair[1]), uintptr(null), uintptr(pipe[1])},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
}

// closeOnExec marks all open files of the calling thread but the standard ones.
func closeOnExec() error {
	_, _, errno := syscall.Syscall(closeRange, firstFreeFD, uintptr(^uint32(0)), closeRangeCloexec)
	if errno == 0 {
		return nil
	}
	return closeOnExecEach() // Linux before 5.11
}

func closeOnExecEach() error {
	entries, err := os.ReadDir("/proc/thread-self/fd")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd >= firstFreeFD {
			syscall.CloseOnExec(fd)
		}
	}
	return nil
}

// ownRightsOnly fails unless the calling thread has the rights of the real user and no others.
// The saved user id may be 0 in a setuid starter; execve replaces it with the effective one.
func ownRightsOnly() error {
	if os.Getuid() != os.Geteuid() || os.Getgid() != os.Getegid() {
		return errors.New("the runtime holds other rights than the user's")
	}
	return nil
}

// write sends data to the helper's standard input.
func (p *process) write(data []byte) error {
	for len(data) > 0 {
		n, err := syscall.SendmsgN(p.stdin, data, nil, nil, syscall.MSG_NOSIGNAL)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

// closeInput lets the helper read end-of-file. It wakes a write that hangs, too.
func (p *process) closeInput() {
	_ = syscall.Shutdown(p.stdin, syscall.SHUT_RDWR)
}

// kill ends the helper's process group, unless its number may by now be somebody else's.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped {
		_ = syscall.Kill(-p.pid, syscall.SIGKILL)
	}
}

// wait blocks until the helper ends, ends what it left running, and reaps it.
func (p *process) wait() (syscall.WaitStatus, error) {
	var status syscall.WaitStatus
	if awaitEnd(p.pid) == nil {
		p.kill()
	}
	for {
		p.mu.Lock()
		pid, err := syscall.Wait4(p.pid, &status, syscall.WNOHANG, nil)
		p.reaped = pid == p.pid || err != nil && err != syscall.EINTR
		reaped := p.reaped
		p.mu.Unlock()
		if reaped {
			return status, err
		}
		time.Sleep(pollPeriod)
	}
}

func closeAll(fds []int) {
	for _, fd := range fds {
		_ = syscall.Close(fd)
	}
}
