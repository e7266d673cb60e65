"""The demo: a tiny Gemma 3, its science questions, and the scripts that create both."""
