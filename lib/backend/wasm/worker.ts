/** What runs in the other thread of remote.ts: an instance of its own, one call after another. A text is made of it. */
import { isTypedArray, type TypedArray } from '../../tensor/dtype.js';
import { type Argument, Instance } from './instance.js';
import { buffersOf, failureOf, filled, type Reply, type Request } from './messages.js';

/** Of Node.js, or the worker's own global object in a browser. */
interface Port {
  postMessage(reply: Reply, transfer: readonly ArrayBuffer[]): void;
  addEventListener?(type: 'message', listener: (event: { readonly data: Request }) => void): void;
  on?(type: 'message', listener: (request: Request) => void): void;
}
declare const self: Port;
/** That of Node.js, which its host/node.ts hands over. */
declare const convmatPort: Port | undefined;

const port = typeof convmatPort === 'undefined' ? self : convmatPort;
let instance: Instance | undefined;

function serve(request: Request): void {
  if ('module' in request) {
    instance = new Instance(request.module);
    port.postMessage({ ready: true }, []);
    return;
  }
  const { id, name, directions } = request;
  try {
    if (instance === undefined) throw new Error('there is no instance yet');
    const args = request.args.map(filled);
    const number = instance.call(name, args, directions);
    const arrays = (directions.out ?? []).flatMap((place) => arraysOf(args[place]));
    port.postMessage({ id, number, arrays }, buffersOf(arrays));
  } catch (error) {
    port.postMessage({ id, failure: failureOf(error) }, []);
  }
}

if (port.on === undefined) port.addEventListener?.('message', ({ data }) => serve(data));
else port.on('message', serve);

function arraysOf(arg: Argument): TypedArray[] {
  return (Array.isArray(arg) ? arg : [arg]).filter(isTypedArray);
}
