"""Two data sets and three prompts: what `make eval-demo` compares."""
