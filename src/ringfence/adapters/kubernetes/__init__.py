"""An API server: credentials, lists, and following what changes."""
