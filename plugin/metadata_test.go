package main

import (
	"os"
	"strings"
	"testing"
)

func TestMetadataIsAbsoluteOrEmptyOrUnset(t *testing.T) {
	line := func() string {
		data, err := startEvent{Metadata: metadata("/work")}.line()
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	t.Setenv("SIFPROV_METADATA", "../meta.sif")
	if got := string(metadata("/work")); got != "/meta.sif" {
		t.Errorf("a relative path became %q", got)
	}
	os.Setenv("SIFPROV_METADATA", "")
	if got := line(); !strings.Contains(got, `"metadata":""`) {
		t.Errorf("set to nothing: %s", got)
	}
	os.Unsetenv("SIFPROV_METADATA")
	if got := line(); !strings.Contains(got, `"metadata":null`) {
		t.Errorf("not set: %s", got)
	}
}
