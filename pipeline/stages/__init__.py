"""One file a stage: `run(config, run)`. Stages meet only in the run folder."""
