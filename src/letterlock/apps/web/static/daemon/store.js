// What the page knows: one source of truth, from JSON-RPC and from the daemon's events.
// Rules: an event never becomes state by itself; it names what to ask for again, so that what is shown is what the
// daemon says, and an event that comes twice changes nothing. Elements hear of changes and render; they keep no copies.

import { rpc } from "./api.js";
import { Outgoing, written } from "./outgoing.js";
import { Stale } from "./stale.js";
import { Stream } from "./stream.js";
import { Window } from "./window.js";

const MOST_WINDOWS = 6;
const TYPING_LASTS = 60_000;
const NEW_IN_LIST = new Set(["message-received", "message-sent", "message-missing", "message-unreadable"]);

/**
 * Says `connection`, `me`, `chats` (the list or its order), `chat` (detail: {chat}), `typing` (detail: {chat}),
 * `transfers` (detail: {transfer}), `arrived` (detail: {chat, message}: somebody's new message), `event` (detail: the
 * daemon's event).
 */
class Store extends EventTarget {
  /** What `me` answered: number, name, limits, carried ... */
  me = null;
  /** `connecting`, `live`, `offline` or `ended`. */
  connection = "connecting";
  /** @type {Map<string, any>} */
  chats = new Map();
  chatsLoaded = false;
  /** @type {Map<string, any>} the last event of each transfer, with what `upload` knows of it */
  transfers = new Map();
  stream = new Stream();
  #windows = new Map();
  #typing = new Map();
  #asked = new Map();
  #outgoing = new Outgoing();
  #stale = new Stale({
    window: (chat) => (this.#windows.get(chat)?.loaded ? this.#windows.get(chat) : null),
    sent: (chat) => this.#outgoing.sent(chat),
    arrived: (chat, message) => this.#tell("arrived", { chat, message }),
  });

  /** Open the stream, and fetch what is there; once more when the stream is live, so that nothing is missed between. */
  async start() {
    this.stream.addEventListener("event", ({ detail }) => this.#heard(detail));
    this.stream.addEventListener("state", ({ detail }) => this.#connected(detail));
    this.stream.open();
    await this.#fetch();
  }

  // --- reading -------------------------------------------------------------------------------------------------------
  /** @param {string} name */
  chat(name) {
    return this.chats.get(name) ?? null;
  }

  /** Chats, the one with the latest message first. */
  sorted() {
    return [...this.chats.values()].sort((one, other) => (other.at ?? 0) - (one.at ?? 0));
  }

  /** The window of a chat; it stays while it is among the last few that were looked at. */
  window(name) {
    let found = this.#windows.get(name);
    if (found) this.#windows.delete(name);
    else found = new Window(name);
    this.#windows.set(name, found);
    if (this.#windows.size > MOST_WINDOWS) {
      // What was not sent is only here.
      const oldest = [...this.#windows.values()].find((window) => window !== found && window.pending.length === 0);
      if (oldest) this.#windows.delete(oldest.chat);
    }
    return found;
  }

  /** Whether something that was written is only on this page: it would be gone with it. */
  get unsent() {
    return [...this.#windows.values()].some((window) => window.pending.length > 0);
  }

  isTyping(name) {
    return this.#typing.has(name);
  }

  // --- asking --------------------------------------------------------------------------------------------------------
  async loadMe() {
    this.me = await rpc("me");
    this.#tell("me");
  }

  async loadChats() {
    const list = await rpc("chats");
    this.chats = new Map(list.map((chat) => [chat.chat, chat]));
    this.chatsLoaded = true;
    this.#tell("chats");
    for (const chat of list) this.#tell("chat", { chat: chat.chat });
  }

  /** Ask for one chat again; requests while one is under way become one more. */
  async refreshChat(name) {
    if (this.#asked.has(name)) {
      this.#asked.set(name, true);
      return;
    }
    this.#asked.set(name, false);
    try {
      this.#takeChat(await rpc("chat", { chat: name }));
    } catch {
      // What is shown stays; the connection's state says why nothing new comes.
    }
    const again = this.#asked.get(name);
    this.#asked.delete(name);
    if (again) await this.refreshChat(name);
  }

  /** Begin a chat with a number, or find the one that there is. Raises RpcError. */
  async openChat(name) {
    const chat = await rpc("open", { chat: name });
    this.#takeChat(chat);
    return chat;
  }

  // --- doing ---------------------------------------------------------------------------------------------------------
  /**
   * Send a text. It is in the timeline before the daemon has it, and becomes the stored message in its place.
   * Raises RpcError when nothing was sent; where the daemon was not there, the message stays, failed, and can be tried
   * again.
   * @param {string} chat
   * @param {{text: string, reply?: any, allow?: string}} what `reply` is the message that is answered
   */
  async send(chat, { text, reply = null, allow = "" }) {
    const window = this.window(chat);
    const { number } = this.me ?? {};
    const local = written(chat, { text, reply }, { number, security: this.chat(chat)?.security });
    window.expect(local);
    const sent = this.#give(chat, { text, reply, allow });
    this.#outgoing.add(local, sent);
    try {
      const { message_id } = await sent;
      window.adopt(local, message_id);
      this.touch(chat, message_id);
      return message_id;
    } catch (error) {
      window.settle(local, error.unreachable ? { ...local, status: "failed", unsent: { text, reply, allow } } : null);
      throw error;
    }
  }

  async #give(chat, { text, reply, allow }) {
    const reply_to = reply && (await this.idOf(reply));
    return rpc("send", { chat, text, ...(reply_to && { reply_to }), ...(allow && { allow }) });
  }

  /**
   * The id of a message: of one that was just sent as soon as the daemon has it, so that what is done with it is done
   * then. Empty where it was not sent.
   * @param {{chat: string, message_id: string, key?: string}} message
   * @returns {Promise<string>}
   */
  async idOf({ chat, message_id, key = "" }) {
    return message_id || (await this.#outgoing.id(key)) || this.window(chat).idOf(key);
  }

  /** Try again what failed: what never got to the daemon is given to it, what failed behind it is sent once more. */
  async resend(chat, message, allow = "") {
    if (message.unsent) {
      const window = this.window(chat);
      // Taken without an answer, it would be there twice; and so it would by a second click.
      await window.findTaken();
      if (!window.pending.some(({ key }) => key === message.key)) return null;
      window.settle(message, null);
      return this.send(chat, message.unsent);
    }
    const answer = await rpc("resend", { chat, message_id: message.message_id, ...(allow && { allow }) });
    this.touch(chat, answer?.message_id ?? message.message_id);
    return answer;
  }

  /** The user has seen a message. */
  async displayed(chat, message) {
    await rpc("displayed", { chat, message_id: message.message_id });
    this.refreshChat(chat);
    this.touch(chat, message.message_id);
  }

  /** Something was done with a message: ask how it is now. */
  touch(chat, message_id) {
    this.#stale.touch(chat, message_id);
  }

  // --- events --------------------------------------------------------------------------------------------------------
  async #connected(state) {
    this.connection = state;
    this.#tell("connection");
    if (state !== "live") return;
    // After a break the stream goes on where it was, but what is asked for costs little and heals whatever was missed.
    await this.#fetch();
    for (const window of this.#windows.values()) window.refresh();
  }

  async #fetch() {
    try {
      await Promise.all([this.me ? null : this.loadMe(), this.loadChats()]);
    } catch {
      // The stream's state says that nobody answers, and asks for all of this again when it is live.
    }
  }

  #heard(event) {
    this.#tell("event", event);
    if (event.kind === "transfer-changed") {
      this.transfers.set(event.transfer, { ...this.transfers.get(event.transfer), ...event });
      this.#tell("transfers", { transfer: event.transfer });
      return;
    }
    const { chat } = event;
    if (!chat) return;
    if (event.kind === "typing-changed") {
      this.#types(chat, event.active);
      return;
    }
    if (event.kind === "message-received") this.#types(chat, false);
    // What names no message may have left a line in the history: that keys changed, who joined.
    this.#stale.touch(chat, event.message_id || event.order || "", NEW_IN_LIST.has(event.kind));
    this.refreshChat(chat);
  }

  #types(chat, active) {
    clearTimeout(this.#typing.get(chat));
    const before = this.#typing.has(chat);
    if (active)
      this.#typing.set(
        chat,
        setTimeout(() => this.#types(chat, false), TYPING_LASTS),
      );
    else this.#typing.delete(chat);
    if (before !== active) this.#tell("typing", { chat });
  }

  #takeChat(chat) {
    this.chats.set(chat.chat, chat);
    this.#tell("chat", { chat: chat.chat });
    this.#tell("chats");
  }

  #tell(type, detail = {}) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** The one store of the page. */
export const store = new Store();
