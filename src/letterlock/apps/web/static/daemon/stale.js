// What events have named and has to be asked for again: many of one chat become one request, one chat after the other.

import { rpc } from "./api.js";

/** Among so many of the newest is a line that an event without a message has left. */
const NEWEST = 5;
/** So many named by events at once are one request for the whole window. */
const MANY = 12;

export class Stale {
  #of;
  #dirty = new Map();
  #flushing = false;

  /**
   * @param {{window: (chat: string) => import("./window.js").Window|null, sent: (chat: string) => Promise<unknown>,
   *   arrived: (chat: string, message: any) => void}} of `window`: where messages of a chat are held, if they are;
   *   `sent`: when nothing of ours is on its way there; `arrived` is told of somebody's new message
   */
  constructor(of) {
    this.#of = of;
  }

  /** @param {string} chat @param {string} what a message's id or order, or empty for the newest @param {boolean} fresh */
  touch(chat, what, fresh = false) {
    const items = this.#dirty.get(chat) ?? new Map();
    items.set(what, fresh || items.get(what) === true);
    this.#dirty.set(chat, items);
    this.#flush();
  }

  async #flush() {
    if (this.#flushing) return;
    this.#flushing = true;
    await Promise.resolve();
    try {
      for (const [chat, items] of this.#dirty) {
        // A message of ours may be heard of before the answer says its id; until then nobody knows which one it is.
        await this.#of.sent(chat);
        this.#dirty.delete(chat);
        await this.#ask(chat, items);
      }
    } finally {
      this.#flushing = false;
    }
    if (this.#dirty.size) this.#flush();
  }

  async #ask(chat, items) {
    const shown = this.#of.window(chat);
    try {
      if (items.size > MANY) {
        await shown?.refresh();
        return;
      }
      for (const [what, fresh] of items) {
        if (!shown && !fresh) continue;
        const messages = await found(what ? { chat, around: what, limit: 1 } : { chat, limit: NEWEST });
        if (!messages) {
          // It could not be read, and counts on the card of one before it.
          await shown?.refresh();
          continue;
        }
        const held = new Set(shown?.messages.map((message) => message.order));
        // What was missing may have come; then its marker is gone, or is of fewer messages.
        if (fresh && shown?.messages.some(({ kind }) => kind === "missing")) await shown.refresh();
        for (const message of messages) {
          const known = held.has(message.order);
          shown?.upsert(message);
          if (fresh && !known && !message.mine) this.#of.arrived(chat, message);
        }
      }
    } catch {
      // The stream says so too, and everything is asked for again when it is back.
    }
  }
}

/** Null where there is no such message. Raises RpcError where nobody answers. */
async function found(place) {
  try {
    return (await rpc("messages", place)).messages;
  } catch (error) {
    if (error.unreachable || error.sessionEnded) throw error;
    return null;
  }
}
