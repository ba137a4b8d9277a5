/** The version of package.json, which no bundle carries along. */
export const VERSION = '0.1.0';
