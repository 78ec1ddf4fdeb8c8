"""What can be seen of a page without knowing what it is of: whether it fits, is translated, and can be used by everybody."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

_AXE = Axe()
_MOMENT = re.compile(r"(\w+day, \w+ \d+, \d{4} at )?\d{1,2}:\d{2}[\s\u202f][AP]M")

# What sticks out of the window to the side, unless it lies in something that scrolls or cuts by itself.
_STICKS_OUT = """() => {
  const found = [];
  const width = document.documentElement.clientWidth;
  if (document.scrollingElement.scrollWidth > width) found.push('page: ' + document.scrollingElement.scrollWidth);
  const contained = (element) => {
    for (let up = element.parentElement; up; up = up.parentElement) {
      if (getComputedStyle(up).overflowX !== 'visible') return true;
    }
    return false;
  };
  for (const element of document.body.querySelectorAll('*')) {
    if (!element.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
    const style = getComputedStyle(element);
    if (style.clipPath !== 'none' || style.clip !== 'auto') continue;
    const box = element.getBoundingClientRect();
    if (box.width === 0 || contained(element)) continue;
    if (box.right > width + 1 || box.left < -1) {
      found.push(`${element.localName}.${element.className}: ${box.left} to ${box.right} of ${width}`);
    }
  }
  // What scrolls by itself must do so downwards only.
  for (const element of document.body.querySelectorAll('*')) {
    const style = getComputedStyle(element);
    if (['auto', 'scroll'].includes(style.overflowX) && element.scrollWidth > element.clientWidth + 1
        && element.clientWidth > 0 && !element.matches('[tabindex], pre, textarea, input')) {
      found.push(`${element.localName}.${element.className} scrolls to the side: ${element.scrollWidth}`);
    }
  }
  return found;
}"""

# Every word on the screen, and those that only a screen reader says. Text in the mirrored locale stands between a
# right-to-left override and its end; what is outside of it came from people, or was forgotten.
_WORDS = """() => {
  const found = [];
  const add = (text, from) => { if (text && /\\p{L}/u.test(text)) found.push([text, from]); };
  const walk = (node) => {
    for (const element of node.querySelectorAll('*')) {
      if (['SCRIPT', 'STYLE', 'TEMPLATE', 'TITLE', 'NOSCRIPT', 'KBD'].includes(element.tagName)) continue;
      if (!element.checkVisibility()) continue;
      for (const name of ['aria-label', 'title', 'alt', 'placeholder', 'aria-description', 'aria-roledescription']) {
        add(element.getAttribute(name), element.localName + '@' + name);
      }
      for (const child of element.childNodes) {
        if (child.nodeType === Node.TEXT_NODE) add(child.data, element.localName);
      }
      if (element.shadowRoot) walk(element.shadowRoot);
    }
  };
  walk(document.body);
  return found;
}"""


async def sticking_out(page: Page) -> list[str]:
    """What is wider than the window."""
    found: list[str] = await page.evaluate(_STICKS_OUT)
    return found


async def untranslated(page: Page, data: Collection[str]) -> list[str]:
    """Words on a page in the mirrored locale that are neither from the table nor in `data`, which people wrote."""
    missed = []
    for text, where in await page.evaluate(_WORDS):
        rest, depth = "", 0
        for character in text:
            depth += (character == "\u202e") - (character == "\u202c")
            if depth == 0 and character not in "\u202e\u202c":
                rest += character
        for known in sorted(data, key=len, reverse=True):
            rest = rest.replace(known, "")
        # Moments come from the browser's own tables, which know no such locale; an initial is of a name.
        rest = _MOMENT.sub("", rest).strip()
        if len(rest) > 1 and any(character.isalpha() for character in rest):
            missed.append(f"{where}: {text!r}")
    return missed


async def inaccessible(page: Page) -> list[str]:
    """What axe-core finds, empty when it finds nothing."""
    results: Any = await _AXE.run(page)
    return [
        f"{violation['id']} ({violation['impact']}): {violation['help']}: "
        + "; ".join(" ".join(map(str, node["target"])) + f" [{node['html'][:160]}]" for node in violation["nodes"][:4])
        for violation in results.response["violations"]
    ]
