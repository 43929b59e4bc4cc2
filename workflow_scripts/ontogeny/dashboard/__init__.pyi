from .data import Problem, RunFolder, explain_folder, find_runs, find_studies, read_measurements, read_mechanism
from .server import serve

__all__ = [
    "Problem",
    "RunFolder",
    "explain_folder",
    "find_runs",
    "find_studies",
    "read_measurements",
    "read_mechanism",
    "serve",
]
