package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// spool writes a request into the user's spool folder (docs/formats.md, "Spool") with the
// real user's rights. Home comes from the user's environment, so it must be the user's own:
// in somebody else's folder a planted link could lead the write anywhere.
func spool(home string, lines []byte) error {
	if err := ownRightsOnly(); err != nil {
		return err
	}
	if !filepath.IsAbs(home) {
		return errors.New("HOME is not an absolute path")
	}
	dir := filepath.Clean(home)
	if err := ownFolder(dir); err != nil {
		return err
	}
	for _, part := range []string{".local", "state", name, "spool"} {
		dir = filepath.Join(dir, part)
		if err := syscall.Mkdir(dir, 0o700); err != nil && err != syscall.EEXIST {
			return fmt.Errorf("%s: %w", dir, err)
		}
		if err := ownFolder(dir); err != nil {
			return err
		}
	}
	id, err := newUUID()
	if err != nil {
		return err
	}
	// The final name appears with the whole content, so that a flush never reads half of it.
	path := filepath.Join(dir, id+".request.jsonl")
	if err := writeSynced(path+".part", lines); err != nil {
		os.Remove(path + ".part")
		return err
	}
	return os.Rename(path+".part", path)
}

func writeSynced(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

func ownFolder(path string) error {
	var st syscall.Stat_t
	if err := syscall.Stat(path, &st); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if st.Mode&syscall.S_IFMT != syscall.S_IFDIR || int(st.Uid) != os.Getuid() || st.Mode&0o002 != 0 {
		return fmt.Errorf("%s: not a folder of your own", path)
	}
	return nil
}

func newUUID() (string, error) {
	data, err := os.ReadFile("/proc/sys/kernel/random/uuid")
	return strings.TrimSpace(string(data)), err
}
