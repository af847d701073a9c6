"""Where manifests come from: files, commits, charts, snapshots."""
