"""Conversion to LiteRT, graft, adapters at run time, and LiteRT-LM on the host."""
