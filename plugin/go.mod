// Pins the runtime that the plugin is written against. This file and go.sum
// serve `go test` in this folder and tools/build-runtime only; they are kept out
// of the copy that is compiled inside the runtime's own source tree, where a
// nested module would break `singularity plugin compile`.
module sifprov.org/plugin

go 1.24.3

require github.com/sylabs/singularity/v4 v4.3.3

require (
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/spf13/cobra v1.9.1 // indirect
	github.com/spf13/pflag v1.0.7 // indirect
)
