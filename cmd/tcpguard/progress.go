package main

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// quietFor is how often work that takes long says that it is still alive, where there is no terminal.
const quietFor = 10 * time.Second

// stepTexts says what each step of an apply does.
var stepTexts = map[string]string{
	"read":   "reading the kernel's state",
	"commit": "committing to nftables",
	"sysctl": "writing sysctls",
	"verify": "reading back",
}

// progress tells how far a command has got: on a terminal a line that is drawn anew, elsewhere a line each interval, so
// that short work says nothing. Its methods may be called from any goroutine.
type progress struct {
	w        io.Writer
	terminal bool
	started  time.Time

	mu    sync.Mutex
	text  string
	drawn bool
	done  chan struct{}
	gone  sync.WaitGroup
}

// startProgress begins to tell; stop ends it. On a terminal the line is drawn twenty times in an interval, for the first
// time after the first of them, so that short work draws nothing there either.
func startProgress(w io.Writer, terminal bool, interval time.Duration) *progress {
	p := &progress{w: w, terminal: terminal, started: time.Now(), text: "starting", done: make(chan struct{})}
	if terminal {
		interval /= 20
	}
	p.gone.Add(1)
	go p.follow(interval)
	return p
}

func (p *progress) follow(interval time.Duration) {
	defer p.gone.Done()
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-p.done:
			return
		case <-ticker.C:
			p.mu.Lock()
			p.draw()
			p.mu.Unlock()
		}
	}
}

// draw writes the line; the caller holds the lock.
func (p *progress) draw() {
	p.drawn = true
	elapsed := time.Since(p.started).Round(time.Second)
	if p.terminal {
		fmt.Fprintf(p.w, "\r\x1b[K%s … %s", p.text, elapsed)
	} else {
		fmt.Fprintf(p.w, "still %s, %s so far\n", p.text, elapsed)
	}
}

// step tells that another step begins.
func (p *progress) step(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text = name
	if text, ok := stepTexts[name]; ok {
		p.text = text
	}
}

// stop ends the telling and clears the line. It may be called twice.
func (p *progress) stop() {
	p.mu.Lock()
	select {
	case <-p.done:
		p.mu.Unlock()
		return
	default:
		close(p.done)
	}
	p.mu.Unlock()
	p.gone.Wait()
	if p.terminal && p.drawn {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
