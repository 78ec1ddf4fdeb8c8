// What came of an attack, in short: what the carrier got, counted from its own frames and looked up in its log, and what the
// users saw, by the events of their phones. Nothing here is expected; what has not happened is not said.

import { bytesOf, t } from "../base/strings.js";
import { nameOf } from "./feed.js";

const OF_KEYS = new Set(["ghost", "impostor", "hide"]);

/**
 * What the carrier got.
 * @param {any} state of the feed, with a trial
 * @returns {string[]}
 */
export function got(state) {
  const { trial, frames, search } = state;
  if (OF_KEYS.has(trial.attack)) return [t(`demo.got.list.${trial.verdict}`)];
  const seen = frames.filter((frame) => frame.id === trial.message_id && frame.from === trial.sender && !frame.made && frame.sealed > 0);
  if (!seen.length) return [t("demo.got.nothing")];
  const [first, ...again] = seen;
  const { copies } = first;
  const passed = copies.length ? t("demo.got.passed", { count: copies.length }) : t("demo.got.kept");
  return [
    [t("demo.got.sealed", { size: bytesOf(first.sealed) }), passed, copies.some((copy) => copy.changed) && t("demo.got.changed")].filter(Boolean).join(" "),
    again.length > 0 && t("demo.got.again", { count: again.length }),
    search.texts > 0 && t(search.found.some((each) => each.text === written(state)) ? "demo.got.found" : "demo.got.hidden"),
  ].filter(Boolean);
}

/**
 * What the users saw, Ana first.
 * @param {any} state of the feed, with a trial
 * @returns {string[]}
 */
export function saw(state) {
  const { trial, people } = state;
  const name = (number) => nameOf(state, number);
  if (OF_KEYS.has(trial.attack)) {
    const changes = trial.steps.filter((step) => step.kind === "security-changed" && step.state);
    const said = changes.map((step) => t("demo.saw.label", { name: name(step.phone), says: t(`security.${step.state}.label`, { name: name(step.chat) }) }));
    return said.length ? [...new Set(said)] : [t("demo.saw.nothing", { name: name(people[0].number) })];
  }
  const receiver = people.find((each) => each.number !== trial.sender).number;
  return people.flatMap(({ number }) => (number === trial.sender ? [ofSender(trial, name(number))] : ofReceiver(state, receiver, name(number))));
}

function ofSender(trial, name) {
  const kinds = new Set(trial.steps.filter((step) => step.phone === trial.sender).map((step) => step.kind));
  if (kinds.has("message-displayed")) return t("demo.saw.displayed", { name });
  if (kinds.has("message-delivered")) return t("demo.saw.delivered", { name });
  return t(kinds.has("message-failed") || kinds.has("message-expired") ? "demo.saw.failed" : "demo.saw.sent", { name });
}

function ofReceiver(state, number, name) {
  const steps = state.trial.steps.filter((step) => step.phone === number);
  const came = steps.filter((step) => step.kind === "message-received");
  const sealed = came.filter((step) => step.encrypted !== false);
  const text = written(state);
  const said = [
    steps.some((step) => step.kind === "message-unreadable") && t("demo.saw.unreadable", { name }),
    steps.some((step) => step.kind === "message-missing") && t("demo.saw.gap", { name }),
    came.length > sealed.length && t("demo.saw.plain", { name }),
    sealed.length === 1 && t(text === undefined || sealed[0].text === text ? "demo.saw.once" : "demo.saw.other", { name }),
    sealed.length > 1 && t("demo.saw.often", { name, count: sealed.length }),
  ].filter(Boolean);
  return said.length ? said : [t("demo.saw.none", { name })];
}

/** What its sender's phone says was written. */
function written({ trial, sayings }) {
  return sayings.find((each) => each.kind === "message-sent" && each.phone === trial.sender && each.message_id === trial.message_id)?.text;
}
