"""The built-in recipes, one a file: `name(dataset, seed)` trains to the end on every row."""
