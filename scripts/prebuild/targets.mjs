import { isasOf } from '../isas/list.mjs';

/**
 * What a binary is built for. `kernels` are compiled for `kernelTriple`: they call no C library, so that the two
 * of Linux share them.
 */
function target(platform, arch, libc, triple, options = {}) {
  const name = [platform, arch, libc].filter(Boolean).join('-');
  const file = `${platform}-${arch}/convmat${libc ? `.${libc}` : ''}.node`;
  const isas = isasOf('native', { platform, arch });
  return { name, platform, arch, libc, file, triple, kernelTriple: options.kernelTriple ?? triple, isas };
}

// The floors that docs/install.md promises, and the Node-API of Node 20.
export const GLIBC_FLOOR = '2.28';
export const MACOS_FLOOR = '11.0';
export const NODE_API = 8;
// What Node looks up in an addon; exports.map has the same.
export const EXPORTS = ['napi_register_module_v1', 'node_api_module_get_api_version_v1'];

export const targets = [
  target('linux', 'x64', 'glibc', `x86_64-linux-gnu.${GLIBC_FLOOR}`, { kernelTriple: 'x86_64-linux-musl' }),
  target('linux', 'x64', 'musl', 'x86_64-linux-musl'),
  target('linux', 'arm64', 'glibc', `aarch64-linux-gnu.${GLIBC_FLOOR}`, {
    kernelTriple: 'aarch64-linux-musl',
  }),
  target('linux', 'arm64', 'musl', 'aarch64-linux-musl'),
  target('win32', 'x64', undefined, 'x86_64-windows-gnu'),
  target('win32', 'arm64', undefined, 'aarch64-windows-gnu'),
  target('darwin', 'x64', undefined, `x86_64-macos.${MACOS_FLOOR}`),
  target('darwin', 'arm64', undefined, `aarch64-macos.${MACOS_FLOOR}`),
];
