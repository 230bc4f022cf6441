// A sound and a notification for a new P0 or P1, where somebody asked for them.
import { isCritical } from "./incident.js";

const WANTED = "incident-manager.alarm";
const PAUSE = 2000; // milliseconds between two sounds: a storm is one

// Whether an update makes an incident critical that was not (or was not there) before. Pure.
export function raises({ updateType, incident }, before) {
  if (!isCritical(incident) || ["RESOLVED", "CLOSED"].includes(incident.state)) return false;
  return before ? !isCritical(before) : updateType === "CREATED";
}

export class Alarm {
  #sound = null;
  #last = 0;

  constructor() {
    this.on = localStorage.getItem(WANTED) === "on";
    // A page may not sound before somebody has touched it.
    const wake = () => this.on && this.#ready();
    for (const each of ["pointerdown", "keydown"]) addEventListener(each, wake, { once: true });
  }

  async toggle() {
    this.on = !this.on;
    localStorage.setItem(WANTED, this.on ? "on" : "off");
    if (!this.on) return;
    this.#ready();
    this.#beep();
    if (globalThis.Notification?.permission === "default") await Notification.requestPermission();
  }

  ring(incident, pick) {
    if (!this.on) return;
    if (Date.now() - this.#last > PAUSE) this.#beep();
    if (globalThis.Notification?.permission !== "granted" || document.hasFocus()) return;
    const note = new Notification(`${incident.severity} ${incident.title}`, {
      body: incident.source, tag: incident.id,
    });
    note.onclick = () => {
      focus();
      pick(incident.id);
      note.close();
    };
  }

  #ready() {
    this.#sound ??= new AudioContext();
    this.#sound.resume();
  }

  // Two short tones, made here: no file is fetched.
  #beep() {
    this.#last = Date.now();
    if (this.#sound?.state === "closed" || !this.#sound) return;
    for (const [at, pitch] of [[0, 880], [0.18, 660]]) {
      const tone = this.#sound.createOscillator(), volume = this.#sound.createGain();
      const start = this.#sound.currentTime + at;
      tone.frequency.value = pitch;
      volume.gain.setValueAtTime(0.12, start);
      volume.gain.exponentialRampToValueAtTime(0.001, start + 0.16);
      tone.connect(volume).connect(this.#sound.destination);
      tone.start(start);
      tone.stop(start + 0.17);
    }
  }
}
