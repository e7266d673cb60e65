"""Answers in Keras and in the runtime, their scores, and comparisons of the two."""
