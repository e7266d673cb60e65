"""PocketGemma: from a file of examples to a fine-tuned Gemma on an Android phone."""
