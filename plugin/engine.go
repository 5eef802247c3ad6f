package main

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"syscall"
	"time"
)

// engineView reads and changes single fields of a runtime's engine configuration by their
// names. Its type lives in a package too heavy for a plugin. To marshal the whole of it would
// walk maps that the goroutines beside ours may write, and would touch an encryption key.
//
// The fields, alike in SingularityCE and Apptainer (pkg/runtime/engine/…/config/config.go):
// JSON: Image, Instance, Fakeroot, SignalPropagation, BindPath, ImageList, and the switches of
// isolation; OciConfig: Process, Linux.
type engineView struct {
	json    reflect.Value
	process reflect.Value // the zero value where there is none yet
	linux   reflect.Value // likewise
}

// viewEngine panics when the configuration is not of the known shape: callers recover.
func viewEngine(engineConfig any) engineView {
	top := reflect.ValueOf(engineConfig).Elem()
	view := engineView{json: top.FieldByName("JSON").Elem()}
	if oci := top.FieldByName("OciConfig"); !oci.IsNil() {
		view.process = oci.Elem().FieldByName("Process").Elem()
		if linux := oci.Elem().FieldByName("Linux"); linux.IsValid() {
			view.linux = linux.Elem()
		}
	}
	return view
}

func (v engineView) text(field string) string { return v.json.FieldByName(field).String() }
func (v engineView) flag(field string) bool   { return v.json.FieldByName(field).Bool() }

// processList returns a list of strings of what runs in the container: Args or Env.
func (v engineView) processList(field string) []string {
	if !v.process.IsValid() {
		return nil
	}
	list, _ := v.process.FieldByName(field).Interface().([]string)
	return list
}

// imageName returns the file name of the image that the user named; variable is the one by
// which the runtime tells it to the container.
func (v engineView) imageName(variable string) string {
	found := ""
	for _, entry := range v.processList("Env") {
		if value, ok := strings.CutPrefix(entry, variable+"="); ok {
			found = value
		}
	}
	return found
}

func (v engineView) images() []imageEntry {
	list := v.json.FieldByName("ImageList")
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

// bindView is one bind: Source, Destination and Options, a map from names to *{Value}.
type bindView struct{ value reflect.Value }

func (b bindView) text(field string) string { return b.value.FieldByName(field).String() }

func (b bindView) option(name string) (value string, found bool) {
	option := b.value.FieldByName("Options").MapIndex(reflect.ValueOf(name))
	if !option.IsValid() {
		return "", false
	}
	if !option.IsNil() {
		value = option.Elem().FieldByName("Value").String()
	}
	return value, true
}

// imageSrc returns the folder of the image that is bound; found is false for a bind of a folder.
func (b bindView) imageSrc() (source string, found bool) {
	source, found = b.option("image-src")
	if found && source == "" {
		source = "/"
	}
	return source, found
}

func (b bindView) ofImage() bool {
	_, source := b.imageSrc()
	id, _ := b.option("id")
	return source || id != ""
}

// setReadOnly changes a copy of the options: binds made by --data share one map.
func (b bindView) setReadOnly() {
	options := b.value.FieldByName("Options")
	changed := reflect.MakeMap(options.Type())
	for _, key := range options.MapKeys() {
		changed.SetMapIndex(key, options.MapIndex(key))
	}
	changed.SetMapIndex(reflect.ValueOf("ro"), reflect.New(options.Type().Elem().Elem()))
	options.Set(changed)
}

// bindsImage tells whether the run binds anything out of an image.
func (v engineView) bindsImage() bool {
	list := v.json.FieldByName("BindPath")
	for i := range list.Len() {
		if (bindView{list.Index(i)}).ofImage() {
			return true
		}
	}
	return false
}

// markInputs describes the binds of images. In a copy of the list it adds "ro" to those of
// containers that declare themselves inputs, unless the user chose; use puts the copy in place.
func (v engineView) markInputs(addRO bool) (entries []bindEntry, use func()) {
	list := v.json.FieldByName("BindPath")
	marked := reflect.MakeSlice(list.Type(), list.Len(), list.Len())
	reflect.Copy(marked, list)
	entries = []bindEntry{}
	for i := range marked.Len() {
		b := bindView{marked.Index(i)}
		if !b.ofImage() {
			continue
		}
		e := bindEntry{Source: []byte(b.text("Source")), Destination: []byte(b.text("Destination"))}
		if source, found := b.imageSrc(); found {
			e.ImageSrc = []byte(source)
		}
		id, _ := b.option("id")
		if id != "" {
			e.ID = &id
		}
		_, wroteRW := b.option("rw")
		_, wroteRO := b.option("ro")
		if addRO && !wroteRW && !wroteRO && roleOfFile(b.text("Source"), id) == "input" {
			b.setReadOnly()
			e.ROAdded = true
		}
		e.RO = wroteRO || e.ROAdded
		entries = append(entries, e)
	}
	return entries, func() { list.Set(marked) }
}

// gather returns what the command-line process knows of the run, and a function that puts the
// marked binds in place; nil for a run that is neither to be recorded nor reported nor for the site log.
func gather(engineConfig any, nameVariable string, started time.Time) (*stash, func()) {
	view := viewEngine(engineConfig)
	// Joining an instance binds nothing, and nobody watches it end.
	if strings.HasPrefix(view.text("Image"), "instance://") {
		return nil, nil
	}
	conf, _ := trustedConfig() // the starter reads it again, and tells what is wrong
	return gatherBy(conf, view, nameVariable, started)
}

func gatherBy(conf config, view engineView, nameVariable string, started time.Time) (*stash, func()) {
	captured := capturedAlready()
	onlyLog := captured || !view.bindsImage()
	live := !captured && reportsLive(siteSettings)
	if onlyLog && conf.SiteLog == nil && !live {
		return nil, nil
	}
	st := newStash(started, append(conf.Environment, userEnvironment(os.Getenv)...))
	st.Image = []byte(givenImage(view.text("Image"), view.imageName(nameVariable), os.Args, string(st.Cwd)))
	st.Live = live
	if st.OnlyLog = onlyLog; onlyLog {
		st.Binds = []bindEntry{}
		if !live {
			st.Environment = map[string]string{}
		}
		return &st, func() {}
	}
	var use func()
	st.Binds, use = view.markInputs(addsRO(conf, siteSettings, os.Getenv))
	warnOfWriters(st.Binds, warnUser)
	return &st, use
}

// encode returns the stash as JSON that fits beside an engine configuration of this size, or
// nil after telling the user that it does not.
func (s stash) encode(engineSize int) []byte {
	data := s.fit(roomForStash(engineSize, stackLimit()))
	if data == nil && !s.OnlyLog {
		warnUser(warning("this run will not be recorded: its command line and environment leave no room"))
	}
	return data
}

// record starts the recorder for a run that was stashed.
func (s stash) record(engineConfig any, runtime component) *recorder {
	view := viewEngine(engineConfig)
	recorded.Store(true)
	return startRecorder(job{
		start: startEvent{
			Runtime:     runtime,
			Argv:        s.Argv,
			Command:     byteStrings(view.processList("Args")),
			Cwd:         s.Cwd,
			Started:     s.Started,
			Environment: s.Environment,
			Variables:   s.Variables,
			Facts:       map[string]fact{"isolation": view.isolation()},
			Image:       s.Image,
			Binds:       s.Binds,
			Images:      view.images(),
			Metadata:    s.Metadata,
			Instance:    view.flag("Instance"),
			Fakeroot:    view.flag("Fakeroot"),
			Timeout:     defaultConfig().Timeout,
			Live:        s.Live,
		},
		load:  trustedConfig,
		runs:  running,
		home:  string(s.Home),
		state: string(s.State),
		warn:  warnUser,

		onlyLog: s.OnlyLog,
	})
}

// propagates tells whether the runtime forwards signals to the container.
func propagates(engineConfig any) (yes bool) {
	defer func() { _ = recover() }()
	return viewEngine(engineConfig).flag("SignalPropagation")
}

// watch is the starter's part: it waits for the container as the runtime does, with the
// recorder that start makes (nil for none, and when anything is odd) beside it.
func watch(engineConfig any, pid int, signals chan os.Signal, start func() (*recorder, error)) (syscall.WaitStatus, error) {
	return monitor(pid, signals, propagates(engineConfig), safely(start))
}

func safely(start func() (*recorder, error)) (rec *recorder) {
	defer func() {
		if recover() != nil {
			rec = nil
		}
	}()
	rec, err := start()
	if err != nil {
		warnUser(warning(fmt.Sprintf("this run will not be recorded (%v)", err)))
		return nil
	}
	return rec
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
	conf.Deliver = conf.deliverer(t)
	return conf, err
}
