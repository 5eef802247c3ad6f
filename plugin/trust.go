package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const maxLinks = 40

// trust says which files nobody but the administrator can have written.
type trust struct {
	base  string // the walk starts here; what stands above it is not looked at
	owner uint32
}

// systemTrust starts at / and takes its owner for the administrator: uid 0, or the overflow
// uid in a user namespace that does not map it. There a uid 0 is the user himself, and
// what he owns is not trusted.
func systemTrust() (trust, error) {
	var st syscall.Stat_t
	if err := syscall.Lstat("/", &st); err != nil {
		return trust{}, fmt.Errorf("/: %w", err)
	}
	return trustOwner(st.Uid)
}

func trustOwner(uid uint32) (trust, error) {
	const overflow = 65534
	if uid != 0 && uid != overflow {
		return trust{}, errors.New("/: does not belong to root")
	}
	return trust{base: "/", owner: uid}, nil
}

// check walks every component of an absolute path, through symbolic links too, and fails
// where somebody else could have written or replaced it. A sticky folder that all may write
// is no exception: what it holds now need not be what it held before.
func (t trust) check(path string) error {
	if !filepath.IsAbs(path) {
		return fmt.Errorf("%q: not an absolute path", path)
	}
	todo := strings.Split(path, "/")
	at, links := "/", 0
	if err := t.one("/", nil); err != nil {
		return err
	}
	for len(todo) > 0 {
		part := todo[0]
		todo = todo[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			at = filepath.Dir(at)
			continue
		}
		next := filepath.Join(at, part)
		var target string
		if err := t.one(next, &target); err != nil {
			return err
		}
		if target == "" {
			at = next
			continue
		}
		if links++; links > maxLinks {
			return fmt.Errorf("%q: too many symbolic links", path)
		}
		if filepath.IsAbs(target) {
			at = "/"
		}
		todo = append(strings.Split(target, "/"), todo...)
	}
	return nil
}

// one checks a single component and reads it where it is a link.
func (t trust) one(path string, target *string) error {
	var st syscall.Stat_t
	if err := syscall.Lstat(path, &st); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	link := st.Mode&syscall.S_IFMT == syscall.S_IFLNK
	if path != t.base && !strings.HasPrefix(path, strings.TrimSuffix(t.base, "/")+"/") {
		// Above the base, which only tests move: follow, do not judge.
	} else if st.Uid != t.owner {
		return fmt.Errorf("%s: does not belong to root", path)
	} else if !link && st.Mode&0o022 != 0 {
		return fmt.Errorf("%s: others than root may write it", path)
	}
	if link && target != nil {
		var err error
		if *target, err = os.Readlink(path); err != nil {
			return err
		}
	}
	return nil
}
