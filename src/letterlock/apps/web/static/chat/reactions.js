// The emoji that people have put on a message: each once, with how many and who; pressing one puts ours on it or takes it
// away.

import { react } from "./actions.js";
import { el } from "../base/dom.js";
import { cut } from "./preview.js";
import { store } from "../daemon/store.js";
import { listOf, t } from "../base/strings.js";

/** What a sender of a mark is called: the chat of a contact has the name that the user gave. */
const nameOf = (sender) => store.chat(sender)?.name ?? sender;

const MOST_NAMED = 20;

export function reactions(message) {
  const counted = new Map();
  for (const { emoji, mine, sender } of message.reactions) {
    const seen = counted.get(emoji) ?? { count: 0, mine: false, who: [] };
    if (seen.who.length < MOST_NAMED) seen.who.push(mine ? t("page.you") : cut(nameOf(sender), 40));
    counted.set(emoji, { count: seen.count + 1, mine: seen.mine || mine, who: seen.who });
  }
  return el(
    "div",
    { class: "reactions", role: "group", "aria-label": t("page.reactions") },
    [...counted].map(([emoji, { count, mine, who }]) =>
      el(
        "button",
        {
          type: "button",
          tabindex: -1,
          "aria-pressed": String(mine),
          "aria-label": t(mine ? "page.reaction_mine" : "page.reaction", { emoji: cut(emoji, 8), count }),
          title:
            count > who.length
              ? t("page.reaction_more", { names: who.join(", "), count: count - who.length })
              : listOf(who),
          onclick: () => react(message, emoji, mine),
        },
        el("span", { class: "emoji" }, cut(emoji, 8)),
        count > 1 && el("span", {}, String(count)),
      ),
    ),
  );
}
