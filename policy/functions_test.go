package policy

import (
	"strings"
	"testing"
)

// TestFunctions holds what each function of the language gives.
func TestFunctions(t *testing.T) {
	for expr, want := range map[string]string{
		`min(3, 1, 2)`:                         "1",
		`max(3, 1, 2)`:                         "3",
		`ceil(1.2)`:                            "2",
		`floor(-1.2)`:                          "-2",
		`join(",", concat(["a"], ["b", "c"]))`: "a,b,c",
		`join(",", distinct(["b", "a", "b", "a"]))`:                "b,a",
		`length(distinct([]))`:                                     "0",
		`join(",", flatten([["a"], [["b"]], "c"]))`:                "a,b,c",
		`contains([80, 443], 443)`:                                 "true",
		`length("ü")`:                                              "",
		`length([1, 2])`:                                           "2",
		`format("%s-%05.1f", "a", 1.25)`:                           "a-001.2",
		`join("-", ["a", "b"])`:                                    "a-b",
		`join(",", split("-", "a-b"))`:                             "a,b",
		`lower("ÄB")`:                                              "äb",
		`upper("äb")`:                                              "ÄB",
		`cidrsubnet("10.0.0.0/8", 8, 2)`:                           "10.2.0.0/16",
		`cidrsubnet("2001:db8::/32", 32, 1)`:                       "2001:db8:0:1::/64",
		`cidrsubnet("10.1.2.3/8", 0, 0)`:                           "10.0.0.0/8",
		`cidrsubnet("::/0", 128, 5)`:                               "::5/128",
		`cidrsubnet("10.0.0.0/8", 1.5, 0)`:                         "",
		`cidrsubnet("10.0.0.0/8", 8, -1)`:                          "",
		`cidrsubnet("10.0.0.0/8", 8, 1e300)`:                       "",
		`cidrhost("10.0.0.0/24", 5)`:                               "10.0.0.5",
		`cidrhost("10.0.0.0/24", -1)`:                              "10.0.0.255",
		`cidrhost("2001:db8::/64", 16)`:                            "2001:db8::10",
		`cidrhost("10.0.0.0/24", 256)`:                             "",
		`cidrhost("10.0.0.0/24", -257)`:                            "",
		`cidrhost("x", 1)`:                                         "",
		`coalesce(null, "a")`:                                      "a",
		`lookup({ a = "x" }, "b", "y")`:                            "y",
		`join(",", [for k, v in merge({ a = 1 }, { b = 2 }) : k])`: "a,b",
		`host.cpus * 2`:                                            "8",
		`join(",", host.interfaces)`:                               "eth0,lo",
		`format("%1001d", 1)`:                                      "",
		`file("/etc/hostname")`:                                    "",
		`timestamp()`:                                              "",
	} {
		source := "policy \"web\" {\n  description = \"=${" + expr + "}\"\n  ports = [1]\n  rate_limit { rate = \"1/s\" }\n}\n"
		b, diags := Load(write(t, map[string]string{"web.hcl": source}))
		switch {
		case want == "" && !diags.HasErrors():
			t.Errorf("%s gives %q, want an error", expr, b.Policies[0].Description)
		case want != "" && diags.HasErrors():
			t.Errorf("%s: %s", expr, render(diags))
		case want != "" && b.Policies[0].Description != "="+want:
			t.Errorf("%s gives %q, want %q", expr, b.Policies[0].Description, want)
		}
	}
}

// TestFunctionsAreThoseOfTheLanguage holds that nothing reads a clock, a file or the environment.
func TestFunctionsAreThoseOfTheLanguage(t *testing.T) {
	const language = "ceil cidrhost cidrsubnet coalesce concat contains distinct flatten floor format join length lookup lower max merge min split upper"
	if got := strings.Join(functionNames(functions(&budget{})), " "); got != language {
		t.Errorf("functions are %s\nwant %s", got, language)
	}
}

func TestNumberBomb(t *testing.T) {
	for text, want := range map[string]bool{
		"1e999999999": true, "-1E+0000999999999": true, "1p2000000000": true, "Inf": true, "-inf": true, "+Infinity": true,
		strings.Repeat("9", maxDigits+1): true, ".5e-99999": true, "1e401": true, strings.Repeat("1", 200) + "e5": true,
		"1e300": false, "": false, "e5": false, "10.0.0.0/8": false, "1e999999999 x": false, "infrastructure": false,
		"20/60s": false, "2001:db8::1": false, strings.Repeat("x", 500): false, "1e": false,
	} {
		if got := numberBomb(text); got != want {
			t.Errorf("%.30q is a bomb: %t, want %t", text, got, want)
		}
	}
}
