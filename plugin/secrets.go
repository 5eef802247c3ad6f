package main

import "strings"

const hidden = "[redacted]"

// suspects are parts of words, in lower case, that tell of a secret, and beginnings of well-known
// tokens. The helper knows much better which argument holds one; this is for a request that
// waits on disk for want of a helper, where too much hidden is better than too little.
var suspects = []string{
	"pass", "pwd", "secret", "token", "key", "cred", "auth", "bearer", "basic ", "cookie", "sig=", "signature",
	"pat=", "-----begin",
	"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "glpat-", "xox", "akia", "asia", "aiza", "hf_", "k_live_", "sk-", "npm_",
	"pypi-", "eyj",
}

func suspect(text string) bool {
	lower := strings.ToLower(text)
	for _, part := range suspects {
		if strings.Contains(lower, part) {
			return true
		}
	}
	return strings.Contains(text, "://") && strings.Contains(text, "@")
}

// hide returns a command line without what may be secret: such arguments, what stands behind `=`
// in them, and the argument behind an option of such a name.
func hide(args [][]byte) [][]byte {
	if args == nil {
		return nil
	}
	out := make([][]byte, len(args))
	next := false
	for i, arg := range args {
		text := string(arg)
		name, _, assigned := strings.Cut(text, "=")
		switch {
		case next && !strings.HasPrefix(text, "--"):
			out[i] = []byte(hidden)
		case !suspect(text):
			out[i] = arg
		case assigned && isName(name):
			out[i] = []byte(name + "=" + hidden)
		case isName(text) && strings.HasPrefix(text, "--"):
			out[i] = arg
		default:
			out[i] = []byte(hidden)
		}
		next = strings.HasPrefix(text, "-") && !assigned && suspect(text)
	}
	return out
}

// isName tells whether a text is an option or the name of a variable and hides nothing: no digits.
func isName(text string) bool {
	return strings.Trim(text, "-_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") == "" &&
		strings.Trim(text, "-_") != ""
}

// withoutSecrets leaves out the variables that may be secret, by name or value.
func withoutSecrets(variables map[string]string) map[string]string {
	out := map[string]string{}
	for name, value := range variables {
		if !suspect(name) && !suspect(value) {
			out[name] = value
		}
	}
	return out
}

// kept returns the event as it may lie on disk.
func (e startEvent) kept() startEvent {
	e.Argv, e.Command = hide(e.Argv), hide(e.Command)
	e.Environment = withoutSecrets(e.Environment)
	e.SiteLog = nil // what is delivered later has been logged already
	e.Deliver = nil // nothing is started by a file of the user's
	return e
}
