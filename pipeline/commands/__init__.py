"""Commands other than stages: adapter, chat, doctor, eval, graft, report, trace."""
