package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

const (
	// startGrace bounds reading the configuration and starting the helper.
	startGrace = 30 * time.Second
	// timeoutMargin is what the helper gets beyond the time it gives itself.
	timeoutMargin = 10 * time.Second
	// killGrace bounds the wait for a killed helper, writeGrace one for the user's disk or terminal.
	killGrace = 2 * time.Second
	// logPatience bounds the wait for a run's line in the site log.
	logPatience = 5 * time.Second
	writeGrace  = 10 * time.Second
	// sameKey: an interrupt this soon after the end is the one that ended the container.
	sameKey = 300 * time.Millisecond
	// maxMessage is what is read of a helper's standard error.
	maxMessage = 4096
)

// job is what a recorder works on.
type job struct {
	start startEvent
	load  func() (config, error) // reads files, so it is called off the wait loop
	runs  <-chan struct{}        // closed when the container's process runs; may be nil
	home  string                 // where the spool is,
	state string                 // or, before that, here; may be empty
	warn  func(string)
	// onlyLog: a line in the site log, or reports, are all that is to be had of this run. Nothing of it
	// goes to the spool, and its user is told nothing.
	onlyLog bool
}

// recorder runs the helper beside the container. Its methods do nothing on nil.
type recorder struct {
	job   job
	lines []byte        // the request so far, as it may lie on disk; read by others once done has been received
	end   chan endEvent // the container's end; closed when nobody will tell it
	ran   chan *process // the helper, once it runs
	done  chan outcome  // the helper's end
}

// outcome says whether the helper did its work; message is for the user in either case.
type outcome struct {
	err     error
	message string
}

// startRecorder returns at once; the helper is started in a goroutine.
func startRecorder(j job) *recorder {
	r := &recorder{
		job:  j,
		end:  make(chan endEvent, 1),
		ran:  make(chan *process, 1),
		done: make(chan outcome, 1),
	}
	go func() {
		out := outcome{err: errors.New("the plugin failed")}
		defer func() {
			if recover() != nil {
				out.err = errors.New("the plugin failed")
			}
			r.done <- out
		}()
		out = r.run()
	}()
	return r
}

// run lives as long as the container and the helper do.
func (r *recorder) run() outcome {
	conf, confErr := r.job.load()
	start := r.job.start
	start.Timeout, start.SiteLog = conf.Timeout, conf.SiteLog
	start.ID, _ = newUUID() // without one the helper draws it
	if start.Live && confErr == nil {
		start.Deliver = conf.Deliver
	}
	if conf.RuntimeVersion != "" {
		start.Runtime.Version = conf.RuntimeVersion
	}
	line, err := start.line()
	if err != nil {
		<-r.end
		return outcome{err: err}
	}
	if r.lines, err = start.kept().line(); err != nil {
		<-r.end
		return outcome{err: err}
	}
	if confErr != nil {
		e, told := <-r.end
		r.addEnd(e, told)
		return outcome{err: confErr}
	}
	p, err := spawn(conf.Helper)
	if err != nil {
		e, told := <-r.end
		r.addEnd(e, told)
		return outcome{err: fmt.Errorf("cannot start the helper: %w", err)}
	}
	p.bound = time.Duration(conf.Timeout)*time.Second + timeoutMargin
	if r.job.onlyLog {
		p.bound = logPatience
	}
	r.ran <- p
	exited := make(chan outcome, 1)
	go func() { exited <- p.outcome() }()

	// A helper that reads no more tells why when it ends.
	_ = p.write(line)
	var e endEvent
	var told bool
	select {
	case <-r.job.runs:
		_ = p.write(runningLine(startedPID.Load()))
		e, told = <-r.end
	case e, told = <-r.end:
	}
	if last := r.addEnd(e, told); told {
		_ = p.write(last)
	}
	p.closeInput()
	return <-exited
}

// addEnd adds the container's end, where somebody told it, to the request.
func (r *recorder) addEnd(e endEvent, told bool) (line []byte) {
	if told {
		line = e.line()
		r.lines = append(r.lines[:len(r.lines):len(r.lines)], line...)
	}
	return line
}

// outcome reads the helper's standard error and waits for its end.
func (p *process) outcome() outcome {
	text := make(chan string, 1)
	go func() { text <- p.readMessage() }()
	status, err := p.wait()
	var message string
	select {
	case message = <-text:
	case <-time.After(time.Second): // something that left the group holds the pipe
	}
	switch {
	case err != nil:
		return outcome{err: fmt.Errorf("the helper was lost: %w", err)}
	case status.Exited() && status.ExitStatus() == 0:
		return outcome{message: message}
	case message != "":
		return outcome{err: errors.New(message)}
	case status.Signaled():
		return outcome{err: fmt.Errorf("the helper was ended by signal %d", status.Signal())}
	}
	return outcome{err: fmt.Errorf("the helper ended with %d", status.ExitStatus())}
}

// readMessage returns the first line of the helper's standard error and lets it write on.
func (p *process) readMessage() string {
	kept := make([]byte, 0, maxMessage)
	buf := make([]byte, maxMessage)
	for {
		n, err := syscall.Read(p.stderr, buf)
		if err == syscall.EINTR {
			continue
		}
		if n <= 0 {
			return firstLine(kept)
		}
		kept = append(kept, buf[:min(n, maxMessage-len(kept))]...)
	}
}

// abandon tells that the container's end will not be known. The helper goes on by itself.
func (r *recorder) abandon() {
	if r != nil {
		close(r.end)
	}
}

// finish tells the helper of the container's end and waits for it, for a limited time.
// It returns early on a second interrupt. What was not recorded goes to the spool.
func (r *recorder) finish(e endEvent, signals <-chan os.Signal) {
	if r == nil {
		return
	}
	r.end <- e
	out, ok := r.await(signals)
	if !ok {
		// Not even a kill helped: r.lines still belongs to the goroutine. Build them anew.
		line, _ := r.job.start.kept().line()
		r.lines = append(line, e.line()...)
	}
	switch {
	case r.job.onlyLog:
	case out.err != nil:
		r.keep(out.err)
	case out.message != "":
		r.say(out.message)
	}
}

// await returns the helper's outcome; ok is false when its goroutine still runs.
func (r *recorder) await(signals <-chan os.Signal) (out outcome, ok bool) {
	began := time.Now()
	timer := time.NewTimer(startGrace)
	defer timer.Stop()
	var p *process
	var reason error
	giveUp := func(err error) {
		if reason != nil {
			return
		}
		reason = err
		timer.Reset(killGrace)
		if p != nil {
			p.kill()
			p.closeInput()
		}
	}
	for {
		// The answer counts even where the time, maybe spent stopped, has run out too.
		select {
		case out := <-r.done:
			return merge(out, reason), true
		default:
		}
		select {
		case out := <-r.done:
			return merge(out, reason), true
		case p = <-r.ran:
			if reason == nil {
				timer.Reset(time.Until(began.Add(p.bound)))
			} else {
				p.kill()
			}
		case <-timer.C:
			switch {
			case reason != nil:
				return outcome{err: reason}, false
			case p == nil:
				giveUp(errors.New("the helper did not start in time"))
			default:
				giveUp(fmt.Errorf("the helper did not end within %s", p.bound))
			}
		case s := <-signals:
			switch s {
			case syscall.SIGTSTP:
				_ = stopSelf()
			case syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT:
				if time.Since(began) > sameKey {
					giveUp(errors.New("interrupted while the record was written"))
				}
			}
		}
	}
}

// merge prefers the reason for a kill to what the killed helper looks like.
func merge(out outcome, reason error) outcome {
	if out.err != nil && reason != nil {
		out.err = reason
	}
	return out
}

// keep puts the request into the spool and warns the user, in one line.
func (r *recorder) keep(why error) {
	kept := make(chan string, 1)
	go func() {
		command, err := r.job.keepFor(r.lines)
		if err != nil {
			kept <- fmt.Sprintf("this run was not recorded (%v), nor kept for later (%v)", why, err)
			return
		}
		kept <- fmt.Sprintf("this run was not recorded (%v); '%s' will try again", why, command)
	}()
	text := fmt.Sprintf("this run was not recorded (%v), nor kept for later (writing took too long)", why)
	select {
	case text = <-kept:
	case <-time.After(writeGrace):
	}
	r.say(text)
}

// say prints one line, but does not wait for a terminal or pipe that takes none.
func (r *recorder) say(text string) {
	said := make(chan struct{})
	go func() {
		defer close(said)
		r.job.warn(warning(text))
	}()
	select {
	case <-said:
	case <-time.After(killGrace):
	}
}
