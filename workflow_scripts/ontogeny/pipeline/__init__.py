"""What joins the library to Snakemake: the frame of a script, digests of code."""

from ontogeny.code import code_digest
from ontogeny.pipeline.job import job

__all__ = ["code_digest", "job"]
