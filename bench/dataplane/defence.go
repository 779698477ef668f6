package main

import (
	"os/exec"
	"strings"

	"github.com/tcpguard/tcpguard/internal/nettest"
)

// servicePort is what every defence guards.
const servicePort = 80

// defence is one way to guard a service. Where it limits sources, it is to 20 connections at a time and 20 new ones in
// 60 seconds.
type defence struct {
	name  string
	port  uint16
	guard *guard // tcpguard itself; nil for others
	// limit is a bound that no defence can be beyond; it serves nobody.
	limit bool
	// setUp makes the defence on a site, also where it is already.
	setUp func(*site)
}

// defences are the rows of the tables, without peers whose programs are missing.
func (b *bench) defences(only string) []*defence {
	all := []*defence{{name: untouched, setUp: func(*site) {}}}
	_, err4 := exec.LookPath("iptables")
	_, err6 := exec.LookPath("ip6tables")
	if err4 == nil && err6 == nil {
		all = append(all, recipe, hashlimit, csf)
	} else {
		b.Logf("note: no rows for iptables: the program is missing (Debian package iptables)")
	}
	all = append(all, meterRaw, meterCount, synproxy,
		&defence{name: "XDP drop all (limit)", limit: true, setUp: dropAll},
		&defence{name: "XDP SYN cookie (limit)", setUp: cookie},
		newGuard("tcpguard, 1 policy", 1), newGuard("tcpguard, 100 policies", 100))
	var chosen []*defence
	for _, d := range all {
		if d.port == 0 {
			d.port = servicePort
		}
		if d.name == untouched || b.wanted(d, only) {
			chosen = append(chosen, d)
		}
	}
	return chosen
}

const untouched = "untouched kernel, syncookies=1"

func (b *bench) wanted(d *defence, only string) bool {
	if only == "" {
		return !b.quick || d == recipe || d == meterCount || d == synproxy || d.guard != nil
	}
	for _, part := range strings.Split(only, ",") {
		if strings.Contains(d.name, part) {
			return true
		}
	}
	return false
}

// tables makes a defence of iptables and ip6tables rules, each as one would type it.
func tables(rules ...string) func(*site) {
	return func(s *site) {
		for _, program := range []string{"iptables", "ip6tables"} {
			lines := []string{"*filter", ":INPUT ACCEPT [0:0]"}
			for _, r := range rules {
				if strings.HasPrefix(r, "-N ") {
					r = ":" + strings.TrimPrefix(r, "-N ") + " - [0:0]"
				}
				lines = append(lines, r)
			}
			text := strings.Join(append(lines, "COMMIT", ""), "\n")
			// The rules go first: the kernel forgets what a match remembered with the last rule that uses it.
			for _, stdin := range []string{"*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n", text} {
				_, err := s.Server.Run(s.b, nettest.Command{Stdin: stdin, Argv: []string{program + "-restore"}})
				s.b.check("set up "+s.defence.name, err)
			}
		}
	}
}

var (
	recipe = &defence{name: "iptables connlimit + recent", setUp: tables(
		"-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
		"-A INPUT -p tcp --syn --dport 80 -m connlimit --connlimit-above 20 -j DROP",
		"-A INPUT -p tcp --dport 80 -m conntrack --ctstate NEW -m recent --name web --set",
		"-A INPUT -p tcp --dport 80 -m conntrack --ctstate NEW -m recent --name web --update --seconds 60 --hitcount 20 -j DROP",
	)}
	hashlimit = &defence{name: "iptables hashlimit", setUp: tables(
		"-A INPUT -p tcp --syn --dport 80 -m hashlimit --hashlimit-name web --hashlimit-mode srcip --hashlimit-above 20/min --hashlimit-burst 20 -j DROP",
	)}
	// csf.conf: SYNFLOOD = 1 with its default rate and burst, CONNLIMIT = "80;20", PORTFLOOD = "80;tcp;20;60".
	csf = &defence{name: "CSF-style SYNFLOOD/CONNLIMIT/PORTFLOOD", setUp: tables(
		"-N SYNFLOOD",
		"-A SYNFLOOD -m limit --limit 100/s --limit-burst 150 -j RETURN",
		"-A SYNFLOOD -j DROP",
		"-A INPUT -p tcp --syn -j SYNFLOOD",
		"-A INPUT -p tcp --syn --dport 80 -m connlimit --connlimit-above 20 -j REJECT --reject-with tcp-reset",
		"-A INPUT -p tcp --dport 80 -m conntrack --ctstate NEW -m recent --name 80 --set",
		"-A INPUT -p tcp --dport 80 -m conntrack --ctstate NEW -m recent --name 80 --update --seconds 60 --hitcount 20 -j DROP",
	)}
)

// nftables makes a defence of nft text for one table.
func nftables(text string, sysctls ...string) func(*site) {
	return func(s *site) {
		for _, key := range sysctls {
			path, value, _ := strings.Cut(key, "=")
			s.Server.SetSysctl(s.b, path, value)
		}
		nettest.NftLoad(s.b, s.Server, "table inet peer {}\ndelete table inet peer\n"+text)
	}
}

const meterSets = `
	set rate4 { type ipv4_addr; size 65536; flags dynamic,timeout; timeout 61s; }
	set rate6 { type ipv6_addr; size 65536; flags dynamic,timeout; timeout 61s; }
`

var (
	meterRaw = &defence{name: "nft meter in raw", setUp: nftables(`table inet peer {` + meterSets + `
	chain prerouting {
		type filter hook prerouting priority raw;
		iif lo accept
		tcp dport 80 tcp flags syn / fin,syn,rst,ack update @rate4 { ip saddr limit rate over 20/minute burst 20 packets } drop
		tcp dport 80 tcp flags syn / fin,syn,rst,ack update @rate6 { ip6 saddr & ffff:ffff:ffff:ffff:: limit rate over 20/minute burst 20 packets } drop
	}
}`)}
	meterCount = &defence{name: "nft meter + ct count in input", setUp: nftables(`table inet peer {` + meterSets + `
	set count4 { type ipv4_addr; size 65536; flags dynamic; }
	set count6 { type ipv6_addr; size 65536; flags dynamic; }
	chain input {
		type filter hook input priority filter;
		ct state established,related accept
		iif lo accept
		tcp dport 80 ct state new add @count4 { ip saddr ct count over 20 } drop
		tcp dport 80 ct state new add @count6 { ip6 saddr & ffff:ffff:ffff:ffff:: ct count over 20 } drop
		tcp dport 80 ct state new update @rate4 { ip saddr limit rate over 20/minute burst 20 packets } drop
		tcp dport 80 ct state new update @rate6 { ip6 saddr & ffff:ffff:ffff:ffff:: limit rate over 20/minute burst 20 packets } drop
	}
}`)}
	synproxy = &defence{name: "nft synproxy", setUp: nftables(`table inet peer {
	chain prerouting {
		type filter hook prerouting priority raw;
		iif != lo tcp dport 80 tcp flags syn / fin,syn,rst,ack notrack
	}
	chain input {
		type filter hook input priority filter;
		tcp dport 80 ct state invalid,untracked synproxy mss 1460 wscale 7 sack-perm
		ct state invalid drop
	}
}`, "net/netfilter/nf_conntrack_tcp_loose=0")}
)
