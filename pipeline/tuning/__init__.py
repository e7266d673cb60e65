"""LoRA, the loss, the training loop, the adapter file and merging."""
