// Package rooms holds no code: its tests hold the rules about who may import whom, how long a file may get and where
// state may live, so that a breach fails the build. ARCHITECTURE.md gives the reasons.
package rooms
