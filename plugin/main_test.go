package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test binary plays the other processes too: roleVariable says which.
const roleVariable = "SIFPROV_TEST_ROLE"

func TestMain(m *testing.M) {
	role, argument, _ := strings.Cut(os.Getenv(roleVariable), ":")
	// The helper's environment is fixed, so its role comes on the command line.
	if role == "" && len(os.Args) > 2 && os.Args[1] == "helper" {
		role, argument = os.Args[1], os.Args[2]
	}
	switch role {
	case "":
		os.Exit(m.Run())
	case "exit":
		code, _ := strconv.Atoi(argument)
		os.Exit(code)
	case "sleep":
		milliseconds, _ := strconv.Atoi(argument)
		time.Sleep(time.Duration(milliseconds) * time.Millisecond)
		os.Exit(0)
	case "trap": // ends with 40 plus the number of the signal
		signals := make(chan os.Signal, 16)
		signal.Notify(signals)
		fmt.Println("ready")
		for s := range signals {
			if s != syscall.SIGURG && s != syscall.SIGCONT {
				os.Exit(40 + int(s.(syscall.Signal)))
			}
		}
	case "starter":
		os.Exit(playStarter(argument))
	case "helper":
		os.Exit(playHelper(argument))
	case "rights":
		os.Exit(playOtherRights(argument))
	}
	os.Exit(99)
}

// playHelper behaves as the argument says; "save:FILE" is the good one.
func playHelper(behaviour string) int {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	what, file, _ := strings.Cut(behaviour, ":")
	switch what {
	case "save":
		data, err := io.ReadAll(os.Stdin)
		if err != nil || os.WriteFile(file, data, 0o600) != nil {
			return 1
		}
		return 0
	case "say":
		_, _ = io.Copy(io.Discard, os.Stdin)
		fmt.Fprintln(os.Stderr, "the output is full")
		return 0
	case "fail":
		_, _ = io.Copy(io.Discard, os.Stdin)
		fmt.Fprintln(os.Stderr, "\nsifprov: no room in \x1b[31mout.sif\nmore")
		return 3
	case "die":
		return 9
	case "deaf": // closes its input at once
		os.Stdin.Close()
		time.Sleep(200 * time.Millisecond)
		return 4
	case "hang":
		time.Sleep(time.Hour)
	case "flood":
		block := []byte(strings.Repeat("x", 1<<16))
		for range 64 {
			os.Stderr.Write(block)
		}
		_, _ = io.Copy(io.Discard, os.Stdin)
		return 5
	}
	return 98
}

// start runs the test binary in a role. The caller reaps it.
func start(t testing.TB, role string) int {
	t.Helper()
	pid, err := syscall.ForkExec("/proc/self/exe", []string{"test"}, &syscall.ProcAttr{
		Env:   []string{roleVariable + "=" + role},
		Files: []uintptr{0, 1, 2},
	})
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// runtimeSignals is the channel as the runtime makes it.
func runtimeSignals(t testing.TB) chan os.Signal {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals)
	t.Cleanup(func() { signal.Stop(signals) })
	return signals
}

// within fails the test, with all stacks, when f takes too long.
func within(t testing.TB, limit time.Duration, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(limit):
		panic("hangs: " + t.Name())
	}
}
