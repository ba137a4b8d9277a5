/** A convolution, or a gradient of one, as correlations of planes: what Fourier tiles sum. native/conv/fft/correlation.h has the same. */
import { foldsPadding, overGradOutput } from '../adjoint.js';
import type { ConvGeometry } from '../geometry.js';
import { type Axis, extent } from '../options/axes.js';

/** One axis of what is summed: outputs over taps. */
export interface Line {
  readonly kernel: number;
  readonly dilation: number;
  readonly stride: number;
  readonly out: number;
  /** From the first to the last element of the input, among which a stride's gradient has zeros. */
  readonly dense: number;
  readonly padBefore: number;
}

/** Written channels of images are sums over channels that are read; of a group. */
export interface Correlation {
  readonly images: number;
  readonly groups: number;
  readonly read: number;
  readonly written: number;
  readonly axes: readonly [Line, Line, Line];
  /** Whether what is beyond the input reads as zero. */
  readonly zeros: boolean;
  /** Whether the kernel's parts may depend on the number of outputs: where its spectra are not kept. */
  readonly fitsOutputs: boolean;
}

/** Why a geometry is no such correlation; null where it is one. */
export function declinesCorrelation({ op, paddingMode, axes }: ConvGeometry): string | null {
  const isOne = op !== 'inputGrad' || paddingMode === 'zeros' || axes.every((axis) => axis.stride === 1);
  return isOne ? null : 'serves strided gradients of zeros padding only';
}

export function correlationOf(g: ConvGeometry): Correlation {
  const { batch, groups } = g;
  const [inChannels, outChannels] = [g.inChannels / groups, g.outChannels / groups];
  const zeros = g.paddingMode === 'zeros';
  switch (g.op) {
    case 'forward':
      return {
        images: batch,
        groups,
        read: inChannels,
        written: outChannels,
        axes: linesOf(g, (axis) => ({ ...axis, dense: axis.in })),
        zeros,
        fitsOutputs: false,
      };
    case 'inputGrad':
      // Other padding than zeros is as if the input had been padded before.
      if (!zeros) return correlationOf(overGradOutput(g, foldsPadding(g)));
      return {
        images: batch,
        groups,
        read: outChannels,
        written: inChannels,
        axes: linesOf(g, ({ kernel, dilation, stride, padBefore, in: out, out: given }) => ({
          kernel,
          dilation,
          stride: 1,
          out,
          dense: extent(given, stride),
          padBefore: extent(kernel, dilation) - 1 - padBefore,
        })),
        zeros,
        fitsOutputs: false,
      };
    case 'weightGrad':
      return {
        images: inChannels,
        groups,
        read: batch,
        written: outChannels,
        axes: linesOf(g, ({ kernel: out, dilation: stride, out: kernel, stride: dilation, ...axis }) => ({
          kernel,
          dilation,
          stride,
          out,
          dense: axis.in,
          padBefore: axis.padBefore,
        })),
        zeros,
        fitsOutputs: true,
      };
  }
}

function linesOf(
  { axes: [depth, height, width] }: ConvGeometry,
  line: (axis: Axis) => Line,
): [Line, Line, Line] {
  return [line(depth), line(height), line(width)];
}

/** Outputs that are computed along an axis, those between a stride's among them. */
export function denseOut({ out, stride }: Line): number {
  return out === 0 ? 0 : extent(out, stride);
}
