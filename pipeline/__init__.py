"""PocketGemma: from a file of examples to a fine-tuned Gemma on an Android phone."""

__version__ = "0.1.0"
