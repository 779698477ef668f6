# A public web server: HTTP and HTTPS for everybody, a fair share for each client, also under attack.
#
#   sudo tcpguard plan  --policy web-edge.hcl
#   sudo tcpguard apply --policy web-edge.hcl
#
# Only ports 80 and 443 are limited. SSH and everything else stay as they are.

variable "client_max" {
  type        = number
  default     = 100
  description = "connections that one client may hold at a time"
}

locals {
  public = [80, 443]
}

# Always let through, on every port and before any limit: put your own administrators' network here.
management {
  sources = ["192.0.2.0/28", "2001:db8:ad::/48"]
}

defaults {
  ipv4_prefix = 32 # an IPv4 client is one address
  ipv6_prefix = 64 # an IPv6 client is a /64: it can pick any address in it
}

# Health checks come often and from few addresses; they are never limited.
list "monitoring" {
  addresses = ["192.0.2.130", "2001:db8:a::/64"]
}

# Dropped before connection tracking, where it costs least. A file with a million lines works too:
# file = "lists/blocklist.txt"
list "unwanted" {
  addresses = ["198.51.100.66", "203.0.113.128/25", "2001:db8:bad::/48"]
}

policy "web" {
  description = "public HTTP and HTTPS"
  ports       = local.public
  allow       = [list.monitoring]
  deny        = [list.unwanted]

  # Whoever holds as many connections as this gets a reset for the next one, so that browsers fail at once.
  connection_limit {
    max    = var.client_max
    action = "reset"
  }

  # Twenty at once, then one every half second. A client behind a large NAT may need more.
  rate_limit {
    rate   = "120/60s"
    burst  = 20
    window = "token"
  }

  # SYNs beyond the threshold have to prove their address by a SYN cookie, and so has a source that exceeds a limit. Set
  # it above your busiest hour.
  syn_flood {
    protect   = "auto"
    threshold = "500/s"
  }

  # A client that goes on being refused is shut out: ten minutes, then an hour, then a day. Only who proved its address
  # is, so nobody can get somebody else banned.
  ban {
    after    = "30/1m"
    for      = "10m"
    escalate = [1, 6, 144]
  }

  log { rate = "5/m" } # a sample of what is refused: journalctl -k --grep policy.web
}

# The queues of a listener, SYN and accept, are as long as the smaller of its own backlog and this.
sysctl "net.core.somaxconn" { at_least = 4096 }

# Three SYN-ACKs, the last after 3 s: a half-open entry lasts 7 s instead of 63.
sysctl "net.ipv4.tcp_synack_retries" { at_most = 2 }
