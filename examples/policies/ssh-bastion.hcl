# A bastion host: SSH stays open to everybody, but nobody may knock fast.
#
# This policy only slows down: it has no `only` and no `deny`, and a refused attempt succeeds a little later. So
# applying it as it stands over SSH locks nobody out. Connections that are already open are never touched.

variable "attempts" {
  type        = string
  default     = "10/1m"
  description = "new SSH connections of one source"
}

# Your own network comes in without any limit. The addresses here are from the ranges for documentation.
management {
  sources = ["192.0.2.0/24", "2001:db8:ad::/48"]
}

policy "ssh" {
  description = "SSH for everybody, slowly"
  ports       = [22]

  # A fixed window admits at most so many in each minute that the source's first attempt opens; then it waits for the
  # minute to end. Password guessing becomes 14400 attempts a day instead of millions.
  rate_limit {
    rate   = var.attempts
    window = "fixed"
    action = "drop" # say nothing: the guesser waits for its own time-out

    # When more sources than fit the table try at once, new ones pass: a flood from many addresses must not keep the
    # administrator out.
    table_size = 65536
    on_full    = "pass"
  }
}

# A dead peer's connection is noticed after 10 minutes and 5 probes, so that stale sessions do not pile up.
sysctl "net.ipv4.tcp_keepalive_time" { at_most = 600 }
sysctl "net.ipv4.tcp_keepalive_intvl" { at_most = 60 }
sysctl "net.ipv4.tcp_keepalive_probes" { at_most = 5 }
