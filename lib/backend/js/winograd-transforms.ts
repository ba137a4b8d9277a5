/**
 * The transforms of Winograd's F(m×m, r×r) by Toom and Cook's way, one line of n = m + r − 1 numbers at a time:
 *   y = Aᵀ[(G·g) ⊙ (Bᵀ·d)],   Aᵀ[j][i] = xᵢʲ,   G[i][k] = xᵢᵏ/∏(xᵢ − xⱼ),   Bᵀ[i] = ∏_{j≠i}(x − xⱼ)
 * at the points x of 0, pairs ±p, of nine points one without its opposite, and ∞ at the end (Lavin and Gray 2016; the points
 * of Barabasz et al. 2020 err less than whole numbers). A and B are straight lines, since in float64 six, eight and nine
 * points are all that is worth having: the more there are, the fewer products each output takes, and the more sums.
 */
import { Scratch } from './scratch.js';

/** Points of a line that there are transforms for. */
export type Points = 6 | 8 | 9;

/** A square of n×n numbers begins at a multiple of this. */
export const SQUARE = 128;
// Nothing is left in them from one unit of work to the next, so nobody holds them.
const [numbers] = new Scratch(4 * SQUARE).arrays;
/** Squares of numbers: every pass reads one and writes another, transposed. */
export const squares: Float64Array = numbers;
const INDEX = 4 * SQUARE - 1;

// Of six points: ±5/8 and ±3/2.
const P = 5 / 8;
const Q = 3 / 2;
const P2 = P * P;
const Q2 = Q * Q;
const P3 = P2 * P;
const Q3 = Q2 * Q;
const P4 = P2 * P2;
const Q4 = Q2 * Q2;
const SUM = P2 + Q2;
const PRODUCT = P2 * Q2;

// Of eight and nine points: ±1/2, ±1 and ±2, where 1 needs no multiplication; and ¾ beside them.
const A = 1 / 2;
const C = 2;
const E = 3 / 4;
const A2 = A * A;
const C2 = C * C;
const A4 = A2 * A2;
const C4 = C2 * C2;
const A6 = A4 * A2;
const C6 = C4 * C2;
const E2 = E * E;
const E3 = E2 * E;
const E4 = E2 * E2;
const E5 = E4 * E;
const E6 = E4 * E2;
const E7 = E6 * E;
/** Elementary symmetric polynomials of the squares: of all three, and without each. */
const S1 = A2 + 1 + C2;
const S2 = A2 + A2 * C2 + C2;
const S3 = A2 * C2;
const A_SUM = 1 + C2;
const B_SUM = A2 + C2;
const C_SUM = A2 + 1;
const A_PRODUCT = C2;
const B_PRODUCT = A2 * C2;
const C_PRODUCT = A2;

const FINITE: Readonly<Record<Points, readonly number[]>> = {
  6: [0, P, -P, Q, -Q],
  8: [0, A, -A, 1, -1, C, -C],
  9: [0, A, -A, 1, -1, C, -C, E],
};

/** Bᵀ of the line in every column of the square at `from`, as the rows of the square at `to`. */
export function transformInput(points: Points, from: number, to: number): void {
  if (points === 6) input6(from, to);
  else if (points === 8) input8(from, to);
  else input9(from, to);
}

function input6(from: number, to: number): void {
  for (let line = 0; line < 6; line++) {
    const i = (from + line) & INDEX;
    const o = (to + line * 6) & INDEX;
    const d0 = numbers[i];
    const d1 = numbers[i + 6];
    const d2 = numbers[i + 12];
    const d3 = numbers[i + 18];
    const d4 = numbers[i + 24];
    const d5 = numbers[i + 30];
    const evenP = d4 - Q2 * d2;
    const oddP = P * (d3 - Q2 * d1);
    const evenQ = d4 - P2 * d2;
    const oddQ = Q * (d3 - P2 * d1);
    numbers[o] = PRODUCT * d0 - SUM * d2 + d4;
    numbers[o + 1] = evenP + oddP;
    numbers[o + 2] = evenP - oddP;
    numbers[o + 3] = evenQ + oddQ;
    numbers[o + 4] = evenQ - oddQ;
    numbers[o + 5] = PRODUCT * d1 - SUM * d3 + d5;
  }
}

function input8(from: number, to: number): void {
  for (let line = 0; line < 8; line++) {
    const i = (from + line) & INDEX;
    const o = (to + line * 8) & INDEX;
    const d0 = numbers[i];
    const d1 = numbers[i + 8];
    const d2 = numbers[i + 16];
    const d3 = numbers[i + 24];
    const d4 = numbers[i + 32];
    const d5 = numbers[i + 40];
    const d6 = numbers[i + 48];
    const d7 = numbers[i + 56];
    const evenA = A_PRODUCT * d2 - A_SUM * d4 + d6;
    const oddA = A * (A_PRODUCT * d1 - A_SUM * d3 + d5);
    numbers[o] = S2 * d2 - S1 * d4 + d6 - S3 * d0;
    numbers[o + 1] = evenA + oddA;
    numbers[o + 2] = evenA - oddA;
    const evenB = B_PRODUCT * d2 - B_SUM * d4 + d6;
    const oddB = B_PRODUCT * d1 - B_SUM * d3 + d5;
    numbers[o + 3] = evenB + oddB;
    numbers[o + 4] = evenB - oddB;
    const evenC = C_PRODUCT * d2 - C_SUM * d4 + d6;
    const oddC = C * (C_PRODUCT * d1 - C_SUM * d3 + d5);
    numbers[o + 5] = evenC + oddC;
    numbers[o + 6] = evenC - oddC;
    numbers[o + 7] = S2 * d3 - S1 * d5 + d7 - S3 * d1;
  }
}

/** The ninth point is a factor x − E of every other one's polynomial: that of eight points, of dᵢ₊₁ − E·dᵢ. */
function input9(from: number, to: number): void {
  for (let line = 0; line < 9; line++) {
    const i = (from + line) & INDEX;
    const o = (to + line * 9) & INDEX;
    const d1 = numbers[i + 9];
    const d2 = numbers[i + 18];
    const d3 = numbers[i + 27];
    const d4 = numbers[i + 36];
    const d5 = numbers[i + 45];
    const d6 = numbers[i + 54];
    const d7 = numbers[i + 63];
    numbers[o + 7] = S2 * d3 - S1 * d5 + d7 - S3 * d1;
    const f0 = d1 - E * numbers[i];
    const f2 = d3 - E * d2;
    const f4 = d5 - E * d4;
    const f6 = d7 - E * d6;
    const f1 = d2 - E * d1;
    const f3 = d4 - E * d3;
    const f5 = d6 - E * d5;
    const evenA = A_PRODUCT * f2 - A_SUM * f4 + f6;
    const oddA = A * (A_PRODUCT * f1 - A_SUM * f3 + f5);
    numbers[o] = S2 * f2 - S1 * f4 + f6 - S3 * f0;
    numbers[o + 1] = evenA + oddA;
    numbers[o + 2] = evenA - oddA;
    const evenB = B_PRODUCT * f2 - B_SUM * f4 + f6;
    const oddB = B_PRODUCT * f1 - B_SUM * f3 + f5;
    numbers[o + 3] = evenB + oddB;
    numbers[o + 4] = evenB - oddB;
    const evenC = C_PRODUCT * f2 - C_SUM * f4 + f6;
    const oddC = C * (C_PRODUCT * f1 - C_SUM * f3 + f5);
    numbers[o + 5] = evenC + oddC;
    numbers[o + 6] = evenC - oddC;
    numbers[o + 8] = S2 * f3 - S1 * f5 + (numbers[i + 72] - E * d7) - S3 * f1;
  }
}

/**
 * Aᵀ of the line in each of the first `lines` columns of the square at `from`, as the rows of the square at `to`: the
 * first `outputs` of them are the results, and what follows in a row is not.
 */
export function transformOutput(
  points: Points,
  from: number,
  to: number,
  lines: number,
  outputs: number,
): void {
  if (points === 6) output6(from, to, lines, outputs);
  else if (points === 8) output8(from, to, lines, outputs);
  else output9(from, to, lines, outputs);
  // The last point is the last output's alone.
  for (let line = 0; line < lines; line++) {
    numbers[(to + line * points + outputs - 1) & INDEX] +=
      numbers[(from + line + (points - 1) * points) & INDEX];
  }
}

function output6(from: number, to: number, lines: number, outputs: number): void {
  for (let line = 0; line < lines; line++) {
    const i = (from + line) & INDEX;
    const o = (to + line * 6) & INDEX;
    const m1 = numbers[i + 6];
    const m2 = numbers[i + 12];
    const m3 = numbers[i + 18];
    const m4 = numbers[i + 24];
    const sumP = m1 + m2;
    const sumQ = m3 + m4;
    const differenceP = m1 - m2;
    const differenceQ = m3 - m4;
    numbers[o] = numbers[i] + sumP + sumQ;
    numbers[o + 1] = P * differenceP + Q * differenceQ;
    numbers[o + 2] = P2 * sumP + Q2 * sumQ;
    numbers[o + 3] = P3 * differenceP + Q3 * differenceQ;
    if (outputs > 4) numbers[o + 4] = P4 * sumP + Q4 * sumQ;
  }
}

function output8(from: number, to: number, lines: number, outputs: number): void {
  for (let line = 0; line < lines; line++) {
    const i = (from + line) & INDEX;
    const o = (to + line * 8) & INDEX;
    const m1 = numbers[i + 8];
    const m2 = numbers[i + 16];
    const m3 = numbers[i + 24];
    const m4 = numbers[i + 32];
    const m5 = numbers[i + 40];
    const m6 = numbers[i + 48];
    const sumA = m1 + m2;
    const sumB = m3 + m4;
    const sumC = m5 + m6;
    numbers[o] = numbers[i] + sumA + sumB + sumC;
    numbers[o + 2] = A2 * sumA + sumB + C2 * sumC;
    numbers[o + 4] = A4 * sumA + sumB + C4 * sumC;
    const differenceA = A * (m1 - m2);
    const differenceB = m3 - m4;
    const differenceC = C * (m5 - m6);
    numbers[o + 1] = differenceA + differenceB + differenceC;
    numbers[o + 3] = A2 * differenceA + differenceB + C2 * differenceC;
    numbers[o + 5] = A4 * differenceA + differenceB + C4 * differenceC;
    if (outputs > 6) numbers[o + 6] = A6 * sumA + sumB + C6 * sumC;
  }
}

function output9(from: number, to: number, lines: number, outputs: number): void {
  for (let line = 0; line < lines; line++) {
    const i = (from + line) & INDEX;
    const o = (to + line * 9) & INDEX;
    const m1 = numbers[i + 9];
    const m2 = numbers[i + 18];
    const m3 = numbers[i + 27];
    const m4 = numbers[i + 36];
    const m5 = numbers[i + 45];
    const m6 = numbers[i + 54];
    const m7 = numbers[i + 63];
    const sumA = m1 + m2;
    const sumB = m3 + m4;
    const sumC = m5 + m6;
    numbers[o] = numbers[i] + sumA + sumB + sumC + m7;
    numbers[o + 2] = A2 * sumA + sumB + C2 * sumC + E2 * m7;
    numbers[o + 4] = A4 * sumA + sumB + C4 * sumC + E4 * m7;
    numbers[o + 6] = A6 * sumA + sumB + C6 * sumC + E6 * m7;
    const differenceA = A * (m1 - m2);
    const differenceB = m3 - m4;
    const differenceC = C * (m5 - m6);
    numbers[o + 1] = differenceA + differenceB + differenceC + E * m7;
    numbers[o + 3] = A2 * differenceA + differenceB + C2 * differenceC + E3 * m7;
    numbers[o + 5] = A4 * differenceA + differenceB + C4 * differenceC + E5 * m7;
    if (outputs > 7) numbers[o + 7] = A6 * differenceA + differenceB + C6 * differenceC + E7 * m7;
  }
}

/** 1/∏(xᵢ − xⱼ) of the finite points, which G carries. */
function scalesOf(points: Points): Float64Array {
  const finite = FINITE[points];
  return Float64Array.from(finite, (x) =>
    finite.reduce((scale, y) => (y === x ? scale : scale / (x - y)), 1),
  );
}

const SCALES: Readonly<Record<Points, Float64Array>> = { 6: scalesOf(6), 8: scalesOf(8), 9: scalesOf(9) };
/** The points with their opposites. */
const PAIRS: Readonly<Record<Points, Float64Array>> = {
  6: Float64Array.of(P, Q),
  8: Float64Array.of(A, 1, C),
  9: Float64Array.of(A, 1, C),
};

/**
 * G·g·Gᵀ of the taps × taps numbers at `from`, as the square at `to`; uses the square at `between`. Up to five taps.
 */
export function transformKernel(
  points: Points,
  taps: number,
  from: number,
  between: number,
  to: number,
): void {
  if (taps === 3 && points !== 8) {
    const lines = points === 6 ? kernel6 : kernel9;
    lines(from, 3, between);
    lines(between, points, to);
    return;
  }
  transformKernelLines(points, taps, from, taps, between);
  transformKernelLines(points, taps, between, points, to);
}

// Of three taps, which nearly all kernels have, in straight lines.
const [N0, NP, , NQ] = SCALES[6];
const [M0, MA, MA_, MB, MB_, MC, MC_, ME] = SCALES[9];

function kernel6(from: number, lines: number, to: number): void {
  for (let line = 0; line < lines; line++) {
    const i = (from + line) & INDEX;
    const o = (to + line * 6) & INDEX;
    const g0 = numbers[i];
    const g1 = numbers[(i + lines) & INDEX];
    const g2 = numbers[(i + 2 * lines) & INDEX];
    const evenP = NP * (g0 + P2 * g2);
    const oddP = NP * P * g1;
    const evenQ = NQ * (g0 + Q2 * g2);
    const oddQ = NQ * Q * g1;
    numbers[o] = N0 * g0;
    numbers[o + 1] = evenP + oddP;
    numbers[o + 2] = evenP - oddP;
    numbers[o + 3] = evenQ + oddQ;
    numbers[o + 4] = evenQ - oddQ;
    numbers[o + 5] = g2;
  }
}

function kernel9(from: number, lines: number, to: number): void {
  for (let line = 0; line < lines; line++) {
    const i = (from + line) & INDEX;
    const o = (to + line * 9) & INDEX;
    const g0 = numbers[i];
    const g1 = numbers[(i + lines) & INDEX];
    const g2 = numbers[(i + 2 * lines) & INDEX];
    const evenA = g0 + A2 * g2;
    const oddA = A * g1;
    const evenB = g0 + g2;
    const evenC = g0 + C2 * g2;
    const oddC = C * g1;
    numbers[o] = M0 * g0;
    numbers[o + 1] = MA * (evenA + oddA);
    numbers[o + 2] = MA_ * (evenA - oddA);
    numbers[o + 3] = MB * (evenB + g1);
    numbers[o + 4] = MB_ * (evenB - g1);
    numbers[o + 5] = MC * (evenC + oddC);
    numbers[o + 6] = MC_ * (evenC - oddC);
    numbers[o + 7] = ME * (g0 + E * (g1 + E * g2));
    numbers[o + 8] = g2;
  }
}

/** The rows of the square at `to` ← G of the columns of taps × lines numbers at `from`. */
function transformKernelLines(points: Points, taps: number, from: number, lines: number, to: number): void {
  const scales = SCALES[points];
  const pairs = PAIRS[points];
  for (let line = 0; line < lines; line++) {
    const at = from + line;
    const o = (to + line * points) & INDEX;
    const g0 = numbers[at & INDEX];
    const g1 = taps > 1 ? numbers[(at + lines) & INDEX] : 0;
    const g2 = taps > 2 ? numbers[(at + 2 * lines) & INDEX] : 0;
    const g3 = taps > 3 ? numbers[(at + 3 * lines) & INDEX] : 0;
    const g4 = taps > 4 ? numbers[(at + 4 * lines) & INDEX] : 0;
    numbers[o] = scales[0] * g0;
    for (let pair = 0; pair < pairs.length; pair++) {
      const x = pairs[pair];
      const square = x * x;
      const even = g0 + square * (g2 + square * g4);
      const odd = x * (g1 + square * g3);
      numbers[(o + 2 * pair + 1) & INDEX] = scales[2 * pair + 1] * (even + odd);
      numbers[(o + 2 * pair + 2) & INDEX] = scales[2 * pair + 2] * (even - odd);
    }
    if (points === 9) numbers[o + 7] = scales[7] * (g0 + E * (g1 + E * (g2 + E * (g3 + E * g4))));
    numbers[(o + points - 1) & INDEX] = numbers[(at + (taps - 1) * lines) & INDEX];
  }
}
