package addrset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

const mixed = "192.0.2.1\n192.0.2.2\n10.0.0.0/8\n203.0.113.5-203.0.113.9\n2001:db8::1\n2001:db8:1::/48\n::-::9\n"

func TestDigestsAreStable(t *testing.T) {
	s := mustParse(t, mixed)
	// Files on disk and markers in the kernel are named by these: they must never change.
	want := [NumKinds]string{
		Addrs4:  "c40856bfa142596e72b6437041298257",
		Ranges4: "5c1996bc8caecf45659166c802c6ecbe",
		Addrs6:  "92ea47776c19776ff7a36e3e40bdae63",
		Ranges6: "1fdcc6dbaf2a562b605c3d8cf4c1003e",
	}
	if got := digests(s); got != want {
		t.Errorf("digests are %q, want %q", got, want)
	}
}

func TestDigestTellsContentApart(t *testing.T) {
	seen := map[string]string{}
	for _, text := range []string{"", "0.0.0.0", "0.0.0.1", "0.0.0.0\n0.0.0.1", "0.0.0.0/31", "::", "::1", "::/127", "::\n::1"} {
		s := mustParse(t, text)
		for k := range NumKinds {
			p := s.Part(k)
			name := k.String() + " " + strings.Join(slices.Collect(p.Texts()), " ")
			if other, ok := seen[p.Digest()]; ok && other != name {
				t.Errorf("%q and %q have the same digest", other, name)
			}
			seen[p.Digest()] = name
		}
	}
}

func TestAStoredPartComesBack(t *testing.T) {
	s := mustParse(t, mixed)
	var file bytes.Buffer
	for k := range NumKinds {
		file.Write(stored(t, s.Part(k)))
	}
	// One after the other from one reader: no byte of the next part may be taken.
	r := iotest.HalfReader(&file)
	for k := range NumKinds {
		got, err := ReadPart(r)
		if err != nil || !reflect.DeepEqual(got, s.Part(k)) {
			t.Errorf("%s: %+v, %v, want %+v", k, got, err, s.Part(k))
		}
	}
	empty, err := ReadPart(bytes.NewReader(stored(t, Part{Kind: Ranges6})))
	if err != nil || empty.Kind != Ranges6 || empty.Len() != 0 {
		t.Errorf("an empty part comes back as %+v, %v", empty, err)
	}
}

func TestAStoredPartMayBeLargerThanABlock(t *testing.T) {
	s, err := Parse(bytes.NewReader(listText(50_000, randomIPv6)), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := ReadPart(bytes.NewReader(stored(t, s.Part(Addrs6))))
	if err != nil || !slices.Equal(got.Addrs6, s.Part(Addrs6).Addrs6) {
		t.Errorf("%d addresses come back, %v, want %d", got.Len(), err, s.Part(Addrs6).Len())
	}
}

func TestEveryDamagedByteIsNoticed(t *testing.T) {
	s := mustParse(t, mixed)
	for k := range NumKinds {
		good := stored(t, s.Part(k))
		for i := range good {
			bad := slices.Clone(good)
			bad[i] ^= 0x40
			if p, err := ReadPart(bytes.NewReader(bad)); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("%s: byte %d changed: %+v, %v", k, i, p, err)
			}
			if p, err := ReadPart(bytes.NewReader(good[:i])); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("%s: cut after %d bytes: %+v, %v", k, i, p, err)
			}
		}
	}
}

// TestNoOtherFormIsRead gives parts that are not in normal form, each with a digest that fits.
func TestNoOtherFormIsRead(t *testing.T) {
	last := Addr6{1<<64 - 1, 1<<64 - 1}
	tests := []struct {
		name string
		part Part
		want string
	}{
		{"unsorted", Part{Kind: Addrs4, Addrs4: []uint32{2, 1}}, "element 1 is out of order"},
		{"duplicate", Part{Kind: Addrs6, Addrs6: []Addr6{{0, 1}, {0, 1}}}, "element 1 is out of order"},
		{"touching", Part{Kind: Ranges4, Ranges4: []Range4{{1, 2}, {3, 4}}}, "element 1 is out of order"},
		{"overlapping", Part{Kind: Ranges6, Ranges6: []Range6{{Hi: Addr6{0, 9}}, {Addr6{0, 5}, last}}}, "element 1 is out of order"},
		{"behind the end", Part{Kind: Ranges6, Ranges6: []Range6{{Hi: last}, {Hi: last}}}, "element 1 is out of order"},
		{"one address", Part{Kind: Ranges4, Ranges4: []Range4{{7, 7}}}, "element 0 is not a range"},
		{"reversed", Part{Kind: Ranges4, Ranges4: []Range4{{9, 7}}}, "element 0 is not a range"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := ReadPart(bytes.NewReader(stored(t, test.part)))
			if !errors.Is(err, ErrCorrupt) || !strings.Contains(errorText(err), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

// TestAPromiseOfElementsTakesNoMemory reads headers that promise much and give nothing.
func TestAPromiseOfElementsTakesNoMemory(t *testing.T) {
	for _, count := range []uint64{MaxPartLen, MaxPartLen + 1, 1 << 62, 1<<64 - 1} {
		head := append([]byte(magic), byte(Ranges6), 0, 0, 0)
		head = binary.BigEndian.AppendUint64(head, count)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := ReadPart(bytes.NewReader(head))
		runtime.ReadMemStats(&after)
		if !errors.Is(err, ErrCorrupt) {
			t.Errorf("count %d: %v", count, err)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 1<<18 {
			t.Errorf("count %d: %d bytes were allocated", count, n)
		}
	}
}

// TestReadPartLeavesLittleGarbage bounds all that is allocated: the result and what doubling left behind.
func TestReadPartLeavesLittleGarbage(t *testing.T) {
	s, err := Parse(bytes.NewReader(listText(300_000, randomIPv4)), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	file := stored(t, s.Part(Addrs4))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	p, err := ReadPart(bytes.NewReader(file))
	runtime.ReadMemStats(&after)
	if err != nil || cap(p.Addrs4) != len(p.Addrs4) {
		t.Fatalf("%d addresses with room for %d, %v", len(p.Addrs4), cap(p.Addrs4), err)
	}
	if n, limit := after.TotalAlloc-before.TotalAlloc, uint64(3*len(file)+1<<17); n > limit {
		t.Errorf("allocated %d bytes to read a file of %d, want at most %d", n, len(file), limit)
	}
}

func TestStoreErrorsAreReported(t *testing.T) {
	p := mustParse(t, mixed).Part(Addrs4)
	broken := errors.New("disk on fire")
	if _, err := ReadPart(iotest.ErrReader(broken)); !errors.Is(err, broken) || errors.Is(err, ErrCorrupt) {
		t.Errorf("a broken disk is reported as %v", err)
	}
	for size := range len(stored(t, p)) {
		w := &fullDisk{left: size}
		if n, err := p.WriteTo(w); !errors.Is(err, io.ErrShortWrite) || n != int64(size) {
			t.Fatalf("WriteTo a disk with %d bytes = %d, %v", size, n, err)
		}
	}
}

type fullDisk struct{ left int }

func (d *fullDisk) Write(b []byte) (int, error) {
	n := min(len(b), d.left)
	d.left -= n
	if n < len(b) {
		return n, io.ErrShortWrite
	}
	return n, nil
}

func FuzzReadPart(f *testing.F) {
	s := mustParse(f, mixed)
	for k := range NumKinds {
		f.Add(stored(f, s.Part(k)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ReadPart(bytes.NewReader(data))
		if err != nil {
			return
		}
		if again := stored(t, p); !bytes.HasPrefix(data, again) {
			t.Errorf("%x is read as %x", data, again)
		}
	})
}
