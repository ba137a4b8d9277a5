import * as convmat from 'convmat';
import { PNG } from 'pngjs';
import { describe, expect, it } from 'vitest';

const small = convmat.convMatrix(
  [
    [1, 2],
    [3, 4],
  ],
  { inputShape: [3, 3] },
);

describe('spy', () => {
  it('draws each entry of a small matrix, one colour a tap', () => {
    const svg = small.spy();
    const squares = [
      ...svg.matchAll(/<title>row (\d+), column (\d+), tap (\d+): (\S+)<\/title><rect[^>]*fill="([^"]+)"/g),
    ];
    expect(squares).toHaveLength(small.nnz);
    for (const [, row, column, tap, value] of squares) {
      expect(Number(value)).toBe(small.at(Number(row), Number(column)));
      expect(Number(value)).toBe(Number(tap) + 1);
    }
    expect(new Set(squares.map(([, , , , , colour]) => colour)).size).toBe(4);
  });

  it('draws the same cells as PNG', () => {
    const { width, height, data } = PNG.sync.read(Buffer.from(small.spy({ format: 'png' })));
    const cell = (width - 1) / 9;
    expect(height).toBe(4 * cell + 1);
    for (let row = 0; row < 4; row++) {
      for (let col = 0; col < 9; col++) {
        const at = 4 * (Math.floor((row + 0.5) * cell) * width + Math.floor((col + 0.5) * cell));
        const white = data[at] === 255 && data[at + 1] === 255 && data[at + 2] === 255;
        expect(white).toBe(small.at(row, col) === 0);
      }
    }
  });

  it('gathers a matrix of a million rows into few pixels, along its diagonal', () => {
    const large = convmat.convMatrix(new convmat.Tensor(new Float32Array(9).fill(1), [3, 3]), {
      inputShape: [1000, 1000],
      padding: 1,
    });
    const { width, height, data } = PNG.sync.read(Buffer.from(large.spy({ format: 'png', maxSize: 200 })));
    expect([width, height]).toEqual([200, 200]);
    for (let i = 0; i < 200; i++) {
      expect(data[4 * (i * 200 + i)]).toBeLessThan(255);
      expect(data[4 * (i * 200 + ((i + 100) % 200))]).toBe(255);
    }
    expect(large.spy({ maxSize: 200 })).toMatch(/^<svg[^>]*width="200"[\s\S]*data:image\/png;base64/);
  });

  it('keeps a flat matrix visible, and draws one without entries', () => {
    const flat = convmat.convMatrix(new Float32Array(3).fill(1), { inputShape: [100_000], stride: 50_000 });
    const { width, height } = PNG.sync.read(Buffer.from(flat.spy({ format: 'png', maxSize: 64 })));
    expect([width, height]).toEqual([64, 8]);
    expect(convmat.convMatrix([[0]], { inputShape: [2, 2] }).spy()).not.toContain('<title>');
  });

  it.each([
    [{ format: 'gif' }, /options\.format: expected one of 'svg', 'png', got "gif"/],
    [{ maxSize: 0 }, /options\.maxSize: expected an integer from 16 to 16384, got 0/],
    [{ size: 3 }, /options\.size: unknown option/],
  ])('refuses %j', (options, message) => {
    expect(() => small.spy(options as object)).toThrow(message);
  });
});
