/** The bar at the foot of the page: what is playing, where in it, loop, volume. */

import { fill, h, icon, iconButton } from "../dom.js";
import { clock, span } from "../format.js";
import { href } from "../router.js";

/**
 * @param {HTMLElement} root
 * @param {import("../player.js").Player} player
 * @param {AbortSignal} signal
 */
export function playerBar(root, player, signal) {
  const toggle = h("button.primary.square", { type: "button", onclick: () => player.toggle() });
  const name = h("a.name", { href: "#/search" });
  const where = h("span.muted.times");
  const time = h("output.times", { "aria-label": "Position" });
  const seek = h("input.seek", { type: "range", min: 0, max: 1000, value: 0, "aria-label": "Seek" });
  const loop = iconButton("loop", "Loop", { "aria-pressed": "false", onclick: () => player.setLoop(!player.audio.loop) });
  const volume = h("input", { type: "range", min: 0, max: 1, step: 0.01, value: player.audio.volume, "aria-label": "Volume" });
  const close = iconButton("close", "Close player", { onclick: () => player.close() });
  fill(root, toggle, h("div.what", {}, name, where), seek, time, loop, h("label.volume", {}, icon("sound"), volume), close);

  seek.addEventListener("input", () => player.seek((player.piece?.start ?? 0) + (Number(seek.value) / 1000) * player.length));
  volume.addEventListener("input", () => player.setVolume(Number(volume.value)));

  const change = () => {
    const { piece } = player;
    root.hidden = !piece;
    document.body.classList.toggle("with-player", piece !== null);
    if (!piece) return;
    fill(toggle, icon(player.playing ? "pause" : "play"));
    toggle.setAttribute("aria-label", player.playing ? "Pause" : "Play");
    name.textContent = piece.name;
    if (piece.recording) name.setAttribute("href", href("recording", piece.recording, { t: piece.start ?? 0 }));
    else name.removeAttribute("href");
    where.textContent = player.problem || (piece.end === undefined ? "" : span(piece.start ?? 0, piece.end));
    loop.setAttribute("aria-pressed", String(player.audio.loop));
  };
  const tick = () => {
    if (!player.piece) return;
    const { length } = player;
    seek.value = length ? String((1000 * player.audio.currentTime) / length) : "0";
    seek.setAttribute("aria-valuetext", clock(player.position));
    time.textContent = `${clock(player.audio.currentTime)} / ${clock(length)}`;
  };
  player.addEventListener("change", change, { signal });
  player.addEventListener("time", tick, { signal });
}
