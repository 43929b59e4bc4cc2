"""Training: the one loop, and the ensemble (many seeds as one batched model)."""
