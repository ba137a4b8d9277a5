/** Module hooks: whoever imports onnxruntime gets the same names from convmat. */
const REPLACED = ['onnxruntime-node', 'onnxruntime-common'];

export function resolve(specifier, context, next) {
  // From here, whoever asks: the client need not know the package.
  return REPLACED.includes(specifier)
    ? next('convmat/ort', { ...context, parentURL: import.meta.url })
    : next(specifier, context);
}
