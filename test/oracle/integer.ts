/** Integer convolution by its definition: one product at a time, in big integers. Shares no code with lib/. */

export interface IntegerProblem {
  /** [n, ic, ih, iw] */
  readonly input: { readonly data: ArrayLike<number>; readonly shape: readonly number[] };
  /** [oc, ic/groups, kh, kw] */
  readonly weight: { readonly data: ArrayLike<number>; readonly shape: readonly number[] };
  readonly stride: readonly number[];
  readonly dilation: readonly number[];
  readonly padding: readonly (readonly [number, number])[];
  readonly groups: number;
  readonly inputZeroPoint: number;
  readonly weightZeroPoint: readonly number[];
}

export interface IntegerSums {
  readonly shape: readonly number[];
  readonly sums: readonly bigint[];
}

export function integerConvolution(problem: IntegerProblem): IntegerSums {
  const { input, weight, stride, dilation, padding, groups, inputZeroPoint, weightZeroPoint } = problem;
  const [n, ic, ih, iw] = input.shape;
  const [oc, perGroup, kh, kw] = weight.shape;
  const size = (length: number, kernel: number, axis: number) =>
    Math.floor(
      (length + padding[axis][0] + padding[axis][1] - dilation[axis] * (kernel - 1) - 1) / stride[axis],
    ) + 1;
  const [oh, ow] = [size(ih, kh, 0), size(iw, kw, 1)];
  const sums: bigint[] = [];
  for (let image = 0; image < n; image++) {
    for (let o = 0; o < oc; o++) {
      const group = Math.floor(o / (oc / groups));
      for (let i = 0; i < oh; i++) {
        for (let j = 0; j < ow; j++) {
          let sum = 0n;
          for (let c = 0; c < perGroup; c++) {
            for (let p = 0; p < kh; p++) {
              for (let q = 0; q < kw; q++) {
                const y = i * stride[0] + p * dilation[0] - padding[0][0];
                const x = j * stride[1] + q * dilation[1] - padding[1][0];
                if (y < 0 || y >= ih || x < 0 || x >= iw) continue;
                const value = input.data[((image * ic + group * perGroup + c) * ih + y) * iw + x];
                const factor = weight.data[((o * perGroup + c) * kh + p) * kw + q];
                sum += BigInt(value - inputZeroPoint) * BigInt(factor - weightZeroPoint[o]);
              }
            }
          }
          sums.push(sum);
        }
      }
    }
  }
  return { shape: [n, oc, oh, ow], sums };
}

export interface Scales {
  readonly inputScale: number;
  readonly weightScale: ArrayLike<number>;
  readonly outputScale: number;
  readonly outputZeroPoint: number;
  readonly outputDType: 'int8' | 'uint8';
  readonly bias: ArrayLike<number>;
}

/** Sums and bias, scaled in float64, rounded with halves to even, saturated. */
export function scaled({ shape, sums }: IntegerSums, scales: Scales): number[] {
  const [, oc, oh, ow] = shape;
  const [low, high] = scales.outputDType === 'int8' ? [-128, 127] : [0, 255];
  return sums.map((sum, at) => {
    const o = Math.floor(at / (oh * ow)) % oc;
    const multiplier = scales.weightScale[o] * (scales.inputScale / scales.outputScale);
    const exact = (Number(sum) + scales.bias[o]) * multiplier;
    const below = Math.floor(exact);
    const rest = exact - below;
    const up = rest > 0.5 || (rest === 0.5 && below % 2 !== 0);
    return Math.min(high, Math.max(low, (up ? below + 1 : below) + scales.outputZeroPoint));
  });
}
