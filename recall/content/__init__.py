"""What items are said to be, in words, as vectors: what reaches an item that nobody has touched yet."""
