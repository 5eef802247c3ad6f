package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// stash is what only the command-line process knows. It travels to the starter inside
// the engine configuration; a run without image binds has none.
type stash struct {
	Started     string            `json:"started"`
	Argv        [][]byte          `json:"argv"`
	Cwd         []byte            `json:"cwd"`
	Environment map[string]string `json:"environment"`
	Variables   map[string]string `json:"variables"`
	Home        []byte            `json:"home"`
	State       []byte            `json:"state"`
	Metadata    []byte            `json:"metadata"`
	Image       []byte            `json:"image"`
	Binds       []bindEntry       `json:"binds"`
	OnlyLog     bool              `json:"only_log,omitempty"` // see job
	Live        bool              `json:"live,omitempty"`
}

// The engine configuration travels as environment variables of the starter. It has at most 8
// chunks of 131,056 bytes and, with 4 KiB to spare, a quarter of the stack limit
// (copyConfigToEnv in the runtime, read_engine_config in its starter).
const (
	maxChunks    = 8
	maxChunk     = 131072 - 16
	kernelMargin = 4096
	// What the wrapping object, other plugins and the starter's environment may still add.
	ownMargin = 16384
)

// roomForStash returns how many bytes may join an engine configuration of this size.
func roomForStash(engineSize int, stackLimit uint64) int {
	limit := uint64(maxChunks * maxChunk)
	if quarter := stackLimit / 4; quarter < limit+kernelMargin {
		limit = max(quarter, kernelMargin) - kernelMargin
	}
	return int(limit) - engineSize - ownMargin
}

func stackLimit() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_STACK, &limit); err != nil {
		return 0
	}
	return limit.Cur
}

// fit returns the stash as JSON of at most room bytes, leaving out the command line, then
// the environment, where they do not fit; nil when even the rest does not.
func (s stash) fit(room int) []byte {
	for _, drop := range []func(){
		func() {},
		func() { s.Argv = nil },
		func() { s.Environment, s.Variables = nil, nil },
	} {
		drop()
		if data, err := json.Marshal(s); err == nil && len(data) <= room {
			return data
		}
	}
	return nil
}

// capturedAlready tells whether `sifprov` itself runs this container and records the run. No
// runtime hands a variable with the first name's prefix into the container.
func capturedAlready() bool {
	return os.Getenv("SINGULARITY_SIFPROV_CAPTURED") != "" || os.Getenv("SIFPROV_CAPTURED") != ""
}

// handedIn are the variables that both runtimes hand into the container: a record holds them,
// but for those that the helper takes for secret.
var handedIn = []string{"SINGULARITYENV_*", "APPTAINERENV_*"}

// forHelper are what the helper looks at and no record holds as they are: the user's words about
// the run, its workflow, the batch job, and options of the runtime that the engine configuration does not show.
var forHelper = []string{
	"SIFPROV_NOTE", "SIFPROV_TAGS", "SIFPROV_METRICS", "SIFPROV_LOG", "SIFPROV_DIGEST", "SIFPROV_CACHE",
	"SIFPROV_WORKFLOW", "SIFPROV_WORKFLOW_ID", "SIFPROV_ACTIVITY", "SIFPROV_COMPOSITION",
	"SIFPROV_TELEMETRY",
	"SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_STEP_ID", "SLURM_PROCID", "SLURM_CLUSTER_NAME",
	"SLURM_JOB_NAME", "SLURM_JOB_PARTITION", "SLURMD_NODENAME",
	"PBS_JOBID", "PBS_ARRAY_INDEX", "PBS_ARRAYID",
	"LSB_JOBID", "LSB_JOBINDEX",
	"SGE_ROOT", "JOB_ID", "SGE_TASK_ID",
	"FLUX_JOB_ID",
	"KUBERNETES_SERVICE_HOST", "HOSTNAME", "POD_NAME", "POD_NAMESPACE", "POD_UID",
	"SINGULARITY_CLEANENV", "SINGULARITY_CONTAINALL", "SINGULARITY_COMPAT", "SINGULARITY_NO_MOUNT",
	"APPTAINER_CLEANENV", "APPTAINER_CONTAINALL", "APPTAINER_COMPAT", "APPTAINER_NO_MOUNT",
}

// newStash gathers what the process knows of itself.
func newStash(started time.Time, patterns []string) stash {
	cwd, _ := os.Getwd()
	return stash{
		Metadata:    metadata(cwd),
		Started:     timestamp(started),
		Argv:        byteStrings(os.Args),
		Cwd:         []byte(cwd),
		Environment: allowed(os.Environ(), append(patterns, handedIn...)),
		Variables:   allowed(os.Environ(), forHelper),
		Home:        []byte(os.Getenv("HOME")),
		State:       []byte(os.Getenv("XDG_STATE_HOME")),
	}
}

// metadata returns the absolute path that SIFPROV_METADATA names as the place of the records:
// empty where it is set to nothing, nil where it is not set.
func metadata(cwd string) []byte {
	path, set := os.LookupEnv("SIFPROV_METADATA")
	switch {
	case !set:
		return nil
	case path == "":
		return []byte{}
	}
	return []byte(absolute(path, cwd))
}

// allowed returns the variables whose names match a pattern: a name, or a prefix and "*".
func allowed(environ, patterns []string) map[string]string {
	out := map[string]string{}
	for _, variable := range environ {
		key, value, ok := strings.Cut(variable, "=")
		if !ok || key == "" {
			continue
		}
		for _, pattern := range patterns {
			prefix, wild := strings.CutSuffix(pattern, "*")
			if key == pattern || wild && strings.HasPrefix(key, prefix) {
				out[key] = value
				break
			}
		}
	}
	return out
}

func absolute(path, cwd string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(cwd, path)
}

// givenImage returns the absolute path of the application container that the user named. Where
// the runtime cannot mount it, it runs a temporary copy and names that as the image; base is
// the original's file name, which it keeps. The command line then has the path.
func givenImage(runtimeImage, base string, argv []string, cwd string) string {
	if base != "" && filepath.Base(runtimeImage) != base {
		for _, arg := range argv[min(1, len(argv)):] {
			if path := absolute(arg, cwd); filepath.Base(path) == base && !strings.Contains(arg, "://") {
				return path
			}
		}
	}
	return absolute(runtimeImage, cwd)
}
