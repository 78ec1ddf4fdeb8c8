// One frame, opened: the headers that the carrier can read, the bytes that it cannot, and all of them as hex and text.

import { button, el, fill, svg } from "../base/dom.js";
import { bytesOf, t } from "../base/strings.js";
import { ask, nameOf } from "./feed.js";
import { clock, fateOf } from "./frame-list.js";

const WIDE = 16;
const NARROW = 8;
const MOST_LINES = 256;
/** What says most of who, when and what. */
const TELLING = new Set(["from", "to", "datetime", "content-type", "imdn.message-id"]);
/** Inside of the envelope nobody is named: it says so with these words. */
const NOBODY = "anonymous.invalid";
const SHARE = 400;

export class Inspector {
  #feed;
  #body = el("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": t("demo.frame") });
  #title = el("h2", { tabIndex: -1 }, t("demo.frame"));
  /** The frame that is open, or was. */
  number = 0;
  /** Told whether a frame is open, and whether the list is to have the focus again. */
  shown = (_open, _focus) => {};

  constructor(feed) {
    this.#feed = feed;
    this.element = el(
      "div",
      { class: "one", hidden: true },
      el("div", { class: "rack-head" }, button({ label: t("demo.frame.back"), icon: "back", text: true, class: "small", onclick: () => this.close() }), this.#title),
      this.#body,
    );
    this.element.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        event.stopPropagation();
        this.close();
      }
    });
  }

  /** `by`: somebody pressed its button, and goes on reading here. */
  async open(frame, by = false) {
    this.number = frame.n;
    this.element.hidden = false;
    this.shown(true, false);
    this.#title.textContent = t(`demo.kind.${frame.kind}`, { detail: frame.detail });
    if (by) this.#title.focus();
    fill(this.#body, el("p", { class: "aside" }, t("demo.frame.loading")));
    const body = await ask(`/demo/frame/${frame.n}`).catch((error) => error);
    if (this.number !== frame.n) return;
    if (body instanceof Error) fill(this.#body, el("p", { class: "aside" }, body.message));
    else this.#render(body);
    this.#body.scrollTop = 0;
  }

  close(focus = true) {
    this.element.hidden = true;
    this.shown(false, focus);
  }

  #render(frame) {
    const bytes = dump(frame, this.#body.clientWidth > 560 ? WIDE : NARROW);
    const sealed = bytes.querySelector(".sealed");
    const state = this.#feed.state;
    const fate = fateOf(frame);
    const who = [frame.from, frame.to].filter(Boolean).map((number) => nameOf(state, number));
    fill(
      this.#body,
      el("p", { class: "summary" }, who.length === 2 ? t("demo.between", { from: who[0], to: who[1] }) : who[0], el("span", {}, clock(frame.at)), el("span", {}, bytesOf(frame.size)), fate && el("span", { class: `fate fate-${fate.kind}` }, fate.text)),
      frame.copies.some((copy) => copy.changed) && el("p", { class: "note bad" }, t("demo.frame.changed")),
      (frame.line || frame.headers.length > 0) && [
        el("h3", {}, t("demo.frame.reads")),
        el("code", { class: "first-line" }, frame.line),
        headers([...frame.headers, ...frame.inner].filter(([name, value]) => TELLING.has(name.toLowerCase()) && !value.includes(NOBODY))),
        frame.device > 0 && el("p", { class: "aside" }, t("demo.frame.devices", { device: frame.device, devices: frame.devices.join(", ") })),
        el(
          "details",
          {},
          el("summary", {}, t("demo.frame.all")),
          el("h4", {}, t(`demo.frame.${frame.how === "piece" ? "http" : frame.how}`)),
          headers(frame.headers),
          frame.inner.length > 0 && [el("h4", {}, t("demo.frame.cpim")), headers(frame.inner)],
        ),
      ],
      el("h3", {}, t("demo.frame.cannot")),
      frame.kind === "sealed" && el("p", { class: "aside alike" }, t("demo.frame.alike")),
      el("p", { class: frame.sealed ? "note ok" : frame.kind === "plain" || frame.kind === "receipt" ? "note warn" : "note" }, unread(frame)),
      el("div", { class: "bytes-head" }, el("h3", {}, t("demo.frame.bytes")), sealed && button({ label: t("demo.frame.find"), class: "small", onclick: () => sealed.scrollIntoView({ block: "center" }) })),
      frame.sealed > 0 && share(frame),
      bytes,
      frame.cut > 0 && el("p", { class: "aside" }, t("demo.frame.cut", { size: bytesOf(frame.cut) })),
    );
  }
}

function unread(frame) {
  if (frame.sealed) return t("demo.frame.cannot.size", { size: bytesOf(frame.sealed) });
  if (frame.kind === "control") return t("demo.frame.nothing.control");
  return t(frame.kind === "plain" || frame.kind === "receipt" ? "demo.frame.all.readable" : "demo.frame.nothing.sealed");
}

function headers(pairs) {
  return el("dl", { class: "headers" }, ...pairs.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", { dir: "auto" }, value))));
}

/** How much of it can be read, and how much cannot: a bar from its first byte to its last. */
function share(frame) {
  const scale = (bytes) => ((bytes / frame.size) * SHARE).toFixed(1);
  const label = t("demo.frame.share", { readable: bytesOf(frame.size - frame.sealed), sealed: bytesOf(frame.sealed) });
  return el(
    "p",
    { class: "share" },
    svg("svg", { viewBox: `0 0 ${SHARE} 10`, preserveAspectRatio: "none", "aria-hidden": "true" },
      svg("rect", { class: "readable", width: SHARE, height: 10 }),
      svg("rect", { class: "sealed", x: scale(frame.sealed_at), width: scale(frame.sealed), height: 10 }),
    ),
    el("span", {}, label),
  );
}

/** Offset, hex and text of each line; what is sealed is marked, and said to be. */
function dump(frame, width) {
  const bytes = Uint8Array.from(atob(frame.data), (char) => char.charCodeAt(0));
  const from = frame.sealed ? frame.sealed_at : Infinity;
  const to = frame.sealed ? frame.sealed_at + frame.sealed : Infinity;
  const lines = [];
  const end = Math.min(bytes.length, MOST_LINES * width);
  for (let at = 0; at < end; at += width) {
    const line = bytes.subarray(at, at + width);
    const isSealed = (index) => at + index >= from && at + index < to;
    lines.push(
      el("span", { class: "offset" }, at.toString(16).padStart(4, "0")),
      el("span", { class: "hex" }, ...runs(line, isSealed, (byte) => `${byte.toString(16).padStart(2, "0")} `)),
      el("span", { class: "text" }, ...runs(line, isSealed, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "\u00b7"))),
    );
  }
  return el("div", { class: "dump", dir: "ltr", translate: false }, ...lines);
}

function runs(line, isSealed, shown) {
  const parts = [];
  line.forEach((byte, index) => {
    const sealed = isSealed(index);
    const last = parts.at(-1);
    if (last && last.sealed === sealed) last.text += shown(byte);
    else parts.push({ sealed, text: shown(byte) });
  });
  return parts.map((part) => (part.sealed ? el("span", { class: "sealed" }, part.text) : part.text));
}
