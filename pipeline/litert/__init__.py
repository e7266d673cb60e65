"""Export to LiteRT, the .litertlm and .task containers, and the run-time wrapper."""
