// How far a message of ours has got: an icon and a word for each state, and in a group how many have it.

import { t } from "../base/strings.js";

const STATES = {
  waiting: ["ring", "page.status_waiting", "quiet"],
  sending: ["clock", "page.status_sending", "quiet"],
  accepted: ["check", "page.status_sent", "quiet"],
  delivered: ["check-double", "page.status_delivered", "quiet"],
  displayed: ["check-double", "page.status_displayed", "seen"],
  failed: ["warning", "page.status_failed", "bad"],
  expired: ["warning", "page.status_failed", "bad"],
};

/** It was sent again, as another message. */
const SUPERSEDED = ["retry", "page.status_superseded", "quiet"];

/**
 * @param {any} message
 * @returns {{shape: string, label: string, tone: string}}
 */
export function statusOf(message) {
  const [shape, key, tone] = message.superseded_by ? SUPERSEDED : (STATES[message.status] ?? STATES.sending);
  return { shape, label: countOf(message) ?? t(key), tone };
}

/** Whether it did not arrive, and can be tried again. */
export const isFailed = (message) =>
  message.mine && !message.superseded_by && (message.status === "failed" || message.status === "expired");

// In a group one word cannot say it.
function countOf({ receipts, status }) {
  if (!receipts || receipts.members < 2 || !["accepted", "delivered", "displayed"].includes(status)) return null;
  const { delivered, displayed, members } = receipts;
  if (displayed) return t("page.displayed_by", { count: displayed, members });
  if (delivered) return t("page.delivered_to", { count: delivered, members });
  return null;
}
