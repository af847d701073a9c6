"""The outside world, thin: files, processes, nft, network namespaces."""
