"""Readers, the example schema, checks, tokenising and batching."""
