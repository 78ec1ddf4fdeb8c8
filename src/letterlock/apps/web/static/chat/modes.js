// What sending in a chat would do, as its state says (SR-01): the composer's button and field say it.

/**
 * A closed composer in which something can still be written: sending asks how. A group is never unencrypted, but there,
 * too, one can decide to wait.
 */
const ASKS = new Set(["no-keys-found", "business", "encryption-ended"]);
const ASKS_IN_GROUPS = new Set(["no-keys-found"]);

/** By mode: the keys of what the button and the field are called, and the icon. */
export const MODES = {
  encrypted: { action: "page.send", hint: "page.write", shape: "lock" },
  plain: { action: "page.send_plain", hint: "page.write_plain", shape: "lock-open" },
  waiting: { action: "page.send_waiting", hint: "page.write_waiting", shape: "ring" },
  asks: { action: "page.send_asks", hint: "page.write_asks", shape: "lock-open" },
};

/**
 * Empty where nothing can be written.
 * @param {any} chat null while it is not known yet
 * @returns {keyof typeof MODES|""}
 */
export function modeOf(chat) {
  const state = chat?.security?.composer ?? "waiting";
  const asked = chat?.kind === "group" ? ASKS_IN_GROUPS : ASKS;
  const asks = state === "closed" && asked.has(chat.security.state) && chat.joined;
  return asks ? "asks" : state in MODES ? state : "";
}
