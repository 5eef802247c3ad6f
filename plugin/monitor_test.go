package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestMonitorReturnsTheStatus(t *testing.T) {
	signals := runtimeSignals(t)
	for _, code := range []int{0, 1, 7, 127, 254, 255} {
		pid := start(t, fmt.Sprintf("exit:%d", code))
		within(t, 10*time.Second, func() {
			status, err := monitor(pid, signals, true, nil)
			if err != nil || !status.Exited() || status.ExitStatus() != code {
				t.Errorf("exit %d: %v, %v", code, status, err)
			}
		})
	}
	pid := start(t, "sleep:60000")
	_ = syscall.Kill(pid, syscall.SIGKILL)
	within(t, 10*time.Second, func() {
		status, err := monitor(pid, signals, true, nil)
		if err != nil || !status.Signaled() || status.Signal() != syscall.SIGKILL {
			t.Errorf("%v, %v", status, err)
		}
	})
}

// The channel never holds a SIGCHLD here: nothing registered it.
func TestMonitorNeedsNoSIGCHLD(t *testing.T) {
	pid := start(t, "exit:5")
	time.Sleep(50 * time.Millisecond)
	within(t, 10*time.Second, func() {
		status, err := monitor(pid, make(chan os.Signal), true, nil)
		if err != nil || status.ExitStatus() != 5 {
			t.Errorf("%v, %v", status, err)
		}
	})
}

func TestMonitorOfNoChild(t *testing.T) {
	pid := start(t, "exit:0")
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil {
		t.Fatal(err)
	}
	within(t, 10*time.Second, func() {
		_, err := monitor(pid, make(chan os.Signal), true, nil)
		if err == nil || !strings.HasPrefix(err.Error(), "error while waiting child: ") {
			t.Errorf("%v", err)
		}
	})
}

func TestMonitorWithoutWaitid(t *testing.T) {
	pid := start(t, "exit:0")
	ended, stop := make(chan struct{}), make(chan struct{})
	go notifyEnd(pid, ended, stop, func(int) error { return syscall.ENOSYS })
	within(t, 10*time.Second, func() {
		for {
			<-ended
			if got, _ := syscall.Wait4(pid, nil, syscall.WNOHANG, nil); got == pid {
				close(stop)
				return
			}
		}
	})
}

// Thousands of children, several at once, while signals rain on the process.
func TestMonitorStress(t *testing.T) {
	signals := runtimeSignals(t)
	stop := make(chan struct{})
	var rain sync.WaitGroup
	rain.Add(1)
	go func() {
		defer rain.Done()
		for {
			select {
			case <-stop:
				return
			default:
			}
			for _, s := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGWINCH, syscall.SIGCHLD, syscall.SIGURG, syscall.SIGUSR2, syscall.SIGCONT} {
				_ = syscall.Kill(os.Getpid(), s)
			}
			time.Sleep(100 * time.Microsecond)
		}
	}()
	count := 2000
	if testing.Short() {
		count = 200
	}
	var group sync.WaitGroup
	for worker := range 4 {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := range count / 4 {
				want := (worker*31 + i) % 256
				pid, err := syscall.ForkExec("/bin/sh", []string{"sh", "-c", "exit " + strconv.Itoa(want)},
					&syscall.ProcAttr{Files: []uintptr{0, 1, 2}})
				if err != nil {
					t.Error(err)
					return
				}
				within(t, 20*time.Second, func() {
					// No propagation: the shells would die of SIGUSR1.
					if status, err := monitor(pid, signals, false, nil); err != nil || status.ExitStatus() != want {
						t.Errorf("child %d: %v, %v", i, status, err)
					}
				})
			}
		}()
	}
	group.Wait()
	close(stop)
	rain.Wait()
}

func TestSignalsWaitingInTheNarrowChannelComeAlong(t *testing.T) {
	narrow := make(chan os.Signal, 2)
	narrow <- syscall.SIGTERM
	narrow <- syscall.SIGUSR1
	wide := widen(narrow)
	defer signal.Stop(wide)
	for _, want := range []os.Signal{syscall.SIGTERM, syscall.SIGUSR1} {
		if got := <-wide; got != want {
			t.Errorf("%v, not %v", got, want)
		}
	}
}

func TestForward(t *testing.T) {
	for _, c := range []struct {
		signal    syscall.Signal
		propagate bool
		want      int // exit code of the child
	}{
		{syscall.SIGINT, true, 40 + 2},
		{syscall.SIGTERM, true, 40 + 15},
		{syscall.SIGUSR1, true, 40 + 10},
		{syscall.SIGTERM, false, -1},
		{syscall.SIGCHLD, true, -1},
		{syscall.SIGURG, true, -1},
	} {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = []string{roleVariable + "=trap"}
		out, err := cmd.StdoutPipe()
		if err != nil || cmd.Start() != nil {
			t.Fatal("cannot start a child")
		}
		_, _ = out.Read(make([]byte, 6)) // it is ready
		if err := forward(cmd.Process.Pid, c.signal, c.propagate); err != nil {
			t.Error(err)
		}
		if c.want < 0 {
			time.Sleep(50 * time.Millisecond)
			_ = cmd.Process.Kill()
		}
		_ = cmd.Wait()
		if got := cmd.ProcessState.ExitCode(); got != c.want {
			t.Errorf("%v, propagate %v: child ended with %d, not %d", c.signal, c.propagate, got, c.want)
		}
	}
}

func TestForwardToNobody(t *testing.T) {
	pid := start(t, "exit:0")
	_, _ = syscall.Wait4(pid, nil, 0, nil)
	err := forward(pid, syscall.SIGTERM, true)
	if err == nil || err.Error() != "interrupted by signal terminated" {
		t.Errorf("%v", err)
	}
}

// playStarter is a process that runs the loop alone, as the runtime's starter does.
func playStarter(childRole string) int {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals)
	pid, err := syscall.ForkExec("/proc/self/exe", []string{"test"}, &syscall.ProcAttr{
		Env:   []string{roleVariable + "=" + strings.Replace(childRole, "=", ":", 1)},
		Files: []uintptr{0, 1, 2},
	})
	if err != nil {
		return 97
	}
	status, err := monitor(pid, signals, true, nil)
	if err != nil {
		return 96
	}
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

func TestStopAndContinue(t *testing.T) {
	pid := start(t, "starter:sleep=1500")
	time.Sleep(300 * time.Millisecond)
	_ = syscall.Kill(pid, syscall.SIGTSTP)
	within(t, 20*time.Second, func() {
		var status syscall.WaitStatus
		if _, err := syscall.Wait4(pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
			t.Errorf("not stopped: %v, %v", status, err)
		}
		// The child was sent SIGTSTP too and is continued by the forwarded SIGCONT.
		_ = syscall.Kill(pid, syscall.SIGCONT)
		if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil || status.ExitStatus() != 0 {
			t.Errorf("after SIGCONT: %v, %v", status, err)
		}
	})
}

// A burst of every signal at once must not swallow the one that ends the child.
func TestBurst(t *testing.T) {
	pid := start(t, "starter:sleep=20000")
	time.Sleep(300 * time.Millisecond)
	for range 200 {
		_ = syscall.Kill(pid, syscall.SIGWINCH)
		_ = syscall.Kill(pid, syscall.SIGURG)
		_ = syscall.Kill(pid, syscall.SIGCHLD)
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
	_ = syscall.Kill(pid, syscall.SIGTERM)
	within(t, 10*time.Second, func() {
		var status syscall.WaitStatus
		if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil || status.ExitStatus() != 128+15 {
			t.Errorf("%v, %v", status, err)
		}
	})
}

func TestWasStarted(t *testing.T) {
	exited := func(code int) syscall.WaitStatus { return syscall.WaitStatus(code << 8) }
	for _, c := range []struct {
		status          syscall.WaitStatus
		executed, known bool
		callback        bool
		want            bool
	}{
		{exited(0), true, true, false, true},
		{exited(255), true, true, false, true},
		{exited(255), false, true, false, false},
		{exited(255), false, true, true, true}, // the runtime's init
		{exited(255), false, false, false, false},
		{exited(255), false, false, true, true},
		{exited(0), false, false, false, true},
		{syscall.WaitStatus(9), false, true, false, false},
	} {
		postStarted.Store(c.callback)
		if got := wasStarted(c.status, c.executed, c.known); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
	// The runtime's word may come a little late.
	postStarted.Store(false)
	time.AfterFunc(20*time.Millisecond, func() { postStarted.Store(true) })
	if !wasStarted(exited(255), false, true) {
		t.Error("did not wait for the callback")
	}
	postStarted.Store(false)
}

func TestHasExecuted(t *testing.T) {
	pid := start(t, "exit:0")
	if err := awaitEnd(pid); err != nil { // a zombie now
		t.Fatal(err)
	}
	if executed, known := hasExecuted(pid); !executed || !known {
		t.Errorf("%v, %v", executed, known)
	}
	_, _ = syscall.Wait4(pid, nil, 0, nil)
	if _, known := hasExecuted(pid); known {
		t.Error("knows of a process that is gone")
	}
	// A plain fork, which Go cannot do: the shell's subshell never calls execve.
	cmd := exec.Command("/bin/sh", "-c", "exec 3<&0; (read x <&3) & echo $!; wait")
	in, _ := cmd.StdinPipe()
	out, err := cmd.StdoutPipe()
	if err != nil || cmd.Start() != nil {
		t.Fatal("cannot start a shell")
	}
	buf := make([]byte, 32)
	n, _ := out.Read(buf)
	sub, _ := strconv.Atoi(strings.TrimSpace(string(buf[:n])))
	if executed, known := hasExecuted(sub); executed || !known {
		t.Errorf("subshell: %v, %v", executed, known)
	}
	in.Close()
	_ = cmd.Wait()
}
