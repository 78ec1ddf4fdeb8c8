// What the carrier learns by counting, and what it does not: the second is looked up in its log, not promised.

import { el, fill, icon } from "../base/dom.js";
import { bytesOf, listOf, t } from "../base/strings.js";
import { nameOf } from "./feed.js";

const SVG = "http://www.w3.org/2000/svg";
const WINDOW_MS = 300_000;
const BARS = 60;
const REFRESH_MS = 5_000;

export class Ledger {
  #feed;
  #learns = el("div", { class: "learns" });
  #not = el("div", { class: "learns-not" });

  constructor(feed) {
    this.#feed = feed;
    this.element = el(
      "section",
      { class: "rack ledger" },
      el("div", {}, el("h2", {}, t("demo.learns")), this.#learns),
      el("div", {}, el("h2", {}, t("demo.not")), this.#not),
    );
    feed.addEventListener("ledger", () => this.#render());
    feed.addEventListener("search", () => this.#render());
    setInterval(() => this.#render(), REFRESH_MS);
    this.#render();
  }

  #render() {
    const { ledger, search } = this.#feed.state ?? {};
    if (!ledger) return;
    const name = (number) => nameOf(this.#feed.state, number);
    const online = ledger.lines.filter((line) => line.online);
    const asked = ledger.look_ups.map((each) => t("demo.learns.asked.one", { asker: name(each.asker), about: name(each.about), count: each.times }));
    const facts = [
      online.length > 0 && t("demo.learns.online", { names: listOf(online.map((line) => name(line.number))), time: time(Math.min(...online.map((line) => line.since))) }),
      ...ledger.lines.filter((line) => !line.online).map((line) => t("demo.learns.offline", { name: name(line.number), time: time(line.since) })),
      asked.length > 0 && t("demo.learns.asked", { who: asked.join(", ") }),
      ...ledger.lines.filter((line) => line.sessions > 0).map((line) => t("demo.learns.sessions", { name: name(line.number), size: bytesOf(line.sessions) })),
      ledger.files > 0 && t("demo.learns.files", { size: bytesOf(ledger.files) }),
      ...ledger.each_file.map((file) => t(file.up ? "demo.learns.file.up" : "demo.learns.file.down", { size: bytesOf(file.size), time: time(file.at) })),
    ].filter(Boolean);
    fill(
      this.#learns,
      ledger.pairs.length === 0 && el("p", { class: "aside" }, t("demo.learns.nothing")),
      ledger.pairs.map((pair) => this.#pair(pair, name)),
      el("ul", { class: "facts" }, ...facts.map((fact) => el("li", {}, fact))),
    );
    fill(this.#not, verdict(search));
  }

  #pair(pair, name) {
    const count = pair.sealed + pair.plain;
    return el(
      "div",
      { class: "pair" },
      el("strong", {}, t("demo.learns.pair", { one: name(pair.one), other: name(pair.other) })),
      el("span", {}, t("demo.learns.count", { count, size: bytesOf(pair.size) })),
      pair.plain > 0 && el("span", { class: "fate fate-bad" }, t("demo.learns.plain", { count: pair.plain })),
      el("span", { class: "span" }, t("demo.learns.when", { first: time(pair.first), last: time(pair.last) })),
      beats(pair.beats),
    );
  }
}

function verdict(search) {
  const size = bytesOf(search.size);
  if (!search.texts) return el("p", { class: "aside" }, t("demo.not.waiting"));
  if (!search.found.length) {
    return el("p", { class: "note ok" }, icon("check"), el("span", {}, t("demo.not.none", { count: search.texts, size })));
  }
  return el(
    "div",
    { class: "note warn" },
    icon("warning"),
    el(
      "div",
      {},
      el("p", {}, t("demo.not.found", { count: search.found.length, texts: search.texts })),
      el("ul", {}, ...search.found.map((each) => el("li", {}, el("q", { dir: "auto" }, each.text), " ", el("span", { class: "span" }, t("demo.not.where", { form: each.form, count: each.times }))))),
    ),
  );
}

/** When they wrote: a bar for each five seconds of the last five minutes. */
function beats(times) {
  const now = Date.now();
  const counts = new Array(BARS).fill(0);
  for (const at of times) {
    const bar = BARS - 1 - Math.floor((now - at) / (WINDOW_MS / BARS));
    if (bar >= 0 && bar < BARS) counts[bar] += 1;
  }
  const most = Math.max(4, ...counts);
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${BARS * 4} 16`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("class", "beats");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", t("demo.learns.beats"));
  counts.forEach((count, at) => {
    const bar = document.createElementNS(SVG, "rect");
    const height = count ? Math.max(2, (count / most) * 16) : 0.6;
    for (const [key, value] of Object.entries({ x: at * 4, y: 16 - height, width: 2.6, height })) bar.setAttribute(key, value);
    svg.append(bar);
  });
  return svg;
}

function time(at) {
  return new Date(at).toTimeString().slice(0, 8);
}
