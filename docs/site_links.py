"""A hook of the documentation site: links to files outside `docs/` lead to the repository."""

import posixpath
import re


def on_page_markdown(markdown, page, config, files):
    """Replace relative links that leave `docs/` by links to the repository."""
    folder = posixpath.dirname(posixpath.join("docs", page.file.src_uri))

    def resolved(match):
        target = posixpath.normpath(posixpath.join(folder, match[1]))
        return match[0] if target.startswith("docs/") else f"]({config.repo_url}/blob/main/{target})"

    return re.sub(r"\]\((\.\./[^)\s]+)\)", resolved, markdown)
