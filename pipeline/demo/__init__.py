"""The embedded default: a tiny Gemma 3, its science questions, and the scripts that made both."""
