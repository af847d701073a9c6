"""The node agent: the desired table of one node, kept in the kernel."""
