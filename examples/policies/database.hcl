# A database host: MongoDB and MySQL, for the application servers and for nobody else.
#
# Everybody who is not on the list is dropped on ports 27017 and 3306; all other ports stay as they are. Put your own
# application servers into the list before you apply this.

variable "pool_size" {
  type        = number
  default     = 200
  description = "connections in one application server's pool"
}

list "applications" {
  addresses = [
    "192.0.2.16/28",     # the rack of application servers
    "198.51.100.20",     # the reporting job
    "2001:db8:a99::/64", # the same rack, IPv6
  ]
}

# What both databases have in common.
defaults {
  # A refused pool gets a reset and reports an error at once, instead of hanging in connect.
  action = "reset"

  # Application servers are known one by one, also with IPv6.
  ipv6_prefix = 128

  # Room for every application server there will ever be; a small table needs little memory.
  table_size = 1024
}

policy "mongodb" {
  description = "MongoDB, applications only"
  ports       = [27017]
  only        = [list.applications]

  # A server that leaks connections hits its own limit, not the database's.
  connection_limit {
    max = var.pool_size
  }
}

policy "mysql" {
  description = "MySQL, applications only"
  ports       = [3306]
  only        = [list.applications]

  connection_limit {
    max = var.pool_size
  }

  # All servers together: a crowd that restarts and reconnects at once is spread out.
  rate_limit {
    rate  = "500/s"
    burst = 1000
    per   = "total"
  }
}

# Pools keep connections open for long: notice a peer that vanished within about three minutes.
sysctl "net.ipv4.tcp_keepalive_time" { at_most = 120 }
sysctl "net.ipv4.tcp_keepalive_intvl" { at_most = 15 }
sysctl "net.ipv4.tcp_keepalive_probes" { at_most = 5 }
