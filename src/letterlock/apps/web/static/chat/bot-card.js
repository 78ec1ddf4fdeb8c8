// What a chatbot sends beside text: cards and suggestions, as text and as buttons that ask the daemon (SR-14: no
// picture is fetched from an address that somebody else chose, nothing is opened by itself).

import { rpc } from "../daemon/api.js";
import { bdi, el, fill, icon } from "../base/dom.js";
import { longText } from "./long-text.js";
import { cut } from "./preview.js";
import { t } from "../base/strings.js";
import { toast } from "../base/toast.js";
import { withDecision } from "../trust/deciding.js";

/** `message`, of kind `bot`. */
export class BotCard extends HTMLElement {
  connectedCallback() {
    const said = this.message.chatbot ?? {};
    const cards = said.kind === "card" ? [said.card.content] : (said.carousel?.cards ?? []);
    // Numbered through the whole message, those of the cards first, as `answer` counts them.
    const suggestions = [...(said.suggestions ?? [])];
    fill(
      this,
      this.message.text ? longText(this.message.text) : null,
      cards.map((card) => this.#card(card, suggestions.splice(0, card.suggestions?.length ?? 0))),
      this.#choices(suggestions),
    );
  }

  #card({ title, description, media }, suggestions) {
    return el(
      "section",
      { class: "bot-card" },
      title && el("p", { class: "card-title", dir: "auto" }, cut(title, 300)),
      media &&
        el(
          "p",
          { class: "gone" },
          icon("image"),
          bdi(cut(media.description || media.content_type || "", 160) || t("page.picture")),
        ),
      description && longText(description),
      this.#choices(suggestions),
    );
  }

  #choices(suggestions) {
    if (!suggestions.length) return null;
    return el(
      "div",
      { class: "suggestions", role: "group", "aria-label": t("page.suggestions") },
      suggestions.map((each) =>
        el(
          "button",
          { type: "button", title: whatItAsks(each.kind), onclick: () => this.#answer(each.number) },
          bdi(cut(each.text, 80)),
        ),
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

/** The address or number that an action names; pressing it tells the bot, and opens and calls nothing here. */
const whatItAsks = (kind) => cut(kind?.url ?? kind?.phone_number ?? kind?.label ?? "", 200) || null;

customElements.define("ll-card", BotCard);
