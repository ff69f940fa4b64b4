"""The out-of-time sample: it is opened once in a run, and every opening is counted.

In: a way to observe the sample, a log. Out: the sample, and how often its rows were looked at.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from credit_model.experiments.experiment import Experiment
from credit_model.foundation.digests import sha256_parts
from credit_model.sample.development import DevelopmentSample
from credit_model.scorecard.card import Card


class OutOfTimeError(RuntimeError):
    """The out-of-time sample was asked for a second time within one run."""


class OutOfTime:
    """The out-of-time sample behind a door that opens once in a run, when the card is made; each opening is logged.

    ``openings`` counts, from the log, how often these observations were opened, whatever features were computed for
    them: a sample that many cards were tried on is no longer out of sample.
    """

    def __init__(self, observe: Callable[[], DevelopmentSample], log: Path) -> None:
        self._observe, self._log = observe, log
        self.openings = 0

    def open(self, experiment: Experiment, card: Card) -> DevelopmentSample:
        """Observe the rows the card is judged on.

        Raises
        ------
        OutOfTimeError
            If it was opened before.
        """
        if self.openings:
            raise OutOfTimeError(
                f"experiment {experiment.name!r}: the out-of-time sample is open already; judge a card once"
            )
        sample = self._observe()
        self._log.parent.mkdir(parents=True, exist_ok=True)
        observations = _digest_observations(sample)
        entry = {"observations": observations, "sample": sample.digest, "card": card.digest,
                 "experiment": experiment.digest, "name": experiment.name}  # fmt: skip
        content = self._log.read_bytes() if self._log.exists() else b""
        line = json.dumps(entry).encode()
        with self._log.open("ab") as log:  # a disk that was full may have left half a line
            log.write((b"" if content.endswith(b"\n") or not content else b"\n") + line + b"\n")
        by_data, by_sample = (f'"{digest}"'.encode() for digest in (observations, sample.digest))
        self.openings = 1 + sum(  # a line written before observations were named has the digest of the sample only
            (by_data if b'"observations"' in earlier else by_sample) in earlier for earlier in content.split(b"\n")
        )
        return sample


def _digest_observations(sample: DevelopmentSample) -> str:
    """Return the SHA-256 of who was observed when, and with which outcome."""
    return sha256_parts(["\n".join(sample.subject_id), sample.as_of.tobytes(), sample.y.tobytes()])
