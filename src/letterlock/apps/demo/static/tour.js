// The tour: five steps. The phones write for it, nothing is played back; Escape or a button ends it at any time.

import { button, el, fill } from "../base/dom.js";
import { t } from "../base/strings.js";

const LAST = 5;
/** Texts that are said before anybody has pressed a button. */
const OPENING = 2;
const LOOK_AT = { 1: ".wire", 2: ".frames-rack", 3: ".ledger", 4: ".hostile-rack", 5: "#ana" };

export class Tour {
  #feed;
  #say;
  #frames;
  #open;
  #step = 0;
  #title = el("h2", { tabIndex: -1, id: "tour-title" });

  /** @param {(chat: string) => void} open puts a chat on Ana's screen */
  constructor(feed, say, frames, open) {
    this.#feed = feed;
    this.#say = say;
    this.#frames = frames;
    this.#open = open;
    this.element = el("section", { class: "tour", "aria-labelledby": "tour-title", hidden: true });
    this.opener = button({ label: t("demo.tour"), icon: "info", text: true, onclick: () => this.#show(0, true) });
    this.element.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#end();
    });
  }

  /** Offer it to whoever comes to a demo in which nothing has been said, and have the phones begin to talk. */
  async begin() {
    if (this.#feed.state.trial || this.#feed.state.search.texts > OPENING) return;
    this.#show(0, false);
    try {
      await this.#feed.act("tour", { step: 0 });
    } catch (error) {
      this.#say(t("demo.failed", { reason: error.message }));
    }
  }

  #show(step, focus, extra = null) {
    this.#step = step;
    this.element.hidden = false;
    this.#title.textContent = t(`demo.tour.${step}.title`);
    fill(
      this.element,
      el("div", { class: "tour-text" }, step > 0 && el("p", { class: "count" }, t("demo.tour.step", { count: step })), this.#title, el("p", {}, extra ?? t(`demo.tour.${step}.text`))),
      el("div", { class: "tour-actions" }, ...this.#actions(step, Boolean(extra))),
    );
    for (const lit of document.querySelectorAll(".lit")) lit.classList.remove("lit");
    const lit = document.querySelector(LOOK_AT[step]);
    lit?.classList.add("lit");
    lit?.scrollIntoView({ block: lit.classList.contains("rack") ? "start" : "nearest" });
    if (focus) this.#title.focus();
  }

  #actions(step, done) {
    const next = (label) => button({ label, class: "primary", onclick: (event) => this.#go(step + 1, event.currentTarget) });
    const end = (label, kind = "") => button({ label, class: kind, onclick: () => this.#end() });
    if (step === 0) return [next(t("demo.tour.start")), end(t("demo.tour.skip"))];
    if (step < LAST) return [next(t("demo.tour.next")), end(t("demo.tour.skip"))];
    const plain = button({ label: t("demo.tour.5.plain"), class: "warn", onclick: () => this.#plain(plain) });
    return done ? [end(t("demo.tour.end"), "primary")] : [plain, end(t("demo.tour.end"))];
  }

  async #go(step, pressed) {
    pressed.disabled = true;
    this.#say(t("demo.tour.working"));
    try {
      const done = await this.#feed.act("tour", { step });
      this.#show(step, true);
      if (step === 2) this.#frames.open(done.message_id);
      else this.#frames.close();
      if (step === LAST) this.#open(this.#feed.state.nobody.number);
    } catch (error) {
      this.#failed(error, pressed);
    }
  }

  async #plain(pressed) {
    pressed.disabled = true;
    try {
      await this.#feed.act("plain");
      this.#show(LAST, true, t("demo.tour.5.done"));
      const ledger = document.querySelector(".ledger");
      ledger.classList.add("lit");
      ledger.scrollIntoView({ block: "start" });
    } catch (error) {
      this.#failed(error, pressed);
    }
  }

  #failed(error, pressed) {
    pressed.disabled = false;
    this.#say(t("demo.failed", { reason: error.message }));
    this.element.querySelector(".tour-text p:last-child").textContent = t("demo.failed", { reason: error.message });
  }

  #end() {
    this.element.hidden = true;
    this.#frames.close();
    document.querySelector(".racks").scrollTop = 0;
    for (const lit of document.querySelectorAll(".lit")) lit.classList.remove("lit");
    this.opener.focus();
    // After it, for a phone that opens a chat leaves the focus where it was.
    if (this.#step === LAST) this.#open(this.#feed.state.people[1].number);
  }
}
