"""What joins the library to Snakemake: the frame of a script, digests of code, progress, provenance."""

from ontogeny.pipeline.code import code_digest
from ontogeny.pipeline.job import job
from ontogeny.pipeline.progress import Progress

__all__ = ["Progress", "code_digest", "job"]
