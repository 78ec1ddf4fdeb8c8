/**
 * A group: who is in it and how each of them is encrypted to, why the group's state is what it is, what has changed,
 * and the changes that one may make.
 *
 * The roster is what the members have signed; the daemon says it, and which members may be removed. The state of a
 * group is that of its weakest member, so the roster begins with who that is.
 */

import { called, chatName, chatOf } from "../daemon/about.js";
import { rpc } from "../daemon/api.js";
import { confirm, Dialog, ended, field } from "../base/dialog.js";
import { bdi, button, el, fill, icon } from "../base/dom.js";
import { present } from "../base/elements.js";
import { People } from "./people.js";
import { look } from "../trust/security.js";
import { store } from "../daemon/store.js";
import { briefly, momentOf, t } from "../base/strings.js";

const WEAKEST = [
  "no-longer-verified",
  "encryption-ended",
  "stalled",
  "no-keys-found",
  "checking",
  "keys-new",
  "encrypted",
  "verified",
];
const LONGEST_LOG = 200;

/** Presented with `chat`. */
export class Group extends Dialog {
  build() {
    this.name = called(this.chat);
    this.frame.classList.add("wide");
    this.why = el("p", { class: "group-why" });
    this.roster = el("ul", { class: "roster", "aria-label": t("dialog.group.members-label") });
    this.count = el("h3", {}, t("dialog.group.members-label"));
    this.changes = el("section", { class: "group-changes" });
    this.log = el("ol", { class: "change-log" });
    fill(
      this.body,
      this.why,
      this.count,
      this.roster,
      this.changes,
      el(
        "details",
        { class: "group-log", ontoggle: (event) => event.target.open && this.#fetchLog() },
        el("summary", {}, t("dialog.group.log")),
        this.log,
      ),
    );
    this.actions([{ label: t("dialog.close"), first: true }]);
    this.run(() => this.#fetch());
    // Somebody else may change it meanwhile, and keys come in while one looks.
    store.addEventListener("chat", this.#heard);
  }

  close(answer = null) {
    store.removeEventListener("chat", this.#heard);
    super.close(answer);
  }

  #heard = ({ detail }) => {
    if (detail.chat === chatName(this.chat)) this.#fetch().catch(() => {});
  };

  async #fetch() {
    const chat = chatName(this.chat);
    const [info, members] = await Promise.all([rpc("group.info", { chat }), rpc("group.members", { chat })]);
    this.info = info;
    this.members = members;
    this.name = info.subject || called(this.chat);
    this.#explain();
    this.#people();
    this.#change();
  }

  /** Who makes the state what it is. */
  #explain() {
    const { security } = chatOf(this.chat);
    const others = this.members.filter((member) => !member.me);
    const rank = (member) => WEAKEST.indexOf(member.current ? member.security : "no-longer-verified");
    const weakest = Math.min(...others.map(rank));
    const state = WEAKEST[weakest] ?? security.state;
    const { shape, tone } = look(this.info.security);
    const who = others.filter((member) => rank(member) === weakest).map((member) => member.name);
    const because =
      ["encrypted", "verified"].includes(state) || others.length === 0
        ? security.sentence
        : t(`dialog.group.because.${state}`, { names: who.slice(0, 4).join(", "), count: who.length });
    this.why.className = `group-why tone-${tone}`;
    fill(this.why, icon(shape), el("span", {}, el("strong", {}, ended(security.label ?? "")), " ", because));
  }

  #people() {
    this.count.textContent = t("dialog.group.members", { count: this.members.length });
    fill(
      this.roster,
      this.members.map((member) => this.#member(member)),
    );
  }

  #member(member) {
    const { name, number, me, current, security, removable } = member;
    const state = current ? security : "no-longer-verified";
    const { shape, tone } = look(state);
    const words = me
      ? t("dialog.group.you")
      : current
        ? t(`security.${security}.label`, { name })
        : t("dialog.group.other-keys");
    return el(
      "li",
      { class: "member" },
      el("span", { class: `member-state tone-${me ? "quiet" : tone}` }, icon(me ? "person" : shape)),
      el(
        "div",
        { class: "member-who" },
        el(
          "span",
          { class: "clip" },
          el("strong", {}, bdi(name)),
          name === number ? null : [" ", bdi(number, { class: "faint" })],
        ),
        el("span", { class: `member-words tone-${me ? "quiet" : tone}` }, words),
      ),
      !me && this.info.joined
        ? el(
            "div",
            { class: "member-acts" },
            current &&
              security !== "no-keys-found" &&
              button({
                label: t("dialog.group.code", { name }),
                icon: "qr",
                class: "bare",
                onclick: () => this.#code(number),
              }),
            !current &&
              button({
                label: t("dialog.group.again"),
                class: "choice small",
                "aria-label": t("dialog.group.again-name", { name }),
                onclick: () => this.run(() => this.#add([number])),
              }),
            removable &&
              button({
                label: t("dialog.group.remove-name", { name }),
                icon: "delete",
                class: "bare",
                onclick: () => this.#remove(member),
              }),
          )
        : null,
    );
  }

  #change() {
    // What is being typed is not taken away by news of the group.
    if (this.changes.contains(document.activeElement) && this.info.joined) return;
    if (!this.info.joined) return void fill(this.changes, el("p", { class: "field-note" }, t("dialog.group.gone")));
    const people = Object.assign(new People(), { taken: this.members.map((member) => member.number) });
    const add = button({
      label: t("dialog.group.add"),
      class: "choice primary",
      disabled: true,
      onclick: () => people.take() && this.run(() => this.#add(people.numbers)),
    });
    people.addEventListener("changed", () => {
      add.disabled = people.numbers.length === 0;
    });
    const { row, input } = field({
      label: t("dialog.group.subject"),
      value: this.info.subject,
      maxLength: 200,
      dir: "auto",
    });
    const save = button({
      label: t("dialog.group.rename"),
      class: "choice",
      disabled: true,
      onclick: () => this.run(() => this.#rename(input.value)),
    });
    input.addEventListener("input", () => {
      save.disabled = input.value === this.info.subject;
    });
    fill(
      this.changes,
      el(
        "details",
        {},
        el("summary", {}, icon("plus"), t("dialog.group.add-people")),
        el("div", { class: "group-form" }, people, el("p", { class: "field-note" }, t("dialog.group.add-note")), add),
      ),
      el(
        "details",
        {},
        el("summary", {}, icon("edit"), t("dialog.group.name-it")),
        el(
          "form",
          { class: "group-form", onsubmit: (event) => (event.preventDefault(), save.disabled || save.click()) },
          row,
          save,
        ),
      ),
      button({ label: t("dialog.group.leave"), class: "choice danger", onclick: () => this.#leave() }),
    );
  }

  async #add(numbers) {
    await rpc("group.add", { chat: chatName(this.chat), members: numbers });
    this.heading.focus();
    await this.#fetch();
  }

  async #rename(subject) {
    await rpc("group.subject", { chat: chatName(this.chat), subject });
    this.heading.focus();
    await this.#fetch();
  }

  async #remove({ name, number }) {
    const sure = await confirm({
      name: t("dialog.group.remove-title", { name }),
      text: t("dialog.group.remove-text", { name }),
      yes: t("dialog.group.remove"),
      danger: true,
    });
    if (!sure) return;
    await this.run(async () => {
      await rpc("group.remove", { chat: chatName(this.chat), member: number });
      await this.#fetch();
    });
  }

  async #leave() {
    const sure = await confirm({
      name: t("dialog.group.leave-title"),
      text: t("dialog.group.leave-text"),
      yes: t("dialog.group.leave"),
      danger: true,
    });
    if (!sure) return;
    await this.run(async () => {
      await rpc("group.leave", { chat: chatName(this.chat) });
      store.refreshChat(chatName(this.chat));
      this.close({ left: true });
    });
  }

  async #code(number) {
    await this.run(async () => {
      if (!store.chat(number)) await store.openChat(number);
    });
    await present("ll-code", { chat: number });
    await this.run(() => this.#fetch());
  }

  async #fetchLog() {
    const found = [];
    let before = "";
    await this.run(async () => {
      // Changes are few among many messages: some pages back is what one looks for.
      for (let page = 0; page < 10 && found.length < LONGEST_LOG; page += 1) {
        const answer = await rpc("messages", { chat: chatName(this.chat), limit: 100, ...(before && { before }) });
        found.unshift(...answer.messages.filter((message) => message.kind === "notice"));
        if (!answer.before || answer.messages.length === 0) break;
        before = answer.messages[0].order;
      }
    });
    fill(
      this.log,
      found
        .reverse()
        .map((message) =>
          el(
            "li",
            {},
            el(
              "time",
              { dateTime: new Date(message.at).toISOString(), title: momentOf(message.at) },
              briefly(message.at),
            ),
            " ",
            el("span", { dir: "auto" }, message.notice?.text ?? ""),
          ),
        ),
      found.length === 0 && el("li", {}, t("dialog.group.log-empty")),
    );
  }
}

customElements.define("ll-group", Group);
