"""Chat with a converted model in the terminal, or answer questions from standard input."""
