// The page: opens the daemon's stream, builds the two columns, and shows what the address says.

import { announce } from "./base/announce.js";
import { rpc } from "./daemon/api.js";
import { applyTheme, chosenLocale } from "./base/appearance.js";
import { el, fill, icon, button } from "./base/dom.js";
import { preload, present } from "./base/elements.js";
import { chatAddress, go, here } from "./base/route.js";
import { listenToShortcuts } from "./screens/shortcuts.js";
import { store } from "./daemon/store.js";
import { t, useStrings } from "./base/strings.js";
import { watchNews } from "./chat/news.js";
import "./chat/chat-list.js";
import "./chat/conversation.js";
import "./elements.js";

applyTheme();
dress();

const RETRY = 2000;
const app = document.getElementById("app");

boot();

/** Words first, then the stream; until the daemon answers the page says so in its own few words. */
async function boot() {
  try {
    const wanted = chosenLocale();
    useStrings(await rpc("strings", wanted ? { locale: wanted } : {}));
  } catch (error) {
    document.getElementById("boot-opening").hidden = true;
    document.getElementById("boot-unreachable").hidden = error.sessionEnded === true;
    document.getElementById("boot-session").hidden = error.sessionEnded !== true;
    setTimeout(boot, RETRY);
    return;
  }
  build();
  store.start();
}

/** Style sheets of what comes later hold as soon as they are there; the page was shown without waiting for them. */
function dress() {
  for (const link of document.querySelectorAll("link[media='not all']")) {
    const hold = () => (link.media = "all");
    if (link.sheet) hold();
    else link.addEventListener("load", hold, { once: true });
  }
}

function build() {
  const connection = el("div", { class: "connection", role: "status", hidden: true });
  const list = el("ll-chat-list");
  const side = el("section", { class: "side", "aria-label": t("page.side") }, list);
  const main = el("div", { class: "main" });
  // One landmark around both columns, because on a phone only one of them is there.
  const title = el("h1", { class: "spoken" }, t("page.title"));
  app.replaceWith(el("main", { class: "app", id: "app" }, title, connection, side, main));
  const frame = document.getElementById("app");

  store.addEventListener("connection", () => showConnection(connection));
  window.addEventListener("hashchange", () => show(frame, list, main));
  window.addEventListener("beforeunload", (event) => store.unsent && event.preventDefault());
  listenToShortcuts();
  watchNews();
  show(frame, list, main);
  preload();
}

/** @param {HTMLElement} frame @param {any} list @param {HTMLElement} main */
function show(frame, list, main) {
  const route = here();
  const showing = /** @type {any} */ (main.firstElementChild);
  if (route.shows === "chat") {
    frame.dataset.shows = "chat";
    list.current = route.chat;
    if (showing?.localName === "ll-conversation" && showing.chat === route.chat) showing.jumpTo(route.message);
    else fill(main, Object.assign(el("ll-conversation"), { chat: route.chat, message: route.message }));
    return;
  }
  // What lies over the page leaves the chat below it where it is.
  if (!showing || (route.shows === "list" && frame.dataset.shows === "chat")) {
    frame.dataset.shows = "list";
    const left = list.current;
    list.current = "";
    fill(main, welcome());
    document.title = t("page.title");
    if (left) list.focusChat(left);
  }
  if (route.shows === "search") {
    frame.dataset.shows = "list";
    list.search(route.text, route.chat);
  }
  if (route.shows === "settings") present("ll-settings").then(back);
  if (route.shows === "new") {
    present("ll-new-chat").then((answer) => (answer?.chat ? go(chatAddress(answer.chat), { replace: true }) : back()));
  }
}

/** From a dialogue that has an address of its own. */
function back() {
  if (!["settings", "new"].includes(here().shows)) return;
  const current = /** @type {any} */ (document.querySelector("ll-conversation"))?.chat;
  go(current ? chatAddress(current) : "#/", { replace: true });
}

function welcome() {
  return el(
    "div",
    { class: "welcome" },
    icon("lock"),
    el("h2", {}, t("page.welcome")),
    el("p", {}, t("page.welcome_hint")),
    button({ label: t("page.new_chat"), icon: "plus", text: true, class: "primary", onclick: () => go("#/new") }),
  );
}

function showConnection(bar) {
  const texts = { offline: "page.offline", ended: "page.session_ended" };
  const key = texts[store.connection];
  if (!key && !bar.hidden) announce(t("page.online"));
  bar.hidden = !key;
  if (!key) return;
  fill(
    bar,
    icon("offline"),
    el("span", {}, t(key)),
    store.connection === "offline" &&
      button({ label: t("page.try_now"), class: "link", onclick: () => store.stream.retry() }),
  );
}
