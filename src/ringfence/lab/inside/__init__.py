"""The process that holds the namespaces of a lab."""
