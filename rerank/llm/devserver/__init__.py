"""A local vLLM server for development, in a virtual environment of its own."""
