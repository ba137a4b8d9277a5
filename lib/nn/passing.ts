/** How networks pass tensors from layer to layer: in memory of their own, where layers do what this library wrote. */
import { asFloat, type FloatTensor } from '../tensor/tensor.js';
import type { GradientMemory, Memory, Passed } from './memory.js';
import type { Module } from './module.js';

/** The result of a layer, written there unless the layer has ways of its own. @param what  Errors call it so. */
export function runInto(module: Module, x: FloatTensor, memory: Memory, what: string): FloatTensor {
  if (module.forwardInto === undefined || !isAsWritten(module, 'forward', 'forwardInto'))
    return asFloat(module.forward(x), what);
  return module.forwardInto(x, memory);
}

/** A layer's gradient of its input; what others may still read is left as it is. @param what  Errors call it so. */
export function backInto(module: Module, passed: Passed, memory: GradientMemory, what: string): Passed {
  if (module.backwardInto === undefined || !isAsWritten(module, 'backward', 'backwardInto'))
    return { gradient: asFloat(module.backward(passed.gradient), what), isOwn: false };
  return module.backwardInto(passed, memory);
}

/** Whether a module's input is read by nobody else, not even as its result, and only until its next forward. */
export function hidesInput(module: Module): boolean {
  return isAsWritten(module, 'forward', 'forwardInto') && (module.hidesInput?.() ?? true);
}

/** Likewise of the gradient of its output, until its backward is over. */
export function hidesGradient(module: Module): boolean {
  return isAsWritten(module, 'backward', 'backwardInto') && (module.hidesGradient?.() ?? true);
}

/** A layer's gradients of its parameters alone. */
export function backIntoParameters(module: Module, gradient: FloatTensor): void {
  if (isAsWritten(module, 'backward', 'backwardParameters')) module.backwardParameters(gradient);
  else module.backward(gradient);
}

/**
 * Whether a layer's forward, or its backward, is that which stands beside another method, which does the same in another
 * way: a layer made of another may have replaced the one and know nothing of the other.
 */
function isAsWritten(
  module: Module,
  name: 'forward' | 'backward',
  beside: 'forwardInto' | 'backwardInto' | 'backwardParameters',
): boolean {
  let prototype: object | null = module;
  while (prototype !== null && !Object.hasOwn(prototype, beside))
    prototype = Object.getPrototypeOf(prototype);
  return prototype !== null && Reflect.get(prototype, name) === module[name];
}
