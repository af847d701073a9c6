"""A cluster in network namespaces, with real packets."""
