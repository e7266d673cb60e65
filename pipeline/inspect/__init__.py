"""Contents of a finished file: model file, adapter or APK. Read-only; never loads a model whole."""
