"""One module for each file type: its SUFFIXES and its `read`. `pipeline.data.readers` finds them
automatically."""
