# A host for a million connections: say the load, and the settings follow from it. `tcpguard plan` explains each.
#
# Some of these keys belong to the whole machine, others to its first network namespace. In a container or with --netns
# they are skipped with a note.

capacity {
  concurrent_connections = 1000000
  new_connections        = "20000/s"
}

policy "service" {
  description = "the service that holds the connections"
  ports       = [443]

  # With a million clients behind carriers' NATs one address may stand for thousands of them.
  connection_limit {
    max        = 4096
    table_size = 1048576 # sources remembered; one takes memory once it is seen
    on_full    = "pass"  # better an unlimited new client than none at all
  }
}

# --- Beyond what the capacity asks for ---

# Open files in the whole machine, and at most in one process: a connection is one, and so is all the rest. The
# process needs LimitNOFILE= to use it.
sysctl "fs.file-max" { at_least = 8388608 }
sysctl "fs.nr_open" { at_least = 4194304 }

# A server that listened before this was raised keeps its old queue: restart it. Most servers ask for 511 or 128 of
# their own accord; raise that in their configuration too.
sysctl "net.core.somaxconn" { at_least = 65535 }

# A proxy opens as many connections as it takes: give it all the ports that no service uses, and let it use those in
# TIME-WAIT again for outgoing connections.
sysctl "net.ipv4.ip_local_port_range" { value = [10240, 65000] }
sysctl "net.ipv4.tcp_tw_reuse" { value = 1 }
sysctl "net.ipv4.tcp_fin_timeout" { at_most = 15 }

# A million sockets with the default buffers of 16 KiB and 128 KiB could ask for more than 128 GiB. Small ones to begin
# with, that grow for the few that are busy: least, first and largest size, in bytes.
sysctl "net.ipv4.tcp_rmem" { value = [4096, 16384, 4194304] }
sysctl "net.ipv4.tcp_wmem" { value = [4096, 16384, 4194304] }

# Packets that wait for a CPU before the stack sees them, on each.
sysctl "net.core.netdev_max_backlog" {
  at_least   = 16384
  on_missing = "skip" # the key belongs to the first network namespace
}
