/** Text read by its grammar, once from its beginning to its end: nothing is evaluated, and no character is looked at twice. */
import { FormatError } from '../errors.js';
import { quoted } from '../text.js';

export class Scanner {
  at = 0;

  /** @param place  What an error calls the text. */
  constructor(
    readonly text: string,
    readonly place: string,
  ) {}

  /** Passes spaces, tabs and ends of lines. */
  space(): void {
    while (isSpace(this.text.charCodeAt(this.at))) this.at++;
  }

  /** Passes spaces and then `token`, if it is what comes. */
  take(token: string): boolean {
    this.space();
    if (!this.text.startsWith(token, this.at)) return false;
    this.at += token.length;
    return true;
  }

  expect(token: string, expected = `'${token}'`): void {
    if (!this.take(token)) throw this.mistake(expected);
  }

  /** An integer ≥ 0 written in digits; NaN when none comes. */
  integer(): number {
    this.space();
    let value = 0;
    const start = this.at;
    for (;;) {
      const digit = this.text.charCodeAt(this.at) - 48;
      if (!(digit >= 0 && digit <= 9)) return this.at > start ? value : Number.NaN;
      value = 10 * value + digit;
      this.at++;
    }
  }

  /** A string in one of `quotes`, its escapes as they stand; undefined when none comes. */
  string(quotes: string): string | undefined {
    this.space();
    const quote = this.text[this.at];
    if (quote === undefined || !quotes.includes(quote)) return undefined;
    const start = ++this.at;
    while (this.at < this.text.length) {
      const character = this.text[this.at++];
      if (character === quote) return this.text.slice(start, this.at - 1);
      if (character === '\\') this.at++;
    }
    throw this.mistake(`the end of a string`);
  }

  end(): void {
    this.space();
    if (this.at < this.text.length) throw this.mistake('nothing more');
  }

  mistake(expected: string): FormatError {
    const rest = this.text.slice(this.at, this.at + 41);
    const got = rest === '' ? 'its end' : quoted(rest, 40);
    return new FormatError(`${this.place}: expected ${expected} at character ${this.at}, got ${got}`);
  }
}

function isSpace(code: number): boolean {
  return code === 0x20 || (code >= 0x09 && code <= 0x0d);
}
