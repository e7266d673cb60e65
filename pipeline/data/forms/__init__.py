"""One module for each form of conversation in a row. `pipeline.data.conversations` finds them
automatically."""
