// How the state of a chat looks: one icon, one tone and one border for each state. Its words come from the daemon.

import { bdi, el, icon, spoken } from "../base/dom.js";

// Shape and border differ from state to state, so that the colour only repeats what they say.
const LOOKS = {
  encrypted: ["lock", "ok", ""],
  verified: ["shield-check", "ok", ""],
  "keys-new": ["info", "info", ""],
  "no-longer-verified": ["warning", "bad", "thick"],
  "plain-rcs": ["lock-open", "warn", "dashed"],
  "plain-sms": ["lock-struck", "warn", "dashed"],
  business: ["business", "warn", "dashed"],
  checking: ["ring", "quiet", "dashed"],
  unreadable: ["broken", "quiet", ""],
  "no-keys-found": ["key", "quiet", "dashed"],
  "encryption-ended": ["lock-open", "bad", "dashed"],
  stalled: ["warning", "warn", "thick"],
};

/** Icon, tone and border of a state. @param {string} state */
export function look(state) {
  const [shape, tone, border] = LOOKS[state] ?? ["ring", "quiet", "dashed"];
  return { shape, tone, border };
}

/**
 * The state as a chip; with `onclick` it is a button.
 * @param {{state: string, label: string, sentence?: string}} security
 */
export function chip(security, { onclick = null, ...props } = {}) {
  const { shape, tone, border } = look(security.state);
  const looks = { class: `chip tone-${tone} ${border}`, title: security.sentence, ...props };
  return el(
    onclick ? "button" : "span",
    onclick ? { type: "button", onclick, ...looks } : looks,
    icon(shape),
    bdi(security.label),
  );
}

/** The state as its icon alone, with its words for screen readers. */
export function glyph(security) {
  const { shape, tone } = look(security.state);
  return el("span", { class: `glyph tone-${tone}`, title: security.label }, icon(shape), spoken(security.label));
}
