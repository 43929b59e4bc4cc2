# What every stage shares: the shape of a run's name, and the files of a run.


wildcard_constraints:
    run=RUN_NAME,
    study=r"[A-Za-z0-9][A-Za-z0-9_.+-]*",


CIRCUIT_FIGURES = ["counts", "sparsity", "losses", "overview", "effects"]
RUN_FIGURES = ["metrics", "heatmap", "variance", "projections", "clusters", "neurons"]
