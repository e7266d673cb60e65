"""What is known about the Gemma families: presets, tokenizers, shapes, Keras <-> Hugging Face weights."""
