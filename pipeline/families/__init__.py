"""The Gemma families, one file each: matrices, chat formats, configurations."""
