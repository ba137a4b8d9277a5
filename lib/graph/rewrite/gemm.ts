/** What is left of Gemm, over more rows than one: a product and a sum. */
import { float32Of, outputOf } from '../operands.js';
import { sizeOf } from '../shapes.js';
import type { Rule } from './draft.js';

export const splitGemm: Rule = {
  name: 'Gemm as a product and a sum',
  apply(draft, node) {
    if (node.op !== 'Gemm') return false;
    const { alpha, beta, transA, transB } = node.attributes;
    const [a, b, c] = [0, 1, 2].map((i) => draft.operand(node, i));
    if (a === null || b === null || b.known === null || a.type !== 'float32') return false;
    if (transA || sizeOf(a.shape) === a.shape[1] || sizeOf(a.shape) === 0) return false;
    if (c !== null && beta !== 1) return false;
    const [rows, columns] = transB ? [b.shape[1], b.shape[0]] : b.shape;
    const isReady = !transB && alpha === 1;
    const matrix = isReady
      ? b.id
      : draft.derive(`columns ${rows}×${columns} ${transB} ${alpha}`, [b.known], [rows, columns], () => {
          const from = float32Of(b.constant);
          const to = new Float32Array(rows * columns);
          for (let r = 0, i = 0; r < rows; r++) {
            for (let k = 0; k < columns; k++, i++) to[i] = alpha * from[transB ? k * rows + r : i];
          }
          return to;
        });
    const y = outputOf(node);
    if (c === null) {
      draft.replace(node, 'MatMul', {}, [a.id, matrix], [y], node.sources);
      return true;
    }
    const product = draft.addValue(`${draft.value(y).name} product`, 'float32', draft.value(y).shape);
    const at = draft.nodes.indexOf(node);
    draft.replace(node, 'Binary', { fn: 'Add' }, [product, c.id], [y], node.sources);
    draft.insert(at, 'MatMul', {}, [a.id, matrix], [product], node.sources);
    return true;
  },
};
