package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// cgroupRoot is where the kernel's control groups are mounted.
const cgroupRoot = "/sys/fs/cgroup"

// cgroupUsed returns what the kernel counted for the control group that the runtime made for the
// container alone (--memory, --apply-cgroups, …): peak memory and storage I/O of all its
// processes together. nil where the container shares the group of the runtime, whose numbers
// would be those of a whole job or session.
//
// container and own are the files /proc/PID/cgroup of the container's process and of the
// starter. Sources: cgroups(7), the kernel's admin-guide/cgroup-v2.rst and cgroup-v1/.
func cgroupUsed(container, own []byte, root string) map[string]any {
	out := map[string]any{}
	theirs, ours := cgroupPaths(container), cgroupPaths(own)
	if dir, v2 := cgroupDir(theirs, ours, "memory", root); dir != "" {
		name := "memory.max_usage_in_bytes"
		if v2 {
			name = "memory.peak"
		}
		data, _ := os.ReadFile(filepath.Join(dir, name))
		if n, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64); err == nil && n >= 0 {
			out["peak_memory_bytes"] = n
		}
	}
	if dir, v2 := cgroupDir(theirs, ours, "blkio", root); dir != "" {
		name, read, write := "blkio.throttle.io_service_bytes_recursive", "Read ", "Write "
		if v2 {
			name, read, write = "io.stat", "rbytes=", "wbytes="
		}
		// A group that did no I/O has an empty file; one that is gone, or does not count, has none.
		if data, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
			out["storage_read_bytes"] = sumBehind(data, read)
			out["storage_write_bytes"] = sumBehind(data, write)
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// cgroupPaths returns the path of the group by controller, that of the second version by "".
func cgroupPaths(data []byte) map[string]string {
	out := map[string]string{}
	for _, line := range bytes.Split(data, []byte{'\n'}) {
		parts := strings.SplitN(string(line), ":", 3)
		if len(parts) == 3 {
			for _, controller := range strings.Split(parts[1], ",") {
				out[controller] = parts[2]
			}
		}
	}
	return out
}

// cgroupDir returns the folder of the group that counts a resource, when it is the container's
// own; "" else. v2 tells of which version it is.
func cgroupDir(theirs, ours map[string]string, controller, root string) (dir string, v2 bool) {
	mounted := filepath.Join(root, controller)
	path, v1 := theirs[controller]
	if !v1 {
		controller = ""
		path = theirs[""]
		mounted = root
		// Beside the first version the second has a folder of its own.
		if _, err := os.Stat(filepath.Join(root, "unified")); err == nil {
			mounted = filepath.Join(root, "unified")
		}
	}
	// Out of our own namespace, the kernel writes "/../…".
	if path == "" || path == "/" || path == ours[controller] || strings.Contains(path, "..") {
		return "", false
	}
	return filepath.Join(mounted, path), !v1
}

// sumBehind adds up the numbers that stand behind a word, one a device.
func sumBehind(data []byte, word string) int64 {
	var sum int64
	for _, line := range bytes.Split(data, []byte{'\n'}) {
		if _, rest, found := bytes.Cut(line, []byte(" "+word)); found {
			number, _, _ := bytes.Cut(rest, []byte{' '})
			if n, err := strconv.ParseInt(string(number), 10, 64); err == nil && n > 0 {
				sum += n
			}
		}
	}
	return sum
}
