// What the neighbours of a message make of it: where a day, the unread ones or another way of carrying begin, and which
// messages stand together as one sender's.

import { sameDay } from "../base/strings.js";

/** Messages of one sender within it belong together. */
const RUN = 5 * 60_000;

/**
 * @typedef {{day: boolean, from: "encrypted"|"rcs"|"sms"|"", unread: boolean, first: boolean, last: boolean, group:
 *   boolean, latest: boolean}} Surroundings what the neighbours make of it: a new day, a transition of encryption,
 *   where the unread ones begin, first and last of one sender's run, in a group, our latest
 */

/**
 * @param {any[]} items what is shown, oldest first
 * @param {number} index of the message
 * @param {{before: boolean, unreadFrom: string, group: boolean, latest?: string}} chat whether there is more before
 *   them; the keys of the first unread one and of our latest
 * @returns {Surroundings}
 */
export function surroundings(items, index, { before, unreadFrom, group, latest }) {
  const message = items[index];
  const previous = items[index - 1];
  return {
    day: previous ? !sameDay(previous.at, message.at) : !before,
    from: transitionTo(message, lastCarried(items, index), before),
    unread: message.key === unreadFrom,
    first: !runs(previous, message),
    last: !runs(message, items[index + 1]),
    group,
    latest: message.key === latest,
  };
}

/**
 * Whether a notice says of the chat's state what the messages around it say of themselves: each of them carries how it
 * was sent, and the divider between them is true even where they were written before the state changed (SR-01).
 */
export const repeats = ({ kind, notice }) =>
  kind === "notice" && notice?.key === "security-changed" && REPEATED.has(notice.values.state);
const REPEATED = new Set(["encrypted", "keys-new", "plain-rcs", "plain-sms", "checking"]);

const isCarried = (message) => !["notice", "missing", "unreadable"].includes(message.kind);

const wayOf = (message) => (message.encrypted ? "encrypted" : message.medium === "sms" ? "sms" : "rcs");

/** The message before this one that was carried at all. */
function lastCarried(items, index) {
  for (let at = index - 1; at >= 0; at -= 1) if (isCarried(items[at])) return items[at];
  return null;
}

/**
 * What the history says where the way of carrying changes; the very first message says it only when it is not
 * encrypted.
 */
function transitionTo(message, previous, before) {
  if (!isCarried(message)) return "";
  const way = wayOf(message);
  if (!previous) return !before && way !== "encrypted" ? way : "";
  return wayOf(previous) === way ? "" : way;
}

/** Whether two messages stand together as one sender's. */
function runs(one, other) {
  return Boolean(
    one &&
    other &&
    isCarried(one) &&
    isCarried(other) &&
    one.sender === other.sender &&
    one.mine === other.mine &&
    wayOf(one) === wayOf(other) &&
    other.at - one.at < RUN &&
    sameDay(one.at, other.at),
  );
}
