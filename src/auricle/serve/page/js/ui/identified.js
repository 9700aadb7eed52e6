/** What a sound is from: shown above what it merely sounds like. */

import { fill, h, icon, iconButton } from "../dom.js";
import { span } from "../format.js";
import { href } from "../router.js";

const SAME_SPEED = 0.005; // a speed nearer to 1 is not worth telling

/**
 * @param {HTMLElement} place
 * @param {import("../main.js").App} app
 * @param {import("../api.js").Match[]} matches
 */
export function showIdentified(place, app, matches) {
  fill(place, matches.length > 0 && h(
    "section.identified",
    { "aria-label": "Identified" },
    h("h2", {}, matches.length > 1 ? "This sound is in these recordings" : "This sound is in"),
    h("ul", {}, matches.map((match) => row(app, match))),
  ));
  if (matches.length) app.announce(`Identified: ${matches[0].name}, ${span(matches[0].start, matches[0].end)}`);
}

function row(/** @type {import("../main.js").App} */ app, /** @type {import("../api.js").Match} */ match) {
  const { recording, name, start, end } = match;
  const there = href("recording", recording, { t: start.toFixed(2), e: end.toFixed(2) });
  return h(
    "li",
    {},
    iconButton("play", `Play ${name}`, { onclick: () => app.player.play({ recording, name, start, end }) }),
    h("a.name", { href: there }, icon("check"), name),
    h("span.times", {}, [span(start, end), ...played(match)].join("  ·  ")),
  );
}

/** How the sound was played otherwise than it was recorded, in words. */
function played(/** @type {import("../api.js").Match} */ { speed, pitch }) {
  const semitones = `${pitch > 0 ? "+" : "−"}${Math.abs(pitch)} semitone${Math.abs(pitch) === 1 ? "" : "s"}`;
  return [Math.abs(speed - 1) > SAME_SPEED && `${speed.toFixed(2)} × speed`, pitch && semitones].filter(Boolean);
}
