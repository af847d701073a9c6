"""The agent as objects of a cluster: what installs it, what removes it."""
