package main

import (
	"strings"
	"syscall"
)

const maxWarning = 500

// firstLine returns the first line that is not empty.
func firstLine(text []byte) string {
	for _, line := range strings.Split(string(text), "\n") {
		if line = strings.TrimSpace(line); line != "" {
			return strings.TrimPrefix(line, name+": ")
		}
	}
	return ""
}

// warning makes one line for a terminal: names in it may come from a hostile container.
func warning(text string) string {
	clean := strings.Map(func(r rune) rune {
		// Controls of both sets, and what turns the writing direction around.
		if r < 0x20 || r >= 0x7f && r < 0xa0 || r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	if len(clean) > maxWarning {
		clean = strings.ToValidUTF8(clean[:maxWarning], "") + " …"
	}
	return name + ": " + clean + "\n"
}

// warnUser writes to standard error without the os package, which would raise a SIGPIPE anew.
func warnUser(line string) {
	_, _ = syscall.Write(2, []byte(line))
}
