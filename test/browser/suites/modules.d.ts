/** Made by support/bundle.ts for the suites that are bundled. */
declare module 'the-suites' {
  export const suites: Readonly<Record<string, () => Promise<unknown>>>;
  /** The names of all golden cases. */
  export const goldenIds: readonly string[];
}
