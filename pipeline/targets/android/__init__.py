"""Android phones: the app is built from source without the Android SDK, packaged with a model, signed,
checked, and installed."""
