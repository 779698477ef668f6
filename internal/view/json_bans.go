package view

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/tcpguard/tcpguard/internal/bans"
)

// Banned is the document of ban add.
func (j *JSON) Banned(b Banned) error {
	type covered struct {
		Address string `json:"address"`
		By      string `json:"by"`
	}
	doc := struct {
		header
		In        string    `json:"in"`
		Addresses int       `json:"addresses"`
		Ranges    int       `json:"ranges"`
		Covered   []covered `json:"covered"`
		Cut       []string  `json:"cut"`
		Notes     []string  `json:"notes"`
		Warnings  []string  `json:"warnings"`
	}{head("ban_added"), b.Place.String(), b.Addresses, b.Ranges, []covered{}, []string{}, list(b.Notes), list(b.Warnings)}
	for _, c := range b.Covered {
		doc.Covered = append(doc.Covered, covered{c.Span.String(), c.By.String()})
	}
	for _, s := range b.Cut {
		doc.Cut = append(doc.Cut, s.String())
	}
	return j.write(doc)
}

// Unbanned is the document of ban del.
func (j *JSON) Unbanned(u Unbanned) error {
	doc := struct {
		header
		In       string   `json:"in"`
		Bans     int      `json:"bans"`
		Missing  []string `json:"missing"`
		Warnings []string `json:"warnings"`
	}{head("ban_deleted"), u.Place.String(), u.Bans, []string{}, list(u.Warnings)}
	for _, m := range u.Missing {
		doc.Missing = append(doc.Missing, m.Span.String())
	}
	return j.write(doc)
}

// Flushed is the document of ban flush.
func (j *JSON) Flushed(f Flushed) error {
	doc := struct {
		header
		In       []string `json:"in"`
		Warnings []string `json:"warnings"`
	}{head("ban_flushed"), []string{}, list(f.Warnings)}
	for _, p := range f.Places {
		doc.In = append(doc.In, p.String())
	}
	return j.write(doc)
}

// jsonBan is one ban of a list.
type jsonBan struct {
	Address   string `json:"address"`
	In        string `json:"in"`
	Permanent bool   `json:"permanent"`
	// LeftSeconds is rounded up; 0 when permanent.
	LeftSeconds int64  `json:"left_seconds"`
	Since       string `json:"since"` // "" when not known
	By          string `json:"by"`
	Reason      string `json:"reason"`
}

// Bans is the document of ban list. It is written a ban at a time, since there may be a million.
func (j *JSON) Bans(l BanList) error {
	out := bufio.NewWriter(j.out)
	top, err := json.Marshal(head("bans"))
	if err != nil {
		return err
	}
	warnings, err := marshal(list(l.Warnings))
	if err != nil {
		return err
	}
	// The members of the header, as the first of the document.
	fmt.Fprintf(out, "%s,\n\"warnings\":%s,\n\"bans\":[", bytes.TrimSuffix(top, []byte("}")), warnings)
	for i, b := range l.Bans {
		line, err := marshal(banOf(b))
		if err != nil {
			return err
		}
		if i > 0 {
			out.WriteByte(',') //nolint:errcheck // Flush tells
		}
		fmt.Fprintf(out, "\n%s", line)
	}
	fmt.Fprint(out, "\n]}\n")
	return out.Flush()
}

func banOf(b bans.Ban) jsonBan {
	d := jsonBan{Address: b.Span.String(), In: b.Place.String(), Permanent: b.Permanent, By: b.By, Reason: b.Reason}
	if !b.Permanent {
		d.LeftSeconds = int64(math.Ceil(b.Left.Seconds()))
	}
	if !b.Since.IsZero() {
		d.Since = b.Since.UTC().Format(time.RFC3339)
	}
	return d
}

// marshal is json.Marshal without the escapes for HTML.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimRight(b.Bytes(), "\n"), err
}
