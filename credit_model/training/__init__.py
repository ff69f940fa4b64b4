"""How cards are made: classing, a logistic regression within lawful limits, calibration; experiments and their runs.

In: a development sample (features as of a date, 1 = bad), or an experiment.
Out: a fitted classifier whose probability is its card's; a ``Card``; an evaluated run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from credit_model import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "Experiment": "experiment",
        "ExperimentErrors": "experiment",
        "OutOfTime": "out_of_time",
        "OutOfTimeError": "out_of_time",
        "RunResult": "result",
        "load_experiment": "reading",
        "run": "pipeline",
        "other_runs": "source",
        "run_folder": "source",
        "tune": "tuning",
    },
)

if TYPE_CHECKING:
    from credit_model.training.experiment import Experiment as Experiment
    from credit_model.training.experiment import ExperimentErrors as ExperimentErrors
    from credit_model.training.out_of_time import OutOfTime as OutOfTime
    from credit_model.training.out_of_time import OutOfTimeError as OutOfTimeError
    from credit_model.training.pipeline import run as run
    from credit_model.training.reading import load_experiment as load_experiment
    from credit_model.training.result import RunResult as RunResult
    from credit_model.training.source import other_runs as other_runs
    from credit_model.training.source import run_folder as run_folder
    from credit_model.training.tuning import tune as tune
