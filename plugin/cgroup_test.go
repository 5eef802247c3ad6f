package main

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// writeAll writes files below a folder.
func writeAll(t *testing.T, root string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(root, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte(text), 0o644))
	}
}

func TestCgroupUsed(t *testing.T) {
	second := map[string]string{
		"job/box/memory.peak": "4096\n",
		"job/box/io.stat":     "8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n8:16 rbytes=5 wbytes=1\n",
		"job/memory.peak":     "999999999\n",
		"memory.peak":         "999999999\n",
	}
	first := map[string]string{
		"memory/box/memory.max_usage_in_bytes":                "8192\n",
		"memory/memory.max_usage_in_bytes":                    "999999999\n",
		"blkio/box/blkio.throttle.io_service_bytes_recursive": "8:0 Read 7\n8:0 Write 3\n8:0 Total 10\n8:16 Read 1\nTotal 11\n",
		"unified/box/cgroup.procs":                            "",
		"unified/alone/memory.peak":                           "77\n",
	}
	both := map[string]any{"peak_memory_bytes": int64(4096), "storage_read_bytes": int64(15), "storage_write_bytes": int64(21)}
	for name, c := range map[string]struct {
		files          map[string]string
		container, own string
		want           map[string]any
	}{
		"its own":                     {second, "0::/job/box\n", "0::/job\n", both},
		"the job's":                   {second, "0::/job\n", "0::/job\n", nil},
		"the root":                    {second, "0::/\n", "0::/job\n", nil},
		"outside of our namespace":    {second, "0::/../job/box\n", "0::/\n", nil},
		"one that is gone":            {second, "0::/job/gone\n", "0::/job\n", nil},
		"nothing known":               {second, "", "", nil},
		"first version":               {first, "5:memory:/box\n6:blkio,x:/box\n0::/\n", "5:memory:/\n6:blkio,x:/\n0::/\n", map[string]any{"peak_memory_bytes": int64(8192), "storage_read_bytes": int64(8), "storage_write_bytes": int64(3)}},
		"first version, half its own": {first, "5:memory:/\n6:blkio:/box\n", "5:memory:/\n6:blkio:/\n", map[string]any{"storage_read_bytes": int64(8), "storage_write_bytes": int64(3)}},
		"both versions":               {first, "5:cpu:/\n0::/alone\n", "5:cpu:/\n0::/\n", map[string]any{"peak_memory_bytes": int64(77)}},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			writeAll(t, root, c.files)
			if got := cgroupUsed([]byte(c.container), []byte(c.own), root); !reflect.DeepEqual(got, c.want) {
				t.Errorf("%v, not %v", got, c.want)
			}
		})
	}
}
