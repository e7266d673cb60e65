"""Presets: finding, downloading, checking and loading them; export to Hugging Face."""
