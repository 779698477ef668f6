package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/tcpguard/tcpguard/internal/view"
)

// release is the version that policies compare with required_version.
const release = "0.1.0"

// revision is the source that was built: set by the linker (see Makefile), else taken from the build information.
var revision string

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "say which tcpguard this is",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			return a.view().Version(view.Version{
				Version: release, Revision: sourceRevision(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
			})
		},
	}
}

func sourceRevision() string {
	if revision != "" {
		return revision
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}
