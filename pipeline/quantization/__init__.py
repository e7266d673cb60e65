"""Quantization schemes and roundings: which bits a weight gets, and which integers."""
