package main

import (
	"errors"
	"path/filepath"
)

// siteLog is where the site wants a line for each run, written by the helper (docs/formats.md,
// "Site log").
type siteLog struct {
	To   string `json:"to"`
	Argv bool   `json:"argv"`
}

func (s *siteLog) validate() error {
	if s != nil && (!filepath.IsAbs(s.To) || filepath.Clean(s.To) != s.To) {
		return errors.New("site_log: 'to' is no absolute path")
	}
	return nil
}
