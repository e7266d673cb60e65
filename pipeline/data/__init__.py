"""Examples: reading, checking, splitting, tokenizing and batching."""
