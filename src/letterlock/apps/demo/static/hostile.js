// The hostile buttons: what each attack is after is said before, what came of it is read from the phones' own events.

import { button, el, fill, icon } from "../base/dom.js";
import { t } from "../base/strings.js";
import { nameOf } from "./feed.js";

const SHAPES = {
  drop: "arrow-down",
  delay: "clock",
  duplicate: "copy",
  tamper: "broken",
  rename: "edit",
  strip: "lock-struck",
  forge: "check-double",
  ghost: "person",
  impostor: "key",
  hide: "offline",
};
const LIES = new Set(["ghost", "impostor", "hide"]);
const BAD = new Set(["believed", "doubled", "accepted"]);
const OPEN = new Set(["armed", "hit", "received", "unread", "relabelled"]);
/** After these the message is on no phone but its sender's, who sends it again when no receipt comes. */
const SENT_AGAIN = new Set(["drop", "rename", "strip", "forge"]);
/** In sessions there are parts to lose, repeat and change, and no envelope of each message. */
const OF_SESSIONS = new Set(["drop", "duplicate", "tamper"]);
const SECOND_MS = 1000;
const SOON_S = 3;
const GRACE_S = 5;

export class Hostile {
  #feed;
  #say;
  #chosen = "";
  #spoken = {};
  #buttons = new Map();
  #detail = el("div", { class: "attack-detail" });
  #outcome = el("div", { class: "outcome" });
  #wait = el("p", { class: "aside waits" });

  constructor(feed, say) {
    this.#feed = feed;
    this.#say = say;
    const grid = el("div", { class: "attacks", role: "group", "aria-label": t("demo.hostile") });
    for (const name of Object.keys(SHAPES)) {
      const one = el(
        "button",
        { type: "button", "aria-pressed": "false", "aria-controls": "attack-detail", onclick: () => this.#choose(name) },
        icon(SHAPES[name]),
        el("span", {}, t(`demo.attack.${name}`)),
      );
      this.#buttons.set(name, one);
      grid.append(one);
    }
    this.#detail.id = "attack-detail";
    this.element = el("section", { class: "rack hostile-rack", id: "hostile" }, el("div", { class: "rack-head" }, el("h2", {}, t("demo.hostile"))), grid, this.#detail, this.#outcome);
    feed.addEventListener("orders", () => this.#render());
    feed.addEventListener("trial", () => this.#render());
    setInterval(() => this.#tick(), SECOND_MS);
    this.#chosen = feed.state.trial?.attack ?? "";
    this.#render();
  }

  #choose(name) {
    this.#chosen = this.#chosen === name ? "" : name;
    this.#render();
  }

  async #do(act, values) {
    try {
      await this.#feed.act(act, values);
    } catch (error) {
      this.#say(t("demo.failed", { reason: error.message }));
      fill(this.#outcome, el("p", { class: "note bad" }, t("demo.failed", { reason: error.message })));
    }
  }

  #render() {
    const { orders, trial } = this.#feed.state;
    // Whoever started it elsewhere, the tour for one, wants to see it.
    if (trial && trial.at !== this.#spoken.at) {
      this.#spoken = { at: trial.at, verdict: "" };
      this.#chosen = trial.attack;
    }
    for (const [name, one] of this.#buttons) {
      one.setAttribute("aria-pressed", String(name === this.#chosen));
      one.classList.toggle("ordered", name in orders);
    }
    const attack = this.#chosen;
    const focused = document.activeElement?.dataset?.does;
    fill(this.#detail, attack ? this.#about(attack, orders) : el("p", { class: "aside" }, t("demo.hostile.choose")));
    if (focused) this.#detail.querySelector(`[data-does="${focused}"]`)?.focus();
    const before = this.#spoken.verdict;
    fill(this.#outcome, trial && trial.attack === attack ? this.#trial(trial) : null);
    // What it came to is what was waited for: it does not stay below the edge.
    if (this.#spoken.verdict !== before && this.#spoken.verdict !== "armed") this.#outcome.querySelector(".verdict")?.scrollIntoView({ block: "nearest" });
  }

  #about(attack, orders) {
    const order = orders[attack];
    const lie = LIES.has(attack);
    const act = (label, does, name, values) =>
      button({ label, class: does === "try" ? "primary small" : "small", dataset: { does }, onclick: () => this.#do(name, { attack, ...values }) });
    return [
      el("dl", { class: "aims" }, el("div", {}, el("dt", {}, t("demo.hostile.aims")), el("dd", {}, t(`demo.attack.${attack}.aim`))), el("div", {}, el("dt", {}, t("demo.hostile.expects")), el("dd", {}, t(`demo.attack.${attack}.see`)))),
      el(
        "div",
        { class: "attack-actions" },
        act(t(lie ? "demo.hostile.lie" : "demo.hostile.try"), "try", "try", {}),
        !lie && act(t("demo.hostile.once"), "once", "order", { once: true }),
        !lie && act(t("demo.hostile.always"), "always", "order", { once: false }),
        order && act(t("demo.hostile.stop"), "stop", lie ? "honest" : "withdraw", {}),
      ),
      !lie && !OF_SESSIONS.has(attack) && el("p", { class: "aside" }, t("demo.hostile.sessions")),
      order && !lie && el("p", { class: "aside" }, t(order.times === null ? "demo.hostile.is.always" : "demo.hostile.is.once")),
    ];
  }

  /** What is waited for, and for how long already: a page on which nothing moves says why. */
  #tick() {
    const { trial, waits, people } = this.#feed.state ?? {};
    if (!trial) return;
    const seconds = Math.floor((Date.now() - trial.hit_at) / 1000);
    this.#wait.hidden = !trial.hit_at || !OPEN.has(trial.verdict) || seconds < SOON_S;
    if (this.#wait.hidden) return;
    const kind = SENT_AGAIN.has(trial.attack) ? "again" : trial.attack === "delay" ? "late" : "";
    const limit = kind ? waits[kind] / 1000 : 0;
    const sender = nameOf(this.#feed.state, trial.sender || people[0].number);
    const due = kind && seconds <= limit + GRACE_S;
    this.#wait.textContent = t(`demo.verdict.wait.${due ? kind : "open"}`, { sender, limit, seconds: due ? Math.min(seconds, limit) : seconds });
  }

  #trial(trial) {
    const state = this.#feed.state;
    const name = (number) => nameOf(state, number);
    const sender = trial.sender || state.people[0].number;
    const receiver = sender === state.people[0].number ? state.people[1].number : state.people[0].number;
    const text = t(`demo.verdict.${trial.verdict}`, { sender: name(sender), receiver: name(receiver) });
    if (this.#spoken.verdict !== trial.verdict) {
      this.#spoken.verdict = trial.verdict;
      if (!OPEN.has(trial.verdict)) this.#say(text);
    }
    const tone = BAD.has(trial.verdict) ? "bad" : OPEN.has(trial.verdict) ? "" : trial.verdict === "noticed" || trial.verdict === "known" || trial.verdict === "relabelled" ? "info" : "ok";
    const begin = trial.hit_at || trial.at;
    this.#tick();
    return [
      trial.misses > 0 && trial.verdict === "armed" && el("p", { class: "aside" }, t("demo.hostile.missed", { count: trial.misses })),
      el("p", { class: `note verdict ${tone}` }, icon(tone === "ok" ? "check" : tone === "bad" ? "warning" : tone === "info" ? "info" : "ring"), el("span", {}, text)),
      this.#wait,
      trial.steps.length > 0 && [
        el("h3", {}, t("demo.says")),
        el(
          "ol",
          { class: "steps" },
          ...trial.steps.map((step) =>
            el(
              "li",
              {},
              el("span", { class: "seconds" }, `+${Math.max(0, (step.at - begin) / 1000).toFixed(1)} s`),
              el("strong", {}, name(step.phone)),
              el("span", {}, says(step, name)),
            ),
          ),
        ),
      ],
    ];
  }
}

function says(step, name) {
  const plain = step.kind === "message-received" && step.encrypted === false ? ".plain" : "";
  const label = step.state ? t(`security.${step.state}.label`, { name: name(step.chat) }) : "";
  return t(`demo.says.${step.kind}${plain}`, { reason: step.reason ?? "", label });
}
