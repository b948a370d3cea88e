"""What a run produced: metrics, tables, their store, their comparison and their timeline."""

from dcsim.results.comparison import Comparison, compare
from dcsim.results.result import Metric, Provenance, Result

__all__ = ["Comparison", "Metric", "Provenance", "Result", "compare"]
