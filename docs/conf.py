"""Sphinx configuration. Fonts and styles are local: the built pages load nothing from outside."""

project = "Letterlock"
author = "The Letterlock developers"
extensions = ["myst_parser"]
html_theme = "furo"
html_title = "Letterlock"
exclude_patterns = ["_build"]
myst_heading_anchors = 3
