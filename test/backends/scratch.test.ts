/** Arrays that the JavaScript backend's loops share: whoever comes back finds out whether another has been there. */
import { describe, expect, test } from 'vitest';
import { joined, Scratch } from '../../dist/backend/js/scratch.js';

describe('Scratch', () => {
  test('is held by its last owner alone', () => {
    const scratch = new Scratch(4, 4);
    const [first, second] = [{}, {}];
    expect(scratch.hold(first)).toBe(false);
    expect(scratch.hold(first)).toBe(true);
    expect(scratch.hold(second)).toBe(false);
    expect(scratch.hold(first)).toBe(false);
  });

  test('its arrays lie side by side in one buffer, and join where they are neighbours', () => {
    const [a, b, c] = new Scratch(3, 5, 2).arrays;
    b.fill(1);
    c.fill(2);
    expect([a.length, b.length, c.length]).toEqual([3, 5, 2]);
    // Not from the start of the buffer: what joins must keep its place.
    expect([...joined([b, c])]).toEqual([1, 1, 1, 1, 1, 2, 2]);
    expect([...a]).toEqual([0, 0, 0]);
  });
});
