"""Benchmarks: the store, its index and its pages, each against rivals measured in the same run."""
