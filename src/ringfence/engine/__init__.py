"""What the policies mean: compile a cluster once, ask it about flows."""
