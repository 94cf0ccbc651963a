"""The comparisons of a store's studies, as links, and a browser that opens one when the server answers."""

import subprocess
import sys
import time
import webbrowser
from urllib.error import URLError
from urllib.request import urlopen

from nadlab.tracking.mlflow_internals import VIEW, view_link
from nadlab.tracking.store import STORE_ERRORS, open_client, unusable

ANSWERS_WITHIN = 120.0
"""seconds"""
LISTED = 20
"""studies at most, the newest"""


def comparisons(uri: str) -> dict[str, str]:
    """Return for each study of a store the link to its comparison, relative to the server; UserError when it can't be read."""
    client = open_client(uri)
    try:
        found = client.search_experiments(max_results=LISTED, order_by=["last_update_time DESC"])
    except STORE_ERRORS as error:
        raise unusable(uri, error) from error
    return {each.name: view_link(each.experiment_id, "trials") for each in found if f"{VIEW}trials" in each.tags}


def open_in_browser(address: str, link: str) -> None:
    """Start a process that opens a page in the user's browser as soon as the server at the address answers."""
    code = "import sys; from nadlab.tracking.pages import wait_and_open; wait_and_open(*sys.argv[1:])"
    subprocess.Popen([sys.executable, "-c", code, address, link], start_new_session=True)


def wait_and_open(address: str, link: str) -> None:
    """Open a page when its server answers; say where it is if no browser can be opened."""
    deadline = time.monotonic() + ANSWERS_WITHIN
    while time.monotonic() < deadline:
        try:
            with urlopen(f"{address}/health", timeout=5):  # noqa: S310 - the address is ours
                break
        except (URLError, OSError):
            time.sleep(0.3)
    else:
        return  # the server has said why
    if not webbrowser.open_new_tab(f"{address}/{link}"):
        print(f"no browser can be opened here: open {address}/{link}", file=sys.stderr)
