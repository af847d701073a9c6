"""Compiled policy to nftables, still pure: typed IR, text, interpreter."""
