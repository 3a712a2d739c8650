"""Wording: one file per prompt version in prompts/texts, loaded, checked and hashed once."""

from prompts.load import load, names
from prompts.prompt import Prompt

__all__ = ["Prompt", "load", "names"]
