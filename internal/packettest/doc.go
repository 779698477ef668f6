// Package packettest holds no code: its tests load policies into network namespaces, send real packets through them
// and hold what came of them against what the language promises.
package packettest
