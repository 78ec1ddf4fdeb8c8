// Where a conversation is scrolled to: at its end it stays there, elsewhere what is read stays in its place, whatever
// comes above or below, and whatever changes its size.

/** How near the end counts as at the end, in CSS pixels. */
const NEAR = 48;

export class Scrolling {
  /** Whether new messages push the old ones up. */
  stuck = true;
  #anchor = null;

  /**
   * @param {HTMLElement} scroller
   * @param {HTMLElement} content its children are what is kept in place
   * @param {AbortSignal} signal
   * @param {() => void} moved after every change of the position
   */
  constructor(scroller, content, signal, moved) {
    this.scroller = scroller;
    this.content = content;
    scroller.addEventListener(
      "scroll",
      () => {
        this.#note();
        moved();
      },
      { signal, passive: true },
    );
    const sizes = new ResizeObserver(() => this.restore());
    sizes.observe(scroller);
    sizes.observe(content);
    signal.addEventListener("abort", () => sizes.disconnect());
  }

  /** Distance to the end. */
  get below() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    return scrollHeight - scrollTop - clientHeight;
  }

  get above() {
    return this.scroller.scrollTop;
  }

  toEnd() {
    this.stuck = true;
    this.scroller.scrollTop = this.scroller.scrollHeight;
  }

  /**
   * Nothing but this scroller moves: `scrollIntoView` would scroll the page around it as well.
   * @param {HTMLElement} item @param {"center"|"start"|"nearest"} [block]
   */
  to(item, block = "center") {
    const room = this.scroller.clientHeight;
    const start = this.#offset(item);
    const end = start + item.offsetHeight;
    if (block === "center") this.scroller.scrollTop += start - Math.max(0, (room - item.offsetHeight) / 2);
    else if (block === "start" || start < 0) this.scroller.scrollTop += start;
    else if (end > room) this.scroller.scrollTop += Math.min(start, end - room);
    this.#note();
  }

  /** Remember what is read before the content changes. */
  hold() {
    this.#note();
  }

  /** After it has changed: back to what was read, or to the end. */
  restore() {
    if (this.stuck) {
      this.scroller.scrollTop = this.scroller.scrollHeight;
      return;
    }
    const { item, offset } = this.#anchor ?? {};
    if (!item?.isConnected) return;
    const moved = this.#offset(item) - offset;
    if (Math.abs(moved) >= 1) this.scroller.scrollTop += moved;
  }

  #note() {
    this.stuck = this.below <= NEAR;
    const top = this.scroller.getBoundingClientRect().top;
    let low = 0;
    let high = this.content.children.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.content.children[middle].getBoundingClientRect().bottom <= top) low = middle + 1;
      else high = middle;
    }
    const item = this.content.children[low];
    this.#anchor = item ? { item, offset: this.#offset(item) } : null;
  }

  #offset(item) {
    return item.getBoundingClientRect().top - this.scroller.getBoundingClientRect().top;
  }
}
