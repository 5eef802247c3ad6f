package main

import (
	"os"
	"path/filepath"
	"testing"
)

// The shape of both runtimes' engine configuration, as far as it is used.

type fakeOption struct{ Value string }

type fakeBind struct {
	Source, Destination string
	Options             map[string]*fakeOption
}

type fakeImage struct {
	Path     string
	Writable bool
	Usage    uint8
	Type     int
}

type fakeJSON struct {
	Image                                 string
	Instance, Fakeroot, SignalPropagation bool
	BindPath                              []fakeBind
	ImageList                             []fakeImage
}

type fakeProcess struct{ Args, Env []string }
type fakeOCI struct{ Process *fakeProcess }

type fakeEngine struct {
	JSON      *fakeJSON
	OciConfig *fakeOCI
}

func fake(binds ...fakeBind) *fakeEngine {
	return &fakeEngine{JSON: &fakeJSON{Image: "/app.sif", BindPath: binds}, OciConfig: &fakeOCI{}}
}

func declared(t *testing.T, declaration string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "data.sif")
	if err := os.WriteFile(path, sifBytes(4096, 48, data(1, declaration)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEngineMarksInputsReadOnly(t *testing.T) {
	input, output := declared(t, "sifprov:input:/Inputs"), declared(t, "sifprov:output:/Outputs")
	source := func() map[string]*fakeOption { return map[string]*fakeOption{"image-src": {"/Inputs"}} }
	chosen := source()
	chosen["rw"] = nil
	shared := source()
	engine := fake(
		fakeBind{Source: input, Destination: "/a", Options: shared},
		fakeBind{Source: input, Destination: "/b", Options: chosen},
		fakeBind{Source: output, Destination: "/c", Options: map[string]*fakeOption{"image-src": {}}},
		fakeBind{Source: "/host", Destination: "/d"},
	)
	view := viewEngine(engine)
	if !view.bindsImage() {
		t.Fatal("no image bound")
	}
	entries, use := view.markInputs(true)
	if len(entries) != 3 {
		t.Fatalf("%d entries", len(entries))
	}
	for i, want := range []bindEntry{{RO: true, ROAdded: true}, {}, {}} {
		if entries[i].RO != want.RO || entries[i].ROAdded != want.ROAdded {
			t.Errorf("entry %d: %+v", i, entries[i])
		}
	}
	if string(entries[2].ImageSrc) != "/" {
		t.Errorf("an empty image-src is the root, not %q", entries[2].ImageSrc)
	}
	if _, found := engine.JSON.BindPath[0].Options["ro"]; found {
		t.Error("the list was changed before it was to be")
	}
	use()
	if option, found := engine.JSON.BindPath[0].Options["ro"]; !found || option == nil {
		t.Error("ro was not added")
	}
	if _, found := shared["ro"]; found {
		t.Error("a map that others hold was changed")
	}
	if len(engine.JSON.BindPath) != 4 || engine.JSON.BindPath[3].Source != "/host" {
		t.Errorf("other binds were changed: %+v", engine.JSON.BindPath)
	}
}

func TestEngineCanLeaveInputsAsTheyAre(t *testing.T) {
	engine := fake(fakeBind{
		Source: declared(t, "sifprov:input:/Inputs"), Destination: "/a",
		Options: map[string]*fakeOption{"image-src": {"/Inputs"}},
	})
	entries, use := viewEngine(engine).markInputs(false)
	use()
	if entries[0].RO || entries[0].ROAdded || engine.JSON.BindPath[0].Options["ro"] != nil {
		t.Errorf("%+v", entries)
	}
}

func TestEngineReadsItsFields(t *testing.T) {
	engine := fake()
	view := viewEngine(engine)
	if view.bindsImage() || view.processList("Args") != nil || view.imageName("X_NAME") != "" {
		t.Error("found what is not there")
	}
	engine.OciConfig.Process = &fakeProcess{Args: []string{"a", "b"}, Env: []string{"X_NAME=app.sif"}}
	engine.JSON.SignalPropagation = true
	engine.JSON.ImageList = []fakeImage{{"/i.sif", true, 4, 2}}
	view = viewEngine(engine)
	if len(view.processList("Args")) != 2 || view.imageName("X_NAME") != "app.sif" || !propagates(engine) {
		t.Error("did not find what is there")
	}
	images := view.images()
	if len(images) != 1 || string(images[0].Path) != "/i.sif" || !images[0].Writable || images[0].Usage != 4 {
		t.Errorf("%+v", images)
	}
}

func TestEngineOfAnotherShapeIsLeftAlone(t *testing.T) {
	for _, odd := range []any{nil, 7, &struct{}{}, &struct{ JSON *int }{}} {
		if propagates(odd) {
			t.Errorf("%v propagates", odd)
		}
		rec := safely(func() (*recorder, error) { return stash{}.record(odd, component{}), nil })
		if rec != nil {
			t.Errorf("%v is recorded", odd)
		}
	}
}
