"""What botocore's credential chain would pick, predicted offline."""

from __future__ import annotations

from ..settings.environment import Environment
from .candidate import Candidate, Prediction, Standing

__all__ = ["Candidate", "Prediction", "Standing", "predict"]


def predict(environment: Environment, profile: str | None = None) -> Prediction:
    """Say what botocore's chain does; `profile` as with ``--profile`` or ``Session(profile_name=…)``."""
    raise NotImplementedError
