// Every frame that passed, the newest first. A frame is a button that opens its bytes.

import { el, icon } from "../base/dom.js";
import { bytesOf, t } from "../base/strings.js";
import { nameOf } from "./feed.js";

const MOST = 200;
const QUIET = new Set(["answer", "ping", "keys-answer"]);
const SHAPES = {
  sealed: "lock",
  chunk: "lock",
  plain: "lock-open",
  receipt: "check-double",
  registration: "person",
  capabilities: "info",
  session: "group",
  control: "group",
  answer: "check",
  ping: "clock",
  "look-up": "key",
  keys: "key",
  "keys-answer": "key",
  file: "file",
  "file-answer": "file",
  other: "info",
};
const CHECK_MS = 1500;

export class FrameList {
  #feed;
  #inspector;
  #rows = new Map();
  #list = el("ol", { class: "frames" });
  #more = el("p", { class: "aside" });
  #none = el("p", { class: "aside" }, t("demo.frames.none"));
  #quiet = el("input", { type: "checkbox", id: "quiet" });

  constructor(feed, inspector) {
    this.#feed = feed;
    this.#inspector = inspector;
    this.#quiet.addEventListener("change", () => this.#list.classList.toggle("quiet", this.#quiet.checked));
    const body = el("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": t("demo.frames") }, this.#none, this.#list, this.#more);
    const all = el(
      "div",
      { class: "all" },
      el(
        "div",
        { class: "rack-head" },
        el("h2", {}, t("demo.frames")),
        el("label", { class: "switch" }, this.#quiet, el("span", {}, t("demo.frames.quiet"))),
      ),
      body,
    );
    this.element = el("section", { class: "rack frames-rack" }, all, inspector.element);
    inspector.shown = (open, focus) => {
      all.hidden = open;
      if (!open && focus) this.#rows.get(inspector.number)?.querySelector("button").focus();
    };
    for (const frame of feed.state.frames) this.#show(frame, false);
    feed.addEventListener("frame", (event) => this.#show(event.detail, true));
  }

  /** Open the frame that carried this message, as soon as it is there. */
  open(messageId) {
    const found = this.#feed.state.frames.find((frame) => frame.id === messageId);
    if (found) this.#inspector.open(found);
    else setTimeout(() => this.open(messageId), 100);
  }

  /** Back to the list. */
  close() {
    if (!this.#inspector.element.hidden) this.#inspector.close(false);
  }

  #show(frame, fresh) {
    const old = this.#rows.get(frame.n);
    const row = this.#row(frame);
    if (old) {
      old.replaceChildren(...row.childNodes);
      old.className = row.className;
      return;
    }
    this.#none.hidden = true;
    if (fresh) row.classList.add("fresh");
    this.#rows.set(frame.n, row);
    this.#list.prepend(row);
    if (!frame.made && (frame.kind === "sealed" || frame.kind === "plain") && !frame.copies.length) {
      setTimeout(() => this.#judge(frame.n), Math.max(0, frame.at + CHECK_MS - Date.now()));
    }
    this.#trim();
  }

  /** A message that has not gone on by now is being kept. */
  #judge(number) {
    const frame = this.#feed.state.frames.find((each) => each.n === number);
    if (frame && !frame.copies.length && this.#rows.has(number)) this.#show({ ...frame, kept: true }, false);
  }

  #trim() {
    const gone = this.#rows.size - MOST;
    if (gone <= 0) return;
    const [oldest] = this.#rows.keys();
    this.#rows.get(oldest).remove();
    this.#rows.delete(oldest);
    this.#more.textContent = t("demo.frames.more", { count: this.#feed.state.frames.length - MOST });
  }

  #row(frame) {
    const state = this.#feed.state;
    const kind = t(`demo.kind.${frame.kind}`, { detail: frame.detail });
    const place = frame.kind.startsWith("file") ? "content" : frame.how === "http" ? "directory" : "carrier";
    const service = t(`demo.${place}.short`);
    // On the carrier's own connections who has no number is one of its servers: the focus. On the others it is a phone
    // of which it cannot tell the number: nobody signs on the way to the content server, nor before a number is claimed.
    const nameless = place === "carrier" ? t("demo.server.short") : t("demo.phone.short");
    const answer = frame.kind.endsWith("-answer");
    const from = frame.from ? nameOf(state, frame.from) : answer ? service : nameless;
    const to = frame.to ? nameOf(state, frame.to) : answer ? nameless : service;
    const about = frame.kind === "look-up" ? service : to;
    const fate = fateOf(frame);
    return el(
      "li",
      { class: `frame kind-${frame.kind} ${QUIET.has(frame.kind) ? "small-talk" : ""} ${frame.made ? "made" : ""}` },
      el(
        "button",
        { type: "button", onclick: () => this.#inspector.open(frame, true) },
        el("span", { class: "shape" }, icon(SHAPES[frame.kind] ?? "info")),
        el("span", { class: "who" }, t("demo.between", { from, to: about })),
        el("span", { class: "what" }, frame.made ? t("demo.kind.made", { kind }) : kind, frame.kind === "look-up" ? `: ${to}` : ""),
        el("time", { class: "when", dateTime: new Date(frame.at).toISOString() }, clock(frame.at)),
        el("span", { class: "size" }, bytesOf(frame.size)),
        fate && el("span", { class: `fate fate-${fate.kind}` }, fate.text),
      ),
    );
  }
}

/** What the carrier did with it; nothing to say where it is not for another phone. */
export function fateOf(frame) {
  if (frame.made) return { kind: "bad", text: t("demo.fate.made") };
  if (frame.kind !== "sealed" && frame.kind !== "plain") return null;
  // Of a message of a session it is said at its first part, which alone has its name.
  if (frame.how !== "sip" && !(frame.how === "msrp" && frame.id)) return null;
  const { copies } = frame;
  if (copies.some((copy) => copy.changed)) return { kind: "bad", text: t("demo.fate.changed") };
  if (copies.length > 1) return { kind: "bad", text: t("demo.fate.times", { count: copies.length }) };
  if (copies.length) {
    const late = Math.round((copies[0].at - frame.at) / 1000);
    return late > 1 ? { kind: "bad", text: t("demo.fate.late", { seconds: late }) } : { kind: "ok", text: t("demo.fate.passed") };
  }
  return frame.kept || Date.now() - frame.at > CHECK_MS ? { kind: "bad", text: t("demo.fate.kept") } : null;
}

/** `14:02:09.5` */
export function clock(at) {
  const date = new Date(at);
  const two = (value) => String(value).padStart(2, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${Math.floor(date.getMilliseconds() / 100)}`;
}

