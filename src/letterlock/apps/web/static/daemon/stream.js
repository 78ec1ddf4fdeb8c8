// The daemon's events, without a gap: after a break the stream goes on behind the last cursor that was heard.

import { currentProof } from "./proof.js";

const PAUSES = [250, 500, 1000, 2000, 5000];

/**
 * Events as they come: `event` (detail: one event as `-o json listen` writes it), `upload` (detail: what became of the
 * message of a file that was given to the daemon; the daemon does not keep it), `state` (detail: `connecting`, `live`,
 * `offline` or `ended`, when the session is no longer valid).
 */
export class Stream extends EventTarget {
  #source = null;
  #cursor = "";
  #failures = 0;
  #timer = 0;
  state = "connecting";

  /** Begin, from now on. */
  open() {
    clearTimeout(this.#timer);
    this.#source?.close();
    const query = new URLSearchParams({ proof: currentProof(), ...(this.#cursor && { after: this.#cursor }) });
    const source = new EventSource(`/api/v1/events?${query}`);
    this.#source = source;
    source.addEventListener("message", (heard) => {
      if (heard.lastEventId) this.#cursor = heard.lastEventId;
      this.dispatchEvent(new CustomEvent("event", { detail: JSON.parse(heard.data) }));
    });
    source.addEventListener("upload", (heard) => {
      this.dispatchEvent(new CustomEvent("upload", { detail: JSON.parse(heard.data) }));
    });
    source.addEventListener("live", (heard) => {
      if (heard.lastEventId) this.#cursor = heard.lastEventId;
      this.#failures = 0;
      this.#tell("live");
    });
    source.addEventListener("error", () => this.#broken(source));
  }

  /** Try at once rather than after the pause. */
  retry() {
    if (this.state !== "live") this.open();
  }

  close() {
    clearTimeout(this.#timer);
    this.#source?.close();
  }

  async #broken(source) {
    if (source !== this.#source) return;
    // The browser's own reconnection gives up for good on an HTTP error, and does not say why; so ours takes over.
    source.close();
    this.#source = null;
    const pause = PAUSES[Math.min(this.#failures++, PAUSES.length - 1)];
    this.#tell((await answers()) === false ? "ended" : "offline");
    this.#timer = setTimeout(() => this.open(), this.state === "ended" ? PAUSES.at(-1) : pause);
  }

  #tell(state) {
    if (state === this.state) return;
    this.state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: state }));
  }
}

/** True: the daemon is there and knows us. False: it is there and does not. Null: it is not there. */
async function answers() {
  try {
    const headers = { "letterlock-proof": currentProof() };
    const response = await fetch("/api/v1/check", { headers, credentials: "same-origin", cache: "no-store" });
    return response.status !== 401 && response.status !== 403;
  } catch {
    return null;
  }
}
