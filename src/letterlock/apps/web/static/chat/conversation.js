// One chat: who it is with and who can read it, its messages, and the composer.

import { rpc } from "../daemon/api.js";
import { avatar } from "./avatar.js";
import { View, bdi, button, el, fill, frame, icon } from "../base/dom.js";
import { place, present } from "../base/elements.js";
import { beside, openMenu } from "../base/menu.js";
import { cut } from "./preview.js";
import { go, searchAddress } from "../base/route.js";
import { chip } from "../trust/security.js";
import { store } from "../daemon/store.js";
import { t } from "../base/strings.js";
import "./composer.js";
import "./timeline.js";

const COMPARABLE = new Set(["encrypted", "verified", "keys-new", "no-longer-verified"]);

/** `chat`, and `message` to begin at. */
export class Conversation extends View {
  message = "";

  connected() {
    this.head = el("header", { class: "head" });
    this.timeline = Object.assign(el("ll-timeline"), { chat: this.chat, message: this.message });
    this.composer = Object.assign(el("ll-composer"), { chat: this.chat });
    fill(
      this,
      this.head,
      place("ll-banner", { chat: this.chat }),
      this.timeline,
      place("ll-uploads", { chat: this.chat }),
      this.composer,
    );
    this.listen(store, "chat", ({ detail }) => detail.chat === this.chat && this.render());
    this.listen(store, "typing", ({ detail }) => detail.chat === this.chat && this.render());
    this.listen(this, "reply", ({ detail }) => this.composer.replyTo(detail));
    this.listen(this, "edit", ({ detail }) => this.composer.edit(detail));
    this.listen(this, "refused", ({ detail }) => this.composer.refused(detail.error, detail.message));
    this.listen(this, "past-end", () => this.composer.focusText());
    this.listen(this, "to-messages", () => this.timeline.focusLast());
    this.listen(this, "keydown", (event) => {
      if (event.key === "Escape" && !event.defaultPrevented && event.target.closest("ll-timeline"))
        this.composer.focusText();
    });
    this.render();
    if (!store.chat(this.chat)) store.openChat(this.chat).catch((error) => this.#unknown(error));
    // In a frame, as in the demo, it is somebody else's page that may have the focus, and keeps it.
    const mine = window.parent === window || document.hasFocus();
    if (!this.message && mine && matchMedia("(pointer: fine)").matches) this.composer.focusText();
  }

  /** @param {string} message_id empty: only show the conversation */
  jumpTo(message_id) {
    if (message_id) this.timeline.jumpTo(message_id);
  }

  render() {
    const chat = store.chat(this.chat) ?? {
      chat: this.chat,
      name: this.chat,
      kind: "number",
      named: false,
      security: null,
    };
    const typing = store.isTyping(this.chat);
    if (this.shown?.chat === chat && this.shown.typing === typing) return;
    this.shown = { chat, typing };
    const held = this.head.contains(document.activeElement) ? document.activeElement.dataset.part : "";
    const group = chat.kind === "group";
    fill(
      this.head,
      el("a", { class: "back", href: "#/", "aria-label": t("page.back"), dataset: { part: "back" } }, icon("back")),
      avatar(chat, "small"),
      el(
        "div",
        { class: "head-who" },
        el("h2", { class: "clip" }, bdi(cut(chat.name, 80))),
        el(
          "p",
          { class: "head-sub clip", role: typing ? "status" : null },
          typing ? t("page.typing_short") : this.#sub(chat),
        ),
      ),
      chat.security &&
        chip(chat.security, {
          onclick: (event) => this.#explain(event.currentTarget),
          dataset: { part: "chip" },
          "aria-haspopup": "dialog",
        }),
      button({
        label: group ? t("page.chat_menu_group") : t("page.chat_menu"),
        icon: "more",
        class: "bare",
        "aria-haspopup": "menu",
        dataset: { part: "menu" },
        onclick: (event) => this.#menu(event.currentTarget),
      }),
    );
    if (held) this.head.querySelector(`[data-part="${held}"]`)?.focus();
  }

  #sub(chat) {
    if (chat.kind === "group") return chat.joined ? t("page.members", { count: chat.members }) : t("page.left");
    return chat.named ? bdi(chat.chat) : "";
  }

  /** The state in a sentence, and the next step, which for an encrypted chat is to compare codes. */
  async #explain(anchor) {
    const chat = store.chat(this.chat);
    if (chat.kind === "group") return void present("ll-group", { chat: this.chat });
    if (COMPARABLE.has(chat.security.state)) return void present("ll-code", { chat: this.chat });
    const shown = el(
      "div",
      { class: "menu explain fades", popover: "auto", role: "dialog", "aria-label": chat.security.label, tabindex: -1 },
      chip(chat.security),
      el("p", {}, bdi(chat.security.sentence)),
    );
    frame().append(shown);
    shown.addEventListener("toggle", (event) => {
      if (event.newState !== "closed") return;
      shown.remove();
      if (document.activeElement === document.body) anchor.focus();
    });
    shown.showPopover();
    beside(shown, anchor);
    shown.focus();
  }

  #menu(anchor) {
    const chat = store.chat(this.chat);
    const group = chat?.kind === "group";
    openMenu(anchor, {
      label: group ? t("page.chat_menu_group") : t("page.chat_menu"),
      items: [
        { label: t("page.search_here"), icon: "search", act: () => go(searchAddress("", this.chat)) },
        group && { label: t("page.group_details"), icon: "group", act: () => present("ll-group", { chat: this.chat }) },
        chat?.kind === "number" &&
          COMPARABLE.has(chat.security?.state) && {
            label: t("page.compare"),
            icon: "shield-check",
            act: () => present("ll-code", { chat: this.chat }),
          },
        chat?.kind !== "group" && { label: t("page.rename"), icon: "edit", act: () => this.#rename(chat) },
      ],
    });
  }

  async #rename(chat) {
    const { Dialog, ask, field } = await import("../base/dialog.js");
    const dialog = new Dialog();
    const { row, input } = field({
      label: t("page.rename_label"),
      note: t("page.rename_note"),
      value: chat.named ? chat.name : "",
      maxLength: 64,
      autocomplete: "off",
    });
    dialog.name = t("page.rename");
    const save = () => rpc("name", { chat: this.chat, name: input.value.trim() }).then(() => dialog.close(true));
    fill(dialog.body, el("form", { onsubmit: (event) => (event.preventDefault(), dialog.run(save)) }, row));
    dialog.actions([{ label: t("dialog.cancel") }, { label: t("page.save"), kind: "primary", act: save }]);
    if (await ask(dialog)) store.refreshChat(this.chat);
  }

  #unknown(error) {
    if (error.unreachable || error.sessionEnded) return;
    fill(
      this,
      el("div", { class: "welcome" }, el("h2", {}, t("page.no_such_chat")), el("a", { href: "#/" }, t("page.back"))),
    );
  }
}

customElements.define("ll-conversation", Conversation);
