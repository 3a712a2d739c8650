"""The journal: what was served to whom, with arm, order, reasons and evidence, and the feedback on it."""

from rerank.journal.journal import Journal
from rerank.journal.rows import Feedback, Served, ServedItem
from rerank.journal.tables import METADATA

__all__ = ["METADATA", "Feedback", "Journal", "Served", "ServedItem"]
