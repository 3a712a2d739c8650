"""Sample data: the real ratings of MovieLens 100k, dealt out to three simulated platforms."""

from recall.sample.write import Sample, make_sample

__all__ = ["Sample", "make_sample"]
