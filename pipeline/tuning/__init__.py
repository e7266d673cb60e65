"""Fine-tuning: the tuning methods, the loss, the training loop, trained adapters and merging."""
