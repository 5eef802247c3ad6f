package main

import (
	"fmt"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// signalRoom is more than a loop that never blocks can fall behind.
	signalRoom = 256
	// startedGrace bounds the wait for the runtime's word that the process was started.
	startedGrace = 100 * time.Millisecond
)

// postStarted is set by the runtime's word that it has started the container's process, and
// running is then closed. startedPID is the process, set before.
var (
	postStarted atomic.Bool
	startedPID  atomic.Int64
	running     = make(chan struct{})
)

// markStarted keeps what is to be known of the container's process before it tells of it.
func markStarted(pid int) {
	if recorded.Load() {
		lookAtContainer(pid)
	}
	startedPID.Store(int64(pid))
	if !postStarted.Swap(true) {
		close(running)
	}
}

// monitor waits for the container's first process as the runtime's own loop does: it forwards
// signals, stops itself on SIGTSTP, and returns the process's status and the same errors.
//
// It differs in how it learns of the end. The runtime counts on SIGCHLD through a channel of
// two places that drops what does not fit; with a helper beside the container there are
// more signals, and a lost SIGCHLD would hang the job. Here a goroutine blocks in waitid;
// SIGCHLD, the helper's too, means nothing, and a job of a week costs no wakeup.
func monitor(pid int, signals chan os.Signal, propagate bool, rec *recorder) (syscall.WaitStatus, error) {
	var status syscall.WaitStatus

	wide := widen(signals)
	// The runtime's channel stays registered, so no signal gets its default action after this.
	defer signal.Stop(wide)

	ended := make(chan struct{})
	stop := make(chan struct{})
	defer close(stop)
	go notifyEnd(pid, ended, stop, awaitEnd)

	for {
		select {
		case <-ended:
			executed, known := hasExecuted(pid)
			io := ioCounters(pid, rec)
			var usage syscall.Rusage
			wpid, err := syscall.Wait4(pid, &status, syscall.WNOHANG, &usage)
			if err != nil {
				rec.abandon()
				return status, fmt.Errorf("error while waiting child: %s", err)
			}
			if wpid != pid {
				continue
			}
			if rec != nil {
				now := time.Now()
				end := newEnd(status, wasStarted(status, executed, known), now)
				end.Mounts = mountsSeen()
				end.Facts = map[string]fact{"resources": used(usage, io, ofGroup())}
				rec.finish(end, wide)
			}
			return status, nil
		case s := <-wide:
			if err := forward(pid, s, propagate); err != nil {
				rec.abandon()
				return status, err
			}
		}
	}
}

// widen returns a channel that gets every signal, with room for bursts. What waited in
// the narrow one comes along; one that arrives at this very moment may come twice.
func widen(narrow chan os.Signal) chan os.Signal {
	wide := make(chan os.Signal, signalRoom)
	signal.Notify(wide)
	for {
		select {
		case s := <-narrow:
			select {
			case wide <- s:
			default:
			}
		default:
			return wide
		}
	}
}

// forward does with one signal what the runtime does.
func forward(pid int, s os.Signal, propagate bool) error {
	number, ok := s.(syscall.Signal)
	// SIGURG is the Go scheduler's own.
	if !ok || number == syscall.SIGCHLD || number == syscall.SIGURG {
		return nil
	}
	if propagate {
		if err := syscall.Kill(pid, number); err != nil {
			return fmt.Errorf("interrupted by signal %s", s)
		}
	}
	if number == syscall.SIGTSTP {
		return stopSelf()
	}
	return nil
}

// stopSelf stops the whole starter, so that the shell that waits for it sees a stopped job.
func stopSelf() error {
	if err := syscall.Kill(os.Getpid(), syscall.SIGSTOP); err != nil {
		return fmt.Errorf("received SIGTSTP but was not able to stop")
	}
	return nil
}

// wasStarted tells whether the container's process ever ran. The runtime says so by a callback
// that comes from another goroutine, maybe after a quick process has ended. A process that
// called execve was started, and the kernel remembers that until it is reaped. One that did
// not either failed, or is the runtime's own init with the user's process below it (--pid,
// instances): then the callback decides, and gets a moment to come.
func wasStarted(status syscall.WaitStatus, executed, known bool) bool {
	if executed || !known && status.Exited() && status.ExitStatus() != 255 {
		return true
	}
	for deadline := time.Now().Add(startedGrace); ; time.Sleep(5 * time.Millisecond) {
		if postStarted.Load() {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
	}
}
