package main

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
	"time"
	"unsafe"
)

const (
	waitPID     = 1          // P_PID
	waitExited  = 0x4        // WEXITED
	waitNoReap  = 0x01000000 // WNOWAIT
	forkNoExec  = 0x40       // PF_FORKNOEXEC, include/linux/sched.h
	pollPeriod  = 250 * time.Millisecond
	siginfoSize = 128
)

// awaitEnd blocks until the child has ended and leaves it to be reaped. The kernel wakes
// it, no signal is involved: one that is dropped or coalesced cannot make it miss the end.
func awaitEnd(pid int) error {
	var info [siginfoSize]byte
	for {
		_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, waitPID, uintptr(pid),
			uintptr(unsafe.Pointer(&info[0])), waitExited|waitNoReap, 0, 0)
		switch errno {
		case 0:
			return nil
		case syscall.EINTR:
		default:
			return errno
		}
	}
}

// notifyEnd sends on ended when the child can be reaped. Where waitid does not work (a
// seccomp profile, an odd kernel) it asks for a look four times a second until stop closes.
func notifyEnd(pid int, ended chan<- struct{}, stop <-chan struct{}, await func(int) error) {
	if err := await(pid); err == nil || err == syscall.ECHILD {
		select {
		case ended <- struct{}{}:
		case <-stop:
		}
		return
	}
	ticker := time.NewTicker(pollPeriod)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			select {
			case ended <- struct{}{}:
			case <-stop:
				return
			}
		case <-stop:
			return
		}
	}
}

// hasExecuted tells whether a process, ended or not but not yet reaped, has ever called
// execve since it was forked. known is false when the kernel does not say.
func hasExecuted(pid int) (executed, known bool) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false, false
	}
	// pid (comm) state ppid pgrp session tty_nr tpgid flags …; comm may hold anything.
	at := bytes.LastIndexByte(data, ')')
	if at < 0 {
		return false, false
	}
	fields := bytes.Fields(data[at+1:])
	if len(fields) < 7 {
		return false, false
	}
	flags, err := strconv.ParseUint(string(fields[6]), 10, 64)
	if err != nil {
		return false, false
	}
	return flags&forkNoExec == 0, true
}
