import json

import pandas as pd
import pytest

pytest.importorskip("streamlit", reason="the extra `dashboard` is not installed")
from streamlit.testing.v1 import AppTest


def test_numbers_of_a_table_have_four_digits_and_whole_ones_all_of_theirs():
    def page():
        import pandas as pd

        from ontogeny.dashboard.elements import show_table

        show_table(pd.DataFrame({"step": [123456], "p_value": [1.2e-12], "layer": ["Linear_0"]}), 300)

    app = AppTest.from_function(page).run()
    shown = app.dataframe[0]
    pd.testing.assert_frame_equal(
        shown.value, pd.DataFrame({"step": [123456], "p_value": [1.2e-12], "layer": ["Linear_0"]})
    )
    formats = {
        name: told["type_config"]["format"]
        for name, told in json.loads(shown.proto.columns).items()
        if "type_config" in told
    }
    assert formats == {"p_value": "%.4g"}
