/** A solution, or as much of one as a method could find of a matrix that it takes for singular. */
export interface Attempt {
  readonly x: Float64Array;
  readonly complete: boolean;
}
