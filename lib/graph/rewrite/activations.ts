/** Activations that files spell in several operations, recognised by what they compute. */
import type { GraphNode, NodeOf, UnaryFunction } from '../graph.js';
import { inputOf } from '../operands.js';
import { constantOperand, type Draft, type Rule, scalarOf } from './draft.js';

/** Within float32's rounding of a constant written in decimals. */
function isAbout(value: number | null, expected: number): boolean {
  return value !== null && Math.abs(value - expected) <= 1e-6 * Math.abs(expected);
}

function become(
  draft: Draft,
  node: GraphNode,
  fn: UnaryFunction,
  x: number,
  [alpha, beta]: readonly [number, number],
  used: readonly GraphNode[],
): boolean {
  const sources = [...used.flatMap((n) => n.sources), ...node.sources];
  draft.replace(node, 'Unary', { fn, alpha, beta }, [x], [node.outputs[0]], sources);
  return true;
}

/** Of a sum or product: the constant's number, and the value that it meets. */
function scalarOperand(draft: Draft, node: GraphNode): { scalar: number; x: number; place: number } | null {
  const found = constantOperand(draft, node);
  if (found === null) return null;
  const scalar = scalarOf(found.constant);
  const x = node.inputs[found.other];
  const rank = x === null ? 0 : draft.value(x).shape.length;
  if (scalar === null || x === null || found.constant.shape.length > rank) return null;
  return { scalar, x, place: found.other };
}

/** clip(x + b, 0, c) / d, or times 1/d, is HardSigmoid(x) of 1/d and b/d, where c is d. */
export const recogniseHardSigmoid: Rule = {
  name: 'hard sigmoid spelt Add, Clip, Div',
  apply(draft, node) {
    if (node.op !== 'Binary' || (node.attributes.fn !== 'Div' && node.attributes.fn !== 'Mul')) return false;
    const last = scalarOperand(draft, node);
    if (last === null || (node.attributes.fn === 'Div' && last.place !== 0)) return false;
    const scale = node.attributes.fn === 'Div' ? 1 / last.scalar : last.scalar;
    const clip = draft.only(node, last.place, 'Unary');
    if (clip === null || clip.attributes.fn !== 'Clip' || clip.attributes.alpha !== 0) return false;
    if (!isAbout(clip.attributes.beta * scale, 1)) return false;
    const sum = draft.only(clip, 0, 'Binary');
    const shift = sum?.attributes.fn === 'Add' ? scalarOperand(draft, sum) : null;
    if (sum === null || shift === null) return false;
    return become(draft, node, 'HardSigmoid', shift.x, [scale, shift.scalar * scale], [sum, clip]);
  },
};

/** x·clip(x + 3, 0, 6)/6, in whichever order, and x·HardSigmoid(x). */
export const recogniseHardSwish: Rule = {
  name: 'hard swish spelt in several operations',
  apply(draft, node) {
    if (node.op !== 'Binary') return false;
    const { fn } = node.attributes;
    if (fn === 'Mul') {
      for (const place of [0, 1]) {
        const gate = draft.only(node, place, 'Unary');
        const x = node.inputs[1 - place];
        if (gate === null || x === null || gate.attributes.fn !== 'HardSigmoid' || gate.inputs[0] !== x)
          continue;
        if (isAbout(gate.attributes.alpha, 1 / 6) && isAbout(gate.attributes.beta, 0.5))
          return become(draft, node, 'HardSwish', x, [0, 0], [gate]);
      }
    }
    if (fn !== 'Div' && fn !== 'Mul') return false;
    const last = scalarOperand(draft, node);
    if (last === null || !isAbout(last.scalar, fn === 'Div' ? 6 : 1 / 6)) return false;
    if (fn === 'Div' && last.place !== 0) return false;
    const product = draft.only(node, last.place, 'Binary');
    if (product === null || product.attributes.fn !== 'Mul') return false;
    for (const place of [0, 1]) {
      const clip = draft.only(product, place, 'Unary');
      const x = product.inputs[1 - place];
      if (clip === null || x === null || clip.attributes.fn !== 'Clip') continue;
      if (clip.attributes.alpha !== 0 || clip.attributes.beta !== 6) continue;
      const sum = draft.only(clip, 0, 'Binary');
      const shift = sum?.attributes.fn === 'Add' ? scalarOperand(draft, sum) : null;
      if (sum === null || shift === null || shift.x !== x || shift.scalar !== 3) continue;
      return become(draft, node, 'HardSwish', x, [0, 0], [sum, clip, product]);
    }
    return false;
  },
};

/** x·(1 + erf(x/√2))/2, with the half anywhere. */
export const recogniseGelu: Rule = {
  name: 'gelu spelt by erf',
  apply(draft, node) {
    if (node.op !== 'Binary' || node.attributes.fn !== 'Mul') return false;
    const factors = factorsOf(draft, node);
    const scalars = factors.flatMap((f) => (f.scalar === null ? [] : [f.scalar]));
    const others = factors.filter((f) => f.scalar === null);
    if (
      others.length !== 2 ||
      !isAbout(
        scalars.reduce((a, b) => a * b, 1),
        0.5,
      )
    )
      return false;
    for (const [one, other] of [others, [others[1], others[0]]]) {
      const used = erfPlusOne(draft, one.id, other.id, node, factors);
      if (used !== null)
        return become(draft, node, 'Gelu', other.id, [0, 0], [...factors.flatMap((f) => f.inside), ...used]);
    }
    return false;
  },
};

interface Factor {
  readonly id: number;
  readonly scalar: number | null;
  /** The products between it and the whole. */
  readonly inside: readonly GraphNode[];
  readonly reader: GraphNode;
}

/** Products of products that exporters spell a Gelu by; a longer chain is none, and would be walked from each of its nodes. */
const MOST_INNER = 3;

/** The factors of a product of products. */
function factorsOf(draft: Draft, node: NodeOf<'Binary'>, inside: readonly GraphNode[] = []): Factor[] {
  return [0, 1].flatMap((place) => {
    const id = inputOf(node, place);
    const inner = draft.only(node, place, 'Binary');
    if (inner?.attributes.fn === 'Mul' && inside.length < MOST_INNER)
      return factorsOf(draft, inner, [...inside, inner]);
    return [{ id, scalar: scalarOf(draft.value(id)), inside, reader: node }];
  });
}

/** The nodes of 1 + erf(x/√2), if that is what `id` is. */
function erfPlusOne(
  draft: Draft,
  id: number,
  x: number,
  node: GraphNode,
  factors: readonly Factor[],
): GraphNode[] | null {
  const sum = draft.producer(id);
  const within = [node, ...factors.flatMap((f) => f.inside)];
  if (sum?.op !== 'Binary' || sum.attributes.fn !== 'Add' || draft.isOutput(id)) return null;
  for (const reader of draft.readers(id)) if (!within.includes(reader)) return null;
  const one = scalarOperand(draft, sum);
  if (one === null || one.scalar !== 1) return null;
  const erf = draft.only(sum, one.place, 'Unary');
  if (erf?.attributes.fn !== 'Erf') return null;
  const scaled = draft.only(erf, 0, 'Binary');
  if (scaled === null) return null;
  const by = scalarOperand(draft, scaled);
  if (by === null || by.x !== x) return null;
  const isRoot =
    (scaled.attributes.fn === 'Div' && by.place === 0 && isAbout(by.scalar, Math.SQRT2)) ||
    (scaled.attributes.fn === 'Mul' && isAbout(by.scalar, Math.SQRT1_2));
  return isRoot ? [sum, erf, scaled] : null;
}
