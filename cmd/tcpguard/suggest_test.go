package main

import "testing"

func TestSuggestion(t *testing.T) {
	names := []string{"plan", "apply", "destroy", "validate"}
	tests := []struct{ word, want string }{
		{"plna", `did you mean "plan"?`},
		{"aply", `did you mean "apply"?`},
		{"validte", `did you mean "validate"?`},
		{"remove", ""},
		{"", ""},
	}
	for _, tt := range tests {
		if got := suggestion(tt.word, names); got != tt.want {
			t.Errorf("suggestion(%q) is %q, want %q", tt.word, got, tt.want)
		}
	}
}

func TestEditDistance(t *testing.T) {
	tests := []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "", 3}, {"", "ab", 2}, {"kitten", "sitting", 3}, {"plan", "plan", 0}, {"plna", "plan", 2}}
	for _, tt := range tests {
		if got := editDistance(tt.a, tt.b); got != tt.want {
			t.Errorf("editDistance(%q, %q) is %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}
