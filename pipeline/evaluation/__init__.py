"""Answers, their scores, and how two sides of the same model compare."""
