"""What a model read out of items' texts and people's histories, kept in the store and used in answers."""
