package rooms

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/tcpguard/tcpguard"

// pkg is what the go command says of a package. Imports has no test imports: tests may use what they like.
type pkg struct {
	ImportPath string
	Dir        string
	Imports    []string
	Deps       []string
	GoFiles    []string
	Standard   bool
}

// list asks the go command for every package of the module, for the tags that change what is built.
func list(t *testing.T, args ...string) []pkg {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Dir,Imports,Deps,GoFiles,Standard"}, args...)...)
	cmd.Dir = "../.."
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, &stderr)
	}
	var pkgs []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

// A rule forbids the packages under From, save Except, to import anything under To.
type rule struct {
	why    string
	from   []string // folders of this module; "" is all of it
	except []string
	to     []string // import paths, or folders of this module beginning with "./"
	deep   bool     // also through others
}

// rules are those of ARCHITECTURE.md, "Rooms".
var rules = []rule{
	{
		why:  "the language is values in, values out: it must not know what becomes of them",
		from: []string{"policy", "internal/addrset"},
		to: []string{
			"./enforcer", "./sysctl", "./cmd", "./internal/reconcile", "./internal/view", "./internal/host", "./internal/fault",
			"github.com/google/nftables", "github.com/mdlayher/netlink", "github.com/vishvananda", "github.com/sirupsen/logrus",
			"github.com/lorenzosaino/go-sysctl", "github.com/spf13",
		},
		deep: true,
	},
	{
		why:  "the model is compiled and compared without a kernel and without a parser",
		from: []string{"enforcer"}, except: []string{"enforcer/nft"},
		to: []string{
			"github.com/hashicorp/hcl", "github.com/zclconf", "github.com/google/nftables", "github.com/mdlayher/netlink",
			"github.com/sirupsen/logrus", "golang.org/x/sys", "./enforcer/nft", "./sysctl", "./internal/reconcile", "./internal/host", "./cmd",
		},
	},
	{
		why:    "one room encodes for the kernel's packet filter",
		from:   []string{""},
		except: []string{"enforcer/nft"},
		to:     []string{"github.com/google/nftables"},
	},
	{
		why:    "one room writes the kernel's settings",
		from:   []string{""},
		except: []string{"sysctl"},
		to:     []string{"github.com/lorenzosaino/go-sysctl"},
	},
	{
		why:  "settings know nothing of the packet filter",
		from: []string{"sysctl"},
		to:   []string{"./enforcer", "./internal/reconcile", "./cmd", "./internal/view", "github.com/hashicorp/hcl", "github.com/sirupsen/logrus"},
	},
	{
		why:  "a view prints values: it reads no kernel and no file",
		from: []string{"internal/view"},
		to: []string{
			"os", "syscall", "net", "golang.org/x/sys", "./enforcer/nft", "./internal/host", "./cmd",
			"github.com/mdlayher/netlink", "github.com/vishvananda", "github.com/sirupsen/logrus",
		},
	},
	{
		why:    "only the command line logs: the core returns values",
		from:   []string{""},
		except: []string{"cmd"},
		to:     []string{"github.com/sirupsen/logrus", "github.com/spf13/cobra"},
	},
	{
		why:    "no program is needed at run time but ours",
		from:   []string{""},
		except: []string{"bench", "internal/nettest", "internal/ci", "internal/rooms"},
		to:     []string{"os/exec", "plugin"},
	},
	{
		why:    "test support stays out of the program",
		from:   []string{""},
		except: []string{"bench", "internal/nettest"},
		to:     []string{"./internal/nettest", "testing"},
	},
	{
		why:    "nothing imports the command line",
		from:   []string{""},
		except: []string{"cmd"},
		to:     []string{"./cmd"},
	},
}

// under says whether an import path is a folder or stands below it.
func under(importPath, folder string) bool {
	if strings.HasPrefix(folder, "./") {
		folder = path.Join(module, folder)
	}
	return importPath == folder || strings.HasPrefix(importPath, folder+"/")
}

// breaches gives each forbidden import as "package imports package".
func breaches(pkgs []pkg, r rule) []string {
	in := func(p string, folders []string) bool {
		return slices.ContainsFunc(folders, func(f string) bool { return under(p, "./"+f) })
	}
	var found []string
	for _, p := range pkgs {
		if !in(p.ImportPath, r.from) || in(p.ImportPath, r.except) {
			continue
		}
		imports := p.Imports
		if r.deep {
			imports = p.Deps
		}
		for _, i := range imports {
			if slices.ContainsFunc(r.to, func(to string) bool { return i == to || to != "net" && to != "os" && under(i, to) }) {
				found = append(found, p.ImportPath+" imports "+i)
			}
		}
	}
	return found
}

func TestImports(t *testing.T) {
	for _, tags := range []string{"", "faultpoints"} {
		pkgs := list(t, "-tags="+tags, "./...")
		if len(pkgs) < 5 {
			t.Fatalf("only %d packages found: the rules were not tried", len(pkgs))
		}
		for _, r := range rules {
			for _, b := range breaches(pkgs, r) {
				t.Errorf("%s: %s", b, r.why)
			}
		}
	}
}

// TestBreachIsFound tries the rules on a module that breaks each of them.
func TestBreachIsFound(t *testing.T) {
	for _, r := range rules {
		from := path.Join(module, r.from[0])
		if r.from[0] == "" {
			from = path.Join(module, "internal/new")
		}
		to := r.to[0]
		if strings.HasPrefix(to, "./") {
			to = path.Join(module, to)
		}
		bad := []pkg{{ImportPath: from, Imports: []string{"fmt", to}, Deps: []string{"fmt", to}}}
		if got := breaches(bad, r); len(got) != 1 {
			t.Errorf("%s: %s importing %s gives %q, want one breach", r.why, from, to, got)
		}
		good := []pkg{{ImportPath: from, Imports: []string{"fmt"}, Deps: []string{"fmt"}}}
		if got := breaches(good, r); len(got) != 0 {
			t.Errorf("%s: %q found where nothing is wrong", r.why, got)
		}
	}
}
