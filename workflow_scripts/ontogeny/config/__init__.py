"""The configuration: its models, how it is read, and what identifies a run."""

from ontogeny.config.load import Run, load_config, read_config, runs_of
from ontogeny.config.models import Config
from ontogeny.identity import identity_hash

__all__ = ["Config", "Run", "identity_hash", "load_config", "read_config", "runs_of"]
