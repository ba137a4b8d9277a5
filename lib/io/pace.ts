/**
 * Long work on the calling thread, cut so that the event loop turns in between: all of it shares one budget of a turn, so that
 * many calls at once hold the loop hardly longer than one.
 */
import { nextTurn, now } from '#host';

const LONGEST_TURN_MS = 2;

let since = now();
let turn: Promise<void> | undefined;

export class Pace {
  /** Lets the event loop turn when this turn's time is used up. To be called every tenth of a millisecond or so. */
  async breathe(): Promise<void> {
    if (now() - since < LONGEST_TURN_MS) return;
    turn ??= nextTurn().then(() => {
      since = now();
      turn = undefined;
    });
    await turn;
  }
}
