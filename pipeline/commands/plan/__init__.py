"""`pocketgemma plan`: what a recipe takes, before anything runs."""
