// Telling the contact that one is typing: now and then while it lasts, and once when it ends. It is never worth an
// error.

import { rpc } from "../daemon/api.js";

const EVERY = 10_000;
const IDLE = 6_000;

export class Typing {
  #told = 0;
  #timer = 0;

  constructor(chat) {
    this.chat = chat;
  }

  now() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.stop(), IDLE);
    if (Date.now() - this.#told < EVERY) return;
    this.#told = Date.now();
    this.#tell(true);
  }

  stop() {
    clearTimeout(this.#timer);
    if (!this.#told) return;
    this.#told = 0;
    this.#tell(false);
  }

  #tell(active) {
    rpc("typing", { chat: this.chat, active }).catch(() => {
      // A chat that cannot be written to is not told anything, and nobody waits for the answer.
    });
  }
}
