package sysctl

import "strings"

// Nearest gives the catalogued key that key is probably meant to be, or "" when it looks like none of them: one that is
// at most two typing errors away, that differs in its directories only, or whose last component is all that was given.
func Nearest(key string) string {
	name := strings.ReplaceAll(strings.Trim(strings.TrimPrefix(key, DefaultRoot), "./"), "/", ".")
	if len(name) > maxKey {
		return ""
	}
	if normal, err := ParseKey(key); err == nil {
		name = normal
	}
	best, distance := "", maxTypos+1
	for _, e := range catalog {
		candidate := withInterface(e.Key, name)
		d := typos(candidate, name, distance)
		if d >= distance && sameLeaf(candidate, name) {
			d = maxTypos
		}
		if d < distance {
			best, distance = candidate, d
		}
	}
	return best
}

// withInterface puts the interface of key, where it has one, in the place of a catalogued key's "*".
func withInterface(catalogued, key string) string {
	if !strings.Contains(catalogued, "*") {
		return catalogued
	}
	device := "all"
	if parts := strings.Split(key, "."); len(parts) == 5 {
		device = parts[3]
	}
	return strings.Replace(catalogued, "*", device, 1)
}

// minLeaf is the length from which a last component tells which key was meant; short ones stand in many directories.
const minLeaf = 8

// sameLeaf says whether two keys below net, or one key and a bare last component, end alike.
func sameLeaf(catalogued, key string) bool {
	leaf := catalogued[strings.LastIndexByte(catalogued, '.')+1:]
	if !strings.Contains(key, ".") {
		return leaf == key
	}
	return len(leaf) >= minLeaf && strings.HasPrefix(key, "net.") && leaf == key[strings.LastIndexByte(key, '.')+1:]
}

// typos counts the letters to insert, delete, replace or swap with their neighbour to get from a to b (the optimal
// string alignment distance). It gives limit as soon as there are at least that many.
func typos(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	before, row, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next[0] = i
		least := i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			next[j] = min(row[j]+1, next[j-1]+1, row[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
			least = min(least, next[j])
		}
		if least >= limit {
			return limit
		}
		before, row, next = row, next, before
	}
	return min(row[len(b)], limit)
}
