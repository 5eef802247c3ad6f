package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	sysBlock       = "/sys/block"
	procPartitions = "/proc/partitions"
	letGo          = 100 * time.Millisecond
)

// writerOf returns the loop device by which something can still write the container at path,
// although no runtime holds its lock: a process that outlived an earlier run. "" for none.
//
// A second mount of the same file would then lose files, and no runtime notices. It costs a look
// at each loop device in use; the file is opened only when one is on it.
func writerOf(path, sys, partitions string) string {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return ""
	}
	for _, name := range loopsInUse(sys, partitions) {
		device := filepath.Join(sys, name)
		// One that is not in use has no such file.
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

// loopsInUse returns the loop devices that have a size, and maybe others. A machine may have
// hundreds that are not in use: asking each takes longer than all else that is done here.
func loopsInUse(sys, partitions string) []string {
	names := []string{}
	// major minor #blocks name, below a line of headings
	table, _ := os.ReadFile(partitions)
	for _, line := range strings.Split(string(table), "\n") {
		if row := strings.Fields(line); len(row) == 4 {
			names = append(names, row[3])
		}
	}
	if len(names) == 0 { // not even the headings: something hides it
		if f, err := os.Open(sys); err == nil {
			names, _ = f.Readdirnames(-1)
			f.Close()
		}
	}
	return slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, "loop") })
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
		device := writerOf(string(e.Source), sysBlock, procPartitions)
		if device != "" {
			// The kernel takes a moment to let go of what the run just before this one had.
			time.Sleep(letGo)
			device = writerOf(string(e.Source), sysBlock, procPartitions)
		}
		if device != "" {
			warn(warning(fmt.Sprintf("%s: a process of an earlier run can still write into it (/dev/%s): "+
				"end it first, for one of the two will lose files", e.Source, device)))
		}
	}
}
