/**
 * Long work on the calling thread, cut so that the event loop turns in between: all of it shares one budget of a turn, so that
 * many calls at once hold the loop hardly longer than one.
 */
import { nextTurn, now } from '#host';

const LONGEST_TURN_MS = 2;

let since = now();
/** Those that wait for time, first come first served: each gets one step of its work, and stands behind the others again. */
const waiting: (() => void)[] = [];
let isServing = false;

const hasTime = () => now() - since < LONGEST_TURN_MS;

/** Whether there is time left in this turn, and nobody waits for it. */
const mayGoOn = () => waiting.length === 0 && hasTime();

/** Lets the event loop turn when this turn's time is used up. To be called every tenth of a millisecond or so. */
export async function breathe(): Promise<void> {
  if (mayGoOn()) return;
  await new Promise<void>((resume) => {
    waiting.push(resume);
    if (!isServing) void serve();
  });
}

/** Runs work to its end, without a pause. */
export function atOnce<Result>(work: Generator<undefined, Result, void>): Result {
  while (true) {
    const { done, value } = work.next();
    if (done) return value;
  }
}

/** Runs work to its end; where it pauses, the event loop may turn. */
export async function paced<Result>(work: Generator<undefined, Result, void>): Promise<Result> {
  while (true) {
    const { done, value } = work.next();
    if (done) return value;
    if (!mayGoOn()) await breathe();
  }
}

async function serve(): Promise<void> {
  isServing = true;
  while (waiting.length > 0) {
    await nextTurn();
    since = now();
    do {
      waiting.shift()?.();
      await settled();
    } while (waiting.length > 0 && hasTime());
  }
  isServing = false;
}

/** Microtasks between the end of a wait and the step behind it, and as many again. */
const MICROTASKS = 6;

async function settled(): Promise<void> {
  for (let i = 0; i < MICROTASKS; i++) await undefined;
}
