"""The tuning methods, one file each. To add a method, add a file with a `METHOD`; `pipeline.tuning.registry`
finds it."""
