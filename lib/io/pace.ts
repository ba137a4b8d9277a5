/** Long work on the calling thread, cut so that the event loop turns in between. */
import { nextTurn, now } from '#host';

const LONGEST_TURN_MS = 2;

export class Pace {
  #since = now();

  /** Lets the event loop turn when the last turn was a while ago. To be called every tenth of a millisecond or so. */
  async breathe(): Promise<void> {
    if (now() - this.#since < LONGEST_TURN_MS) return;
    await nextTurn();
    this.#since = now();
  }
}
