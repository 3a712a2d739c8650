"""From platforms' data to merged interactions to candidates. Knows no language model."""
