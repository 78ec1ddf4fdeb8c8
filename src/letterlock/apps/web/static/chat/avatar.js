// A circle for a chat: the first letters of its name, or what kind of chat it is.

import { el, icon } from "../base/dom.js";

const SEGMENTS = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** @param {{name: string, kind?: string, named?: boolean}} who */
export function avatar({ name, kind = "number", named = true }, size = "") {
  const shape = kind === "group" ? "group" : kind === "bot" ? "business" : "person";
  const letters = kind === "number" && named && name ? initials(name) : "";
  return el("span", { class: `avatar ${size}`, "aria-hidden": "true" }, letters || icon(shape));
}

/**
 * At most two letters; a name of marks, digits or emoji has none, and hostile stacks of marks are cut to the letter.
 */
function initials(name) {
  const words = name.slice(0, 200).split(/\s+/).filter(Boolean);
  const chosen = words.length > 1 ? [words[0], words.at(-1)] : words.slice(0, 1);
  return chosen
    .map((word) => SEGMENTS.segment(word.slice(0, 20))[Symbol.iterator]().next().value?.segment ?? "")
    .map((first) => /^\p{L}/u.exec(first)?.[0].toLocaleUpperCase() ?? "")
    .join("");
}
