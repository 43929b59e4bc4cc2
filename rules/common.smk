# What every stage shares: the shape of a run's name, and the files of a run.


wildcard_constraints:
    run=r"[A-Za-z0-9][A-Za-z0-9_.+-]*(/s\d+)?",
    study=r"[A-Za-z0-9][A-Za-z0-9_.+-]*",


RUN = "results/runs/{run}"
