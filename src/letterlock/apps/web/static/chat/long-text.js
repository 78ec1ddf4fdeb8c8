// What somebody wrote, as text and nothing else: isolated, with addresses as links, and cut where it is very long.
// A text may be built to hurt: no markup is read, marks stacked on one letter stay inside their message (message.css),
// and nobody's 100,000 characters are laid out before somebody asks for them (SR-14, SR-08).

import { button, el, fill } from "../base/dom.js";
import { t } from "../base/strings.js";

const MOST = 1500;
const MOST_LINES = 28;
const PIECE = 2000;
const LINK = /https?:\/\/[^\s<>"'`\u0000-\u001f\u200e\u200f\u202a-\u202e\u2066-\u2069]+/g;

/** @param {string} text */
export function longText(text) {
  const shown = el("div", { class: "text", dir: "auto" });
  const end = endOf(text);
  const beginning = tamed(text.slice(0, end));
  if (beginning.length === text.length) {
    shown.append(...linked(text));
    return shown;
  }
  const toggle = button({ label: t("page.show_all", { count: text.length }), class: "link" });
  const cutOff = () => fill(shown, ...linked(beginning), end < text.length && "…");
  let whole = false;
  toggle.addEventListener("click", () => {
    whole = !whole;
    toggle.firstElementChild.textContent = whole ? t("page.show_less") : t("page.show_all", { count: text.length });
    toggle.setAttribute("aria-expanded", String(whole));
    if (whole) fill(shown, pieces(text));
    else cutOff();
  });
  toggle.setAttribute("aria-expanded", "false");
  cutOff();
  return el("div", { class: "long" }, shown, toggle);
}

/** Pieces of their own boxes, which the browser lays out when they come into view. */
function pieces(text) {
  const found = [];
  for (let at = 0; at < text.length;) {
    const line = text.indexOf("\n", at + PIECE / 2);
    let end = line >= 0 && line < at + PIECE ? line + 1 : Math.min(text.length, at + PIECE);
    if (inPair(text, end)) end += 1;
    found.push(el("div", { class: "piece", dir: "auto" }, ...linked(text.slice(at, end))));
    at = end;
  }
  return found;
}

/** No script needs more marks on one letter; whoever wants to see them all can. */
const tamed = (text) => text.replace(/(\p{M}{8})\p{M}+/gu, "$1");

function endOf(text) {
  let end = Math.min(text.length, MOST);
  for (let line = 0, at = -1; line < MOST_LINES; line += 1) {
    at = text.indexOf("\n", at + 1);
    if (at < 0 || at >= end) break;
    if (line === MOST_LINES - 1) end = at;
  }
  // A little more than the limit is not worth a button.
  if (end === MOST && text.length < MOST * 1.2) end = text.length;
  return inPair(text, end) ? end - 1 : end;
}

const inPair = (text, at) =>
  at < text.length && /[\udc00-\udfff]/.test(text[at]) && /[\ud800-\udbff]/.test(text[at - 1] ?? "");

function linked(text) {
  const parts = [];
  let at = 0;
  for (const found of text.matchAll(LINK)) {
    const address = found[0].replace(/[.,;:!?)\]}]+$/, "");
    if (!URL.canParse(address)) continue;
    parts.push(text.slice(at, found.index), link(address));
    at = found.index + address.length;
  }
  parts.push(text.slice(at));
  return parts.filter(Boolean);
}

/** Opened only by whoever presses it, and told nothing of this page. */
function link(address) {
  return el(
    "a",
    { href: address, target: "_blank", rel: "noopener noreferrer nofollow" },
    el("bdi", { dir: "ltr" }, address),
  );
}
