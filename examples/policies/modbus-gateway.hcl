# A gateway in front of programmable controllers: Modbus/TCP has no authentication, so the network has to decide who
# talks to a controller, and how much.
#
# `path = "forward"` limits connections that pass through this host to others behind it; connections to the gateway
# itself are not touched. `mode = "monitor"` counts what would be refused and refuses nothing: run it for a week, look at
# the counters (`nft list counters table inet tcpguard`), then set the variable to "enforce".

variable "mode" {
  type        = string
  default     = "monitor"
  description = "monitor until the counters show no surprises, then enforce"
}

locals {
  # The controllers behind this gateway.
  controllers = ["203.0.113.0/28", "2001:db8:502::/64"]
}

# The supervisory system and the engineers' workstations.
list "control_room" {
  addresses = ["192.0.2.32/29", "2001:db8:c0::/64"]
}

# The historian polls, a lot and on schedule: never limited.
list "historian" {
  addresses = ["192.0.2.34", "2001:db8:c0::34"]
}

policy "modbus" {
  description = "Modbus/TCP to the controllers"
  path        = "forward"
  ports       = [502]
  addresses   = local.controllers
  mode        = var.mode
  only        = [list.control_room]
  allow       = [list.historian] # lies within the control room, as it has to

  # Many controllers serve only a handful of connections in all; one station must not take them.
  connection_limit {
    max    = 2
    action = "reset"
  }

  # A station that reconnects in a loop keeps a controller busy. Ten in a minute is plenty for people and for software
  # that keeps its connection.
  rate_limit {
    rate   = "10/1m"
    window = "fixed"
  }
}

# The state of a long quiet connection must not be forgotten between two polls of a slow station: one day.
sysctl "net.netfilter.nf_conntrack_tcp_timeout_established" {
  at_least   = 86400
  on_missing = "skip" # the key exists once connection tracking is loaded
}
