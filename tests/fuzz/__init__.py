"""Hostile input at length: mutated files by the million, and files that a fuzzer finds by coverage."""
