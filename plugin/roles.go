package main

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"strconv"
	"syscall"
)

// Where things stand in a SIF file (pytools/sifprov/sif/format.py draws it).
const (
	sifRead       = 32768 // header and default descriptor table: the one read that is made
	sifHeader     = 128
	sifMagicAt    = 32
	sifTotalAt    = 88
	sifTableAt    = 96
	sifDescriptor = 585
	descUsedAt    = 4
	descIDAt      = 5
	descNameAt    = 73
	descExtraAt   = 201
	partTypeAt    = descExtraAt + 4
	typePartition = 0x4004
	partData      = 3
	maxMount      = 100
)

// roleOfFile returns the role that the container at path declares, "" for none.
// id selects the data partition as the bind option of that name does.
func roleOfFile(path, id string) string {
	// O_NONBLOCK: a FIFO given as an image must not stop the run here.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	buf := make([]byte, sifRead)
	n, err := io.ReadFull(f, buf)
	if err != nil && err != io.ErrUnexpectedEOF {
		return ""
	}
	return roleIn(buf[:n], id)
}

// roleIn reads the role out of a SIF's first bytes. Without id the first data partition
// counts, as it does for the runtime. Descriptors outside buf are not looked at.
func roleIn(buf []byte, id string) string {
	if len(buf) < sifHeader || string(buf[sifMagicAt:sifMagicAt+10]) != "SIF_MAGIC\x00" {
		return ""
	}
	wanted := uint64(0)
	if id != "" {
		var err error
		if wanted, err = strconv.ParseUint(id, 10, 32); err != nil || wanted == 0 {
			return ""
		}
	}
	table := int64(binary.LittleEndian.Uint64(buf[sifTableAt:]))
	total := int64(binary.LittleEndian.Uint64(buf[sifTotalAt:]))
	if table < sifHeader || table > int64(len(buf)) {
		return ""
	}
	rest := buf[table:]
	for ; total > 0 && len(rest) >= sifDescriptor; total-- {
		d := rest[:sifDescriptor]
		rest = rest[sifDescriptor:]
		if d[descUsedAt] == 0 ||
			binary.LittleEndian.Uint32(d) != typePartition ||
			binary.LittleEndian.Uint32(d[partTypeAt:]) != partData {
			continue
		}
		if wanted != 0 && uint64(binary.LittleEndian.Uint32(d[descIDAt:])) != wanted {
			continue
		}
		return declaredRole(d[descNameAt:descExtraAt])
	}
	return ""
}

// declaredRole parses "sifprov:ROLE:MOUNT", padded with NUL.
func declaredRole(field []byte) string {
	text, _, _ := bytes.Cut(field, []byte{0})
	rest, ok := bytes.CutPrefix(text, []byte("sifprov:"))
	if !ok {
		return ""
	}
	role, mount, ok := bytes.Cut(rest, []byte(":"))
	if !ok || len(mount) == 0 || len(mount) > maxMount || mount[0] != '/' {
		return ""
	}
	if r := string(role); r == "input" || r == "output" {
		return r
	}
	return ""
}
