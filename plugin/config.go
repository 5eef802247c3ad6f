package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

const (
	configSchema = "sifprov.plugin-config/1"
	maxConfig    = 64 << 10
	maxTimeout   = 24 * 3600
)

// config is what the administrator wrote with `sifprov plugin install`
// (docs/formats.md, "Plugin configuration").
type config struct {
	Schema         string   `json:"schema"`
	Helper         []string `json:"helper"`
	Environment    []string `json:"environment"`
	ROInputs       bool     `json:"ro_inputs"`
	Timeout        int      `json:"timeout_seconds"`
	RuntimeVersion string   `json:"runtime_version"`
	SiteLog        *siteLog `json:"site_log"`
	// Deliver starts a whole sifprov, for reports to a catalog on a server; may be empty.
	Deliver []string `json:"deliver"`
}

// defaultConfig serves where there is no configuration to trust: it names no helper.
func defaultConfig() config {
	return config{
		Environment: []string{"LANG", "LC_*", "TZ", "OMP_*", "CUDA_VISIBLE_DEVICES"},
		ROInputs:    true,
		Timeout:     300,
	}
}

func configPath() string {
	return filepath.Join(PluginRootDir, name, "sifprov.json")
}

// loadConfig reads the configuration and checks that nobody but the administrator can have
// written it, or any file that the helper's command names. On an error it returns the default.
func loadConfig(t trust, path string) (config, error) {
	fallback := defaultConfig()
	if err := t.check(path); err != nil {
		return fallback, err
	}
	f, err := os.Open(path)
	if err != nil {
		return fallback, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return fallback, err
	}
	if len(data) > maxConfig {
		return fallback, fmt.Errorf("%s: longer than 64 KiB", path)
	}
	c := fallback
	c.Environment = nil
	if err := json.Unmarshal(data, &c); err != nil {
		return fallback, fmt.Errorf("%s: %w", path, err)
	}
	if err := c.validate(t); err != nil {
		return fallback, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func (c config) validate(t trust) error {
	if c.Schema != configSchema {
		return fmt.Errorf("schema: %q is not %q", c.Schema, configSchema)
	}
	if len(c.Helper) == 0 || !filepath.IsAbs(c.Helper[0]) {
		return errors.New("helper: the program's absolute path is missing")
	}
	if c.Timeout < 1 || c.Timeout > maxTimeout {
		return fmt.Errorf("timeout_seconds: %d is not within 1 and %d", c.Timeout, maxTimeout)
	}
	if err := c.SiteLog.validate(); err != nil {
		return err
	}
	return t.checkCommand("helper", c.Helper)
}

// deliverer returns the command that delivers reports, nil where somebody else than the administrator
// could have written what it starts: reports then wait for somebody who reads the catalog.
func (c config) deliverer(t trust) []string {
	if len(c.Deliver) == 0 || !filepath.IsAbs(c.Deliver[0]) || t.checkCommand("deliver", c.Deliver) != nil {
		return nil
	}
	return c.Deliver
}

// checkCommand checks all files that a command line names.
func (t trust) checkCommand(field string, argv []string) error {
	for i, word := range argv {
		if strings.IndexByte(word, 0) >= 0 {
			return fmt.Errorf("%s[%d]: holds a NUL", field, i)
		}
		if !filepath.IsAbs(word) {
			continue
		}
		if err := t.check(word); err != nil {
			return fmt.Errorf("%s[%d]: %w", field, i, err)
		}
	}
	return nil
}
