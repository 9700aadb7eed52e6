/** The event timeline: one lane for each name, its events as buttons at their times. */

import { palette } from "../colours.js";
import { fill, h, icon, setStyle } from "../dom.js";
import { count, span } from "../format.js";

const MOST_DRAWN = 600; // events on screen; zooming in shows the rest

/** @typedef {import("../annotations.js").Item} Item */

/**
 * @param {{viewport: import("../viewport.js").Viewport, annotations: import("../annotations.js").Annotations,
 *   select: (item: Item) => void, selected: () => Item | null, signal: AbortSignal}} options
 */
export function lanes({ viewport, annotations, select, selected, signal }) {
  const element = h("div.lanes", { role: "group", "aria-label": "Events" });
  const note = h("p.muted.note");
  /** @type {{lane: HTMLElement, track: HTMLElement, items: Item[]}[]} */
  let rows = [];

  function rebuild() {
    const byName = Map.groupBy(annotations.items, (/** @type {Item} */ item) => item.event?.label ?? item.name);
    const colours = palette();
    rows = [...byName].map(([name, items], i) => {
      const track = h("div.track", { style: { "--colour": colours[i % colours.length] } });
      return { lane: h("div.lane", {}, h("span.lane-name", { title: name }, name), track), track, items };
    });
    fill(element, rows.map(({ lane }) => lane), note);
    place();
  }

  function place() {
    let budget = MOST_DRAWN;
    const focused = /** @type {HTMLElement | null} */ (element.querySelector(":focus"))?.dataset.key;
    let elsewhere = 0;
    for (const { lane, track, items } of rows) {
      const visible = items.filter((item) => item.end > viewport.start && item.start < viewport.end).slice(0, Math.max(0, budget));
      budget -= visible.length;
      fill(track, visible.map((item) => bar(item)));
      lane.hidden = !visible.length;
      elsewhere += Number(lane.hidden);
    }
    if (!rows.length) note.textContent = "Nothing is named here. Draw a region to name what you hear.";
    else note.textContent = elsewhere ? `${count(elsewhere, "more name")} elsewhere in the recording` : "";
    if (focused) /** @type {HTMLElement | null} */ (element.querySelector(`[data-key="${CSS.escape(focused)}"]`))?.focus();
  }

  function bar(/** @type {Item} */ item) {
    const verdict = item.label?.verdict ?? "";
    const left = Math.max(0, viewport.share(item.start));
    const right = Math.min(1, viewport.share(item.end));
    const renamed = verdict === "renamed" ? item.name : "";
    return h(
      `button.event${verdict ? `.${verdict}` : ""}`,
      {
        type: "button",
        "aria-label": `${item.name}, ${span(item.start, item.end)}${verdict && `, ${verdict}`}`,
        "aria-pressed": String(selected()?.key === item.key),
        title: `${item.name}, ${span(item.start, item.end)}`,
        dataset: { key: item.key },
        style: { left: `${100 * left}%`, width: `${100 * (right - left)}%`, "--sure": String(item.event?.score ?? 1) },
        onclick: () => select(item),
      },
      verdict === "confirmed" && icon("check"),
      verdict === "rejected" && icon("close"),
      renamed && h("span", {}, renamed),
    );
  }

  function mark() {
    const key = selected()?.key;
    for (const button of element.querySelectorAll(".event")) {
      button.setAttribute("aria-pressed", String(/** @type {HTMLElement} */ (button).dataset.key === key));
    }
  }

  annotations.addEventListener("change", rebuild, { signal });
  window.addEventListener("themechange", rebuild, { signal });
  viewport.addEventListener("change", place, { signal });
  return { element, mark };
}

/** Regions with low and high bounds, drawn as boxes over the spectrogram; purely a picture, the lanes are the buttons. */
export function boxes(
  /** @type {import("../annotations.js").Annotations} */ annotations,
  /** @type {import("../viewport.js").Viewport} */ viewport,
  /** @type {() => import("../frequency.js").FrequencyAxis} */ axis,
  /** @type {AbortSignal} */ signal,
) {
  const element = h("div.boxes", { "aria-hidden": "true" });
  const place = () =>
    fill(element, annotations.items
      .filter((item) => item.label && !item.event && item.end > viewport.start && item.start < viewport.end)
      .map((item) => {
        const box = h("div.box", {}, h("span", {}, item.name));
        setStyle(box, {
          left: `${100 * viewport.share(item.start)}%`,
          right: `${100 * (1 - viewport.share(item.end))}%`,
          bottom: `${100 * axis().share(item.low ?? 0)}%`,
          top: `${100 * (1 - axis().share(item.high ?? axis().top))}%`,
        });
        return box;
      }));
  annotations.addEventListener("change", place, { signal });
  viewport.addEventListener("change", place, { signal });
  return { element, place };
}
