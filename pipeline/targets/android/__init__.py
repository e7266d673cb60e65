"""The app: built from source without the Android SDK, given a model, signed, checked, and put on a phone."""
