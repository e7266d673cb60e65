"""Fine-tuning: LoRA, loss, training loop, devices; merging and its check."""
