// The hostile buttons: what each attack is after is said before, what came of it is read from the phones' own events.

import { button, el, fill, icon } from "../base/dom.js";
import { t } from "../base/strings.js";
import { nameOf } from "./feed.js";
import { got, saw } from "./outcome.js";

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
/** It came to something, and the users were told. */
const TOLD = new Set(["noticed", "known", "relabelled", "failed"]);
const OPEN = new Set(["armed", "hit", "received", "unread", "relabelled"]);
/** After these the message is on no phone but its sender's, who sends it again when no receipt comes. */
const SENT_AGAIN = new Set(["drop", "rename", "strip", "forge"]);
const SECOND_MS = 1000;
const SOON_S = 3;
const GRACE_S = 5;

export class Hostile {
  #feed;
  #say;
  #open;
  #chosen = "";
  #spoken = {};
  #where = "chat";
  #buttons = new Map();
  #detail = el("div", { class: "attack-detail" });
  #outcome = el("div", { class: "outcome" });
  #wait = el("p", { class: "aside waits" });

  /** @param {(chat: string) => void} open puts a chat on both screens: a number is Ben's */
  constructor(feed, say, open) {
    this.#feed = feed;
    this.#say = say;
    this.#open = open;
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
    // What the carrier got is counted from frames and looked up in its log; both come a moment later.
    for (const kind of ["frame", "search"]) feed.addEventListener(kind, () => this.#counts());
    setInterval(() => this.#tick(), SECOND_MS);
    this.#chosen = feed.state.trial?.attack ?? "";
    this.#render();
  }

  #choose(name) {
    this.#chosen = this.#chosen === name ? "" : name;
    this.#render();
    // What it is after, and the button that does it, are what the press asked for.
    if (this.#chosen) this.#detail.scrollIntoView({ block: "nearest" });
  }

  async #do(act, values) {
    try {
      const done = await this.#feed.act(act, values);
      if (done.chat) this.#open(done.chat);
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
    const { verdict } = this.#spoken;
    if (verdict !== before && verdict !== "armed") this.#outcome.querySelector(OPEN.has(verdict) ? ".verdict" : ".aims.done")?.scrollIntoView({ block: "nearest" });
  }

  #counts() {
    const before = this.#outcome.querySelector(".aims.done");
    if (before && this.#done(this.#chosen)) before.replaceWith(this.#summary(this.#chosen));
  }

  #about(attack, orders) {
    const order = orders[attack];
    const lie = LIES.has(attack);
    const act = (label, does, name, values) =>
      button({ label, class: does === "try" ? "primary small" : "small", dataset: { does }, onclick: () => this.#do(name, { attack, where: this.#where, ...values }) });
    return [
      !this.#done(attack) && this.#summary(attack),
      !lie && this.#places(),
      el(
        "div",
        { class: "attack-actions" },
        act(t(lie ? "demo.hostile.lie" : "demo.hostile.try"), "try", "try", {}),
        !lie && act(t("demo.hostile.once"), "once", "order", { once: true }),
        !lie && act(t("demo.hostile.always"), "always", "order", { once: false }),
        order && act(t("demo.hostile.stop"), "stop", lie ? "honest" : "withdraw", {}),
      ),
      order && !lie && el("p", { class: "aside" }, t(order.times === null ? "demo.hostile.is.always" : "demo.hostile.is.once")),
    ];
  }

  /** Before it is done: what it is after, and what a user should see. After: what it got, and what the users saw. */
  #summary(attack) {
    const state = this.#feed.state;
    const row = (head, ...said) => el("div", {}, el("dt", {}, t(head)), el("dd", {}, ...said));
    const aim = t(`demo.attack.${attack}.aim`);
    if (!this.#done(attack)) return el("dl", { class: "aims" }, row("demo.hostile.aims", aim), row("demo.hostile.expects", t(`demo.attack.${attack}.see`)));
    const list = (lines) => el("ul", {}, ...lines.map((line) => el("li", {}, line)));
    return el("dl", { class: "aims done" }, row("demo.hostile.tried", aim), row("demo.hostile.got", list(got(state))), row("demo.hostile.saw", list(saw(state))));
  }

  /** Whether it was done to something, and what came of it can be told. */
  #done(attack) {
    const { trial } = this.#feed.state;
    return trial?.attack === attack && trial.verdict !== "armed";
  }

  #places() {
    const place = (where) => {
      const choice = el("input", { type: "radio", name: "where", value: where, checked: where === this.#where, dataset: { does: where }, onchange: () => (this.#where = where) });
      return el("label", { class: "switch" }, choice, el("span", {}, t(`demo.hostile.where.${where}`)));
    };
    return el("div", { class: "places", role: "radiogroup", "aria-label": t("demo.hostile.where") }, place("chat"), place("group"));
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
    const tone = BAD.has(trial.verdict) ? "bad" : OPEN.has(trial.verdict) ? "" : TOLD.has(trial.verdict) ? "info" : "ok";
    const begin = trial.hit_at || trial.at;
    this.#tick();
    return [
      trial.misses > 0 && trial.verdict === "armed" && el("p", { class: "aside" }, t("demo.hostile.missed", { count: trial.misses })),
      el("p", { class: `note verdict ${tone}` }, icon(tone === "ok" ? "check" : tone === "bad" ? "warning" : tone === "info" ? "info" : "ring"), el("span", {}, text)),
      this.#wait,
      this.#done(trial.attack) && this.#summary(trial.attack),
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
