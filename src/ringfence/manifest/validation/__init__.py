"""Judging an object as kube-apiserver does."""
