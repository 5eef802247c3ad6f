//go:build singularity_engine

package main

import (
	"encoding/json"
	"os"
	"syscall"
	"time"

	pluginapi "github.com/sylabs/singularity/v4/pkg/plugin"
	clicallback "github.com/sylabs/singularity/v4/pkg/plugin/callback/cli"
	enginecallback "github.com/sylabs/singularity/v4/pkg/plugin/callback/runtime/engine/singularity"
	engine "github.com/sylabs/singularity/v4/pkg/runtime/engine/config"
)

// madeFor is the runtime that this was written for; the configuration may name the real version.
var madeFor = component{Name: "singularity-ce", Version: "4.3.3"}

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

// engineConfig runs in the command-line process, before the starter is executed.
func engineConfig(common *engine.Common) {
	started := time.Now()
	// Whatever goes wrong here, the run goes on as if there were no plugin.
	defer func() { _ = recover() }()

	st, use := gather(common.EngineConfig, "SINGULARITY_NAME", started)
	if st == nil {
		return
	}
	whole, err := json.Marshal(common)
	if err != nil {
		return
	}
	data := st.encode(len(whole))
	if data != nil && common.SetPluginConfig(self, json.RawMessage(data)) == nil {
		use()
	}
}

// postStartProcess runs in the starter once the container's process runs.
func postStartProcess(_ *engine.Common, pid int) error {
	markStarted(pid)
	return nil
}

// monitorContainer runs in the starter, beside the goroutines that set the container up.
func monitorContainer(common *engine.Common, pid int, signals chan os.Signal) (syscall.WaitStatus, error) {
	return watch(common.EngineConfig, pid, signals, func() (*recorder, error) {
		var st stash
		if _, found := common.PluginConfig[name]; !found {
			return nil, nil
		}
		if err := common.GetPluginConfig(self, &st); err != nil {
			return nil, err
		}
		return st.record(common.EngineConfig, madeFor), nil
	})
}
