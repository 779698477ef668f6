package main

import (
	"os"
	"strings"
)

// splitVars turns the NAME=VALUE of --var into a map; a later one wins.
func splitVars(pairs []string) (map[string]string, error) {
	vars := map[string]string{}
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return nil, usage("write --var name=value", "--var %q has no name and value", pair)
		}
		vars[name] = value
	}
	return vars, nil
}

// environ gives the variables of the environment that may be the policy's.
func (a *app) environ() []string {
	var env []string
	for _, pair := range os.Environ() {
		if strings.HasPrefix(pair, "TCPGUARD_VAR_") {
			env = append(env, pair)
		}
	}
	return env
}
