/** The search box: words, a dropped or chosen file, the microphone. */

import { fill, h, icon, iconButton } from "../dom.js";
import { clock, parseSpan } from "../format.js";
import { Recording } from "../record.js";
import { upload } from "../uploads.js";
import { message } from "./states.js";

const LARGEST = 50e6; // bytes, the server's own limit

/**
 * @param {import("../main.js").App} app
 * @param {{search: (text: string) => void, example: (made: import("../uploads.js").Upload) => void,
 *   range: (start: number, end: number | null) => boolean}} on  `range` answers whether an example took the pasted range
 */
export function searchBox(app, on) {
  const input = h("input", {
    id: "words",
    type: "search",
    placeholder: "dog barking in the distance",
    "aria-label": "Describe the sound",
    "aria-keyshortcuts": "/",
    autocomplete: "off",
    enterkeyhint: "search",
    maxlength: 500,
  });
  const file = h("input.unseen", { type: "file", accept: "audio/*,video/*,.flac,.opus,.aiff,.aif,.w64,.caf", tabindex: -1, "aria-hidden": "true" });
  const status = h("p.status", { role: "status" });
  const mic = iconButton("mic", "Record a sound with the microphone", { onclick: () => record() });
  const element = h(
    "form.searchbox",
    { role: "search" },
    h("div.field-row", {}, icon("search"), input, h("kbd.hint", { "aria-hidden": "true" }, "/"),
      iconButton("file", "Search with a sound file", { onclick: () => file.click() }), file, mic,
      h("button.primary", {}, "Search")),
    status,
  );

  element.addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    const typed = parseSpan(input.value);
    if (typed && on.range(typed.start, typed.end)) input.value = "";
    else on.search(input.value);
  });
  input.addEventListener("paste", (/** @type {ClipboardEvent} */ event) => {
    const pasted = parseSpan(event.clipboardData?.getData("text") ?? "");
    if (pasted && on.range(pasted.start, pasted.end)) event.preventDefault();
  });
  file.addEventListener("change", () => {
    if (file.files[0]) take(file.files[0], file.files[0].name);
    file.value = "";
  });

  async function take(/** @type {Blob} */ blob, /** @type {string} */ name) {
    if (blob.size > LARGEST) return say(`${name} is larger than 50 MB. Index its folder instead, or cut an excerpt.`);
    say(`Sending ${name} …`);
    try {
      const made = await upload(app.api, blob, name);
      say("");
      on.example(made);
    } catch (error) {
      say(message(error));
    }
  }

  /** @type {Recording | null} */
  let recording = null;
  async function record() {
    if (recording) return finish();
    const gauge = h("span", {});
    const time = h("span.times", {}, clock(0));
    try {
      recording = await Recording.start((seconds, level) => {
        time.textContent = clock(seconds);
        gauge.style.width = `${Math.round(100 * Math.sqrt(level))}%`;
      });
    } catch {
      return say("The microphone cannot be used. Allow it for this page, or drop a file instead.");
    }
    mic.setAttribute("aria-label", "Stop recording");
    mic.classList.add("recording");
    fill(mic, icon("stop"));
    fill(status, h("span.dot"), "Recording ", time, h("span.gauge", {}, gauge),
      h("button", { type: "button", onclick: finish }, icon("stop"), "Stop and search"));
  }

  async function finish() {
    const done = recording;
    recording = null;
    restoreMic();
    if (done) await take(await done.stop(), `Recording ${new Date().toTimeString().slice(0, 8)}.wav`);
  }

  function restoreMic() {
    mic.classList.remove("recording");
    mic.setAttribute("aria-label", "Record a sound with the microphone");
    fill(mic, icon("mic"));
  }

  const say = (/** @type {string} */ text) => fill(status, text);
  app.signal.addEventListener("abort", () => recording?.stop());
  acceptDrops(take, app.signal);
  return { element, input };
}

/** Lets files be dropped anywhere on the page. */
function acceptDrops(/** @type {(file: File, name: string) => void} */ take, /** @type {AbortSignal} */ signal) {
  const veil = h("div.veil", { hidden: true }, h("p", {}, "Drop to search with this sound"));
  document.body.append(veil);
  signal.addEventListener("abort", () => veil.remove());
  const holdsFile = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!holdsFile(event)) return;
    event.preventDefault();
    veil.hidden = false;
  }, { signal });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) veil.hidden = true;
  }, { signal });
  document.addEventListener("drop", (event) => {
    veil.hidden = true;
    const file = event.dataTransfer?.files[0];
    if (!file) return;
    event.preventDefault();
    take(file, file.name);
  }, { signal });
}
