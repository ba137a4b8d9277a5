/** Text of others as a message may hold it: short, and without characters that a terminal obeys. */

// Controls (C0, DEL, C1: 0x9b begins an escape sequence as ESC [ does), line and paragraph separators, and what turns or
// hides the text around it.
const OBEYED =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not pass.
  /[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** `text` with such characters as escapes, cut in its middle where it is longer than `most` characters. */
export function printable(text: string, most: number): string {
  // Cut first: the work is bounded by what is shown, not by what came.
  const tail = Math.floor(most / 4);
  const short =
    text.length <= most ? text : `${text.slice(0, most - tail - 1)}…${tail > 0 ? text.slice(-tail) : ''}`;
  return short.replace(OBEYED, escapeOf);
}

function escapeOf(character: string): string {
  const code = character.charCodeAt(0);
  return code < 0x100 ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`;
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0');
}

/** The same in quotation marks, cut at its end: at most `most` characters are shown. */
export function quoted(text: string, most = 60): string {
  const cut = text.length > most ? `${text.slice(0, most - 3)}...` : text;
  return printable(JSON.stringify(cut), 6 * most);
}
