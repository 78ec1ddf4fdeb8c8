// A message in one line: for the list, a quote, an announcement, a screen reader.

import { statusOf } from "./status.js";
import { store } from "../daemon/store.js";
import { dayOf, t, timeOf } from "../base/strings.js";

const MEDIA = { image: "page.picture", video: "page.video", audio: "page.audio", voice: "page.voice" };

/**
 * @param {any} message a Message, or the quote of a reply
 * @param {number} [most] characters
 */
export function previewOf(message, most = 140) {
  if (!message) return "";
  if (message.kind === "deleted" || message.deleted) return t("page.deleted");
  if (message.missing || message.kind === "missing") return t("page.missing_short");
  if (message.kind === "unreadable") return t("page.unreadable_short");
  if (message.kind === "location") return withLabel(t("page.location"), message.location?.label, most);
  if (message.kind === "file") return fileLine(message.file, most);
  if (message.kind === "notice") return cut(message.notice?.text ?? message.text ?? "", most);
  if (message.text) return cut(message.text, most);
  return t(message.kind === "bot" ? "page.card" : "page.attachment");
}

function fileLine(file, most) {
  const media = file?.media || (file?.content_type ?? "").split("/")[0];
  return MEDIA[media] ? t(MEDIA[media]) : withLabel(t("page.file"), file?.save_as ?? file?.name, most);
}

function withLabel(kind, label, most) {
  return label ? t("page.kind_and_label", { kind, label: cut(label, most) }) : kind;
}

/** The beginning of a text on one line: whole code points, and no stack of marks longer than a few (SR-14). */
export function cut(text, most) {
  const line = text.slice(0, most * 8).replace(/(\p{M}{4})\p{M}+/gu, "$1").replace(/\s+/g, " ").trim();
  const points = Array.from(line);
  return points.length > most || text.length > most * 8 ? `${points.slice(0, most).join("")}…` : line;
}

/** Of what could not be read nobody has proven who wrote it: then it is of the chat that it came in. */
export function authorOf(message) {
  return message.mine
    ? t("page.you")
    : message.sender_name || message.sender || store.chat(message.chat)?.name || message.chat;
}

/** How much could not be read. Whether it was a message nobody can tell: receipts come the same way. */
export function unreadableOf(message, name) {
  const count = message.outcome?.count ?? 1;
  return count > 1 ? t("page.unreadable_many", { name, count }) : t("page.unreadable", { name });
}

/** All that matters of a message, for whoever moves through the conversation by ear. */
export function spokenLine(message, around) {
  if (message.kind === "notice") return cut(message.notice?.text ?? message.text ?? "", 300);
  const who = cut(authorOf(message), 60);
  if (message.kind === "missing") return t("page.missing", { name: who });
  if (message.kind === "unreadable") return unreadableOf(message, who);
  return [
    `${who}: ${previewOf(message, 300)}`,
    around.day ? dayOf(message.at) : null,
    timeOf(message.at),
    message.edited_at != null ? t("page.edited") : null,
    t(message.encrypted ? "page.encrypted" : message.medium === "sms" ? "page.plain_sms" : "page.plain_rcs"),
    message.mine ? statusOf(message).label : null,
  ]
    .filter(Boolean)
    .join(", ");
}
