/** The list of keyboard shortcuts. */

import { h } from "../dom.js";
import { open } from "./dialog.js";

const KEYS = {
  Anywhere: [["/", "search box"], ["?", "this list"]],
  Hits: [
    ["↑ ↓", "previous, next hit"],
    ["Space", "play, pause"],
    ["Enter", "open the recording"],
    ["m", "more like this"],
    ["l", "less like this"],
    ["n", "not this"],
    ["s", "save to a collection"],
  ],
  Recording: [
    ["Space", "play, pause"],
    ["← →", "one second back, on"],
    ["+ − 0", "zoom in, out, all"],
    ["j k", "previous, next event"],
    ["c x r", "confirm, reject, rename"],
    ["d", "draw a region"],
    ["o", "loop the region"],
    ["u", "undo"],
  ],
  Teach: [["y n", "yes, no"], ["Space", "play, pause"], ["↑ ↓", "previous, next"], ["u", "undo"]],
};

export function showHelp() {
  const group = ([title, keys]) =>
    h("section", {}, h("h3", {}, title), h("dl.keys", {}, keys.map(([key, what]) => [
      h("dt", {}, key.split(" ").map((k) => h("kbd", {}, k))),
      h("dd", {}, what),
    ])));
  const close = h("button.primary", { type: "button", onclick: () => dialog.close() }, "Close");
  const content = h("div.help", {}, h("h2", {}, "Keyboard"), h("div.columns", {}, Object.entries(KEYS).map(group)), close);
  const dialog = open(content, "Keyboard shortcuts");
}
