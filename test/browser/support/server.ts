/** Folders over HTTP, on a port of the machine's own: a place that browsers take for secure, as pages of HTTPS are. */
import { readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
};

/** A page without a file: its HTML, and headers besides its type. */
export interface Page {
  readonly html: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Server {
  /** http://127.0.0.1:port */
  readonly origin: string;
  close(): Promise<void>;
}

/** @param folders  By the first part of the path; @param pages  By the whole path. */
export async function serve(
  folders: Readonly<Record<string, string>>,
  pages: Readonly<Record<string, Page>> = {},
): Promise<Server> {
  const server = createServer(({ url = '/' }, response) => {
    const { pathname } = new URL(url, 'http://localhost');
    if (Object.hasOwn(pages, pathname)) {
      const { html, headers } = pages[pathname];
      response.writeHead(200, { 'content-type': TYPES['.html'], ...headers }).end(html);
      return;
    }
    if (pathname === '/favicon.ico') {
      response.writeHead(204).end();
      return;
    }
    const [, first, ...rest] = pathname.split('/');
    const folder = folders[first];
    const file =
      folder === undefined ? '' : join(folder, normalize(`/${decodeURIComponent(rest.join('/'))}`));
    const path = file.endsWith('/') ? join(file, 'index.html') : file;
    if (path === '' || statSync(path, { throwIfNoEntry: false })?.isFile() !== true) {
      response.writeHead(404).end();
      return;
    }
    const type = TYPES[extname(path)] ?? 'application/octet-stream';
    // A service worker may answer for the whole site.
    const headers = { 'content-type': type, 'service-worker-allowed': '/' };
    response.writeHead(200, headers).end(readFileSync(path));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((closed) => {
        server.closeAllConnections();
        server.close(() => closed());
      }),
  };
}
