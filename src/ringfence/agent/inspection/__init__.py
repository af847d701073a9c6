"""Whether the kernel holds what it should."""
