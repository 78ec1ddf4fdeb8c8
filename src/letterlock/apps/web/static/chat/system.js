// What stands among the messages and is none: a change of the group or of keys, a gap, something that could not be read.

import { bdi, el, icon } from "../base/dom.js";
import { authorOf, cut, unreadableOf } from "./preview.js";
import { sentenceOf, t, timeOf } from "../base/strings.js";

export const isSystem = (message) => ["notice", "missing", "unreadable"].includes(message.kind);

export function system(message) {
  if (message.kind === "notice") {
    return el(
      "p",
      { class: "notice" },
      bdi(message.notice?.text ?? message.text ?? ""),
      " ",
      el("time", { dir: "auto", dateTime: new Date(message.at).toISOString() }, timeOf(message.at)),
    );
  }
  const { reason, next_step: next } = message.outcome ?? {};
  const missing = message.kind === "missing";
  const who = authorOf(message);
  return el(
    "div",
    { class: "card" },
    icon(missing ? "missing" : "broken"),
    el(
      "div",
      {},
      el(
        "p",
        { class: "card-title" },
        missing ? t("page.missing", { name: cut(who, 60) }) : unreadableOf(message, cut(who, 60)),
      ),
      [reason, next].filter(Boolean).map((part) => [el("p", { dir: "auto" }, sentenceOf(part)), " "]),
      missing && !reason && el("p", {}, t("page.missing_hint")),
      message.at ? el("time", { dir: "auto", dateTime: new Date(message.at).toISOString() }, timeOf(message.at)) : null,
    ),
  );
}
