/** Constants made from others, by what was made: graphs of one model share them, and so what is packed from them. */
import type { Known } from '../graph.js';

interface Entry {
  readonly sources: readonly Known[];
  readonly result: Known;
}

export class Derivations {
  readonly #entries = new Map<string, Entry[]>();

  /** What was made from the same before; made and kept otherwise. `what` tells all that goes into it beside the sources. */
  derive(what: string, sources: readonly Known[], make: () => Known): Known {
    const known = this.#entries.get(what) ?? [];
    this.#entries.set(what, known);
    let entry = known.find(
      (e) => e.sources.length === sources.length && e.sources.every((source, i) => source === sources[i]),
    );
    if (entry === undefined) {
      entry = { sources: [...sources], result: make() };
      known.push(entry);
    }
    return entry.result;
  }
}
