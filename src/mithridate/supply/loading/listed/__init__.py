"""What `safe_load` rebuilds, one library a file: dotted names, and functions of ours that make the values."""
