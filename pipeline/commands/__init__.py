"""Commands other than stages: chat, eval, trace, doctor."""
