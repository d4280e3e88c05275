"""Is a difference one of the arms, or of the cases that happened to be asked?"""

from evaluation.statistics.comparison import Comparison, compare
from evaluation.statistics.holm import holm
from evaluation.statistics.mcnemar import McNemar, mcnemar
from evaluation.statistics.paired import Difference, paired_bootstrap
from evaluation.statistics.power import Detectable, smallest_detectable
from evaluation.statistics.resampling import Interval, interval
from evaluation.statistics.subgroups import Subgroup, subgroups
from evaluation.statistics.verdict import Verdict, judge

__all__ = [
    "Comparison",
    "Detectable",
    "Difference",
    "Interval",
    "McNemar",
    "Subgroup",
    "Verdict",
    "compare",
    "holm",
    "interval",
    "judge",
    "mcnemar",
    "paired_bootstrap",
    "smallest_detectable",
    "subgroups",
]
