"""The Gemma families, one file each. This room alone knows their matrices, markers, templates and configurations."""
