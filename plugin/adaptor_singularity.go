//go:build singularity_engine

package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"strings"
	"syscall"
	"time"

	pluginapi "github.com/sylabs/singularity/v4/pkg/plugin"
	clicallback "github.com/sylabs/singularity/v4/pkg/plugin/callback/cli"
	enginecallback "github.com/sylabs/singularity/v4/pkg/plugin/callback/runtime/engine/singularity"
	engine "github.com/sylabs/singularity/v4/pkg/runtime/engine/config"
	"github.com/sylabs/singularity/v4/pkg/util/bind"
)

// pinnedVersion is the runtime that go.mod pins; the configuration may name the real one.
const pinnedVersion = "4.3.3"

// Plugin is what the runtime looks for.
var Plugin = pluginapi.Plugin{
	Manifest: pluginapi.Manifest{
		Name:        name,
		Author:      "The sifprov developers",
		Version:     version,
		Description: "Appends a record of each run to the container that holds its results",
	},
	Callbacks: []pluginapi.Callback{
		(clicallback.SingularityEngineConfig)(engineConfig),
		(enginecallback.MonitorContainer)(monitorContainer),
		(enginecallback.PostStartProcess)(postStartProcess),
	},
}

// self is Plugin as far as Get/SetPluginConfig look at it. The callbacks cannot name
// Plugin, which names them.
var self = pluginapi.Plugin{Manifest: pluginapi.Manifest{Name: name}}

// settings is the part of the runtime's engine configuration that is used here. Its type lives
// in a package too heavy for a plugin.
type settings interface {
	GetBindPath() []bind.Path
	SetBindPath([]bind.Path)
	GetImage() string
	GetInstance() bool
	GetFakeroot() bool
	GetSignalPropagation() bool
}

// engineConfig runs in the command-line process, before the starter is executed.
func engineConfig(common *engine.Common) {
	started := time.Now()
	// Whatever goes wrong here, the run goes on as if there were no plugin.
	defer func() { _ = recover() }()

	s, ok := common.EngineConfig.(settings)
	if !ok || capturedAlready() || !bindsImage(s.GetBindPath()) || strings.HasPrefix(s.GetImage(), "instance://") {
		return // joining an instance binds nothing
	}
	conf, _ := trustedConfig() // the starter reads it again, and tells what is wrong
	st := newStash(started, conf.Environment)
	st.Image = []byte(givenImage(s.GetImage(), imageName(common.EngineConfig), os.Args, string(st.Cwd)))
	paths, entries := markInputs(s.GetBindPath(), conf.ROInputs)
	st.Binds = entries

	engineJSON, err := json.Marshal(common)
	if err != nil {
		return
	}
	data := st.fit(roomForStash(len(engineJSON), stackLimit()))
	if data == nil {
		warnUser(warning("this run will not be recorded: its command line and environment leave no room"))
		return
	}
	if err := common.SetPluginConfig(self, json.RawMessage(data)); err == nil {
		s.SetBindPath(paths)
	}
}

func trustedConfig() (config, error) {
	t, err := systemTrust()
	if err != nil {
		return defaultConfig(), err
	}
	conf, err := loadConfig(t, configPath())
	if err != nil {
		err = fmt.Errorf("%w; an administrator runs 'sifprov plugin install'", err)
	}
	return conf, err
}

func bindsImage(paths []bind.Path) bool {
	for i := range paths {
		if paths[i].ImageSrc() != "" || paths[i].ID() != "" {
			return true
		}
	}
	return false
}

// markInputs describes the binds of images, and adds "ro" to those of containers that declare
// themselves inputs unless the user chose. It changes copies only: binds made by
// --data share one map of options.
func markInputs(paths []bind.Path, addRO bool) ([]bind.Path, []bindEntry) {
	out := append([]bind.Path(nil), paths...)
	entries := []bindEntry{}
	for i := range out {
		p := &out[i]
		if p.ImageSrc() == "" && p.ID() == "" {
			continue
		}
		e := bindEntry{Source: []byte(p.Source), Destination: []byte(p.Destination)}
		if src := p.ImageSrc(); src != "" {
			e.ImageSrc = []byte(src)
		}
		if id := p.ID(); id != "" {
			e.ID = &id
		}
		_, wrote := p.Options["rw"]
		if addRO && !wrote && !p.Readonly() && roleOfFile(p.Source, p.ID()) == "input" {
			p.Options = maps.Clone(p.Options)
			p.Options["ro"] = &bind.Option{}
			e.ROAdded = true
		}
		e.RO = p.Readonly()
		entries = append(entries, e)
	}
	return out, entries
}

// postStartProcess runs in the starter once the container's process runs.
func postStartProcess(*engine.Common, int) error {
	markStarted()
	return nil
}

// monitorContainer runs in the starter, beside the goroutines that set the container up.
func monitorContainer(common *engine.Common, pid int, signals chan os.Signal) (syscall.WaitStatus, error) {
	propagate := false
	if s, ok := common.EngineConfig.(settings); ok {
		propagate = s.GetSignalPropagation()
	}
	return monitor(pid, signals, propagate, newRecorder(common))
}

// newRecorder returns nil for a run without image binds, and when anything is odd.
func newRecorder(common *engine.Common) (r *recorder) {
	defer func() {
		if recover() != nil {
			r = nil
		}
	}()
	if _, found := common.PluginConfig[name]; !found {
		return nil
	}
	var st stash
	err := common.GetPluginConfig(self, &st)
	if err != nil {
		warnUser(warning(fmt.Sprintf("this run will not be recorded (%v)", err)))
		return nil
	}
	s := common.EngineConfig.(settings)
	return startRecorder(job{
		start: startEvent{
			Runtime:     component{Name: "singularity-ce", Version: pinnedVersion},
			Argv:        st.Argv,
			Command:     byteStrings(processArgs(common.EngineConfig)),
			Cwd:         st.Cwd,
			Started:     st.Started,
			Environment: st.Environment,
			Image:       st.Image,
			Binds:       st.Binds,
			Images:      imageList(common.EngineConfig),
			Instance:    s.GetInstance(),
			Fakeroot:    s.GetFakeroot(),
			Timeout:     defaultConfig().Timeout,
		},
		load: trustedConfig,
		runs: running,
		home: string(st.Home),
		warn: warnUser,
	})
}

// The two below read single fields. To marshal the whole configuration would walk maps that
// the goroutines beside this one may write, and would touch an encryption key.

func imageList(engineConfig any) []imageEntry {
	list := reflect.ValueOf(engineConfig).Elem().FieldByName("JSON").Elem().FieldByName("ImageList")
	out := []imageEntry{}
	for i := range list.Len() {
		image := list.Index(i)
		out = append(out, imageEntry{
			Path:     []byte(image.FieldByName("Path").String()),
			Writable: image.FieldByName("Writable").Bool(),
			Usage:    int(image.FieldByName("Usage").Uint()),
			Type:     int(image.FieldByName("Type").Int()),
		})
	}
	return out
}

func processArgs(engineConfig any) []string {
	return processField(engineConfig, "Args")
}

// imageName returns the file name of the image that the user named.
func imageName(engineConfig any) string {
	found := ""
	for _, variable := range processField(engineConfig, "Env") {
		if value, ok := strings.CutPrefix(variable, "SINGULARITY_NAME="); ok {
			found = value
		}
	}
	return found
}

func processField(engineConfig any, field string) []string {
	process := reflect.ValueOf(engineConfig).Elem().FieldByName("OciConfig").Elem().FieldByName("Process")
	list, _ := process.Elem().FieldByName(field).Interface().([]string)
	return list
}
