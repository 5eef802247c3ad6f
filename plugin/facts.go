package main

import (
	"bytes"
	"os"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

const (
	// maxMounts bounds what is handed on of a container's mount table, maxNames the names of
	// its environment: a line has at most 1 MiB.
	maxMounts = 256 << 10
	maxNames  = 1000
	// blockSize is what getrusage(2) counts in.
	blockSize = 512
)

// fact is something known of the run, and where it was read (docs/formats.md, "Facts").
type fact struct {
	Source string         `json:"source"`
	Value  map[string]any `json:"value"`
}

// isolation tells what of the host the engine lets into the container.
func (v engineView) isolation() fact {
	value := map[string]any{
		"environment": names(v.processList("Env")),
		"namespaces":  v.namespaces(),
		"not_mounted": v.list("SkipBinds"),
	}
	for name, field := range map[string]string{
		"contain": "Contain", "no_home": "NoHome", "no_tmp": "NoTmp", "fakeroot": "Fakeroot",
		"writable": "WritableImage", "writable_tmpfs": "WritableTmpfs", "nvidia": "NvLegacy", "rocm": "Rocm",
	} {
		if f := v.json.FieldByName(field); f.IsValid() && f.Kind() == reflect.Bool {
			value[name] = f.Bool()
		}
	}
	if f := v.json.FieldByName("NvCCLI"); f.IsValid() && f.Kind() == reflect.Bool && f.Bool() {
		value["nvidia"] = true
	}
	return fact{Source: "engine configuration", Value: value}
}

// list returns a field that is a list of strings.
func (v engineView) list(field string) []string {
	if f := v.json.FieldByName(field); f.IsValid() {
		if list, ok := f.Interface().([]string); ok && list != nil {
			return list
		}
	}
	return []string{}
}

// namespaces returns the kinds of namespaces that the container gets of its own.
func (v engineView) namespaces() []string {
	out := []string{}
	if !v.linux.IsValid() {
		return out
	}
	list := v.linux.FieldByName("Namespaces")
	for i := range list.Len() {
		out = append(out, list.Index(i).FieldByName("Type").String())
	}
	sort.Strings(out)
	return out
}

// names returns the names of an environment's variables, and no value.
func names(environ []string) []string {
	out := []string{}
	for _, variable := range environ {
		if name, _, ok := strings.Cut(variable, "="); ok && name != "" {
			out = append(out, strings.ToValidUTF8(name, "?"))
		}
	}
	sort.Strings(out)
	return out[:min(len(out), maxNames)]
}

// recorded is set for a run that is recorded. What was seen is read only when postStarted is set,
// which comes after it.
var (
	recorded   atomic.Bool
	seenMounts []byte
	seenCgroup []byte
)

// lookAtContainer keeps the mount table of the container's process: what is really bound, where;
// and its control group. They are lost with the process, so they are read here, in the runtime's
// own thread, by one read each.
func lookAtContainer(pid int) {
	proc := "/proc/" + strconv.Itoa(pid)
	data, err := os.ReadFile(proc + "/mountinfo")
	if err == nil && len(data) <= maxMounts {
		seenMounts = data
	}
	seenCgroup, _ = os.ReadFile(proc + "/cgroup")
}

// mountsSeen returns what lookAtContainer has kept, nil when it came too late or not yet.
func mountsSeen() []byte {
	if !postStarted.Load() {
		return nil
	}
	return seenMounts
}

// ofGroup returns what the container's own control group has used, nil for none or not yet seen.
func ofGroup() map[string]any {
	if !postStarted.Load() {
		return nil
	}
	own, _ := os.ReadFile("/proc/self/cgroup")
	return cgroupUsed(seenCgroup, own, cgroupRoot)
}

// ioCounters reads what the kernel counted of an ended process that was not reaped yet.
func ioCounters(pid int, rec *recorder) []byte {
	if rec == nil {
		return nil
	}
	data, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/io")
	return data
}

// used returns what the container's process and the children that it waited for have used.
// io is the process's file /proc/PID/io, read before it was reaped; group what its control group
// has used.
func used(usage syscall.Rusage, io []byte, group map[string]any) fact {
	value := map[string]any{
		"scope":               "container",
		"user_us":             microseconds(usage.Utime),
		"system_us":           microseconds(usage.Stime),
		"peak_memory_bytes":   usage.Maxrss * 1024,
		"storage_read_bytes":  usage.Inblock * blockSize,
		"storage_write_bytes": usage.Oublock * blockSize,
	}
	source := "wait4"
	for key, name := range map[string]string{
		"rchar": "read_bytes", "wchar": "write_bytes",
		"read_bytes": "storage_read_bytes", "write_bytes": "storage_write_bytes",
	} {
		if n, ok := counter(io, key); ok {
			value[name] = n
			source = "wait4, /proc/PID/io"
		}
	}
	if group != nil {
		value["cgroup"] = group
		source += ", cgroup"
	}
	return fact{Source: source, Value: value}
}

func microseconds(t syscall.Timeval) int64 { return int64(t.Sec)*1_000_000 + int64(t.Usec) }

// counter returns the number of a line "key: number".
func counter(data []byte, key string) (int64, bool) {
	for _, line := range bytes.Split(data, []byte{'\n'}) {
		if rest, ok := bytes.CutPrefix(line, []byte(key+": ")); ok {
			n, err := strconv.ParseInt(string(rest), 10, 64)
			return n, err == nil && n >= 0
		}
	}
	return 0, false
}
