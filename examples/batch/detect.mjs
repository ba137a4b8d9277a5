/** One photograph: what a thread of the pool and a worker of the queue do. The network is loaded once for each. */
import { setNumThreads } from 'convmat';
import { loadDetector } from '../service/faces.mjs';

// The photographs run beside one another: a convolution need not be cut as well.
setNumThreads(1);
const detector = await loadDetector();

export default function detect(path) {
  return detector.detect(path);
}
