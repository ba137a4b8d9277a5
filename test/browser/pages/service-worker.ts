/** Answers whoever asks, as test/hosts/page.mjs does on a page; and keeps the site, which then opens without a network. */
import '../../hosts/page.mjs';

interface Extendable {
  waitUntil(work: Promise<unknown>): void;
}
interface Asked extends Extendable {
  readonly source: { postMessage(message: unknown): void } | null;
}
interface Fetched {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
}

declare const answers: Promise<unknown>;
/** What the build for tests puts here: the addresses of the site. */
declare const SITE: readonly string[];
declare const clients: { claim(): Promise<void> };

function on<E>(name: string, react: (event: E) => void): void {
  addEventListener(name, react as unknown as EventListener);
}

on<Extendable>('install', (event) =>
  event.waitUntil(caches.open('site').then((cache) => cache.addAll([...SITE]))),
);
on<Extendable>('activate', (event) => event.waitUntil(clients.claim()));
on<Fetched>('fetch', (event) =>
  event.respondWith(caches.match(event.request).then((kept) => kept ?? fetch(event.request))),
);
on<Asked>('message', (event) => event.waitUntil(answers.then((value) => event.source?.postMessage(value))));
