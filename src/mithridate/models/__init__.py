"""Recipes that make models, and the embeddings that judge labels."""
