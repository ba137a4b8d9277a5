/**
 * Lists that steps of networks and their operands are told by, as they cross to native code: by the place of a value in its
 * list. They stand in native/network and native/table/program.h too, and are compared when the addon loads.
 */

/** Where an operand lies. */
export const HOMES = ['arena', 'constant', 'input', 'output'] as const;
export const STEP_KINDS = [
  'conv',
  'maxPool',
  'averagePool',
  'program',
  'copy',
  'fill',
  'reduce',
  'softmax',
  'normalise',
  'responseNormalise',
  'resample',
  'matmul',
  'gather',
  'reblock',
  'quantizeLinear',
  'dequantizeLinear',
  'qlinearConv',
  'qlinearAdd',
  'qlinearMean',
  'rowProducts',
] as const;
export type StepKind = (typeof STEP_KINDS)[number];
export const REDUCTIONS = [
  'Sum',
  'Mean',
  'Max',
  'Min',
  'Prod',
  'L1',
  'L2',
  'LogSum',
  'SumSquare',
  'LogSumExp',
] as const;

/** What an instruction of an elementwise program does: native/table/program.h says it. */
export const PROGRAM_OPS = [
  'add',
  'subtract',
  'multiply',
  'divide',
  'minimum',
  'maximum',
  'power',
  'prelu',
  'addClamp',
  'copy',
  'affine',
  'clamp',
  'leakyRelu',
  'thresholdedRelu',
  'hardSigmoid',
  'hardSwish',
  'absolute',
  'negate',
  'sign',
  'floor',
  'ceil',
  'round',
  'squareRoot',
  'reciprocal',
  'exponential',
  'sigmoid',
  'swish',
  'hyperbolicTangent',
  'errorFunction',
  'gelu',
  'elu',
  'celu',
  'softsign',
  'logarithm',
  'sine',
  'cosine',
  'softplus',
  'mish',
] as const;
export type ProgramOp = (typeof PROGRAM_OPS)[number];

/** By the names under which native code tells its own. */
export const STEP_ENUMERATIONS: Readonly<Record<string, readonly string[]>> = {
  home: HOMES,
  step: STEP_KINDS,
  reduction: REDUCTIONS,
  programOp: PROGRAM_OPS,
};
