/**
 * Calls in another thread, with an instance of its own, so that the event loop goes on meanwhile. Operands are handed over,
 * results come back in arrays that are handed over, too.
 */
import { startWorker, type WorkerHandle } from '#host';
import { workerText } from '#wasm-worker';
import { ArgumentError, ConvmatError, MemoryError } from '../../errors.js';
import type { TypedArray } from '../../tensor/dtype.js';
import type { Directions, WasmModule } from './instance.js';
import { buffersOf, type Failure, type RemoteArgument, type Reply, type Request } from './messages.js';

export interface RemoteResult {
  readonly number: number;
  /** Those of `directions.out`, in order, lists spread. */
  readonly arrays: readonly TypedArray[];
}

interface Pending {
  readonly resolve: (result: RemoteResult) => void;
  readonly reject: (error: Error) => void;
}

export class Remote {
  readonly #worker: WorkerHandle;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #hasEnded = false;
  #begin: (isReady: boolean) => void = () => {};

  /** Null where no worker can be had: a page's policy may forbid it, and service workers have none. */
  static async start(module: WasmModule): Promise<Remote | null> {
    try {
      const remote = new Remote();
      return (await remote.#ready(module)) ? remote : null;
    } catch {
      return null;
    }
  }

  private constructor() {
    this.#worker = startWorker(
      workerText,
      (reply: Reply) => this.#receive(reply),
      () => this.#fail(),
    );
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** @param handedOver  Whether the arrays' memory may go to the other thread for good. */
  call(
    name: string,
    args: readonly RemoteArgument[],
    directions: Directions,
    handedOver: boolean,
  ): Promise<RemoteResult> {
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId;
      const request: Request = { id, name, args, directions };
      // Throws for what cannot cross.
      this.#worker.post(request, handedOver ? buffersOf(args.flat()) : []);
      this.#pending.set(id, { resolve, reject });
      this.#worker.hold();
    });
  }

  #ready(module: WasmModule): Promise<boolean> {
    return new Promise((resolve) => {
      this.#begin = resolve;
      this.#worker.hold();
      this.#worker.post({ module } satisfies Request, []);
    });
  }

  #receive(reply: Reply): void {
    if ('ready' in reply) this.#begin(reply.ready);
    else {
      const pending = this.#pending.get(reply.id);
      this.#pending.delete(reply.id);
      if ('failure' in reply) pending?.reject(errorOf(reply.failure));
      else pending?.resolve(reply);
    }
    if (this.#pending.size === 0) this.#worker.letGo();
  }

  #fail(): void {
    this.#hasEnded = true;
    this.#begin(false);
    for (const { reject } of this.#pending.values())
      reject(new ConvmatError('the worker that a call ran in has ended'));
    this.#pending.clear();
    this.#worker.letGo();
  }
}

function errorOf({ code, message }: Failure): Error {
  if (code === 'ERR_CONVMAT_ARGUMENT') return new ArgumentError(message);
  return code === 'ERR_CONVMAT_MEMORY' ? new MemoryError(message) : new ConvmatError(message);
}
