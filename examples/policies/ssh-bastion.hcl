# A bastion host: SSH stays open to everybody, but nobody may knock fast.
#
# This policy has no `only` and no `deny`: a refused attempt succeeds a little later, and who keeps trying is shut out
# for a while. So applying it as it stands over SSH locks nobody out who does not knock 40 times within 10 minutes.
#
# Where no firewall tracked connections before, the first apply starts that, and SSH sessions that are open at that time
# end: connect again. The apply itself is done within milliseconds.

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

  # Who was refused 30 times within 10 minutes, 10 minutes later is welcome again. With proof = "handshake" only attempts
  # from an address that answered a SYN cookie count, so nobody can shut you out by forging yours; and `management` is
  # never banned. `tcpguard ban del ADDRESS` ends a ban at once.
  ban {
    after = "30/10m"
    for   = "10m"
    proof = "handshake"
  }
}

# A dead peer's connection is noticed after 10 minutes and 5 probes, so that stale sessions do not pile up.
sysctl "net.ipv4.tcp_keepalive_time" { at_most = 600 }
sysctl "net.ipv4.tcp_keepalive_intvl" { at_most = 60 }
sysctl "net.ipv4.tcp_keepalive_probes" { at_most = 5 }
