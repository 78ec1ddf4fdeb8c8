// A line that says what came of something, for a few seconds, or until somebody closes it when it is trouble.

import { RpcError } from "../daemon/api.js";
import { announce } from "./announce.js";
import { button, el, frame } from "./dom.js";
import { has, sentenceOf, t } from "./strings.js";

const LASTS = 6000;
let shown = null;

/** @param {string|RpcError|Error} what */
export function toast(what) {
  const trouble = what instanceof Error;
  const text = trouble ? textOf(what) : what;
  shown?.remove();
  const line = el(
    "div",
    { class: `toast fades${trouble ? " trouble" : ""}` },
    el("p", {}, text),
    button({ label: t("page.close"), icon: "close", class: "bare", onclick: () => line.remove() }),
  );
  shown = line;
  frame().append(line);
  announce(text);
  if (!trouble) setTimeout(() => line.remove(), LASTS);
}

/** What an error says to people. The daemon phrases its own. */
export function textOf(error) {
  if (!(error instanceof RpcError)) throw error;
  if (has(`page.trouble.${error.code}`)) return t(`page.trouble.${error.code}`);
  const sentences = [error.data?.sentence || error.message, error.hint].filter(Boolean);
  return sentences.map(sentenceOf).join(" ");
}
