"""Questions over all flows of a cluster."""
