// The demo page: a phone, the machine room, a phone; on a narrow screen one of them at a time.

import { button, el, fill, icon } from "../base/dom.js";
import { t, useStrings } from "../base/strings.js";
import { Feed, ask } from "./feed.js";
import { FrameList } from "./frame-list.js";
import { Hostile } from "./hostile.js";
import { Inspector } from "./inspector.js";
import { Ledger } from "./ledger.js";
import { Tour } from "./tour.js";
import { Wire } from "./wire.js";

const narrow = matchMedia("(max-width: 1099px)");
const feed = new Feed();
const locale = new URLSearchParams(location.search).get("locale") ?? "en";
let started = false;
let scene = 0;

await begin();

async function begin() {
  useStrings(await ask(`/demo/strings?locale=${encodeURIComponent(locale)}`));
  document.title = t("demo.title");
  feed.addEventListener("state", () => {
    if (started && feed.state.scene !== scene) location.reload();
    else if (!started) build();
  });
  feed.addEventListener("forgotten", () => location.reload());
  feed.open();
}

async function build() {
  started = true;
  scene = feed.state.scene;
  const [ana, ben] = feed.state.people;
  const wire = new Wire(feed);
  const inspector = new Inspector(feed);
  const frames = new FrameList(feed, inspector);
  const places = [];
  const onBoth = (chat) => {
    show(places[0], ana, chat);
    show(places[2], ben, chat === ben.number ? ana.number : chat);
  };
  const hostile = new Hostile(feed, say, onBoth);
  const ledger = new Ledger(feed);
  const tour = new Tour(feed, say, frames, (chat) => show(places[0], ana, chat));
  const room = el(
    "section",
    { class: "room", id: "room", "aria-label": t("demo.carrier") },
    wire.element,
    el("div", { class: "racks" }, frames.element, el("div", { class: "desk" }, ledger.element, hostile.element)),
  );
  places.push(phone(ana, "ana"), room, phone(ben, "ben"));
  const titles = [t("demo.phone", { name: ana.name }), t("demo.carrier"), t("demo.phone", { name: ben.name })];
  const stage = el("main", { class: "stage" }, ...places);
  fill(document.getElementById("demo"), header(tour), lostNotice(), tabs(places, titles), tour.element, stage);
  await connect(places);
  tour.begin();
}

function header(tour) {
  const forget = button({ label: t("demo.forget"), icon: "retry", text: true, title: t("demo.forget.hint"), onclick: () => forgetAll(forget) });
  return el(
    "header",
    { class: "top" },
    el("h1", {}, icon("lock"), el("span", {}, "Letterlock")),
    el("p", { class: "lead" }, t("demo.lead")),
    el("div", { class: "top-actions" }, tour.opener, forget),
  );
}

async function forgetAll(pressed) {
  pressed.disabled = true;
  say(t("demo.forgetting"));
  try {
    await feed.act("forget");
    location.reload();
  } catch (error) {
    pressed.disabled = false;
    say(t("demo.failed", { reason: error.message }));
  }
}

function phone(person, id) {
  const frame = el("iframe", { title: t("demo.phone", { name: person.name }), allow: "camera 'none'; microphone 'none'" });
  return el(
    "section",
    { class: "phone", id, "aria-label": t("demo.phone", { name: person.name }) },
    el("h2", { class: "owner" }, t("demo.phone", { name: person.name }), " ", el("bdi", {}, person.number)),
    el("div", { class: "case" }, frame),
  );
}

/** Give each frame the address that logs it in, once; then the chat with the other one is opened. */
async function connect(places) {
  const { phones } = await ask("/demo/phones");
  const [ana, ben] = feed.state.people;
  [places[0], places[2]].forEach((place, at) => {
    const [own, other] = at === 0 ? [ana, ben] : [ben, ana];
    const frame = place.querySelector("iframe");
    // Not before: what stands behind the `#` of the address that logs in is the login's own.
    frame.addEventListener("load", () => show(place, own, other.number), { once: true });
    frame.src = phones[at];
  });
}

/** Another chat on a phone: its page hears of it as of any other address. The phones speak the language of this page. */
function show(place, person, chat) {
  const own = locale === "en" ? "" : `?locale=${encodeURIComponent(locale)}`;
  const frame = place.querySelector("iframe");
  frame.src = `${person.url}/${own}#/chat/${encodeURIComponent(chat)}`;
}

/** Tabs for one column at a time; on a wide screen all three are there and the tabs are not. */
function tabs(places, titles) {
  const choose = (chosen) => {
    all.forEach((tab, at) => {
      tab.setAttribute("aria-selected", String(at === chosen));
      tab.tabIndex = at === chosen ? 0 : -1;
      places[at].classList.toggle("away", at !== chosen);
    });
  };
  const all = places.map((place, at) =>
    el("button", { type: "button", role: "tab", id: `tab-${place.id}`, "aria-controls": place.id, onclick: () => choose(at) }, titles[at]),
  );
  const list = el("div", { class: "tabs", role: "tablist", "aria-label": t("demo.tabs") }, ...all);
  list.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const now = all.findIndex((tab) => tab.getAttribute("aria-selected") === "true");
    const next = (now + step + all.length) % all.length;
    choose(next);
    all[next].focus();
  });
  const arrange = () =>
    places.forEach((place, at) => {
      if (narrow.matches) {
        place.setAttribute("role", "tabpanel");
        place.setAttribute("aria-labelledby", all[at].id);
      } else {
        place.removeAttribute("role");
        place.removeAttribute("aria-labelledby");
      }
    });
  narrow.addEventListener("change", arrange);
  arrange();
  choose(1);
  return el("nav", { "aria-label": t("demo.tabs") }, list);
}

function lostNotice() {
  const notice = el("p", { class: "lost", role: "alert", hidden: true });
  feed.addEventListener("lost", () => {
    notice.textContent = t("demo.lost");
    notice.hidden = false;
  });
  feed.addEventListener("found", () => {
    notice.hidden = true;
  });
  return notice;
}

function say(text) {
  document.getElementById("status").textContent = text;
}
