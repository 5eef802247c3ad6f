// Package main is a plugin for container runtimes: it sees a run end and has a helper
// write down how the result came about. All files but the adaptor_*.go know no runtime.
package main

const (
	// name is the plugin's name and its folder below PluginRootDir.
	name = "sifprov"
	// version equals VERSION in pytools/sifprov/version.py.
	version = "0.1.0"
)

// PluginRootDir is set by the linker: `plugin compile` passes -X main.PluginRootDir.
var PluginRootDir string
