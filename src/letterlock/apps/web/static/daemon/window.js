// The part of a chat's history that is on the page: a run of messages without a gap, bounded, that slides both ways.
// Rules: nothing here grows with the history; the daemon's `order` sorts; a message of ours is shown before the daemon
// has it (`pending`), and becomes the stored one in its place without a flicker.

import { rpc } from "./api.js";

const PAGE = 50;
/** So many are held at once; paging in one direction lets go of the other end. */
export const MOST = 150;
const ANSWERED_WITHIN = 60_000;

/**
 * Says `change` (detail: `{reason}`): `reset` (other messages than before), `older` and `newer` (a page came there),
 * `live` (something new at the end), `sent` (ours, just now), `update` (what was there changed), `state` (loading
 * began, ended or failed).
 */
export class Window extends EventTarget {
  /** @type {any[]} oldest first */
  messages = [];
  /** @type {any[]} ours that the daemon has not stored yet */
  pending = [];
  /** Whether there is more on that side. */
  before = false;
  after = false;
  loaded = false;
  /** @type {Error|null} why the last page did not come */
  error = null;
  /**
   * Whether whoever looks at it is at its end: then what is new pushes out the oldest; otherwise what is read stays.
   */
  following = true;
  #busy = null;
  #keys = new Map();

  /** @param {string} chat */
  constructor(chat) {
    super();
    this.chat = chat;
  }

  /** What is shown, oldest first. */
  get items() {
    return this.after ? this.messages : this.messages.concat(this.pending);
  }

  /** The newest page; `atLeast` messages of it. */
  load(atLeast = 0) {
    return this.#page({ limit: Math.min(Math.max(PAGE, atLeast), MOST) }, ({ messages, before }) => {
      this.#reset(messages, before, false);
    });
  }

  /** The page around a message. */
  loadAround(message_id) {
    return this.#page({ limit: PAGE, around: message_id }, ({ messages, before, after }) => {
      this.#reset(messages, before, after);
    });
  }

  /** What is held, asked for again: something there may have gone, or was missed. */
  refresh() {
    if (!this.loaded) return this.error ? this.load() : Promise.resolve();
    const limit = Math.min(Math.max(PAGE, this.messages.length), MOST);
    const middle = this.messages[this.messages.length >> 1]?.order;
    const place = middle && (this.after || !this.following) ? { around: middle } : {};
    return this.#page({ limit, ...place }, ({ messages, before, after }) =>
      this.#reset(messages, before, after, "update"),
    );
  }

  /** The page before the first. */
  older() {
    if (!this.before || this.#busy) return Promise.resolve();
    return this.#page({ limit: PAGE, before: this.messages[0].order }, ({ messages, before }) => {
      this.messages = this.#keyed(messages).concat(this.messages);
      this.before = before && messages.length > 0;
      if (this.messages.length > MOST) {
        this.messages.length = MOST;
        this.after = true;
      }
      this.#tell("older");
    });
  }

  /** The page behind the last. */
  newer() {
    if (!this.after || this.#busy) return Promise.resolve();
    return this.#page({ limit: PAGE, after: this.messages.at(-1).order }, ({ messages, after }) => {
      this.messages = this.messages.concat(this.#keyed(messages));
      this.after = after && messages.length > 0;
      if (this.messages.length > MOST) {
        this.messages = this.messages.slice(-MOST);
        this.before = true;
      }
      this.#tell("newer");
    });
  }

  /** Take in a message as it is now; one that lies outside of the run is left out. */
  upsert(message) {
    if (!this.loaded) return;
    // What could not be read at first has come after all, and stands where it belongs.
    this.messages = this.messages.filter(
      (other) =>
        other.kind !== "unreadable" ||
        other.message_id !== message.message_id ||
        other.order === message.order ||
        other.outcome?.count > 1,
    );
    const list = this.messages;
    const place = this.#place(message.order);
    const known = list[place]?.order === message.order;
    if (!known) {
      if (place === 0 && this.before) return;
      if (place === list.length && this.after) return;
      if (place === list.length && list.length >= MOST && !this.following) {
        this.after = true;
        return this.#tell("update");
      }
    }
    this.#settleStored([message]);
    const [keyed] = this.#keyed([message]);
    list.splice(place, known ? 1 : 0, keyed);
    if (list.length > MOST) {
      list.shift();
      this.before = true;
    }
    this.#tell(known ? "update" : place >= list.length - 1 ? "live" : "update");
  }

  /** Show a message of ours that is on its way to the daemon. */
  expect(message) {
    this.pending = this.pending.concat(message);
    this.#tell("sent");
  }

  /** The daemon stored it under this id: what will come with that id takes the place of `local`. */
  adopt(local, message_id) {
    this.#keys.set(message_id, local.key);
    this.#replacePending(local, this.find(message_id) ? null : { ...local, message_id, local: false });
  }

  /** Ask whether the daemon has taken what it never answered to; what it has is pending no more. Raises RpcError. */
  async findTaken() {
    const { messages } = await rpc("messages", { chat: this.chat, limit: PAGE });
    const before = this.pending.length;
    this.#settleStored(messages);
    if (this.pending.length < before) await this.refresh();
  }

  /** It did not get to the daemon: show it otherwise, or, with null, not at all. */
  settle(local, message) {
    this.#replacePending(local, message);
  }

  /** @param {string} message_id */
  find(message_id) {
    return this.messages.find((message) => message.message_id === message_id);
  }

  /** The id that a message of ours has got since it was shown under this key. @param {string} key */
  idOf(key) {
    return [...this.#keys].find(([, known]) => known === key)?.[0] ?? "";
  }

  #replacePending(local, message) {
    this.pending = this.pending.flatMap((mine) => (mine.key !== local.key ? [mine] : message ? [message] : []));
    this.#tell("update");
  }

  #reset(messages, before, after, reason = "reset") {
    this.#settleStored(messages);
    this.messages = this.#keyed(messages);
    this.before = before;
    this.after = after;
    this.loaded = true;
    this.#tell(reason);
  }

  /** Ours that the daemon has are pending no more; nor is what it had taken before it went away without an answer. */
  #settleStored(messages) {
    const stored = new Map(messages.map((message) => [message.message_id, message]));
    this.pending = this.pending.filter((mine) => {
      if (stored.has(mine.message_id)) return false;
      if (!mine.unsent) return true;
      // Sent once more, it would be there twice. One that is another of ours already is not this one.
      const taken = messages.find((message) => !this.#keys.has(message.message_id) && isTaken(mine, message));
      if (taken) this.#keys.set(taken.message_id, mine.key);
      return !taken;
    });
  }

  async #page(params, take) {
    const mine = (this.#busy = {});
    this.#tell("state");
    try {
      const page = await rpc("messages", { chat: this.chat, ...params });
      // A later request, a jump elsewhere, counts.
      if (this.#busy !== mine) return;
      this.#busy = null;
      this.error = null;
      take(page);
    } catch (error) {
      if (this.#busy !== mine) return;
      this.#busy = null;
      this.error = error;
      this.#tell("state");
    }
  }

  get loading() {
    return this.#busy !== null;
  }

  /** Where an order stands or would stand. */
  #place(order) {
    let low = 0;
    let high = this.messages.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.messages[middle].order < order) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #keyed(messages) {
    return messages.map((message) => ({ ...message, key: this.#keys.get(message.message_id) ?? message.order }));
  }

  #tell(reason) {
    this.dispatchEvent(new CustomEvent("change", { detail: { reason } }));
  }
}

/** Whether a stored message is the one whose sending was never answered: the daemon's clock is this computer's. */
function isTaken(unsent, { mine, kind, text, sent_at: at }) {
  return mine && kind === "text" && text === unsent.text && Math.abs(at - unsent.sent_at) < ANSWERED_WITHIN;
}
