/** Loads what is about to be seen, a few at a time, so that a page of hits does not swamp the server. */

const AT_ONCE = 4;
const AHEAD = "300px"; // below and above what is visible

/** @type {(() => Promise<any>)[]} */
const waiting = [];
let running = 0;

const observer = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      observer.unobserve(target);
      target.dispatchEvent(new Event("seen"));
    }
  },
  { rootMargin: AHEAD },
);

/** Runs `job` once `element` comes near the visible part of the page. */
export function whenSeen(/** @type {Element} */ element, /** @type {() => Promise<any>} */ job) {
  element.addEventListener("seen", () => queue(job), { once: true });
  observer.observe(element);
}

/** Runs `job` as soon as fewer than AT_ONCE are under way. */
export function queue(/** @type {() => Promise<any>} */ job) {
  waiting.push(job);
  next();
}

function next() {
  if (running >= AT_ONCE) return;
  const job = waiting.shift();
  if (!job) return;
  running++;
  job()
    .catch(() => {}) // pictures are an extra: a missing one leaves its place empty
    .finally(() => {
      running--;
      next();
    });
}

/** Loads a picture completely; rejects when it cannot be had. */
export function loadImage(/** @type {string} */ url) {
  const image = new Image();
  image.src = url;
  return image.decode().then(() => image);
}
