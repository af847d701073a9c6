"""Table and connections of the kernel, made what they should be."""
