/**
 * What a network means once its input shapes are known: values and operations in the order in which they can run.
 *
 * The operations are few and say everything: attributes are resolved (no auto_pad, no negative axis, no bound that is
 * an operand), and nothing depends on the opset of the file. Values that follow from constants and shapes alone are
 * constants already; Identity, Dropout and the like have left no trace. A rewrite makes a new list of nodes.
 */
import type { Value } from './value.js';

export type { Elements, ElementType } from '../tensor/element-type.js';
export type { Dequantized, Known, Value } from './value.js';

/** Window of a convolution or pooling, one entry for each spatial axis. */
export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly pads: readonly (readonly [before: number, after: number])[];
}

export interface ConvAttributes extends Window {
  readonly groups: number;
}

/** Functions of one element. `alpha` and `beta` mean what ONNX says for those that have them. */
export type UnaryFunction =
  | 'Abs'
  | 'Ceil'
  | 'Celu'
  | 'Clip'
  | 'Cos'
  | 'Elu'
  | 'Erf'
  | 'Exp'
  | 'Floor'
  | 'Gelu'
  | 'GeluTanh'
  | 'HardSigmoid'
  | 'HardSwish'
  | 'LeakyRelu'
  | 'Log'
  | 'Mish'
  | 'Neg'
  | 'Not'
  | 'Reciprocal'
  | 'Relu'
  | 'Round'
  | 'Selu'
  | 'Sigmoid'
  | 'Sign'
  | 'Sin'
  | 'Softplus'
  | 'Softsign'
  | 'Sqrt'
  | 'Tanh'
  | 'ThresholdedRelu';

/** Functions of two elements that broadcast as NumPy's do. Fmod has the sign of the dividend, Mod that of the divisor. */
export type BinaryFunction =
  | 'Add'
  | 'And'
  | 'Div'
  | 'Equal'
  | 'Fmod'
  | 'Greater'
  | 'GreaterOrEqual'
  | 'Less'
  | 'LessOrEqual'
  | 'Max'
  | 'Min'
  | 'Mod'
  | 'Mul'
  | 'Or'
  | 'PRelu'
  | 'Pow'
  | 'Sub'
  | 'Xor';

export type ReduceFunction =
  | 'L1'
  | 'L2'
  | 'LogSum'
  | 'LogSumExp'
  | 'Max'
  | 'Mean'
  | 'Min'
  | 'Prod'
  | 'Sum'
  | 'SumSquare';

/**
 * One axis of a Resize: output i is Σ_t weights[i·taps + t]·x[indices[i·taps + t]], so that nearest, linear and cubic,
 * with every coordinate mode, are one operation. Axes are independent of one another.
 */
export interface ResizeAxis {
  readonly axis: number;
  readonly taps: number;
  readonly indices: Int32Array;
  readonly weights: Float32Array;
  /** Outputs that lie outside the region of tf_crop_and_resize: 1 where the extrapolation value goes; null: none. */
  readonly outside: Uint8Array | null;
}

/** The operations, with their attributes. Inputs and outputs stand in ONNX's order; an absent optional input is null. */
export interface Attributes {
  /** x, w[oc, ic/groups, kernel…], bias? → y. Not flipped. */
  Conv: ConvAttributes;
  /** x, w[ic, oc/groups, kernel…], bias? → y. `pads` is cut from the full result, `outputPads` added at its ends. */
  ConvTranspose: ConvAttributes & { readonly outputPads: readonly number[] };
  /** x, w, x zero point?, w zero point? → int32. */
  ConvInteger: ConvAttributes;
  /** x, x scale, x zero point, w, w scale, w zero point, y scale, y zero point, bias? → y. */
  QLinearConv: ConvAttributes;
  /** a, b, c? → alpha·A·B + beta·c, A and B transposed when asked; c broadcasts. */
  Gemm: { readonly alpha: number; readonly beta: number; readonly transA: boolean; readonly transB: boolean };
  /** a[…, m, k], b[…, k, n] → […, m, n]; leading axes broadcast, vectors as NumPy's matmul has them. */
  MatMul: object;
  /** a, b, a zero point?, b zero point? → int32. */
  MatMulInteger: object;
  /** a, a scale, a zero point, b, b scale, b zero point, y scale, y zero point → y. */
  QLinearMatMul: object;
  /** a, a scale, a zero point?, b, b scale, b zero point?, y scale, y zero point? → y, all of one shape and type. */
  QLinearAdd: object;
  /** x, x scale, x zero point?, y scale, y zero point? → y: over the spatial axes, which stay, of size 1. */
  QLinearMean: object;
  /** x, scale, zero point? → int8 or uint8. `axis` counts where scale has one entry for each of its places. */
  QuantizeLinear: { readonly axis: number };
  DequantizeLinear: { readonly axis: number };
  /** x → uint8, scale, zero point. */
  DynamicQuantizeLinear: object;
  /** x, scale, bias, mean, variance → y, over axis 1. */
  BatchNormalization: { readonly epsilon: number };
  /** x, scale, bias → y: over the spatial axes of each channel. */
  InstanceNormalization: { readonly epsilon: number };
  /** x, scale, bias? → y, mean?, 1/deviation?: over the axes from `axis` on. */
  LayerNormalization: { readonly axis: number; readonly epsilon: number };
  /** x, scale, bias → y; scale and bias have one entry for each channel, or for each group. */
  GroupNormalization: { readonly groups: number; readonly epsilon: number };
  LRN: {
    readonly alpha: number;
    readonly beta: number;
    readonly bias: number;
    readonly size: number;
  };
  /** x → y, indices?: flat in the whole input, spatial axes column-major when asked. */
  MaxPool: Window & { readonly columnMajor: boolean };
  AveragePool: Window & { readonly countIncludePad: boolean };
  LpPool: Window & { readonly p: number };
  /** `alpha` and `beta` are 0 for functions without; Clip's are min and max (−∞ and ∞ when open). */
  Unary: { readonly fn: UnaryFunction; readonly alpha: number; readonly beta: number };
  Binary: { readonly fn: BinaryFunction };
  /** condition, x, y → x where the condition holds, else y; all broadcast. */
  Where: object;
  Softmax: { readonly axis: number };
  LogSoftmax: { readonly axis: number };
  /** Over `axes`, ascending; none means over nothing. The axes stay, of size 1, when keepDims. */
  Reduce: { readonly fn: ReduceFunction; readonly axes: readonly number[]; readonly keepDims: boolean };
  /** x → int64 index of the first extremum, or of the last. */
  ArgReduce: {
    readonly fn: 'Max' | 'Min';
    readonly axis: number;
    readonly keepDims: boolean;
    readonly last: boolean;
  };
  /** x → values, int64 indices. */
  TopK: { readonly axis: number; readonly k: number; readonly largest: boolean };
  CumSum: { readonly axis: number; readonly exclusive: boolean; readonly reverse: boolean };
  /** The same elements in the same order. */
  Reshape: object;
  /** Output axis i is input axis perm[i]. */
  Transpose: { readonly perm: readonly number[] };
  Concat: { readonly axis: number };
  /** y[i…] = x[starts + i·steps]: one entry for each axis; steps may be negative. */
  Slice: { readonly starts: readonly number[]; readonly steps: readonly number[] };
  /** x, indices → y. Negative indices count from the end. */
  Gather: { readonly axis: number };
  GatherElements: { readonly axis: number };
  GatherND: { readonly batchDims: number };
  /** x, indices, updates → y. */
  ScatterND: { readonly reduction: 'none' | 'add' | 'mul' | 'min' | 'max' };
  /** Broadcast to the shape of the output. */
  Expand: object;
  Tile: { readonly repeats: readonly number[] };
  /** One entry for each axis; negative ones cut. `value` counts for 'constant'. */
  Pad: {
    readonly mode: 'constant' | 'reflect' | 'edge' | 'wrap';
    readonly before: readonly number[];
    readonly after: readonly number[];
    readonly value: number;
  };
  /** To the type of the output. `round` names the narrower float whose values the results take. */
  Cast: { readonly round: 'float16' | 'bfloat16' | null };
  /** indices, values[off, on] → y. */
  OneHot: { readonly axis: number; readonly depth: number };
  Resize: {
    readonly mode: 'nearest' | 'linear' | 'cubic';
    readonly axes: readonly ResizeAxis[];
    readonly extrapolation: number;
  };
}

export type Operation = keyof Attributes;

/** One operation. Discriminated by `op`. */
export type GraphNode = { [K in Operation]: NodeOf<K> }[Operation];

export interface NodeOf<K extends Operation> {
  readonly op: K;
  readonly attributes: Attributes[K];
  /** Ids of values; null where an optional operand is absent. */
  readonly inputs: readonly (number | null)[];
  /** Ids of values, each written by this node alone. Optional outputs that nobody reads are null. */
  readonly outputs: readonly (number | null)[];
  /** The nodes of the file that it does the work of. */
  readonly sources: readonly string[];
}

export interface GraphOutput {
  /** The file's name of the output. */
  readonly name: string;
  /** May be an input or a constant. */
  readonly value: number;
}

export interface Graph {
  readonly values: readonly Value[];
  readonly nodes: readonly GraphNode[];
  /** Ids of the values that each run is given. */
  readonly inputs: readonly number[];
  readonly outputs: readonly GraphOutput[];
}
