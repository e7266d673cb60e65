"""Run folders: stages, manifests, file names."""
