// What the demo server says: the state when the page comes, then everything that happens, as events of this target.

import { currentProof } from "../daemon/proof.js";

/** Ask the server for something as JSON, with the proof that this page asks; throws an Error with the server's words. */
export async function ask(path, options = {}) {
  const answer = await fetch(path, { ...options, headers: { ...options.headers, "letterlock-proof": currentProof() } });
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.message);
  return said;
}

/** `frame`, `ledger`, `search`, `orders`, `saying`, `trial`, `forgotten`, and `state` when all is new; `lost`, `found`. */
export class Feed extends EventTarget {
  /** @type {any} */
  state = null;
  #waiting = [];
  #source = null;

  open() {
    this.#source = new EventSource(`/demo/events?${new URLSearchParams({ proof: currentProof() })}`);
    // Only once the stream is open: nothing is missed between the state and the first event.
    this.#source.addEventListener("here", () => this.#load());
    this.#source.addEventListener("error", () => this.#say("lost"));
    for (const kind of ["frame", "ledger", "search", "orders", "saying", "trial", "forgotten"]) {
      this.#source.addEventListener(kind, (event) => this.#take(kind, JSON.parse(event.data)));
    }
  }

  /** Ask for an act; throws an Error with the server's words. */
  async act(act, values = {}) {
    return ask("/demo/act", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ act, ...values }),
    });
  }

  async #load() {
    this.state = null;
    try {
      this.state = await ask("/demo/state");
    } catch {
      return this.#say("lost");
    }
    this.#say("state");
    this.#say("found");
    for (const [kind, data] of this.#waiting.splice(0)) this.#take(kind, data);
  }

  #take(kind, data) {
    if (this.state === null) {
      this.#waiting.push([kind, data]);
      return;
    }
    if (kind === "frame") {
      const at = this.state.frames.findIndex((frame) => frame.n === data.n);
      if (at >= 0) this.state.frames[at] = data;
      else this.state.frames.push(data);
      if (this.state.frames.length > 1500) this.state.frames.shift();
    } else if (kind === "saying") this.state.sayings.push(data);
    else this.state[kind] = data;
    this.#say(kind, data);
  }

  #say(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }
}

/** The name of a number, or the number. */
export function nameOf(state, number) {
  const found = [...state.people, state.nobody].find((each) => each.number === number);
  return found ? found.name : number;
}
