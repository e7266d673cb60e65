"""Commands other than stages: adapter, chat, doctor, eval, graft, trace."""
