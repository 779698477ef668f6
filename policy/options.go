package policy

// Options say what to load and what the outside world contributes. Load reads nothing else, neither the clock nor the
// process's own environment, so that the same options give the same Bundle.
type Options struct {
	// Paths are files, or directories whose *.hcl and *.hcl.json files (not *.test.hcl) are read in lexical order.
	Paths []string
	// Vars are values from --var; they win over VarFiles, those over Env, and Env over a variable's default.
	Vars map[string]string
	// VarFiles assign variables; a later file wins over an earlier one.
	VarFiles []string
	// Env is an environment in the form of os.Environ; only TCPGUARD_VAR_<name> is looked at.
	Env []string
	// Facts are what expressions see as host.*.
	Facts Facts
	// Version is compared with required_version. An empty version, that of an unreleased build, satisfies all.
	Version string
	// CheckSysctl judges a declared setting; nil means that every key and value is taken.
	CheckSysctl func(key string, want []string, bound Bound) *SysctlProblem

	// MaxFileBytes bounds one policy or variable file; 0 means 4 MiB.
	MaxFileBytes int64
	// MaxListBytes bounds one list file; 0 means 256 MiB.
	MaxListBytes int64
	// MaxListEntries bounds the entries of one list; 0 means 8,388,608.
	MaxListEntries int
}

// The default bounds of Options.
const (
	DefaultMaxFileBytes   = 4 << 20
	DefaultMaxListBytes   = 256 << 20
	DefaultMaxListEntries = 8 << 20
)

func (o Options) withDefaults() Options {
	if o.MaxFileBytes <= 0 {
		o.MaxFileBytes = DefaultMaxFileBytes
	}
	if o.MaxListBytes <= 0 {
		o.MaxListBytes = DefaultMaxListBytes
	}
	if o.MaxListEntries <= 0 {
		o.MaxListEntries = DefaultMaxListEntries
	}
	return o
}

// SysctlProblemKind says what is wrong with a declared sysctl.
type SysctlProblemKind int

// What can be wrong with a declared sysctl.
const (
	SysctlUnknownKey SysctlProblemKind = iota + 1 // no such key is known
	SysctlOutOfRange                              // the kernel would clamp, ignore or refuse the value
	SysctlBadBound                                // the bound makes no sense for this key, such as at_least for a name
)

// SysctlProblem is the judgement of Options.CheckSysctl on a setting that cannot be applied.
type SysctlProblem struct {
	Kind    SysctlProblemKind
	Nearest string // the known key nearest to an unknown one; "" when none is near
	Text    string // for a bad value: what was expected, such as "expected 0 to 2"; lower case, no full stop
}
