/** Objects whose state is private: structuredClone and postMessage would make empty ones of them, without a word. */

/** Makes cloning refuse an object, as it refuses functions: the error (DataCloneError) quotes this one. */
export function refuseCloning(object: object): void {
  Object.defineProperty(object, 'cloned', { enumerable: true, value: cannotBeCloned });
}

function cannotBeCloned(): never {
  throw new TypeError(
    'what an object holds in private cannot be cloned: send what it was made of, and make it anew',
  );
}
