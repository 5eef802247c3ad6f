package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// keepFor keeps a request (docs/formats.md, "Spool") and returns the command that delivers it. It
// goes below the user's XDG_STATE_HOME or HOME; where neither takes it, as on a full disk, beside
// an output of the run.
func (j job) keepFor(lines []byte) (command string, err error) {
	if filepath.IsAbs(j.state) {
		if err = spoolBelow(j.state, []string{name, "spool"}, lines); err == nil {
			return "sifprov flush", nil
		}
	}
	other := spool(j.home, lines)
	if other == nil {
		return "sifprov flush", nil
	}
	err = errors.Join(err, other)
	for _, image := range j.start.Images {
		if dir := filepath.Dir(string(image.Path)); image.Writable && filepath.IsAbs(dir) {
			if other = spoolInto(dir, "."+name+"-", lines); other == nil {
				return "sifprov flush --search " + dir, nil
			}
			err = errors.Join(err, other)
		}
	}
	return "", errors.New(strings.ReplaceAll(err.Error(), "\n", "; "))
}

// spool writes a request into the spool folder below a home.
func spool(home string, lines []byte) error {
	return spoolBelow(home, []string{".local", "state", name, "spool"}, lines)
}

// spoolBelow makes the folders with the real user's rights. base comes from the user's environment,
// so it must be the user's own: in somebody else's folder a planted link could lead the write
// anywhere.
func spoolBelow(base string, below []string, lines []byte) error {
	if err := ownRightsOnly(); err != nil {
		return err
	}
	if !filepath.IsAbs(base) {
		return errors.New("HOME is not an absolute path")
	}
	dir := filepath.Clean(base)
	if err := ownFolder(dir); err != nil {
		return err
	}
	for _, part := range below {
		dir = filepath.Join(dir, part)
		if err := syscall.Mkdir(dir, 0o700); err != nil && err != syscall.EEXIST {
			return fmt.Errorf("%s: %w", dir, err)
		}
		if err := ownFolder(dir); err != nil {
			return err
		}
	}
	return spoolInto(dir, "", lines)
}

// spoolInto writes a request into a folder. Its final name appears with the whole content, so that
// a flush never reads half of it, and has reached the disk when this returns.
func spoolInto(dir, prefix string, lines []byte) error {
	if err := ownRightsOnly(); err != nil {
		return err
	}
	id, err := newUUID()
	if err != nil {
		return err
	}
	path := filepath.Join(dir, prefix+id+".request.jsonl")
	if err := writeSynced(path+".part", lines); err != nil {
		os.Remove(path + ".part")
		return err
	}
	if err := os.Rename(path+".part", path); err != nil {
		return err
	}
	return syncFolder(dir)
}

func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
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
