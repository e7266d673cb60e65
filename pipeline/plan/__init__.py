"""What a recipe takes before anything runs: memory, time and disk of each stage, and what the phone gets."""
