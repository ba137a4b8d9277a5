/** dw[o,c,t] = Σ_{n,i} x[n,c,source(i,t)]·dy[n,o,i] */
import type { ConvPlan } from '../../plan/conv-plan.js';
import type { FloatArray } from '../../tensor/dtype.js';
import { forwardGather } from './gather.js';

export function convWeightGrad(
  plan: ConvPlan,
  input: FloatArray,
  gradOutput: FloatArray,
  gradWeight: FloatArray,
): void {
  const { batch, groups, inChannels, outChannels, axes } = plan;
  const [depth, height, width] = axes;
  const [gd, gh, gw] = axes.map((axis) => forwardGather(axis, plan.paddingMode));
  const ic = inChannels / groups;
  const oc = outChannels / groups;
  const inSize = depth.in * height.in * width.in;
  const outSize = depth.out * height.out * width.out;
  let at = 0;
  for (let o = 0; o < outChannels; o++) {
    const firstChannel = Math.floor(o / oc) * ic;
    for (let c = 0; c < ic; c++) {
      for (let td = 0; td < depth.kernel; td++) {
        for (let th = 0; th < height.kernel; th++) {
          for (let tw = 0; tw < width.kernel; tw++) {
            let sum = 0;
            for (let n = 0; n < batch; n++) {
              const plane = (n * inChannels + firstChannel + c) * inSize;
              let g = (n * outChannels + o) * outSize;
              for (let d = 0; d < depth.out; d++) {
                const z = gd.sources[d * depth.kernel + td];
                for (let h = 0; h < height.out; h++, g += width.out) {
                  const y = gh.sources[h * height.kernel + th];
                  if (z < 0 || y < 0) continue;
                  const row = plane + (z * height.in + y) * width.in;
                  for (let w = 0; w < width.out; w++) {
                    const x = gw.sources[w * width.kernel + tw];
                    if (x >= 0) sum += input[row + x] * gradOutput[g + w];
                  }
                }
              }
            }
            gradWeight[at++] = sum;
          }
        }
      }
    }
  }
}
