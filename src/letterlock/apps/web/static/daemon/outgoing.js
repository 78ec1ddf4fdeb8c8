// Messages of ours between being written and being stored: how they look meanwhile, and who waits for their ids.

let serial = 0;

/**
 * A text as it is shown before the daemon has it. It has a key instead of an id.
 * @param {string} chat
 * @param {{text: string, reply?: any}} what
 * @param {{number?: string, security?: any}} from who sends it, and what the state of the chat is
 */
export function written(chat, { text, reply = null }, { number = "", security = null }) {
  const now = Date.now();
  return {
    key: `local-${(serial += 1)}`,
    chat,
    order: "",
    message_id: "",
    sender: number,
    mine: true,
    kind: "text",
    text,
    content_type: "text/plain",
    encrypted: !security?.plain,
    medium: security?.state === "plain-sms" ? "sms" : "rcs",
    status: "sending",
    sent_at: now,
    at: now,
    reply: reply && {
      message_id: reply.message_id,
      sender: reply.sender,
      sender_name: reply.sender_name,
      text: reply.text,
    },
    reactions: [],
    local: true,
  };
}

/** Those that are on their way to the daemon. */
export class Outgoing {
  #underWay = new Map();

  /** @param {{key: string, chat: string}} local @param {Promise<{message_id: string}>} answer */
  add({ key, chat }, answer) {
    const id = answer.then(
      ({ message_id }) => message_id,
      () => "",
    );
    this.#underWay.set(key, { chat, id });
    id.then(() => this.#underWay.delete(key));
  }

  /** The id, once the daemon has given one: empty when it came to nothing, or was not on its way. @param {string} key */
  id(key) {
    return this.#underWay.get(key)?.id ?? Promise.resolve("");
  }

  /** When none of a chat's is on its way. @param {string} chat */
  sent(chat) {
    return Promise.all([...this.#underWay.values()].filter((each) => each.chat === chat).map((each) => each.id));
  }
}
