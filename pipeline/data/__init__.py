"""Reading, checking, splitting, tokenizing and batching examples."""
