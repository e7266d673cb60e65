"""The stages of the pipeline, one file each. They exchange data only through the run folder."""
