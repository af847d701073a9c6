"""The kernel of the machine: netlink, namespaces, nftables."""
