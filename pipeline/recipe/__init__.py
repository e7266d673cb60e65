"""The schema of a recipe: its keys, their types, defaults and descriptions."""
