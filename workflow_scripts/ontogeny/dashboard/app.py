"""What Streamlit runs: the dashboard of the folder named on its command line."""

import sys

from ontogeny.dashboard.pages import show

show(sys.argv[1] if len(sys.argv) > 1 else "results")
