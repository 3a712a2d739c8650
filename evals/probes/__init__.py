"""What a model's order depends on that it should not: places in the list, and what titles say."""
