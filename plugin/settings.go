package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// siteSettings is the file that the helper, too, knows a site's settings by (docs/reference.md,
// "Settings").
const siteSettings = "/etc/sifprov/config.ini"

// userEnvironment returns the names of variables that the user, else the site, has set to be
// recorded. Only this process sees their values, so it must know the names.
func userEnvironment(getenv func(string) string) []string {
	names, _ := environmentOf(siteSettings, 0)
	if own, found := environmentOf(userSettings(getenv), os.Getuid()); found {
		return own
	}
	return names
}

// addsRO tells whether "ro" is added to inputs: by the configuration of the plugin, and by what
// site, user and environment have set.
func addsRO(conf config, site string, getenv func(string) string) bool {
	answer, _ := settingOf(site, "ro_inputs", 0)
	if own, found := settingOf(userSettings(getenv), "ro_inputs", os.Getuid()); found {
		answer = own
	}
	if variable := getenv("SIFPROV_RO_INPUTS"); variable != "" {
		answer = variable
	}
	return conf.ROInputs && answer != "no"
}

// reportsLive tells whether the helper is to report the run when it starts and when it has ended, by
// what site, user and environment have set.
func reportsLive(site string) bool {
	answer, _ := settingOf(site, "live", 0)
	if own, found := settingOf(userSettings(os.Getenv), "live", os.Getuid()); found {
		answer = own
	}
	if variable, set := os.LookupEnv("SIFPROV_LIVE"); set {
		answer = variable
	}
	return answer == "yes" || answer == "1"
}

// userSettings returns the path of the user's own file, "" for a user without a home.
func userSettings(getenv func(string) string) string {
	base := getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(base) {
		base = filepath.Join(getenv("HOME"), ".config")
	}
	if !filepath.IsAbs(base) {
		return ""
	}
	return filepath.Join(base, name, "config.ini")
}

func environmentOf(path string, owner int) (names []string, found bool) {
	text, found := settingOf(path, "environment", owner)
	return splitNames(text), found
}

// settingOf reads a key of the section `capture`. A file that is somebody else's, or that others
// can write, says nothing. What is wrong in it, the helper tells.
func settingOf(path, wanted string, owner int) (value string, found bool) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", false
	}
	defer f.Close()
	var st syscall.Stat_t
	if syscall.Fstat(int(f.Fd()), &st) != nil || st.Mode&syscall.S_IFMT != syscall.S_IFREG ||
		int(st.Uid) != owner || st.Mode&0o022 != 0 {
		return "", false
	}
	data, err := io.ReadAll(io.LimitReader(f, maxConfig))
	if err != nil {
		return "", false
	}
	inCapture, inKey := false, false
	for _, line := range strings.Split(string(data), "\n") {
		text := strings.TrimSpace(line)
		switch {
		case text == "" || text[0] == '#' || text[0] == ';':
		case text[0] == '[':
			inCapture, inKey = text == "[capture]", false
		case inKey && line[0] <= ' ': // a value goes on in indented lines
			value += " " + text
		default:
			key, rest, _ := strings.Cut(text, "=")
			if inKey = inCapture && strings.ToLower(strings.TrimSpace(key)) == wanted; inKey {
				value, found = strings.TrimSpace(rest), true
			}
		}
	}
	return value, found
}

// splitNames leaves out a lone "*", which would let everything through.
func splitNames(text string) []string {
	out := []string{}
	for _, word := range strings.Fields(strings.ReplaceAll(text, ",", " ")) {
		if word != "*" {
			out = append(out, word)
		}
	}
	return out
}
