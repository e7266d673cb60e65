"""Looking into a finished file: a bundle, a bare model, an adapter, an APK. Reads, never changes, and never reads a model whole."""
