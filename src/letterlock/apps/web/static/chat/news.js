// What the page tells of while the user is doing something else: announced, and counted in the title.

import { announce } from "../base/announce.js";
import { previewOf } from "./preview.js";
import { here } from "../base/route.js";
import { store } from "../daemon/store.js";
import { t } from "../base/strings.js";

const IN_BANNER = new Set(["keys-new", "no-longer-verified", "encryption-ended", "stalled", "no-keys-found"]);

export function watchNews() {
  const states = new Map();
  store.addEventListener("arrived", ({ detail: { chat, message } }) => {
    const name = message.sender_name || store.chat(chat)?.name || chat;
    if (here().chat === chat) announce(t("page.announce_message", { name, text: previewOf(message, 200) }));
    else announce(t("page.announce_elsewhere", { name: store.chat(chat)?.name || name }));
  });
  store.addEventListener("chat", ({ detail: { chat } }) => {
    const { security, name } = store.chat(chat);
    const before = states.get(chat);
    states.set(chat, security?.state);
    if (before === undefined || before === security?.state) return;
    // What the banner of the open chat says is read from there, and not twice; a broken verification even as an alert.
    if (here().chat === chat && IN_BANNER.has(security?.state)) return;
    announce(t("page.announce_state", { name, label: security.label, sentence: security.sentence ?? "" }));
  });
  store.addEventListener("chats", showTitle);
  window.addEventListener("hashchange", showTitle);
  let open = here().chat;
  window.addEventListener("hashchange", () => {
    const { chat } = here();
    if (chat === open) return;
    open = chat;
    tellOpened(chat);
  });
}

/** The focus goes to the field for a message, which says neither whose chat it is nor what state it is in. */
function tellOpened(chat) {
  const { name, security } = store.chat(chat ?? "") ?? {};
  if (name) announce(t("page.announce_chat", { name, label: security?.label ?? "" }));
}

function showTitle() {
  const unread = [...store.chats.values()].reduce((sum, chat) => sum + (chat.unread ?? 0), 0);
  const chat = store.chat(here().chat ?? "");
  const where = chat ? t("page.title_chat", { name: chat.name.slice(0, 80) }) : t("page.title");
  document.title = unread ? t("page.title_unread", { count: unread, title: where }) : where;
}
