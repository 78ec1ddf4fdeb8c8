// What a screen reader is told without being asked: new messages and changes of state, politely, in the order they
// came.

const PAUSE = 400;
/** So many wait to be read; of a flood the newest are told. */
const MOST = 8;
const waiting = [];
let timer = 0;

/** @param {string} text */
export function announce(text) {
  waiting.push(text);
  if (waiting.length > MOST) waiting.shift();
  if (!timer) timer = setTimeout(next, 50);
}

// One at a time: a reader drops what is replaced before it was read.
function next() {
  const text = waiting.shift();
  const region = document.getElementById("status");
  if (text === undefined || !region) {
    timer = 0;
    return;
  }
  const line = document.createElement("p");
  line.textContent = text;
  region.replaceChildren(line);
  timer = setTimeout(next, PAUSE);
}
