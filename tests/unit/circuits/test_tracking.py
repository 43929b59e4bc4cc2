"""Circuits followed through training, against sets written out by hand."""

import numpy as np
import pandas as pd
import pytest

from ontogeny.circuits import CircuitSet, appearance_epochs, life_table, lineages, schedule, turnover
from ontogeny.errors import OntogenyError

SIZES = (2, 3, 3, 1)


def followed():
    sets = [[], [5, 9], [5, 9, 7], [7], [7, 5], [7]]
    return [10, 20, 30, 40, 50, 60], [CircuitSet(np.array(s, np.uint64), SIZES) for s in sets]


def test_the_schedule_is_the_published_one_and_the_last_epoch():
    assert schedule(60, 20) == [20, 40, 60]
    assert schedule(70, 20) == [20, 40, 60, 70]
    assert schedule(5, 20) == [5]
    assert schedule(3, 1) == [1, 2, 3]
    with pytest.raises(OntogenyError, match="1 or more"):
        schedule(5, 0)


def test_lives_of_circuits():
    table = life_table(*followed()).set_index("code")
    assert table.appeared.to_dict() == {5: 20, 9: 20, 7: 30}
    assert table.disappeared.loc[5] == 60
    assert table.disappeared.loc[9] == 40
    assert table.disappeared.loc[7] is pd.NA
    assert table.present.to_dict() == {5: 3, 9: 2, 7: 4}
    assert table.spells.to_dict() == {5: 2, 9: 1, 7: 1}
    assert table.persistence.loc[7] == 1
    assert appearance_epochs(*followed()).tolist() == [20, 20, 30]
    with pytest.raises(OntogenyError, match="increasing"):
        life_table([1, 1], followed()[1][:2])


def test_turnover():
    rows = turnover(*followed())
    assert rows.since.tolist() == [0, 10, 20, 30, 40, 50]
    assert rows.appearances.tolist() == [0, 2, 1, 0, 1, 0]
    assert rows.disappearances.tolist() == [0, 0, 0, 2, 0, 1]
    assert rows.survived[3] == pytest.approx(1 / 3)


def test_lineages_follow_the_nearest_circuit_that_shares_an_edge():
    table = lineages(*followed())
    assert table.code.tolist() == [5, 9, 7, 5]
    assert table.returned.tolist() == [False, False, False, True]
    assert table.parent.isna().tolist() == [True, True, False, True]
    assert table.parent[2] == 5
    assert table.distance[2] == 1
    assert table.generation.tolist() == [0, 0, 1, 0]
    assert table.line.tolist() == [0, 1, 0, 0]
    sets = [CircuitSet(np.array(s, np.uint64), SIZES) for s in ([3], [3, 12], [12, 4])]
    table = lineages([1, 2, 3], sets)
    assert table.parent.isna().tolist() == [True, True, False]
    assert table.line.tolist() == [0, 1, 1]
