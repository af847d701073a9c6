"""What differs between two clusters, and why."""
