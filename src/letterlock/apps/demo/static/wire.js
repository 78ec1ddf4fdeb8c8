// The wire: what passes travels from phone to carrier to phone. It shows what happens, and is told in words in the list.

import { button, el, icon } from "../base/dom.js";
import { t } from "../base/strings.js";
import { nameOf } from "./feed.js";

const calm = matchMedia("(prefers-reduced-motion: reduce)");
const TRAVEL_MS = 900;
const PATIENCE_MS = 1200;
const MOST = 40;
const SHAPES = { sealed: "lock", chunk: "lock", plain: "lock-open", receipt: "check-double", control: "group", "look-up": "key", file: "file", "file-answer": "file" };

export class Wire {
  #feed;
  #track = el("div", { class: "track", "aria-hidden": "true" });
  #seen = new Map();
  #ends;

  constructor(feed) {
    this.#feed = feed;
    const [ana, ben] = feed.state.people;
    // From right to left the phones have changed places, and so have the ends.
    const mirrored = document.documentElement.dir === "rtl";
    this.#ends = { [ana.number]: mirrored ? 1 : 0, [ben.number]: mirrored ? 0 : 1 };
    const state = el("p", { class: "mood" });
    const honest = button({ label: t("demo.wire.honest.button"), class: "small", onclick: () => feed.act("honest").catch(() => {}) });
    const mood = () => {
      const count = Object.keys(feed.state.orders).length;
      state.textContent = count ? t("demo.wire.hostile", { count }) : t("demo.wire.honest");
      honest.hidden = !count;
      this.element.classList.toggle("hostile", count > 0);
    };
    this.element = el(
      "div",
      { class: "wire" },
      el("div", { class: "wire-head" }, el("h2", {}, t("demo.carrier")), state, honest),
      el(
        "div",
        { class: "line" },
        el("span", { class: "end" }, ana.name),
        this.#track,
        el("span", { class: "end" }, ben.name),
      ),
      el("p", { class: "aside guide" }, t("demo.wire.guide")),
    );
    this.#track.append(el("span", { class: "mast" }));
    for (const frame of feed.state.frames) this.#seen.set(frame.n, frame.copies.length);
    feed.addEventListener("frame", (event) => this.#pass(event.detail));
    feed.addEventListener("orders", mood);
    mood();
  }

  #pass(frame) {
    if (!(frame.kind in SHAPES) && frame.kind !== "registration") return;
    const before = this.#seen.get(frame.n);
    this.#seen.set(frame.n, frame.copies.length);
    if (calm.matches || document.hidden) return;
    if (before === undefined) this.#arrive(frame);
    for (const copy of frame.copies.slice(before ?? 0)) this.#leave(frame, copy);
  }

  #arrive(frame) {
    if (frame.made) return this.#move(frame, 0.5, this.#ends[frame.to] ?? 0.5, "made");
    const from = this.#ends[frame.from];
    if (from === undefined) return;
    const chip = this.#move(frame, from, 0.5);
    if ((frame.kind !== "sealed" && frame.kind !== "plain") || (frame.how === "msrp" && !frame.id)) return;
    setTimeout(() => {
      if (!this.#seen.get(frame.n) && chip) this.#fall(frame);
    }, PATIENCE_MS);
  }

  #leave(frame, copy) {
    const to = this.#ends[copy.to];
    if (to !== undefined) setTimeout(() => this.#move(frame, 0.5, to, copy.changed ? "changed" : ""), TRAVEL_MS * 0.8);
  }

  #move(frame, from, to, how = "") {
    const chip = this.#chip(frame, how);
    if (!chip) return null;
    const width = this.#track.clientWidth - 24;
    const at = (place) => `translateX(${Math.round(place * width)}px)`;
    chip.animate([{ transform: at(from), opacity: 0 }, { opacity: 1, offset: 0.15 }, { opacity: 1, offset: 0.85 }, { transform: at(to), opacity: 0 }], {
      duration: TRAVEL_MS,
      easing: "cubic-bezier(.4,.1,.3,1)",
    }).onfinish = () => chip.remove();
    return chip;
  }

  #fall(frame) {
    const chip = this.#chip(frame, "lost");
    if (!chip) return;
    const x = `translateX(${Math.round((this.#track.clientWidth - 24) / 2)}px)`;
    chip.animate([{ transform: `${x} translateY(0)`, opacity: 1 }, { transform: `${x} translateY(30px) rotate(40deg)`, opacity: 0 }], {
      duration: TRAVEL_MS,
      easing: "ease-in",
    }).onfinish = () => chip.remove();
  }

  #chip(frame, how) {
    if (this.#track.childElementCount > MOST) return null;
    const chip = el("span", { class: `chip kind-${frame.kind} ${how}` }, icon(how === "changed" ? "broken" : (SHAPES[frame.kind] ?? "ring")));
    chip.title = nameOf(this.#feed.state, frame.from);
    this.#track.append(chip);
    return chip;
  }
}
