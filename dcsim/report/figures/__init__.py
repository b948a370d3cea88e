"""One function a figure; each returns a Drawing whose title states the finding."""

from dcsim.report.figures.breakdown import time_by_part
from dcsim.report.figures.capacity import demand, growth
from dcsim.report.figures.drawing import Drawing
from dcsim.report.figures.heat import link_heat
from dcsim.report.figures.learning import learning
from dcsim.report.figures.links import link_load
from dcsim.report.figures.operations import operations
from dcsim.report.figures.overtime import over_time
from dcsim.report.figures.points import points
from dcsim.report.figures.sankey import energy_flow
from dcsim.report.figures.step import one_step
from dcsim.report.figures.tradeoff import frontier, tradeoff
from dcsim.report.figures.variants import variants

__all__ = [
    "Drawing",
    "demand",
    "energy_flow",
    "frontier",
    "growth",
    "learning",
    "link_heat",
    "link_load",
    "one_step",
    "operations",
    "over_time",
    "points",
    "time_by_part",
    "tradeoff",
    "variants",
]
