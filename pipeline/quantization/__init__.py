"""What a recipe stores of a matrix, and how its numbers are chosen."""
