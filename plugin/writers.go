package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	sysBlock = "/sys/block"
	letGo    = 100 * time.Millisecond
)

// writerOf returns the loop device by which something can still write the container at path,
// although no runtime holds its lock: a process that outlived an earlier run. "" for none.
//
// A second mount of the same file would then lose files, and no runtime notices. It costs a look
// at each loop device in use; the file is opened only when one is on it.
func writerOf(path, sys string) string {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return ""
	}
	for _, name := range namesIn(sys) {
		if !strings.HasPrefix(name, "loop") {
			continue
		}
		device := filepath.Join(sys, name)
		// One that is free has no such file. To look for it would read the device's whole folder.
		text, err := os.ReadFile(filepath.Join(device, "loop", "backing_file"))
		if err != nil {
			continue
		}
		there, err := os.Stat(strings.TrimSuffix(string(text), "\n"))
		if err != nil || !os.SameFile(info, there) {
			continue
		}
		ro, err := os.ReadFile(filepath.Join(device, "ro"))
		if err == nil && strings.TrimSpace(string(ro)) == "0" && !runtimeHolds(path) {
			return name
		}
	}
	return ""
}

// namesIn returns what stands in a folder, in no order; nothing where it cannot be read.
func namesIn(folder string) []string {
	f, err := os.Open(folder)
	if err != nil {
		return nil
	}
	defer f.Close()
	found, _ := f.Readdirnames(-1)
	return found
}

// runtimeHolds tells whether a run goes on: then the runtime itself refuses a second one.
func runtimeHolds(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	lock := syscall.Flock_t{Type: syscall.F_RDLCK}
	err = syscall.FcntlFlock(f.Fd(), syscall.F_GETLK, &lock)
	return err == nil && lock.Type != syscall.F_UNLCK
}

// warnOfWriters tells the user of every container that a run is about to write and that
// something writes already. The run is not stopped: that is the user's to decide.
func warnOfWriters(entries []bindEntry, warn func(string)) {
	for _, e := range entries {
		if e.RO {
			continue
		}
		device := writerOf(string(e.Source), sysBlock)
		if device != "" {
			// The kernel takes a moment to let go of what the run just before this one had.
			time.Sleep(letGo)
			device = writerOf(string(e.Source), sysBlock)
		}
		if device != "" {
			warn(warning(fmt.Sprintf("%s: a process of an earlier run can still write into it (/dev/%s): "+
				"end it first, for one of the two will lose files", e.Source, device)))
		}
	}
}
