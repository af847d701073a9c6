"""YAML and JSON text to plain data with positions."""
