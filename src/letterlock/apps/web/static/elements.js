// Which module has which of the elements that come later, when `place` or `present` of base/elements.js asks for them.
// The only file, with main.js, that knows all rooms.
//
// What each takes and gives:
//   ll-banner      chat                       below the header: keys new, no longer verified, ended, stuck, no keys
//   ll-attachment  message                    in a bubble: a file, its picture, video or voice
//   ll-location    message                    in a bubble: a place
//   ll-card        message                    in a bubble: cards and suggestions of a chatbot
//   ll-uploads     chat                       above the composer: what is on its way, with progress and cancel
//   ll-voice       chat, allow, reply         in place of the composer's row while it records; event `done` when it
//   ends
//   ll-viewer      message                    presented; a picture or video large
//   ll-fallback    chat, error, waiting       presented; result {allow: token}, {keep: true} or null (Escape)
//   ll-code        chat                       presented; comparing the security code
//   ll-group       chat                       presented; the roster and what may be changed
//   ll-new-chat                               presented; result {chat} or null
//   ll-settings                               presented
// attachments.js also exports `attachMenu(anchor, to)` and `attachFiles(files, to)`.

import { declare } from "./base/elements.js";

declare({
  "ll-banner": () => import("./trust/banner.js"),
  "ll-attachment": () => import("./files/attachments.js"),
  "ll-uploads": () => import("./files/upload-list.js"),
  "ll-card": () => import("./chat/bot-card.js"),
  "ll-location": () => import("./files/location.js"),
  "ll-voice": () => import("./files/voice.js"),
  "ll-viewer": () => import("./files/media.js"),
  "ll-fallback": () => import("./trust/fallback.js"),
  "ll-code": () => import("./trust/code.js"),
  "ll-group": () => import("./screens/group.js"),
  "ll-new-chat": () => import("./screens/new-chat.js"),
  "ll-settings": () => import("./screens/settings.js"),
});
