/**
 * The one player of the page: every view plays through it, so two sounds never overlap.
 *
 * @typedef {{recording: string, name: string, start?: number, end?: number, url?: string, loop?: boolean}} Piece
 *   what to play: an excerpt when start and end are given, else the whole recording; `url` overrides where from
 */

export class Player extends EventTarget {
  /** @param {import("./api.js").Api} api @param {import("./store.js").Store} store */
  constructor(api, store) {
    super();
    this.api = api;
    this.store = store;
    this.audio = new Audio();
    this.audio.preload = "auto";
    this.audio.volume = store.settings.volume;
    /** @type {Piece | null} */
    this.piece = null;
    this.problem = "";
    for (const name of ["play", "playing", "pause", "ended", "loadedmetadata", "volumechange"]) {
      this.audio.addEventListener(name, () => this.changed());
    }
    this.audio.addEventListener("error", () => {
      this.problem = this.piece ? `${this.piece.name} cannot be played` : "";
      this.changed();
    });
    this.audio.addEventListener("play", () => this.tick());
    this.audio.addEventListener("seeked", () => this.dispatchEvent(new Event("time")));
  }

  get playing() {
    return this.piece !== null && !this.audio.paused && !this.audio.ended;
  }

  /** Seconds from the start of the recording. */
  get position() {
    return (this.piece?.start ?? 0) + this.audio.currentTime;
  }

  /** Length of what is loaded, in seconds; 0 until known. */
  get length() {
    if (this.piece?.end !== undefined) return this.piece.end - (this.piece.start ?? 0);
    return Number.isFinite(this.audio.duration) ? this.audio.duration : 0;
  }

  /**
   * Loads a piece and plays it, from `at` seconds into the recording.
   * @param {Piece} piece
   * @param {number} [at]
   */
  play(piece, at) {
    if (!this.holds(piece)) {
      this.problem = "";
      this.piece = piece;
      this.audio.src = piece.url ?? this.api.audioUrl(piece.recording, piece);
    }
    this.audio.loop = piece.loop ?? false;
    this.piece = piece;
    if (at !== undefined) this.seek(at);
    else if (this.audio.ended) this.audio.currentTime = 0;
    // A refusal (no gesture yet, a newer piece) leaves the player paused, which it shows.
    this.audio.play().catch(() => this.changed());
    this.changed();
  }

  /** Whether this very piece is loaded. */
  holds(/** @type {Piece} */ piece) {
    const own = this.piece;
    return own !== null && ["recording", "start", "end", "url"].every((key) => own[key] === piece[key]);
  }

  toggle(/** @type {Piece | null} */ piece = this.piece) {
    if (!piece) return;
    if (this.holds(piece) && this.playing) this.audio.pause();
    else this.play(piece);
  }

  pause() {
    this.audio.pause();
  }

  /** @param {number} at seconds from the start of the recording */
  seek(at) {
    this.audio.currentTime = Math.max(0, at - (this.piece?.start ?? 0));
  }

  setLoop(/** @type {boolean} */ loop) {
    this.audio.loop = loop;
    if (this.piece) this.piece = { ...this.piece, loop };
    this.changed();
  }

  setVolume(/** @type {number} */ volume) {
    this.audio.volume = volume;
    this.store.set("volume", volume);
  }

  close() {
    this.audio.pause();
    this.audio.removeAttribute("src");
    this.piece = null;
    this.changed();
  }

  changed() {
    this.dispatchEvent(new Event("change"));
    this.dispatchEvent(new Event("time"));
  }

  /** Tells the position on every frame while playing: `timeupdate` comes only four times a second. */
  tick() {
    this.dispatchEvent(new Event("time"));
    if (this.playing) requestAnimationFrame(() => this.tick());
  }
}
