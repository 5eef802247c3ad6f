package main

import (
	"encoding/binary"
	"os"
	"strings"
	"syscall"
	"testing"
)

type descriptor struct {
	kind, part uint32
	id         uint32
	unused     bool
	name       string
}

// sifBytes draws the start of a SIF file with these descriptors.
func sifBytes(table, total int64, list ...descriptor) []byte {
	buf := make([]byte, sifRead)
	copy(buf, "#!/usr/bin/env run-singularity\n")
	copy(buf[sifMagicAt:], "SIF_MAGIC\x0001\x0002\x00")
	binary.LittleEndian.PutUint64(buf[sifTotalAt:], uint64(total))
	binary.LittleEndian.PutUint64(buf[sifTableAt:], uint64(table))
	for i, d := range list {
		at := 4096 + i*sifDescriptor
		binary.LittleEndian.PutUint32(buf[at:], d.kind)
		if !d.unused {
			buf[at+descUsedAt] = 1
		}
		binary.LittleEndian.PutUint32(buf[at+descIDAt:], d.id)
		copy(buf[at+descNameAt:at+descExtraAt], d.name)
		binary.LittleEndian.PutUint32(buf[at+partTypeAt:], d.part)
	}
	return buf
}

func data(id uint32, name string) descriptor {
	return descriptor{kind: typePartition, part: partData, id: id, name: name}
}

func TestRole(t *testing.T) {
	in, out := data(1, "sifprov:input:/Inputs"), data(2, "sifprov:output:/a:b")
	system := descriptor{kind: typePartition, part: 2, id: 7, name: in.name}
	json := descriptor{kind: 0x4006, part: partData, id: 8, name: in.name}
	gone := descriptor{kind: typePartition, part: partData, id: 9, unused: true, name: in.name}
	for _, c := range []struct {
		label string
		buf   []byte
		id    string
		want  string
	}{
		{"input", sifBytes(4096, 48, in), "", "input"},
		{"output", sifBytes(4096, 48, out), "", "output"},
		{"first of two", sifBytes(4096, 48, in, out), "", "input"},
		{"by id", sifBytes(4096, 48, in, out), "2", "output"},
		{"no such id", sifBytes(4096, 48, in, out), "3", ""},
		{"bad id", sifBytes(4096, 48, in), "x", ""},
		{"id 0", sifBytes(4096, 48, in), "0", ""},
		{"others skipped", sifBytes(4096, 48, system, json, gone, out), "", "output"},
		{"only others", sifBytes(4096, 48, system, json, gone), "", ""},
		{"undeclared first", sifBytes(4096, 48, data(1, "disk"), in), "", ""},
		{"fewer than drawn", sifBytes(4096, 1, system, in), "", ""},
		{"hostile total", sifBytes(4096, 1<<62, in), "", "input"},
		{"negative total", sifBytes(4096, -1, in), "", ""},
		{"hostile table", sifBytes(1<<62, 48, in), "", ""},
		{"negative table", sifBytes(-4096, 48, in), "", ""},
		{"table at the end", sifBytes(sifRead, 48, in), "", ""},
		{"no magic", make([]byte, sifRead), "", ""},
		{"short", sifBytes(4096, 48, in)[:100], "", ""},
		{"cut", sifBytes(4096, 48, in)[:4096+sifDescriptor-1], "", ""},
		{"just whole", sifBytes(4096, 48, in)[:4096+sifDescriptor], "", "input"},
		{"empty", nil, "", ""},
	} {
		if got := roleIn(c.buf, c.id); got != c.want {
			t.Errorf("%s: %q, not %q", c.label, got, c.want)
		}
	}
}

func TestDeclaredRole(t *testing.T) {
	for name, want := range map[string]string{
		"sifprov:input:/Inputs":                      "input",
		"sifprov:input:/":                            "input",
		"sifprov:input:/" + strings.Repeat("x", 99):  "input",
		"sifprov:input:/" + strings.Repeat("x", 100): "",
		"sifprov:input:Inputs":                       "",
		"sifprov:input:":                             "",
		"sifprov:input":                              "",
		"sifprov:inout:/x":                           "",
		"sifprov:input:/x\x00junk":                   "input",
		"Sifprov:input:/x":                           "",
		"":                                           "",
	} {
		if got := declaredRole([]byte(name)); got != want {
			t.Errorf("%q: %q, not %q", name, got, want)
		}
	}
}

func TestRoleOfFile(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/in.sif", string(sifBytes(4096, 48, data(1, "sifprov:input:/Inputs"))), 0o600)
	must(t, syscall.Mkfifo(dir+"/fifo", 0o600))
	for path, want := range map[string]string{"/in.sif": "input", "/fifo": "", "/missing": "", "": ""} {
		if got := roleOfFile(dir+path, ""); got != want {
			t.Errorf("%s: %q", path, got)
		}
	}
	if os.Getuid() == 0 {
		return // root may read everything
	}
	must(t, os.Chmod(dir+"/in.sif", 0))
	if got := roleOfFile(dir+"/in.sif", ""); got != "" {
		t.Errorf("unreadable: %q", got)
	}
}

func FuzzRole(f *testing.F) {
	in := data(1, "sifprov:input:/Inputs")
	f.Add(sifBytes(4096, 48, in), "")
	f.Add(sifBytes(4096, 1<<63-1, in), "1")
	f.Add(sifBytes(-1<<63, -1<<63, in), "4294967295")
	f.Add(sifBytes(sifHeader, 3)[:sifHeader+2*sifDescriptor], "2")
	f.Add([]byte("SIF_MAGIC"), "")
	f.Fuzz(func(t *testing.T, buf []byte, id string) {
		switch role := roleIn(buf, id); role {
		case "", "input", "output":
		default:
			t.Errorf("%q", role)
		}
	})
}
