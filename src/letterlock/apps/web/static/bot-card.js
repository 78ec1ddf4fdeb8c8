// What a chatbot sends beside text: cards and suggestions, as text and as buttons that ask the daemon (SR-14: no picture is
// fetched from an address that somebody else chose, nothing is opened by itself).

import { withDecision } from "./actions.js";
import { rpc } from "./api.js";
import { bdi, button, el, fill } from "./dom.js";
import { longText } from "./long-text.js";
import { t } from "./strings.js";
import { toast } from "./toast.js";

/** `message`, of kind `bot`. */
export class BotCard extends HTMLElement {
  connectedCallback() {
    const said = this.message.chatbot ?? {};
    const cards = said.cards ?? (said.kind === "card" ? [said.card ?? said] : []);
    fill(
      this,
      this.message.text ? longText(this.message.text) : null,
      cards.map((card) =>
        el(
          "section",
          { class: "bot-card" },
          card.title && bdi(card.title, { class: "card-title" }),
          card.description && longText(card.description),
        ),
      ),
      this.#suggestions(said, cards),
    );
  }

  /** Numbered from one through the whole message, as `answer` counts them. */
  #suggestions(said, cards) {
    const all = [...cards.flatMap((card) => card.suggestions ?? []), ...(said.suggestions ?? [])];
    if (!all.length) return null;
    return el(
      "div",
      { class: "suggestions", role: "group", "aria-label": t("page.suggestions") },
      all.map((suggestion, at) =>
        button({ label: suggestion.text ?? suggestion.label ?? String(at + 1), onclick: () => this.#answer(at + 1) }),
      ),
    );
  }

  async #answer(suggestion) {
    const { chat, message_id } = this.message;
    try {
      await withDecision(chat, (allowed) => rpc("answer", { chat, message_id, suggestion, ...allowed }));
    } catch (error) {
      toast(error);
    }
  }
}

customElements.define("ll-card", BotCard);
